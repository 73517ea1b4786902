/** Colour pictures in the forms that people have them, as red, green and blue of 8 bits. */
import { LookOnceError } from "../errors";
import type { PictureRows } from "../segmentation/resample";
import { type Decoded, readDeepPng, readTiff, tiffContent } from "./deepPictures";
import { type PictureHeader, readPictureHeader, withoutOrientation } from "./pictureHeader";

/** A picture of this many pixels takes up to 1.5 GB of memory; a few kilobytes can claim any number. */
export const MOST_PIXELS = 80_000_000;
const SMALLEST_SIDE = 8;
/** What people give instead of a picture, by its first bytes: place, bytes and remedy. */
const STRANGERS: [number, string, string][] = [
  [4, "ftypheic", "HEIC, which telephones make; save it as JPEG or PNG"],
  [4, "ftypheix", "HEIC, which telephones make; save it as JPEG or PNG"],
  [4, "ftypmif1", "HEIF, which telephones make; save it as JPEG or PNG"],
  [128, "DICM", "DICOM; export it as PNG or TIFF"],
  [0, "%PDF", "a PDF; save the picture in it as PNG"],
  [0, "PK\x03\x04", "a zip; unpack it and drop the picture"],
];

/** A picture as people see it: turned, and white where it is transparent. */
export interface Picture extends PictureRows {
  warnings: string[];
  /** The picture scaled down to at most `longest` pixels a side. */
  preview(longest: number): ImageBitmap;
  /** Give its memory back. */
  close(): void;
}

/** Read a picture file; raises a LookOnceError that says what is wrong with it. */
export async function readPicture(file: Blob): Promise<Picture> {
  const bytes = new Uint8Array(await file.arrayBuffer());
  refuseStrangers(bytes);
  const header = readPictureHeader(bytes);
  const warnings: string[] = [];
  const stored = await stumbling(() => decoded(withoutOrientation(bytes, header), file.type, header, warnings));
  if (header.orientation !== 1) {
    warnings.push("the picture is turned as its EXIF says; masks and outlines are of the turned one");
  }
  return asPicture(stored, header.orientation, warnings);
}

function refuseStrangers(bytes: Uint8Array): void {
  if (!bytes.length) throw new LookOnceError("is empty; copy it again");
  for (const [at, magic, what] of STRANGERS) {
    if (String.fromCharCode(...bytes.subarray(at, at + magic.length)) === magic) throw new LookOnceError(`is ${what}`);
  }
}

/** What a decoder gives; what it stumbles over in words. */
async function stumbling<T>(decode: () => Promise<T>): Promise<T> {
  try {
    return await decode();
  } catch (error) {
    if (error instanceof LookOnceError) throw error;
    const cause = (error as Error).message;
    if (cause.startsWith("Unsupported")) {
      throw new LookOnceError(`is a form of TIFF that this page does not read (${cause}); save it as PNG`);
    }
    throw new LookOnceError(`is damaged or cut short (${cause}); copy it again`);
  }
}

async function decoded(bytes: Uint8Array, type: string, header: PictureHeader, warnings: string[]): Promise<ImageBitmap> {
  if (header.form === "tiff") {
    const { size, pages } = tiffContent(bytes);
    checkSize(...size);
    if (pages > 1) warnings.push(`the file holds ${pages} pictures; this is the first`);
    return bitmapOf(readTiff(bytes));
  }
  if (header.size) checkSize(...header.size);
  if (header.isCut) throw new Error("the file ends before the picture does");
  if (header.isDeep) return bitmapOf(readDeepPng(bytes));
  // Colours as they are stored: the program does not apply profiles either.
  const blob = new Blob([bytes as BlobPart], { type });
  const bitmap = await createImageBitmap(blob, { colorSpaceConversion: "none" }).catch((error: Error) => {
    if (header.form !== "other") throw error;
    throw new LookOnceError("is no picture that this browser can read; save it as JPEG or PNG");
  });
  checkSize(bitmap.width, bitmap.height);
  return bitmap;
}

function checkSize(width: number, height: number): void {
  if (width * height > MOST_PIXELS) {
    throw new LookOnceError(
      `${width} x ${height}: has more than the ${MOST_PIXELS / 1e6} million pixels that this page reads; cut out or ` +
        "scale down what matters, or use the program",
    );
  }
  if (Math.min(width, height) < SMALLEST_SIDE) {
    throw new LookOnceError(`is ${width} x ${height} pixels, too small to show anything; give the original`);
  }
}

function bitmapOf({ rgba, width, height }: Decoded): Promise<ImageBitmap> {
  return createImageBitmap(new ImageData(rgba, width, height), { colorSpaceConversion: "none" });
}

function asPicture(stored: ImageBitmap, orientation: number, warnings: string[]): Picture {
  const isAcross = orientation >= 5;
  const [width, height] = isAcross ? [stored.height, stored.width] : [stored.width, stored.height];
  const turn = turned(orientation, stored.width, stored.height);
  // On one canvas, however many bands: each takes memory of its own.
  let band: OffscreenCanvas | null = null;
  return {
    width,
    height,
    warnings,
    rows: (top, count) => {
      if (band?.height !== count) band = new OffscreenCanvas(width, count);
      const context = band.getContext("2d", { willReadFrequently: true })!;
      paint(context, stored, turn, { scale: 1, top });
      return context.getImageData(0, 0, width, count).data;
    },
    preview: (longest) => {
      const scale = Math.min(1, longest / Math.max(width, height));
      const [wide, high] = [width, height].map((side) => Math.max(1, Math.round(side * scale)));
      const canvas = new OffscreenCanvas(wide, high);
      paint(canvas.getContext("2d")!, stored, turn, { scale, top: 0 });
      return canvas.transferToImageBitmap();
    },
    close: () => stored.close(),
  };
}

type Turn = [number, number, number, number, number, number];

/** Paint a stored picture, turned, before white. */
function paint(
  context: OffscreenCanvasRenderingContext2D,
  stored: ImageBitmap,
  turn: Turn,
  { scale, top }: { scale: number; top: number },
): void {
  context.resetTransform();
  context.fillStyle = "#fff";
  context.fillRect(0, 0, context.canvas.width, context.canvas.height);
  context.imageSmoothingEnabled = scale !== 1;
  context.imageSmoothingQuality = "high";
  context.setTransform(scale, 0, 0, scale, 0, -top);
  context.transform(...turn);
  context.drawImage(stored, 0, 0);
}

/** The transformation that turns a stored picture of a size as EXIF's orientation says. */
function turned(orientation: number, width: number, height: number): Turn {
  switch (orientation) {
    case 2: return [-1, 0, 0, 1, width, 0];
    case 3: return [-1, 0, 0, -1, width, height];
    case 4: return [1, 0, 0, -1, 0, height];
    case 5: return [0, 1, 1, 0, 0, 0];
    case 6: return [0, 1, -1, 0, height, 0];
    case 7: return [0, -1, -1, 0, height, width];
    case 8: return [0, -1, 1, 0, 0, width];
    default: return [1, 0, 0, 1, 0, 0];
  }
}
