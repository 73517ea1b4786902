/** Objects that touch, told apart by a watershed on the predicted map; see the file of this name in the package. */
import type { Pixels } from "./regions";

/** Two basins are one object if the saddle between them has at least this share of the lower peak's height. */
const SAME_FROM = 0.8;
const EIGHT = [[-1, -1], [-1, 0], [-1, 1], [0, -1], [0, 1], [1, -1], [1, 0], [1, 1]];

/** Number the objects of a mask from 1 in reading order, those that touch apart; 0 is outside. */
export function separate(mask: Pixels, probability: Float32Array, sameFrom = SAME_FROM): Int32Array {
  const heights = squaredDistance(mask).map((squared, i) => Math.sqrt(squared) * Math.min(Math.max(probability[i], 0), 1));
  const places: number[] = [];
  mask.data.forEach((value, place) => value && places.push(place));
  const basins = new Basins(sameFrom);
  const basinOf = new Int32Array(mask.data.length).fill(-1);
  const falling = [...places].sort((a, b) => heights[b] - heights[a] || a - b);
  for (const place of falling) {
    // The highest neighbour first: the pixel is on the slope below it.
    const above = neighbours(place, mask).filter((neighbour) => basinOf[neighbour] >= 0);
    above.sort((a, b) => heights[b] - heights[a] || b - a);
    const around = [...new Set(above.map((neighbour) => basins.root(basinOf[neighbour])))];
    basinOf[place] = around.length ? basins.meet(around, heights[place]) : basins.add(heights[place]);
  }
  const labels = new Int32Array(mask.data.length);
  const numbers = new Map<number, number>();
  for (const place of places) {
    const root = basins.root(basinOf[place]);
    if (!numbers.has(root)) numbers.set(root, numbers.size + 1);
    labels[place] = numbers.get(root)!;
  }
  return labels;
}

/**
 * Squared distance of each pixel of a mask from the nearest pixel outside; 0 outside.
 *
 * What lies beyond the picture is not outside: an object that its border cuts goes on there. A mask without any outside is
 * as far from it as the picture is large.
 */
export function squaredDistance(mask: Pixels): Float64Array {
  const { width, height } = mask;
  const across = distanceAlongRows(mask).map((distance) => distance ** 2);
  const squared = across.slice();
  // The nearest pixel outside is some rows up or down, at most as far as the farthest one in a row.
  const farthest = across.reduce((most, value) => Math.max(most, value), 0);
  const reach = Math.min(height - 1, Math.trunc(Math.sqrt(farthest)));
  for (let rows = 1; rows <= reach; rows++)
    for (let at = rows * width; at < squared.length; at++) {
      const above = at - rows * width;
      squared[at] = Math.min(squared[at], across[above] + rows ** 2);
      squared[above] = Math.min(squared[above], across[at] + rows ** 2);
    }
  return squared;
}

/** Labels (height, width) spread over the pixels around them, `steps` pixels far; nothing that is labelled changes. */
export function grow(labels: Int32Array, size: Pick<Pixels, "width" | "height">, steps: number): Int32Array {
  let grown = labels;
  for (let step = 0; step < steps; step++) {
    const before = grown;
    grown = before.map((label, place) => label || labelBeside(before, place, size));
  }
  return grown;
}

function labelBeside(labels: Int32Array, place: number, size: Pick<Pixels, "width" | "height">): number {
  return labels[neighbours(place, size).find((neighbour) => labels[neighbour]) ?? place];
}

/** The up to eight places around one, in reading order. */
function neighbours(place: number, { width, height }: Pick<Pixels, "width" | "height">): number[] {
  const [row, column] = [Math.floor(place / width), place % width];
  const found = [];
  for (const [down, right] of EIGHT) {
    if (row + down < 0 || row + down >= height || column + right < 0 || column + right >= width) continue;
    found.push(place + down * width + right);
  }
  return found;
}

/** Basins under a falling water level: their peaks, and which have become one. */
class Basins {
  private readonly peaks: number[] = [];
  private readonly parents: number[] = [];

  constructor(private readonly sameFrom: number) {}

  /** A new basin whose peak is at `level`. */
  add(level: number): number {
    this.peaks.push(level);
    return this.parents.push(this.parents.length) - 1;
  }

  /** The basin that a basin has become part of. */
  root(basin: number): number {
    while (this.parents[basin] !== basin) basin = this.parents[basin] = this.parents[this.parents[basin]];
    return basin;
  }

  /** Basins meet at `level`: the shallow ones join that with the highest peak; returns what the first is now. */
  meet(basins: number[], level: number): number {
    const highest = basins.reduce((best, basin) => {
      const higher = this.peaks[basin] - this.peaks[best];
      return higher > 0 || (higher === 0 && basin < best) ? basin : best;
    });
    for (const basin of basins) {
      if (basin !== highest && level >= this.sameFrom * this.peaks[basin]) this.parents[basin] = highest;
    }
    return this.root(basins[0]);
  }
}

/** Distance of each pixel from the nearest outside in its row; that of the picture's sides together where there is none. */
function distanceAlongRows({ data, width, height }: Pixels): Float64Array {
  const far = width + height;
  const distances = new Float64Array(data.length).fill(far);
  for (let row = 0; row < height; row++) {
    const from = row * width;
    let before = -far;
    let after = 2 * far;
    for (let column = 0; column < width; column++) {
      if (!data[from + column]) before = column;
      distances[from + column] = Math.min(distances[from + column], column - before);
    }
    for (let column = width - 1; column >= 0; column--) {
      if (!data[from + column]) after = column;
      distances[from + column] = Math.min(distances[from + column], after - column);
    }
  }
  return distances;
}
