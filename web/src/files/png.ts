/** Grey PNG files, written: a canvas would make them colours. */

const SIGNATURE = [0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a];
const GREY = 0;

/** A grey picture (height, width) as a PNG file, of 8 or of 16 bits as its values are. */
export async function encodePng(values: Uint8Array | Uint16Array, width: number, height: number): Promise<Uint8Array> {
  const depth = values.BYTES_PER_ELEMENT;
  const header = new DataView(new ArrayBuffer(13));
  header.setUint32(0, width);
  header.setUint32(4, height);
  header.setUint8(8, 8 * depth);
  header.setUint8(9, GREY);
  // Each row begins with the number of its filter: none.
  const rows = new Uint8Array(height * (1 + width * depth));
  const view = new DataView(rows.buffer);
  for (let row = 0; row < height; row++) {
    const own = values.subarray(row * width, (row + 1) * width);
    const at = row * (1 + width * depth) + 1;
    if (own instanceof Uint8Array) rows.set(own, at);
    else own.forEach((value, column) => view.setUint16(at + 2 * column, value));
  }
  const parts = [
    Uint8Array.from(SIGNATURE),
    chunk("IHDR", new Uint8Array(header.buffer)),
    chunk("IDAT", await deflated(rows)),
    chunk("IEND", new Uint8Array()),
  ];
  return new Uint8Array(await new Blob(parts as BlobPart[]).arrayBuffer());
}

/** The checksum of a chunk's name and content. */
export function crc32(bytes: Uint8Array): number {
  let crc = 0xffffffff;
  for (const byte of bytes) crc = TABLE[(crc ^ byte) & 255] ^ (crc >>> 8);
  return (crc ^ 0xffffffff) >>> 0;
}

const TABLE = Uint32Array.from({ length: 256 }, (_, byte) => {
  for (let bit = 0; bit < 8; bit++) byte = byte & 1 ? (byte >>> 1) ^ 0xedb88320 : byte >>> 1;
  return byte;
});

function chunk(name: string, content: Uint8Array): Uint8Array {
  const bytes = new Uint8Array(content.length + 12);
  const view = new DataView(bytes.buffer);
  view.setUint32(0, content.length);
  bytes.set(new TextEncoder().encode(name), 4);
  bytes.set(content, 8);
  view.setUint32(content.length + 8, crc32(bytes.subarray(4, content.length + 8)));
  return bytes;
}

async function deflated(bytes: Uint8Array): Promise<Uint8Array> {
  const stream = new Blob([bytes as BlobPart]).stream().pipeThrough(new CompressionStream("deflate"));
  return new Uint8Array(await new Response(stream).arrayBuffer());
}
