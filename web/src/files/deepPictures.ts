/** Pictures that no browser reads, or not as the program does: TIFF files, and grey PNG files of 16 bits. */
import { decode as decodePng } from "fast-png";
import { decode as decodeTiff, type TiffIfd } from "tiff";
import { LookOnceError } from "../errors";
import { rint } from "../pipeline/numeric";

/** A picture (height, width, 4) of 8 bits. */
export interface Decoded {
  rgba: Uint8ClampedArray<ArrayBuffer>;
  width: number;
  height: number;
}

type Values = Uint8Array | Uint8ClampedArray | Uint16Array | Float32Array | Float64Array;

/** Bits that a channel of a 16-bit file may really use: scanners and microscopes store 10, 12 or 14. */
const DEPTHS = [8, 10, 12, 14, 16];
/** Floats meant as 0..1 may leave it by so much: resampling overshoots at edges, and so do noise and bias. */
const OVERSHOOT = 0.1;
const MOST_PAGES = 1000;
const PALETTE = 3;
const SIGNED = 2;
const FLOATS = 3;
/** Kinds of a further channel that say how much of a pixel is to be seen. */
const ALPHA = [1, 2];

/** Columns and rows of a TIFF file's first picture, and how many pictures it holds. */
export function tiffContent(bytes: Uint8Array): { size: [number, number]; pages: number } {
  const { width, height } = firstHeader(bytes);
  return { size: [width, height], pages: countPages(bytes) };
}

/** The first picture of a TIFF file whose orientation has been taken out. */
export function readTiff(bytes: Uint8Array): Decoded {
  refuseForm(firstHeader(bytes));
  const [picture] = decodeTiff(bytes, { pages: [0] });
  const { width, height, components } = picture;
  const shades = shadesOf(picture);
  const palette = picture.type === PALETTE ? picture.palette : undefined;
  const isAlpha = picture.extraSamples?.some((kind) => ALPHA.includes(kind));
  const isGrey = components < 3;
  const rgba = new Uint8ClampedArray(width * height * 4);
  for (let pixel = 0; pixel < width * height; pixel++) {
    const from = pixel * components;
    for (let colour = 0; colour < 3; colour++) {
      rgba[4 * pixel + colour] = palette ? palette[shades[from]][colour] >> 8 : shades[from + (isGrey ? 0 : colour)];
    }
    rgba[4 * pixel + 3] = isAlpha ? shades[from + (isGrey ? 1 : 3)] : 255;
  }
  return { rgba, width, height };
}

export function readDeepPng(bytes: Uint8Array): Decoded {
  const { width, height, data } = decodePng(bytes);
  const shades = eightBits(data);
  const rgba = new Uint8ClampedArray(width * height * 4).fill(255);
  shades.forEach((shade, pixel) => rgba.fill(shade, 4 * pixel, 4 * pixel + 3));
  return { rgba, width, height };
}

/** Values as 0..255, scaled from the depth that they use: 10, 12, 14 or 16 bits; floats from 0..1 if they all but stay within. */
export function eightBits(values: Values): Uint8ClampedArray {
  let [lowest, highest] = [Infinity, -Infinity];
  for (const value of values) {
    if (!Number.isFinite(value)) throw new LookOnceError("holds values that are no numbers, or infinite; replace them");
    if (value < lowest) lowest = value;
    if (value > highest) highest = value;
  }
  const isShare = !(values instanceof Uint16Array) && lowest >= -OVERSHOOT && highest <= 1 + OVERSHOOT;
  const depth = DEPTHS.find((bits) => highest < 2 ** bits);
  const white = isShare ? 1 : depth ? 2 ** depth - 1 : highest;
  const scale = Math.fround(255 / white);
  const shades = new Uint8ClampedArray(values.length);
  for (let i = 0; i < values.length; i++) {
    const value = Math.min(Math.max(Math.fround(values[i]), 0), white);
    shades[i] = rint(Math.fround(value * scale));
  }
  return shades;
}

function firstHeader(bytes: Uint8Array): TiffIfd {
  return decodeTiff(bytes, { ignoreImageData: true, pages: [0] })[0];
}

/** Refuse what the decoder takes for something else; what it does not know it refuses itself. */
function refuseForm(picture: TiffIfd): void {
  const isSigned = picture.sampleFormat === SIGNED;
  const isFloat = picture.sampleFormat === FLOATS && picture.components > 1;
  const causes = [
    (picture.bitsPerSample ?? 1) === 1 && "black and white alone",
    picture.tiled && "stored in tiles",
    picture.planarConfiguration === 2 && picture.components > 1 && "one colour after the other",
    isSigned && "signed numbers",
    isFloat && "colours as floats",
    picture.fillOrder === 2 && "bits in reverse",
  ];
  const cause = causes.find(Boolean);
  if (cause) throw new Error(`Unsupported form: ${cause}`);
}

/** The samples of a picture with 8 bits each; indices of a palette as they are. */
function shadesOf({ data, components, type }: TiffIfd): Uint8Array | Uint8ClampedArray | Uint16Array {
  if (data instanceof Uint8Array || (type === PALETTE && data instanceof Uint16Array)) return data;
  // Of colours, the upper 8 bits.
  return components === 1 ? eightBits(data) : Uint8Array.from(data, (value) => value >> 8);
}

/** How many pictures a TIFF file holds; one that leads back into itself has an end all the same. */
function countPages(bytes: Uint8Array): number {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const isLittle = view.getUint16(0) === 0x4949;
  let pages = 0;
  for (let folder = view.getUint32(4, isLittle); folder && pages < MOST_PAGES; pages++) {
    const end = folder + 2 + 12 * view.getUint16(folder, isLittle);
    if (end + 4 > bytes.length) return pages + 1;
    folder = view.getUint32(end, isLittle);
  }
  return pages;
}
