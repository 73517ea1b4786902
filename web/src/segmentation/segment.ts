/** The segmentation pipeline: picture, network's size, probability, the picture's own size, mask, objects. */
import { LookOnceError } from "../errors";
import { rint } from "../pipeline/numeric";
import { type Box, type Fit, fitBox, fitted, type Size, unfitted, within } from "./fitting";
import { grow, separate, squaredDistance } from "./instances";
import { type Look, lookDistance } from "./looks";
import { describeObjects, type Mask, type MaskObject, outlinesOf, touchesBorder } from "./mask";
import { fillHoles, keepLarge, type Pixels, SMALLEST_SHARE } from "./regions";
import type { PictureRows } from "./resample";

/** A mean probability below this says that the network could not decide where the object ends, or whether there is one. */
export const DOUBTFUL_BELOW = 0.75;

/** What the program must know of a model: a part of the card beside its ONNX file. */
export interface MaskCard extends Fit {
  name: string;
  version: string;
  sha256: string;
  /** Probability from which a pixel belongs to an object. */
  threshold: number;
  /** Whether a picture holds one object, or many that touch and are told apart. */
  objects: "one" | "many";
  /** Of the weights. */
  licence: string;
  look: Look;
}

/** Runs the network on a picture (3, height, width) in 0..1; gives the probability (height, width) of the object. */
export type MaskNetwork = (picture: Float32Array) => Promise<Float32Array>;

/** Segment a skin lesion, or the cells, in a picture; `notes` are warnings of its reading. */
export async function segment(
  picture: PictureRows,
  network: MaskNetwork,
  card: MaskCard,
  notes: string[] = [],
): Promise<Mask> {
  const started = performance.now();
  const shape: Size = [picture.height, picture.width];
  const seen = fitted(picture, card);
  const small = await network(channelsFirst(seen));
  const { width, height } = picture;
  const labels = objectLabels(small, shape, card);
  const margin = networkPixel(shape, card);
  const objects = describeObjects({ labels, width, height }, unfitted(small, shape, card), margin);
  if (card.objects === "one" && !objects.length) {
    throw new LookOnceError(
      `nothing was found in the picture: ${card.name} saw no pixel of what it looks for`,
      "nothing-found",
    );
  }
  const distance = lookDistance(seen, card.look);
  const seconds = (performance.now() - started) / 1000;
  const outlines = outlinesOf({ labels, width }, objects);
  const warnings = [...notes, ...doubts(objects, distance, card)];
  return { width, height, labels, objects, outlines, distance, limit: card.look.limit, warnings, seconds };
}

/**
 * Numbers of the objects at the picture's size, from the map at the network's size.
 *
 * All that looks at neighbours happens at the network's size, which knows no finer parts or holes. Between the network's
 * pixels the cleaned map is as smooth as the predicted one.
 */
export function objectLabels(small: Float32Array, shape: Size, card: MaskCard): Uint16Array {
  const threshold = Math.fround(card.threshold);
  const box = fitBox(shape, card);
  const predicted = within(small, card.size, box);
  const above: Pixels = { data: Uint8Array.from(predicted, (value) => Number(value >= threshold)), ...sizeOf(box) };
  const cleaned = clean(above, card);
  const changed = small.slice();
  for (let row = 0; row < box.height; row++)
    for (let column = 0; column < box.width; column++) {
      const at = row * box.width + column;
      const whole = (box.top + row) * card.size[1] + box.left + column;
      if (cleaned.data[at] !== above.data[at]) changed[whole] = cleaned.data[at];
    }
  let numbers = null;
  if (card.objects === "many") {
    const likely = predicted.map((value, i) => (above.data[i] ? value : threshold));
    numbers = cellNumbers(cleaned, likely, shape);
  }
  return labelled(unfitted(changed, shape, card), shape, threshold, box, numbers);
}

/** Numbers of the pixels of a map that reach the threshold, without gaps. */
function labelled(
  probabilityOf: (row: number) => Float32Array,
  [height, width]: Size,
  threshold: number,
  box: Box,
  numbers: Int32Array | null,
): Uint16Array {
  const labels = new Uint16Array(height * width);
  const present: boolean[] = [];
  // Of each column, that of the network's pixel in which its middle lies.
  const right = Int32Array.from({ length: width }, (_, column) => nearest(column, width, box.width));
  for (let row = 0; row < height; row++) {
    const probability = probabilityOf(row);
    const from = nearest(row, height, box.height) * box.width;
    for (let column = 0; column < width; column++) {
      if (probability[column] < threshold) continue;
      const number = numbers ? numbers[from + right[column]] : 1;
      labels[row * width + column] = number;
      present[number] = true;
    }
  }
  return withoutGaps(labels, present);
}

/** Of the places along a side of one size, that in which the middle of another size's place lies. */
function nearest(place: number, from: number, to: number): number {
  return Math.floor(((2 * place + 1) * to) / (2 * from));
}

/** The same objects numbered from 1 on, for a small picture may have no pixel of one that the network saw. */
function withoutGaps(labels: Uint16Array, present: boolean[]): Uint16Array {
  let last = 0;
  const renumbered = Array.from(present, (isThere, number) => (isThere && number > 0 ? ++last : 0));
  return last === renumbered.length - 1 || last === 0 ? labels : labels.map((label) => renumbered[label]);
}

/** Numbers of cells, spread so far that every pixel of the picture's mask finds one. */
function cellNumbers(cleaned: Pixels, probability: Float32Array, shape: Size): Int32Array {
  const coarsest = Math.max(cleaned.height / shape[0], cleaned.width / shape[1]);
  return grow(separate(cleaned, probability), cleaned, 1 + Math.ceil(coarsest));
}

/** A mask without specks, and without holes: between cells, small ones alone are gaps of the prediction. */
function clean(mask: Pixels, card: MaskCard): Pixels {
  if (card.objects === "one") return fillHoles(keepLarge(mask));
  // The largest disc that fits in: a region of many cells that touch is no measure of one.
  const cell = Math.PI * squaredDistance(mask).reduce((most, value) => Math.max(most, value), 0);
  return fillHoles(keepLarge(mask, cell), SMALLEST_SHARE * cell);
}

function sizeOf({ width, height }: Box): { width: number; height: number } {
  return { width, height };
}

/** Rows and columns of a picture that the network sees as one, at least one. */
function networkPixel(shape: Size, card: MaskCard): [number, number] {
  const box = fitBox(shape, card);
  return [Math.max(1, rint(shape[0] / box.height)), Math.max(1, rint(shape[1] / box.width))];
}

/** A picture (height, width, 3) as the network takes it: (3, height, width) in 0..1. */
function channelsFirst(picture: Uint8Array): Float32Array {
  const plane = picture.length / 3;
  return Float32Array.from({ length: picture.length }, (_, i) => picture[(i % plane) * 3 + Math.floor(i / plane)] / 255);
}

function doubts(objects: MaskObject[], distance: number, card: MaskCard): string[] {
  const found = [];
  if (distance > card.look.limit) {
    found.push(
      `the picture looks unlike those that ${card.name} was trained on (distance ${distance.toFixed(1)}, usual up to ` +
        `${card.look.limit.toFixed(1)}); look at the outline before relying on it`,
    );
  }
  const vague = objects.filter(({ confidence }) => confidence < DOUBTFUL_BELOW).length;
  if (vague) {
    const what = card.objects === "one" ? "the outline is" : `${vague} of ${objects.length} objects are`;
    found.push(`${what} doubtful (mean probability below ${100 * DOUBTFUL_BELOW}%)`);
  }
  if (card.objects === "one" && touchesBorder({ objects })) {
    found.push("the object touches the border of the picture; its area is that of the part in view");
  }
  return found;
}
