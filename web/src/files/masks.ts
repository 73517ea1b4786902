/** What segmenting a picture leaves behind, in the forms of `lookonce segment`: masks, outline and tables. */
import { areaOf, confidenceOf, type Mask, type MaskObject, touchesBorder } from "../segmentation/mask";
import type { MaskCard } from "../segmentation/segment";
import { encodePng } from "./png";
import type { SavedFile } from "./results";

/** A mask, and what is known of where it comes from. */
export interface MaskResult {
  /** Name of the picture's file. */
  name: string;
  mask: Mask;
  card: Pick<MaskCard, "name" | "version" | "sha256" | "objects" | "licence">;
  /** Edge of a pixel, where it is known. */
  mmPerPixel: number | null;
  /** Of the program. */
  version: string;
}

const PICTURE_COLUMNS = [
  "input", "width", "height", "objects", "area_px", "area_mm2", "area_share", "touches_border", "confidence", "unlike",
  "distance", "seconds", "warnings", "error", "mask", "overlay", "outline",
];
const OBJECT_COLUMNS = [
  "input", "number", "area_px", "area_mm2", "x", "y", "x0", "y0", "x1", "y1", "touches_border", "confidence",
];

/** Endings, after a picture's own name, of its files. */
const ENDINGS = { mask: "_mask.png", overlay: "_overlay.jpg", outline: "_outline.geojson", objects: "_objects.png" };

export function outputName(picture: string, what: keyof typeof ENDINGS): string {
  return picture.replace(/(.)\.[^.]*$/, "$1") + ENDINGS[what];
}

/** 0 and 255, of the picture's own size. */
export async function maskFile({ name, mask: { labels, width, height } }: MaskResult): Promise<SavedFile> {
  const values = new Uint8Array(labels.length);
  for (let i = 0; i < labels.length; i++) values[i] = labels[i] ? 255 : 0; // far quicker than Uint8Array.from
  return { name: outputName(name, "mask"), type: "image/png", content: await encodePng(values, width, height) };
}

/** The number of each pixel's object, in 16 bits. */
export async function numbersFile({ name, mask: { labels, width, height } }: MaskResult): Promise<SavedFile> {
  return { name: outputName(name, "objects"), type: "image/png", content: await encodePng(labels, width, height) };
}

/** The outlines as a GeoJSON feature collection: x, y in pixels from the upper left corner, y downwards. */
export function outlineFile(result: MaskResult): SavedFile {
  const { mask, name, version } = result;
  const features = objectRecords(result).map((properties, index) => ({
    type: "Feature",
    id: properties.number,
    properties,
    geometry: { type: "MultiPolygon", coordinates: mask.outlines[index] },
  }));
  const collection = {
    type: "FeatureCollection",
    unit: "pixel",
    image: { name, width: mask.width, height: mask.height },
    generated_by: { name: "LookOnce", version, model: modelOf(result) },
    features,
  };
  const content = JSON.stringify(collection) + "\n";
  return { name: outputName(name, "outline"), type: "application/geo+json", content };
}

/** The table of pictures: one row. */
export function pictureTable(result: MaskResult): SavedFile {
  const record = maskRecord(result);
  const row = {
    ...record,
    ...record.outputs,
    objects: record.objects.length,
    warnings: record.warnings.join("; "),
  };
  return { name: "segmentation.csv", type: "text/csv", content: table(PICTURE_COLUMNS, [row]) };
}

/** The table of objects: one row each. */
export function objectTable(result: MaskResult): SavedFile {
  const rows = objectRecords(result).map(({ box: [x0, y0, x1, y1], centre: [x, y], ...entry }) => {
    return { ...entry, input: result.name, x, y, x0, y0, x1, y1 };
  });
  return { name: "segmentation_objects.csv", type: "text/csv", content: table(OBJECT_COLUMNS, rows) };
}

/** One entry of `lookonce segment --json`. */
export function maskRecord(result: MaskResult) {
  const { mask, name, mmPerPixel } = result;
  const area = areaOf(mask);
  return {
    input: name,
    width: mask.width,
    height: mask.height,
    area_px: area,
    area_mm2: squareMillimetres(area, mmPerPixel),
    area_share: rounded(area / (mask.width * mask.height), 6),
    touches_border: touchesBorder(mask),
    confidence: rounded(confidenceOf(mask), 4),
    unlike: mask.distance > mask.limit,
    distance: rounded(mask.distance, 3),
    distance_limit: rounded(mask.limit, 3),
    objects: objectRecords(result),
    warnings: mask.warnings,
    seconds: rounded(mask.seconds, 3),
    model: modelOf(result),
    outputs: outputsOf(result),
  };
}

export function squareMillimetres(area: number, mmPerPixel: number | null): number | null {
  return mmPerPixel === null ? null : rounded(area * mmPerPixel ** 2, 4);
}

/** A number with so many digits after the point as Python rounds it: a tie goes to the even digit. */
export function rounded(value: number, digits: number): number;
export function rounded(value: number | null, digits: number): number | null;
export function rounded(value: number | null, digits: number): number | null {
  if (value === null) return null;
  const up = Number(value.toFixed(digits));
  // Only such a multiple of a power of two lies exactly in the middle; toFixed rounds it up.
  const isTie = Math.abs((value * 2 ** (digits + 1)) % 2) === 1;
  const isOdd = Math.round(up * 10 ** digits) % 2 === 1;
  return isTie && isOdd ? Number((up - 10 ** -digits).toFixed(digits)) : up;
}

function objectRecords({ mask, mmPerPixel }: MaskResult) {
  return mask.objects.map(({ number, area, box, centre, ...found }: MaskObject) => ({
    number,
    area_px: area,
    area_mm2: squareMillimetres(area, mmPerPixel),
    box,
    centre: centre.map((place) => rounded(place, 2)),
    touches_border: found.touchesBorder,
    confidence: rounded(found.confidence, 4),
  }));
}

/** Names of the files that `lookonce segment` leaves of such a result. */
function outputsOf({ name, card }: MaskResult): Record<string, string> {
  const kinds = ["mask", "overlay", "outline"] as const;
  const all = card.objects === "many" ? [...kinds, "objects" as const] : kinds;
  return Object.fromEntries(all.map((kind) => [kind, outputName(name, kind)]));
}

function modelOf({ card: { name, version, sha256, licence } }: MaskResult) {
  return { name, version, sha256, licence };
}

/** Columns whose numbers are no counts: Python writes 5 in them as 5.0. */
const FRACTIONS = new Set(["area_mm2", "area_share", "confidence", "distance", "seconds", "x", "y"]);

function table(columns: string[], rows: Record<string, unknown>[]): string {
  const lines = rows.map((row) => columns.map((column) => cell(row[column], FRACTIONS.has(column))));
  return [columns, ...lines].map((line) => line.join(",") + "\n").join("");
}

/** A value as Python's csv writes it. */
function cell(value: unknown, isFraction: boolean): string {
  if (value === null || value === undefined) return "";
  const text = typeof value === "number" && isFraction ? asFloat(value) : String(value);
  return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}

/** A number as Python writes a float: 5.0, 1e-06. */
function asFloat(value: number): string {
  if (Number.isInteger(value)) return value.toFixed(1);
  if (Math.abs(value) >= 1e-4) return String(value);
  return value.toExponential().replace(/-(\d)$/, "-0$1");
}
