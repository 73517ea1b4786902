/** Disc labels and label volumes, one into the other. */
import { type Affine, type Point, transform, worldToVoxel } from "./affine";
import {
  ALL_LEVELS, L5_L6, L5_S1, L6_S1, levelName, niftiValue, REGULAR_LEVELS, sctValue, T12_L1, T12_T13, T13_L1,
} from "./anatomy";
import { type Disc, inOrder } from "./labeling";
import { clip, rint } from "./numeric";
import type { Volume } from "./volume";

/** Voxels of one label value further apart than this are two discs. */
const APART_MM = 15;
/** SCT value to the discs that share it: with a T13 two discs are 20, with an L6 two are 25. */
const TWINS: Record<number, [number, number]> = { [T12_L1]: [T12_T13, T13_L1], [L5_S1]: [L5_L6, L6_S1] };

/** Index of the voxel whose centre is nearest to a world point. */
export function nearestVoxel(world: Point, shape: Point, affine: Affine): Point {
  return worldToVoxel(world, affine).map((place, axis) => clip(rint(place), 0, shape[axis] - 1)) as Point;
}

/** Whether a world point lies in the image, give or take a voxel. */
export function isInside(world: Point, shape: Point, affine: Affine): boolean {
  const nearest = nearestVoxel(world, shape, affine);
  return worldToVoxel(world, affine).every((place, axis) => Math.abs(place - nearest[axis]) <= 1);
}

/** Draw labels into a volume, one voxel a disc; and what was written instead where a disc has no value of its own. */
export function drawLabels(discs: Disc[], shape: Point, affine: Affine): { labels: Uint8Array; warnings: string[] } {
  const labels = new Uint8Array(shape[0] * shape[1] * shape[2]);
  const warnings: string[] = [];
  for (const { level, world } of inOrder(discs)) {
    const name = levelName(level);
    if (sctValue(level) === null) {
      warnings.push(`${name} has no SCT value; the label file says ${niftiValue(level)}, as its neighbour`);
    }
    if (!isInside(world, shape, affine)) {
      warnings.push(`${name} lies outside the image and is missing in the label file`);
      continue;
    }
    const [i, j, k] = nearestVoxel(world, shape, affine);
    const at = i + shape[0] * (j + shape[1] * k);
    if (labels[at]) warnings.push(`${name} takes the voxel of another disc in the label file`);
    labels[at] = niftiValue(level);
  }
  return { labels, warnings };
}

/** Read a label volume; several voxels of a value are averaged, values that are no disc passed over. */
export function readLabels(volume: Volume): Disc[] {
  const places = new Map<number, Point[]>();
  const [width, height] = volume.shape;
  volume.data.forEach((stored: number, at: number) => {
    if (!(stored > 0.5)) return;
    const value = rint(stored); // files hold floats such as 5.9999
    if (!REGULAR_LEVELS.includes(value)) return;
    const voxel = [at % width, Math.floor(at / width) % height, Math.floor(at / (width * height))];
    places.set(value, [...(places.get(value) ?? []), transform(voxel, volume.affine)]);
  });
  const discs = [...places].flatMap(([value, points]) => {
    const upper = upperOfTwo(points);
    if (!(value in TWINS) || !upper.length) return [{ level: value, world: mean(points), confidence: 1 }];
    const lower = points.filter((point) => !upper.includes(point));
    return [upper, lower].map((of, i) => ({ level: TWINS[value][i], world: mean(of), confidence: 1 }));
  });
  return inOrder(discs);
}

/**
 * The levels of discs moved `shift` places down the usual spine.
 *
 * Null where that has no place for one of them, or one is of a numeric variant.
 */
export function shiftedLevels(levels: number[], shift: number): number[] | null {
  const moved = levels.map((level) => level + shift);
  const isRegular = (level: number) => REGULAR_LEVELS.includes(level);
  return levels.every(isRegular) && moved.every(isRegular) ? moved : null;
}

/** Levels that a further disc may get: those not taken. */
export function freeLevels(discs: readonly Disc[]): number[] {
  const taken = discs.map(({ level }) => level);
  return inOrder(ALL_LEVELS.map((level) => ({ level })))
    .map(({ level }) => level)
    .filter((level) => !taken.includes(level));
}

function upperOfTwo(points: Point[]): Point[] {
  const heights = points.map((point) => point[2]).sort((a, b) => a - b);
  let [gap, border] = [0, 0];
  for (let i = 1; i < heights.length; i++) {
    if (heights[i] - heights[i - 1] > gap) [gap, border] = [heights[i] - heights[i - 1], heights[i - 1]];
  }
  return gap < APART_MM ? [] : points.filter((point) => point[2] > border);
}

function mean(points: Point[]): Point {
  return [0, 1, 2].map((axis) => points.reduce((sum, point) => sum + point[axis], 0) / points.length) as Point;
}
