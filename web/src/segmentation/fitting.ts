/** Pictures of any size to the one size that a network takes, and its maps back. */
import { rint } from "../pipeline/numeric";
import { type PictureRows, resizeColours, resizeMap } from "./resample";

/** Height and width. */
export type Size = [number, number];

/** How a picture comes to the network's size: each side by itself, or both alike and centred. */
export interface Fit {
  size: Size;
  resize: "stretch" | "letterbox";
}

/** Where the picture lies within the network's, in pixels of the latter. */
export interface Box {
  top: number;
  left: number;
  height: number;
  width: number;
}

/** A picture as the network sees it, (height, width, 3); what is left beside a centred one has its median colour. */
export function fitted(picture: PictureRows, fit: Fit): Uint8Array {
  const box = fitBox([picture.height, picture.width], fit);
  const inside = resizeColours(picture, box.width, box.height);
  const [height, width] = fit.size;
  if (box.height === height && box.width === width) return inside;
  const ground = [0, 1, 2].map((colour) => medianOf(inside, colour));
  const whole = Uint8Array.from({ length: height * width * 3 }, (_, i) => ground[i % 3]);
  for (let row = 0; row < box.height; row++) {
    const from = row * box.width * 3;
    whole.set(inside.subarray(from, from + box.width * 3), ((box.top + row) * width + box.left) * 3);
  }
  return whole;
}

/** Rows of a network's map at the size that the picture had before. */
export function unfitted(values: Float32Array, shape: Size, fit: Fit): (row: number) => Float32Array {
  const box = fitBox(shape, fit);
  return resizeMap(within(values, fit.size, box), [box.height, box.width], shape);
}

/** The part of a network's map in which the picture lies. */
export function within(values: Float32Array, [, width]: Size, box: Box): Float32Array {
  const part = new Float32Array(box.height * box.width);
  for (let row = 0; row < box.height; row++) {
    const from = (box.top + row) * width + box.left;
    part.set(values.subarray(from, from + box.width), row * box.width);
  }
  return part;
}

/** Where a picture of `shape` lies in the fitted one. */
export function fitBox(shape: Size, { size, resize }: Fit): Box {
  if (resize === "stretch") return { top: 0, left: 0, height: size[0], width: size[1] };
  const scale = Math.min(size[0] / shape[0], size[1] / shape[1]);
  const [height, width] = shape.map((side) => Math.max(1, rint(side * scale)));
  return { top: (size[0] - height) >> 1, left: (size[1] - width) >> 1, height, width };
}

/** Median of one colour, rounded down where it lies between two values. */
function medianOf(pixels: Uint8Array, colour: number): number {
  const counts = new Uint32Array(256);
  for (let i = colour; i < pixels.length; i += 3) counts[pixels[i]] += 1;
  const total = pixels.length / 3;
  return (ranked(counts, (total - 1) >> 1) + ranked(counts, total >> 1)) >> 1;
}

/** The value at a place of the sorted values, from how often each comes. */
function ranked(counts: Uint32Array, place: number): number {
  let value = 0;
  for (let seen = counts[0]; seen <= place; seen += counts[value]) value += 1;
  return value;
}
