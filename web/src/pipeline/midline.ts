/**
 * Where discs lie right-left: in the plane in which the spine mirrors itself.
 *
 * A network that looks at one sagittal slab at a time is sure of a disc's place in that plane and unsure across it. But
 * around each disc, bone, canal and spinous process are symmetric. So every disc is tried at places to the right and left,
 * with the mirror turned as vertebrae turn in scoliosis, and dynamic programming takes the best places along a spine that
 * bends sideways only gently.
 */
import { type Point, transform, voxelSizes, worldToVoxel } from "./affine";
import { argmax, clip, interpolate, linspace, logAddExp, rint } from "./numeric";
import type { SlabStack } from "./slabs";

/** Places are tried this far to either side, and mirrored halves of this width compared, mm. */
const SEARCH_MM = 10;
const HALF_MM = 14;
/** Slabs this far to either side of the discs are enough for both, with the mirror turned. */
export const REACH_MM = 36;
/** Turns of the mirror about the spine's axis. */
const TURNS_DEGREES = [-16, -8, 0, 8, 16];
/** What is compared: behind and before the disc's posterior tip (posterior positive), above and below it, mm. */
const BEHIND_MM = Array.from({ length: 17 }, (_, i) => -10 + 3 * i);
const ABOVE_MM = [-8, -5, -2, 1, 4, 7];
/** Share of the compared halves that must lie in the picture. */
const LEAST_SEEN = 0.4;
/** Worth of perfect symmetry against none, as a log-probability, and the spread of the network's own place, mm. */
const SYMMETRY_WEIGHT = 8;
const NETWORK_SPREAD_MM = 5;
/** Spread of the spine's sideways slope where it begins, and of the slope's change from disc to disc. */
const SLOPE_SPREAD = 0.35;
const BEND_SPREAD = 0.08;
const STEP_MM = 0.5;
/** Step of the path that the network alone would take, and score of a disc that it misplaced by far. */
const COARSE_STEP_MM = 1.5;
const LOST_SCORE = -4;

/** Move discs (world mm, from the head down) right-left onto the spine's plane of symmetry, seen in fine slabs. */
export function ontoMidline(points: Point[], slabs: SlabStack): Point[] {
  const places = points.map((point) => worldToVoxel(point, slabs.affine));
  const [step, spacing] = voxelSizes(slabs.affine);
  const seen = places.map((place) => place[0] * step);
  const down = places.map((place) => place[1] * spacing);
  const middle = whereToLook(seen, down);
  const tried = linspace(-SEARCH_MM, SEARCH_MM, 2 * SEARCH_MM + 1);
  const offsets = linspace(-SEARCH_MM, SEARCH_MM, (2 * SEARCH_MM) / STEP_MM + 1);
  const across = middle.map((centre) => offsets.map((offset) => centre + offset));
  const scores = places.map((place, disc) => {
    const symmetry = mirrorSymmetry(slabs, [middle[disc] / step, place[1], place[2]], step, spacing);
    const worth = interpolate(offsets, tried, symmetry);
    return across[disc].map((at, k) => networkScore(at - seen[disc]) + SYMMETRY_WEIGHT * worth[k]);
  });
  const chosen = smoothestPath(scores, across, down);
  return places.map((place, disc) => transform([chosen[disc] / step, place[1], place[2]], slabs.affine));
}

/** The network's places; a disc that it misplaced by far is looked for beside the others instead. */
function whereToLook(seen: number[], down: number[]): number[] {
  const [low, high] = [Math.min(...seen), Math.max(...seen)];
  const reach = Math.ceil((high - low) / 2 / COARSE_STEP_MM);
  const tried = linspace(-reach, reach, 2 * reach + 1).map((k) => (low + high) / 2 + COARSE_STEP_MM * k);
  const scores = seen.map((own) => tried.map((at) => networkScore(at - own)));
  const path = smoothestPath(scores, seen.map(() => tried), down);
  return path.map((at, disc) => (Math.abs(at - seen[disc]) > SEARCH_MM / 2 ? at : seen[disc]));
}

/** Log-probability of an error of the network's right-left place, mm; now and then it is off by any distance. */
function networkScore(error: number): number {
  return logAddExp(-0.5 * (error / NETWORK_SPREAD_MM) ** 2, LOST_SCORE);
}

/**
 * How well the picture around a disc (slab, row, column) mirrors itself in planes to the right and left of it.
 *
 * Per place, 1 mm apart from left to right, the best over the turns of the correlation between the two halves: 1 for a
 * perfect mirror, 0 for none. Places where too little of the halves is in the picture get the mean of the others.
 */
export function mirrorSymmetry(slabs: SlabStack, place: Point, step: number, spacing: number): number[] {
  const rows = [...new Set(ABOVE_MM.map((above) => rint(place[1] + above / spacing)))].filter(
    (row) => row >= 0 && row < slabs.shape[1],
  );
  const best = Array<number>(2 * SEARCH_MM + 1).fill(NaN);
  for (const degrees of TURNS_DEGREES) {
    const lines = linesAcross(slabs, place, rows, (degrees * Math.PI) / 180, step, spacing);
    best.forEach((known, index) => {
      const found = correlation(lines, index + HALF_MM, rows.length);
      if (!Number.isNaN(found) && !(known >= found)) best[index] = found;
    });
  }
  const known = best.filter((value) => !Number.isNaN(value));
  const mean = known.length ? known.reduce((a, b) => a + b, 0) / known.length : 0;
  return best.map((value) => (Number.isNaN(value) ? mean : value));
}

/** Grey values and whether they lie in the picture, per millimetre across: (row, behind). */
interface Line {
  grey: Float64Array;
  seen: boolean[];
}

function linesAcross(
  slabs: SlabStack, place: Point, rows: number[], turn: number, step: number, spacing: number,
): Line[] {
  const [count, , width] = slabs.shape;
  const reach = SEARCH_MM + HALF_MM;
  return linspace(-reach, reach, 2 * reach + 1).map((across) => {
    const grey = new Float64Array(rows.length * BEHIND_MM.length);
    const seen = BEHIND_MM.map((behind, b) => {
      const slab = place[0] + (across * Math.cos(turn) - behind * Math.sin(turn)) / step;
      const column = place[2] + (across * Math.sin(turn) + behind * Math.cos(turn)) / spacing;
      rows.forEach((row, r) => (grey[r * BEHIND_MM.length + b] = greyAt(slabs, slab, row, column)));
      return Math.abs(2 * slab + 1 - count) <= count && column >= 0 && column <= width - 1;
    });
    return { grey, seen };
  });
}

/** Grey value at a fractional slab and column, bilinear; the outermost values go on beyond the picture. */
function greyAt(slabs: SlabStack, slab: number, row: number, column: number): number {
  const [count, height, width] = slabs.shape;
  const left = clip(Math.floor(slab), 0, Math.max(count - 2, 0));
  const front = clip(Math.floor(column), 0, Math.max(width - 2, 0));
  const [right, back] = [Math.min(left + 1, count - 1), Math.min(front + 1, width - 1)];
  const [across, along] = [clip(slab - left, 0, 1), clip(column - front, 0, 1)];
  const at = (s: number, c: number) => slabs.data[(s * height + row) * width + c];
  const ahead = at(left, front) * (1 - across) + at(right, front) * across;
  const behind = at(left, back) * (1 - across) + at(right, back) * across;
  return ahead * (1 - along) + behind * along;
}

/** Correlation of the halves to the right and left of line `middle`, where both are seen; else NaN. */
function correlation(lines: Line[], middle: number, rows: number): number {
  let [count, total, squares, unlike] = [0, 0, 0, 0];
  for (let away = 1; away <= HALF_MM; away++) {
    const [right, left] = [lines[middle + away], lines[middle - away]];
    for (let i = 0; i < right.grey.length; i++) {
      const column = i % BEHIND_MM.length;
      if (!right.seen[column] || !left.seen[column]) continue;
      const [one, two] = [right.grey[i], left.grey[i]];
      count += 1;
      total += one + two;
      squares += one * one + two * two;
      unlike += (one - two) ** 2;
    }
  }
  const spread = squares - total ** 2 / Math.max(2 * count, 1);
  const enough = count >= LEAST_SEEN * HALF_MM * rows * BEHIND_MM.length && spread > 1e-6 * Math.max(total, 1);
  return enough ? Math.max(1 - unlike / spread, 0) : NaN;
}

/**
 * Choose one right-left place for every disc, so that scores are high and the path bends little.
 *
 * Scores and coordinates (mm) are per disc and place, `down` the discs' coordinates towards the feet, rising. Exact, by
 * dynamic programming over pairs of places.
 */
export function smoothestPath(scores: number[][], across: number[][], down: number[]): number[] {
  if (scores.length === 1) return [across[0][argmax(scores[0])]];
  const places = scores[0].length;
  const slope = (disc: number, from: number, to: number) =>
    (across[disc + 1][to] - across[disc][from]) / Math.max(down[disc + 1] - down[disc], 1);
  let total = new Float64Array(places * places).map((_, pair) => {
    const [a, b] = [Math.floor(pair / places), pair % places];
    return scores[0][a] + scores[1][b] - 0.5 * (slope(0, a, b) / SLOPE_SPREAD) ** 2;
  });
  const cameFrom: Int32Array[] = [];
  for (let disc = 2; disc < scores.length; disc++) {
    const from = new Int32Array(places * places);
    const longer = new Float64Array(places * places).fill(-Infinity);
    for (let a = 0; a < places; a++) {
      for (let b = 0; b < places; b++) {
        const [so_far, before] = [total[a * places + b], slope(disc - 2, a, b)];
        for (let c = 0; c < places; c++) {
          const value = so_far - 0.5 * ((slope(disc - 1, b, c) - before) / BEND_SPREAD) ** 2;
          if (value > longer[b * places + c]) [longer[b * places + c], from[b * places + c]] = [value, a];
        }
      }
    }
    cameFrom.push(from);
    total = longer.map((value, pair) => value + scores[disc][pair % places]);
  }
  const last = argmax(total);
  let [upper, lower] = [Math.floor(last / places), last % places];
  const chosen = [lower, upper];
  for (const from of cameFrom.reverse()) {
    [upper, lower] = [from[upper * places + lower], upper];
    chosen.push(upper);
  }
  return chosen.reverse().map((place, disc) => across[disc][place]);
}
