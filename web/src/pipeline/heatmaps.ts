/** From heat maps to candidates: peaks over all slabs at once, with sub-pixel places and evidence for their names. */
import { type Affine, type Point, transform, voxelSizes } from "./affine";
import { argmax, argsort, clip, linspace, rint } from "./numeric";

/** Two discs' posterior tips are never closer than this; the smallest adult cervical distance is about 12 mm. */
const PEAK_RADIUS_MM = 6;
const MOST_CANDIDATES = 60;
/** Right-left places are found to this step. */
const LATERAL_GRID_MM = 0.25;
const THRESHOLD = 0.08;

/** What the network says of a slab stack, on its output grid. */
export interface DiscMaps {
  /** Slabs, rows and columns of cells. */
  shape: Point;
  /** Disc probability, (slabs, rows, columns). */
  heat: Float32Array;
  /** Logits of the names, (slabs, channels, rows, columns). */
  names: Float32Array;
  channels: number;
}

/** A place that may be a disc. */
export interface Candidate {
  /** Slab, row and column, fractional, in the slab stack's pixels. */
  slab: Point;
  world: Point;
  /** Height of the heat map, 0..1. */
  probability: number;
  /** Log-probabilities of the names: entry 0 "no disc", entry n the disc of SCT value n. */
  evidence: number[];
}

/**
 * Find the peaks of the disc heat map over all slabs together, from the head down.
 *
 * Neighbouring slabs see the same disc at nearly the same row and column, so peaks are taken on the maximum over the
 * slabs; each then finds its own right-left place from how its height changes over the slabs.
 */
export function findCandidates(
  maps: DiscMaps,
  options: { affine: Affine; stride: number; lateralSigmaMm: number },
): Candidate[] {
  const sizes = voxelSizes(options.affine);
  const [slabs, height, width] = maps.shape;
  const area = height * width;
  const strongest = maps.heat.slice(0, area);
  for (let i = area; i < maps.heat.length; i++) strongest[i % area] = Math.max(strongest[i % area], maps.heat[i]);
  const radius = Math.max(1, rint(PEAK_RADIUS_MM / (sizes[1] * options.stride)));
  const found = peaks(strongest, height, width, radius).map((cell) => {
    const [row, column] = [Math.floor(cell / width), cell % width];
    const here = Array.from({ length: slabs }, (_, s) => maps.heat[s * area + cell]);
    const best = argmax(here);
    const profile = here.map((_, s) => highestAround(maps, s, row, column));
    const refined = refine(maps.heat.subarray(best * area, (best + 1) * area), height, width, row, column);
    const slab: Point = [
      lateralPlace(profile, sizes[0], options.lateralSigmaMm),
      options.stride * refined[0],
      options.stride * refined[1],
    ];
    return {
      slab,
      world: transform(slab, options.affine),
      probability: strongest[cell],
      evidence: logSoftmax(meanLogits(maps, profile, cell)),
    };
  });
  return argsort(found.map((candidate) => candidate.slab[1])).map((index) => found[index]);
}

/** Cells that are the highest within `radius` cells and at least the threshold; one of equal neighbours. */
function peaks(heat: Float32Array, height: number, width: number, radius: number): number[] {
  const isPeak = (cell: number) => {
    const [row, column] = [Math.floor(cell / width), cell % width];
    for (let r = Math.max(row - radius, 0); r <= Math.min(row + radius, height - 1); r++)
      for (let c = Math.max(column - radius, 0); c <= Math.min(column + radius, width - 1); c++)
        if (heat[r * width + c] > heat[cell]) return false;
    return true;
  };
  const high = [...heat.keys()].filter((cell) => heat[cell] >= Math.fround(THRESHOLD) && isPeak(cell));
  let left = argsort(high.map((cell) => -heat[cell])).map((index) => high[index]);
  const kept: number[] = [];
  while (left.length && kept.length < MOST_CANDIDATES) {
    const [first] = left;
    kept.push(first);
    const apart = (cell: number) =>
      Math.max(Math.abs(Math.floor(cell / width) - Math.floor(first / width)), Math.abs((cell % width) - (first % width)));
    left = left.filter((cell) => apart(cell) > radius);
  }
  return kept;
}

function highestAround(maps: DiscMaps, slab: number, row: number, column: number): number {
  const [, height, width] = maps.shape;
  let highest = -Infinity;
  for (let r = Math.max(row - 1, 0); r <= Math.min(row + 1, height - 1); r++)
    for (let c = Math.max(column - 1, 0); c <= Math.min(column + 1, width - 1); c++)
      highest = Math.max(highest, maps.heat[(slab * height + r) * width + c]);
  return highest;
}

/** Sub-cell peak: the vertex of a parabola through the logarithm, which is exact for a Gaussian. */
function refine(heat: Float32Array, height: number, width: number, row: number, column: number): [number, number] {
  const shift = (index: number, length: number, step: number) => {
    if (index <= 0 || index >= length - 1) return 0;
    const at = row * width + column;
    const [before, here, after] = [-step, 0, step].map((by) => Math.log(Math.max(heat[at + by], 1e-6)));
    const bend = before - 2 * here + after;
    return bend < 0 ? clip((0.5 * (before - after)) / bend, -0.5, 0.5) : 0;
  };
  return [row + shift(row, height, width), column + shift(column, width, 1)];
}

/** Slab index of the centre of the Gaussian of known width that fits the heights over the slabs best. */
function lateralPlace(profile: number[], stepMm: number, sigmaMm: number): number {
  const last = profile.length - 1;
  const centres = linspace(0, last, Math.max(1, rint((last * stepMm) / LATERAL_GRID_MM)) + 1);
  const explained = centres.map((centre) => {
    let [product, square] = [0, 0];
    profile.forEach((height, slab) => {
      const shape = Math.exp(-0.5 * (((slab - centre) * stepMm) / sigmaMm) ** 2);
      product += shape * height;
      square += shape ** 2;
    });
    return product ** 2 / square;
  });
  return centres[argmax(explained)];
}

/** Logits of the names at a cell, averaged over the slabs by the squared height. */
function meanLogits(maps: DiscMaps, profile: number[], cell: number): number[] {
  const area = maps.shape[1] * maps.shape[2];
  const total = profile.reduce((sum, height) => sum + height ** 2, 0);
  return Array.from({ length: maps.channels }, (_, channel) =>
    profile.reduce(
      (sum, height, slab) => sum + (height ** 2 / total) * maps.names[(slab * maps.channels + channel) * area + cell],
      0,
    ),
  );
}

function logSoftmax(logits: number[]): number[] {
  const high = Math.max(...logits);
  const total = Math.log(logits.reduce((sum, logit) => sum + Math.exp(logit - high), 0));
  return logits.map((logit) => logit - high - total);
}
