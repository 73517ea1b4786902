/** The mask of one picture, and what can be said of each object in it. */
import { type Polygon, traceOutlines } from "./outlines";

/** One object of a mask. */
export interface MaskObject {
  /** Its value in the mask's labels, from 1. */
  number: number;
  /** Pixels. */
  area: number;
  /** First column and row, column and row after the last: x0, y0, x1, y1. */
  box: [number, number, number, number];
  /** x, y of its centroid; a pixel's centre lies at halves. */
  centre: [number, number];
  /** Whether it may go on beyond the picture: it comes as near to the border as the network can tell. */
  touchesBorder: boolean;
  /** Mean probability of its pixels. */
  confidence: number;
}

/** What segmenting one picture gives, of the picture's own size, turned as people see it. */
export interface Mask {
  width: number;
  height: number;
  /** Number of the object that a pixel belongs to, 0 for none, row by row. */
  labels: Uint16Array;
  /** In reading order. */
  objects: MaskObject[];
  /** Polygons of each object, in the order of the objects. */
  outlines: Polygon[][];
  /** How unlike the training pictures the picture is, and from where on that is unusual. */
  distance: number;
  limit: number;
  warnings: string[];
  /** From having the picture to having its mask. */
  seconds: number;
}

export function areaOf(mask: Pick<Mask, "objects">): number {
  return mask.objects.reduce((sum, { area }) => sum + area, 0);
}

/** Mean probability of the objects' pixels, null without any. */
export function confidenceOf(mask: Pick<Mask, "objects">): number | null {
  if (!mask.objects.length) return null;
  return mask.objects.reduce((sum, { confidence, area }) => sum + confidence * area, 0) / areaOf(mask);
}

export function touchesBorder(mask: Pick<Mask, "objects">): boolean {
  return mask.objects.some((found) => found.touchesBorder);
}

/**
 * The objects of labels (height, width), numbered from 1 without gaps.
 *
 * `probabilityOf` gives a row of the predicted map; `margin` is how many rows and columns count as touching the border.
 */
export function describeObjects(
  { labels, width, height }: Pick<Mask, "labels" | "width" | "height">,
  probabilityOf: (row: number) => Float32Array,
  margin: [number, number],
): MaskObject[] {
  const found: Sums[] = [];
  for (let row = 0; row < height; row++) {
    const line = labels.subarray(row * width, (row + 1) * width);
    if (!line.some((label) => label)) continue;
    const probability = probabilityOf(row);
    for (let column = 0; column < width; column++) {
      if (line[column]) add((found[line[column] - 1] ??= nothing()), column, row, probability[column]);
    }
  }
  return found.map(({ area, x, y, sure, box }, index) => ({
    number: index + 1,
    area,
    box,
    centre: [x / area + 0.5, y / area + 0.5],
    touchesBorder:
      box[0] < margin[1] || box[1] < margin[0] || box[2] > width - margin[1] || box[3] > height - margin[0],
    confidence: sure / area,
  }));
}

/** Polygons of each object, in corners of the picture's pixels. */
export function outlinesOf({ labels, width }: Pick<Mask, "labels" | "width">, objects: MaskObject[]): Polygon[][] {
  return objects.map(({ number, box: [x0, y0, x1, y1] }) => {
    const own = { data: new Uint8Array((x1 - x0) * (y1 - y0)), width: x1 - x0, height: y1 - y0 };
    for (let row = 0; row < own.height; row++)
      for (let column = 0; column < own.width; column++) {
        own.data[row * own.width + column] = Number(labels[(y0 + row) * width + x0 + column] === number);
      }
    return traceOutlines(own).map((polygon) => polygon.map((ring) => ring.map(([x, y]): [number, number] => [x + x0, y + y0])));
  });
}

/** What is gathered of an object pixel by pixel. */
interface Sums {
  area: number;
  x: number;
  y: number;
  sure: number;
  box: [number, number, number, number];
}

function nothing(): Sums {
  return { area: 0, x: 0, y: 0, sure: 0, box: [Infinity, Infinity, 0, 0] };
}

function add(sums: Sums, column: number, row: number, probability: number): void {
  const { box } = sums;
  sums.area += 1;
  sums.x += column;
  sums.y += row;
  sums.sure += probability;
  if (column < box[0]) box[0] = column;
  if (row < box[1]) box[1] = row;
  if (column >= box[2]) box[2] = column + 1;
  if (row >= box[3]) box[3] = row + 1;
}
