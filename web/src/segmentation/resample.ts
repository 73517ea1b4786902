/** Pictures and maps at another size by a bilinear filter, as Pillow does it: what shrinks is averaged over its area. */

/** A picture that is handed out in bands of rows, so that a large one need never be in memory as a whole. */
export interface PictureRows {
  width: number;
  height: number;
  /** Red, green, blue and an alpha of 255 of `count` rows from `top` on; good until the next call. */
  rows(top: number, count: number): Uint8ClampedArray;
}

/** Rows that are asked for at a time. */
const BAND = 256;
/** Pillow computes pixels of 8 bits with integer weights of this many bits, which all fit into 32. */
const WEIGHT_BITS = 22;

/** A picture as one of another size, (height, width, 3) red, green and blue. */
export function resizeColours(picture: PictureRows, width: number, height: number): Uint8Array {
  const narrow = narrowed(picture, width);
  const stride = 3 * width;
  const down = weighted(picture.height, height);
  const resized = new Uint8Array(height * stride);
  const sums = new Int32Array(stride);
  for (let row = 0; row < height; row++) {
    sums.fill(1 << (WEIGHT_BITS - 1));
    for (let i = 0; i < down.counts[row]; i++) {
      const weight = down.weights[row * down.most + i];
      const from = (down.firsts[row] + i) * stride;
      for (let x = 0; x < stride; x++) sums[x] += narrow[from + x] * weight;
    }
    for (let x = 0; x < stride; x++) resized[row * stride + x] = Math.min(255, sums[x] >> WEIGHT_BITS);
  }
  return resized;
}

/** Rows of a map (height, width) at another size, computed as they are asked for; a row is good until the next call. */
export function resizeMap(
  values: Float32Array,
  [height, width]: [number, number],
  [tall, wide]: [number, number],
): (row: number) => Float32Array {
  const across = sharesOf(width, wide);
  const spread = new Float32Array(height * wide);
  for (let row = 0; row < height; row++)
    for (let column = 0; column < wide; column++) {
      let sum = 0;
      const from = row * width + across.firsts[column];
      for (let i = 0; i < across.counts[column]; i++) sum += values[from + i] * across.shares[column * across.most + i];
      spread[row * wide + column] = sum;
    }
  const down = sharesOf(height, tall);
  const sums = new Float64Array(wide);
  const line = new Float32Array(wide);
  return (row) => {
    sums.fill(0);
    for (let i = 0; i < down.counts[row]; i++) {
      const share = down.shares[row * down.most + i];
      const from = (down.firsts[row] + i) * wide;
      for (let column = 0; column < wide; column++) sums[column] += spread[from + column] * share;
    }
    line.set(sums);
    return line;
  };
}

/** A picture of another width, (height, width, 3). */
function narrowed(picture: PictureRows, width: number): Uint8Array {
  const across = weighted(picture.width, width);
  const narrow = new Uint8Array(picture.height * width * 3);
  for (let top = 0; top < picture.height; top += BAND) {
    const count = Math.min(BAND, picture.height - top);
    const pixels = picture.rows(top, count);
    for (let row = 0; row < count; row++) narrowRow(pixels, row * picture.width * 4, across, narrow, (top + row) * width * 3);
  }
  return narrow;
}

function narrowRow(pixels: Uint8ClampedArray, start: number, across: Weights, into: Uint8Array, at: number): void {
  const { firsts, counts, most, weights } = across;
  for (let column = 0; column < firsts.length; column++) {
    const half = 1 << (WEIGHT_BITS - 1);
    let [red, green, blue] = [half, half, half];
    let from = start + 4 * firsts[column];
    for (let i = column * most; i < column * most + counts[column]; i++, from += 4) {
      red += pixels[from] * weights[i];
      green += pixels[from + 1] * weights[i];
      blue += pixels[from + 2] * weights[i];
    }
    into[at++] = Math.min(255, red >> WEIGHT_BITS);
    into[at++] = Math.min(255, green >> WEIGHT_BITS);
    into[at++] = Math.min(255, blue >> WEIGHT_BITS);
  }
}

/** What each place along a side of the new size is made of: the first place of the old one, how many, their shares. */
interface Shares {
  firsts: Int32Array;
  counts: Int32Array;
  /** Room for each place's shares in the list of all. */
  most: number;
  shares: Float64Array;
}

interface Weights extends Shares {
  /** The shares as integers. */
  weights: Int32Array;
}

function sharesOf(from: number, to: number): Shares {
  const scale = from / to;
  const reach = Math.max(scale, 1);
  const most = Math.ceil(reach) * 2 + 1;
  const [firsts, counts, shares] = [new Int32Array(to), new Int32Array(to), new Float64Array(to * most)];
  for (let place = 0; place < to; place++) {
    const centre = (place + 0.5) * scale;
    const first = Math.max(0, Math.trunc(centre - reach + 0.5));
    const count = Math.min(from, Math.trunc(centre + reach + 0.5)) - first;
    const own = shares.subarray(place * most, place * most + count);
    for (let i = 0; i < count; i++) own[i] = Math.max(0, 1 - Math.abs((i + first - centre + 0.5) * (1 / reach)));
    const total = own.reduce((sum, share) => sum + share, 0);
    for (let i = 0; i < count; i++) own[i] /= total;
    [firsts[place], counts[place]] = [first, count];
  }
  return { firsts, counts, most, shares };
}

function weighted(from: number, to: number): Weights {
  const shares = sharesOf(from, to);
  return { ...shares, weights: Int32Array.from(shares.shares, (share) => Math.trunc(0.5 + share * 2 ** WEIGHT_BITS)) };
}
