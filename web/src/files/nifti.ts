/** NIfTI images in every form people have, and label volumes that lie on them. */
import { gzipSync } from "fflate";
import { LookOnceError } from "../errors";
import { labelHeader, type NiftiHeader, parseHeader } from "./header";
import { readStart } from "./unpack";
import { type Volume, volumeOf, type Voxels } from "../pipeline/volume";

/** Above this magnitude a grey value is damage, and sums of single-precision values overflow. */
const LARGEST_GREY = 1e30;
const HEADER_BYTES = 544;

/** One grey volume, its place in space, and its header, with which labels are written. */
export interface SpineImage {
  name: string;
  header: NiftiHeader;
  volume: Volume;
  warnings: string[];
}

/** A file that holds several volumes, of which one must be chosen. */
export class SeveralVolumesError extends LookOnceError {
  constructor(
    name: string,
    readonly volumes: number,
  ) {
    super(`${name}: ${volumes} volumes; labelling needs one anatomical volume`);
  }
}

/** Read a scan, packed or not, and check that it holds an image; `chosen` is which volume of several, from 0. */
export async function readImage(name: string, file: Uint8Array, chosen: number | null = null): Promise<SpineImage> {
  const image = await readVolume(name, file, chosen);
  const mended = mendVoxels(name, image.volume.data);
  image.volume.data = mended.data;
  return { ...image, warnings: [...image.warnings, ...mended.warnings] };
}

/** Read as `readImage` does, without looking at the voxels: for label files, which may well be empty. */
export async function readVolume(name: string, file: Uint8Array, chosen: number | null = null): Promise<SpineImage> {
  if (!file.length) throw new LookOnceError(`${name}: is empty (0 bytes); copy it again`);
  const content = await readStart(name, file, (start) =>
    start.length < HEADER_BYTES ? null : endOf(parseHeader(name, start), chosen ?? 0),
  );
  const header = parseHeader(name, content);
  if (chosen === null && header.volumes > 1) throw new SeveralVolumesError(name, header.volumes);
  const end = endOf(header, chosen ?? 0);
  if (content.length < end) {
    throw new LookOnceError(`${name}: the file ends after ${content.length} of ${end} bytes; copy it again`);
  }
  const data = scaled(header, voxels(content, header, end));
  return { name, header, volume: volumeOf(data, header.shape, header.affine), warnings: header.warnings };
}

/** Content of a label file: unsigned 8-bit NIfTI with the space, form codes and units of the image. */
export function encodeLabels(labels: Uint8Array, image: NiftiHeader): Uint8Array {
  const header = labelHeader(image);
  const file = new Uint8Array(header.length + 4 + labels.length);
  file.set(header);
  file.set(labels, header.length + 4);
  return file;
}

export function pack(content: Uint8Array): Uint8Array {
  return gzipSync(content, { mtime: 0 });
}

function endOf(header: NiftiHeader, chosen: number): number {
  const size = header.shape[0] * header.shape[1] * header.shape[2];
  return header.dataOffset + (Math.min(chosen, header.volumes - 1) + 1) * size * header.voxelBytes;
}

function voxels(content: Uint8Array, header: NiftiHeader, end: number): Voxels {
  const size = header.shape[0] * header.shape[1] * header.shape[2];
  // A copy: aligned, writable, and its own even where the file lies in memory that is shared.
  const bytes = content.slice(end - size * header.voxelBytes, end);
  if (!header.littleEndian && header.voxelBytes > 1) swapBytes(bytes, header.voxelBytes);
  const { buffer } = bytes;
  switch (header.datatype) {
    case 2: return bytes;
    case 4: return new Int16Array(buffer);
    case 8: return new Int32Array(buffer);
    case 16: return new Float32Array(buffer);
    case 64: return new Float64Array(buffer);
    case 256: return new Int8Array(buffer);
    case 512: return new Uint16Array(buffer);
    case 768: return new Uint32Array(buffer);
    case 1024: return Float64Array.from(new BigInt64Array(buffer), Number);
    default: return Float64Array.from(new BigUint64Array(buffer), Number);
  }
}

function swapBytes(bytes: Uint8Array, width: number): void {
  for (let start = 0; start < bytes.length; start += width) bytes.subarray(start, start + width).reverse();
}

function scaled(header: NiftiHeader, data: Voxels): Voxels {
  if (!header.scaling) return data;
  const [slope, intercept] = header.scaling.map(Math.fround);
  return Float32Array.from(data as ArrayLike<number>, (value) => Math.fround(value * slope) + intercept);
}

/** Zeros for voxels that are no number, with a warning; an error for an image that shows nothing. */
function mendVoxels(name: string, data: Voxels): { data: Voxels; warnings: string[] } {
  const warnings: string[] = [];
  if (data instanceof Float32Array || data instanceof Float64Array) {
    let bad = 0;
    for (let i = 0; i < data.length; i++) {
      if (Math.abs(data[i]) < LARGEST_GREY) continue;
      bad += 1;
      data[i] = 0;
    }
    if (bad >= 0.5 * data.length) {
      const share = ((100 * bad) / data.length).toFixed(0);
      throw new LookOnceError(`${name}: ${share}% of its voxels are no numbers (NaN or infinite); convert it again`);
    }
    if (bad) warnings.push(`voxels that are no numbers (NaN or infinite) count as 0: ${bad} of ${data.length}`);
  }
  let [low, high] = [Infinity, -Infinity];
  for (let i = 0; i < data.length; i++) {
    if (data[i] < low) low = data[i];
    if (data[i] > high) high = data[i];
  }
  if (low === high) {
    const what = low === 0 ? "holds only zeros" : `holds one value everywhere (${low})`;
    throw new LookOnceError(`${name}: ${what}, so there is nothing to see; export the scan again`);
  }
  return { data, warnings };
}

/**
 * A plain NIfTI-1 file of a volume, for the viewer.
 *
 * Written anew, so that it is placed by the affine that the labels were found with, whatever the input's header says twice.
 */
export function viewerFile(data: Voxels, shape: readonly number[], affine: readonly number[][]): Uint8Array {
  const stored = data instanceof Float64Array || data instanceof Uint32Array ? Float32Array.from(data) : data;
  const [code, bits] = VIEWER_TYPES.get(stored.constructor)!;
  const file = new Uint8Array(352 + stored.byteLength);
  const view = new DataView(file.buffer);
  view.setInt32(0, 348, true);
  [3, ...shape, 1, 1, 1, 1].forEach((length, i) => view.setInt16(40 + 2 * i, length, true));
  view.setInt16(70, code, true);
  view.setInt16(72, bits, true);
  view.setFloat32(76, 1, true);
  [0, 1, 2].forEach((j) => {
    const size = Math.hypot(affine[0][j], affine[1][j], affine[2][j]);
    view.setFloat32(80 + 4 * j, size, true);
  });
  view.setFloat32(108, 352, true);
  view.setFloat32(112, 1, true);
  view.setUint8(123, 2); // millimetres
  view.setInt16(254, 2, true); // sform_code alone
  [0, 1, 2].forEach((i) => [0, 1, 2, 3].forEach((j) => view.setFloat32(280 + 16 * i + 4 * j, affine[i][j], true)));
  file.set([0x6e, 0x2b, 0x31, 0], 344);
  file.set(new Uint8Array(stored.buffer, stored.byteOffset, stored.byteLength), 352);
  return file;
}

/** NIfTI code and bits of the arrays that the viewer is given. */
const VIEWER_TYPES = new Map<unknown, [number, number]>([
  [Uint8Array, [2, 8]],
  [Int8Array, [256, 8]],
  [Int16Array, [4, 16]],
  [Uint16Array, [512, 16]],
  [Int32Array, [8, 32]],
  [Float32Array, [16, 32]],
]);
