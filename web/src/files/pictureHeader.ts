/** What the first bytes of a picture file say: its form, its size, and how it is to be turned. */
import { crc32 } from "./png";

export interface PictureHeader {
  form: "jpeg" | "png" | "tiff" | "gif" | "bmp" | "webp" | "other";
  /** Columns and rows as stored, where the header is one that is understood. */
  size: [number, number] | null;
  /** EXIF's orientation, 1 to 8, and where in the file it stands. */
  orientation: number;
  orientationAt: number | null;
  /** The chunk of a PNG in which that is: it has a checksum. */
  chunkAt: number | null;
  /** The file ends before its picture does. */
  isCut: boolean;
  /** Grey of 16 bits: its values may use 10, 12 or 14 of them. */
  isDeep: boolean;
}

const ORIENTATION_TAG = 0x0112;

export function readPictureHeader(bytes: Uint8Array): PictureHeader {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const header: PictureHeader = {
    form: "other", size: null, orientation: 1, orientationAt: null, chunkAt: null, isCut: false, isDeep: false,
  };
  for (const read of [readJpeg, readPng, readTiff, readGif, readBmp, readWebp]) {
    // What is shorter than its header says is cut; the decoder says so.
    const found = attempt(() => read(bytes, view));
    if (found) return { ...header, ...found };
  }
  return header;
}

/** The file with the orientation taken out, so that whoever decodes it does not turn the picture. */
export function withoutOrientation(bytes: Uint8Array, header: PictureHeader): Uint8Array {
  const at = header.orientationAt;
  if (at === null) return bytes;
  const upright = bytes.slice();
  // Two bytes, in either order: the one that is not 0 becomes 1.
  for (const place of [at, at + 1]) if (upright[place]) upright[place] = 1;
  if (header.chunkAt !== null) {
    const view = new DataView(upright.buffer);
    const end = header.chunkAt + 8 + view.getUint32(header.chunkAt);
    view.setUint32(end, crc32(upright.subarray(header.chunkAt + 4, end)));
  }
  return upright;
}

type Found = Partial<PictureHeader> | null;

function readJpeg(bytes: Uint8Array, view: DataView): Found {
  if (bytes[0] !== 0xff || bytes[1] !== 0xd8) return null;
  const found: Partial<PictureHeader> = { form: "jpeg" };
  for (let at = 2; at + 4 <= bytes.length; ) {
    const marker = bytes[at + 1];
    if (bytes[at] !== 0xff || marker === 0xff) {
      at += 1; // padding
      continue;
    }
    if (marker === 0xda) return { ...found, isCut: !holdsEnd(bytes, at) };
    // SOF0 to SOF15; three of these numbers are other tables.
    if (marker >= 0xc0 && marker <= 0xcf && ![0xc4, 0xc8, 0xcc].includes(marker)) {
      found.size = [view.getUint16(at + 7), view.getUint16(at + 5)];
    }
    if (marker === 0xe1 && textAt(bytes, at + 4, 6) === "Exif\0\0") Object.assign(found, orientationIn(view, at + 10));
    at += 2 + view.getUint16(at + 2);
  }
  return { ...found, isCut: true };
}

/** Whether a JPEG's end follows `from`, where its picture begins. */
function holdsEnd(bytes: Uint8Array, from: number): boolean {
  for (let at = bytes.length - 2; at > from; at--) if (bytes[at] === 0xff && bytes[at + 1] === 0xd9) return true;
  return false;
}

function readPng(bytes: Uint8Array, view: DataView): Found {
  if (textAt(bytes, 1, 3) !== "PNG" || bytes[0] !== 0x89) return null;
  const found: Partial<PictureHeader> = { form: "png", size: [view.getUint32(16), view.getUint32(20)] };
  found.isDeep = bytes[24] === 16 && bytes[25] === 0;
  for (let at = 8; at + 12 <= bytes.length; at += 12 + view.getUint32(at)) {
    const name = textAt(bytes, at + 4, 4);
    if (name === "eXIf") Object.assign(found, orientationIn(view, at + 8), { chunkAt: at });
    if (name === "IEND") return found;
  }
  return { ...found, isCut: true };
}

function readTiff(_: Uint8Array, view: DataView): Found {
  const order = view.getUint16(0);
  const isTiff = (order === 0x4949 || order === 0x4d4d) && view.getUint16(2, order === 0x4949) === 42;
  return isTiff ? { form: "tiff", ...orientationIn(view, 0) } : null;
}

function readGif(bytes: Uint8Array, view: DataView): Found {
  if (textAt(bytes, 0, 4) !== "GIF8") return null;
  return { form: "gif", size: [view.getUint16(6, true), view.getUint16(8, true)] };
}

function readBmp(bytes: Uint8Array, view: DataView): Found {
  if (textAt(bytes, 0, 2) !== "BM") return null;
  // Rows may go down, which a negative height says.
  const size: [number, number] = [view.getInt32(18, true), Math.abs(view.getInt32(22, true))];
  const isPlain = view.getUint32(30, true) === 0;
  const row = 4 * Math.ceil((size[0] * view.getUint16(28, true)) / 32);
  return { form: "bmp", size, isCut: isPlain && view.getUint32(10, true) + row * size[1] > bytes.length };
}

function readWebp(bytes: Uint8Array, view: DataView): Found {
  if (textAt(bytes, 0, 4) !== "RIFF" || textAt(bytes, 8, 4) !== "WEBP") return null;
  const found: Partial<PictureHeader> = { form: "webp", isCut: view.getUint32(4, true) + 8 > bytes.length };
  for (let at = 12; at + 8 <= bytes.length; ) {
    const [name, length] = [textAt(bytes, at, 4), view.getUint32(at + 4, true)];
    const isBare = textAt(bytes, at + 8, 4) !== "Exif";
    if (name === "EXIF") Object.assign(found, orientationIn(view, at + (isBare ? 8 : 14)));
    found.size ??= webpSize(name, view, at + 8);
    at += 8 + length + (length % 2);
  }
  return found;
}

function webpSize(chunk: string, view: DataView, at: number): [number, number] | null {
  if (chunk === "VP8X") return [1 + (view.getUint32(at + 4, true) & 0xffffff), 1 + (view.getUint32(at + 6, true) >>> 8)];
  if (chunk === "VP8 ") return [view.getUint16(at + 6, true) & 0x3fff, view.getUint16(at + 8, true) & 0x3fff];
  if (chunk !== "VP8L") return null;
  const bits = view.getUint32(at + 1, true);
  return [1 + (bits & 0x3fff), 1 + ((bits >>> 14) & 0x3fff)];
}

/** The orientation in a TIFF structure that begins at `start`: TIFF files, and EXIF in others, have one. */
function orientationIn(view: DataView, start: number): Pick<PictureHeader, "orientation" | "orientationAt"> | null {
  return attempt(() => {
    const isLittle = view.getUint16(start) === 0x4949;
    const folder = start + view.getUint32(start + 4, isLittle);
    for (let entry = 0; entry < view.getUint16(folder, isLittle); entry++) {
      const at = folder + 2 + 12 * entry;
      if (view.getUint16(at, isLittle) !== ORIENTATION_TAG) continue;
      const orientation = view.getUint16(at + 8, isLittle);
      return orientation >= 2 && orientation <= 8 ? { orientation, orientationAt: at + 8 } : null;
    }
    return null;
  });
}

/** What a function gives, or null where it reads beyond the end. */
function attempt<T>(read: () => T): T | null {
  try {
    return read();
  } catch (error) {
    if (error instanceof RangeError) return null;
    throw error;
  }
}

function textAt(bytes: Uint8Array, at: number, length: number): string {
  return String.fromCharCode(...bytes.subarray(at, at + length));
}
