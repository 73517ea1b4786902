/** Connected regions of a mask of any size, and the usual cleaning of a predicted one. */

/** Pixels (height, width), 0 outside. */
export interface Pixels {
  data: Uint8Array;
  width: number;
  height: number;
}

/** Pixels of one row that belong together: from `start` up to, and without, `end`. */
export interface Run {
  row: number;
  start: number;
  end: number;
  /** Number of the region, from 1, in the order in which rows meet them. */
  region: number;
}

/** A part smaller than this share of the largest is a speck, and a hole a gap in the prediction. */
export const SMALLEST_SHARE = 0.1;

/** The runs of a mask's connected regions, row by row. `corners`: pixels that share only a corner belong together. */
export function regionRuns(mask: Pixels, corners = false): Run[] {
  const runs = findRuns(mask);
  const leaders = joined(runs, corners ? 1 : 0);
  const numbers = new Map<number, number>();
  runs.forEach((run, i) => {
    const leader = leaderOf(leaders, i);
    if (!numbers.has(leader)) numbers.set(leader, numbers.size + 1);
    run.region = numbers.get(leader)!;
  });
  return runs;
}

/** The parts of a mask with `SMALLEST_SHARE` of the pixels of its largest, or of `whole` if less, and more. */
export function keepLarge(mask: Pixels, whole = Infinity): Pixels {
  const runs = regionRuns(mask);
  const sizes = sizesOf(runs);
  const largest = sizes.reduce((most, size) => Math.max(most, size), 0);
  const least = Math.max(1, SMALLEST_SHARE * Math.min(largest, whole));
  return painted({ ...mask, data: new Uint8Array(mask.data.length) }, runs.filter(({ region }) => sizes[region] >= least));
}

/** A mask with the holes in it filled that have at most `largest` pixels; what reaches the border is no hole. */
export function fillHoles(mask: Pixels, largest = Infinity): Pixels {
  const { width, height } = mask;
  const runs = regionRuns({ ...mask, data: mask.data.map((value) => (value ? 0 : 1)) }, true);
  const sizes = sizesOf(runs);
  for (const { row, start, end, region } of runs) {
    if (row === 0 || row === height - 1 || start === 0 || end === width) sizes[region] = Infinity;
  }
  const holes = runs.filter(({ region }) => sizes[region] <= largest && sizes[region] !== Infinity);
  return painted({ ...mask, data: mask.data.slice() }, holes);
}

function painted(mask: Pixels, runs: Run[]): Pixels {
  for (const { row, start, end } of runs) mask.data.fill(1, row * mask.width + start, row * mask.width + end);
  return mask;
}

/** Pixels of each region; none has the number 0. */
function sizesOf(runs: Run[]): number[] {
  const sizes = [0];
  for (const { start, end, region } of runs) sizes[region] = (sizes[region] ?? 0) + end - start;
  return sizes;
}

function findRuns({ data, width, height }: Pixels): Run[] {
  const runs: Run[] = [];
  for (let row = 0; row < height; row++) {
    const from = row * width;
    for (let column = 0; column < width; column++) {
      if (!data[from + column]) continue;
      const start = column;
      while (column < width && data[from + column]) column++;
      runs.push({ row, start, end: column, region: 0 });
    }
  }
  return runs;
}

/** For each run another one of its region, or itself: the first one in the end. */
function joined(runs: Run[], reach: number): Int32Array {
  const leaders = Int32Array.from(runs, (_, i) => i);
  let above = 0;
  for (let below = 0; below < runs.length; below++) {
    const { row, start, end } = runs[below];
    while (runs[above].row < row - 1 || (runs[above].row === row - 1 && runs[above].end + reach <= start)) above++;
    for (let i = above; i < below && runs[i].row === row - 1 && runs[i].start - reach < end; i++) {
      const [one, other] = [leaderOf(leaders, i), leaderOf(leaders, below)];
      leaders[Math.max(one, other)] = Math.min(one, other);
    }
  }
  return leaders;
}

function leaderOf(leaders: Int32Array, run: number): number {
  while (leaders[run] !== run) run = leaders[run] = leaders[leaders[run]];
  return run;
}
