/** What numpy does and JavaScript's Math does not. */

/** Round half to even, as Python's round and numpy's rint do; Math.round rounds half up. */
export function rint(value: number): number {
  const floor = Math.floor(value);
  const rest = value - floor;
  if (rest !== 0.5) return Math.round(value);
  return floor % 2 === 0 ? floor : floor + 1;
}

export function clip(value: number, low: number, high: number): number {
  return value < low ? low : value > high ? high : value;
}

/** `count` numbers from `first` to `last`, both included. */
export function linspace(first: number, last: number, count: number): number[] {
  if (count === 1) return [first];
  return Array.from({ length: count }, (_, index) => first + ((last - first) * index) / (count - 1));
}

/** Index of the first largest entry. */
export function argmax(values: ArrayLike<number>): number {
  let best = 0;
  for (let index = 1; index < values.length; index++) if (values[index] > values[best]) best = index;
  return best;
}

export function logAddExp(one: number, other: number): number {
  const high = Math.max(one, other);
  return high === -Infinity ? high : high + Math.log(Math.exp(one - high) + Math.exp(other - high));
}

export function sum(values: ArrayLike<number>): number {
  let total = 0;
  for (let index = 0; index < values.length; index++) total += values[index];
  return total;
}

export function median(values: number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const half = sorted.length >> 1;
  return sorted.length % 2 ? sorted[half] : (sorted[half - 1] + sorted[half]) / 2;
}

/** Indices that put `keys` in rising order; equal keys keep theirs. */
export function argsort(keys: number[]): number[] {
  return keys.map((_, index) => index).sort((a, b) => keys[a] - keys[b] || a - b);
}

/** Values at `at` of the line through (x, y), x rising; constant beyond its ends. */
export function interpolate(at: number[], x: number[], y: ArrayLike<number>): number[] {
  return at.map((place) => {
    if (place <= x[0]) return y[0];
    const last = x.length - 1;
    if (place >= x[last]) return y[last];
    let left = 0;
    while (x[left + 1] < place) left++;
    return y[left] + ((y[left + 1] - y[left]) * (place - x[left])) / (x[left + 1] - x[left]);
  });
}
