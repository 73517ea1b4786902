/** Sagittal slabs on a square grid, as the network sees a scan. */
import { LookOnceError } from "../errors";
import { type Affine, checkAffine, multiply, type Point, voxelSizes } from "./affine";
import { clip, rint } from "./numeric";
import { asSagittal, type Volume } from "./volume";

/** Head-to-foot extent and sampling below which discs cannot be told apart (an adult disc is 4 to 12 mm high). */
const SMALLEST_EXTENT_MM = 50;
const COARSEST_SAMPLING_MM = 5;

/** Parallel slabs, left to right; rows run towards the feet, columns towards the back. */
export interface SlabStack {
  /** (slabs, rows, columns), the last index running fastest. */
  data: Float32Array;
  shape: Point;
  /** (slab, row, column) to RAS+ world, mm. */
  affine: Affine;
}

/** Resampling of one axis: for every new sample the first old one used and the weights from there on. */
export interface Resampling {
  rows: { first: number; weights: Float32Array }[];
  /** New index m lies at old index start + scale * m. */
  start: number;
  scale: number;
}

/**
 * Resample a volume to parallel sagittal slabs.
 *
 * The image's own planes are kept: an oblique volume gives oblique slabs, whose affine says so. Thin slices are averaged
 * to slabs of about `lateralStep` mm; slices thicker than that stay one slab each. `lateralRange` is the part of the
 * right-left extent to use, mm from the outer face of the leftmost slice.
 */
export function sagittalSlabs(
  image: Volume,
  options: { spacing: number; lateralStep: number; lateralRange?: [number, number] },
): SlabStack {
  checkAffine(image.affine);
  const volume = asSagittal(image);
  const sizes = voxelSizes(volume.affine);
  checkCoverage(volume.shape, sizes);
  const across = slabWeights(volume.shape[0], sizes[0], options.lateralStep, options.lateralRange);
  const rows = resamplingWeights(volume.shape[1], sizes[1], options.spacing);
  const columns = resamplingWeights(volume.shape[2], sizes[2], options.spacing);
  const shape: Point = [across.rows.length, rows.rows.length, columns.rows.length];
  const data = new Float32Array(shape[0] * shape[1] * shape[2]);
  across.rows.forEach((slab, index) => {
    const plane = resample(averaged(volume, slab.first, slab.weights), volume.shape[2], rows, columns);
    data.set(plane, index * plane.length);
  });
  const axes = [across, rows, columns];
  const grid = [0, 1, 2].map((i) => [0, 1, 2, 3].map((j) => (j === 3 ? axes[i].start : i === j ? axes[i].scale : 0)));
  return { data, shape, affine: multiply(volume.affine, [...grid, [0, 0, 0, 1]] as Affine) };
}

/** Scale slabs to 0..1 between their 0.5th and 99.5th percentiles, in place; a constant image becomes zeros. */
export function scaleIntensity(slabs: SlabStack): SlabStack {
  const { data, shape } = slabs;
  const sample = new Float32Array(shape[0] * ((shape[1] + 1) >> 1) * ((shape[2] + 1) >> 1));
  let at = 0;
  for (let s = 0; s < shape[0]; s++)
    for (let r = 0; r < shape[1]; r += 2)
      for (let c = 0; c < shape[2]; c += 2) sample[at++] = data[(s * shape[1] + r) * shape[2] + c];
  sample.sort();
  let [low, high] = [percentile(sample, 0.005), percentile(sample, 0.995)];
  if (high <= low) {
    // Almost everything is one value: fall back on the full range.
    low = data.reduce((a, b) => Math.min(a, b), Infinity);
    high = data.reduce((a, b) => Math.max(a, b), -Infinity);
  }
  const scale = 1 / Math.max(high - low, 1e-12);
  for (let i = 0; i < data.length; i++) data[i] = clip((data[i] - low) * scale, 0, 1);
  return slabs;
}

/** Linear interpolation, averaged over the pixels of a coarser grid; old and new sample distances in mm. */
export function resamplingWeights(length: number, size: number, wanted: number): Resampling {
  const scale = wanted / size;
  const count = Math.max(1, rint(length / scale));
  const start = (length - 1) / 2 - (scale * (count - 1)) / 2;
  return kernel(length, count, start, scale);
}

function percentile(sorted: Float32Array, share: number): number {
  const place = (sorted.length - 1) * share;
  const low = Math.floor(place);
  const next = sorted[Math.min(low + 1, sorted.length - 1)];
  return sorted[low] + (next - sorted[low]) * (place - low);
}

function checkCoverage(shape: Point, sizes: Point): void {
  const [height, depth] = [shape[1] * sizes[1], shape[2] * sizes[2]];
  if (height < SMALLEST_EXTENT_MM || sizes[1] > COARSEST_SAMPLING_MM) {
    const axial = sizes[1] > 1.5 * sizes[2] ? "an axial stack that " : "an image that ";
    throw new LookOnceError(
      `${axial}covers ${height.toFixed(0)} mm from head to foot in steps of ${sizes[1].toFixed(1)} mm cannot be ` +
        `labelled (needed: ${SMALLEST_EXTENT_MM} mm in steps of ${COARSEST_SAMPLING_MM} mm or less); ` +
        "use a sagittal or 3D scan",
      "geometry",
    );
  }
  if (depth < SMALLEST_EXTENT_MM / 2 || sizes[2] > COARSEST_SAMPLING_MM) {
    throw new LookOnceError(
      `the image covers ${depth.toFixed(0)} mm from front to back in steps of ${sizes[2].toFixed(1)} mm, ` +
        "too little to see discs; use a sagittal or 3D scan",
      "geometry",
    );
  }
}

function slabWeights(length: number, size: number, step: number, range?: [number, number]): Resampling {
  let low = Math.max(range ? range[0] / size : 0, 0);
  let high = Math.min(range ? range[1] / size : length, length);
  if (high - low < 1e-6) {
    throw new LookOnceError("the discs seem to lie outside the image; convert the scan again from its source", "geometry");
  }
  if (size >= step) {
    low = Math.floor(low + 1e-6);
    high = Math.ceil(high - 1e-6);
  }
  const count = Math.max(1, rint((high - low) * Math.min(size / step, 1)));
  const scale = (high - low) / count;
  // Slice i spans [i, i + 1) here, and its centre has the voxel index i.
  return kernel(length, count, low + scale / 2 - 0.5, scale);
}

/** Weights that interpolate at start + scale * m, averaged where `scale` is over 1. */
function kernel(length: number, count: number, start: number, scale: number): Resampling {
  // A sample is a mean over its own pixel already; a box of this width adds the variance of the coarser one.
  const width = Math.sqrt(Math.max(scale ** 2 - 1, 0));
  const weight = (offset: number) =>
    width < 1e-3
      ? Math.max(0, 1 - Math.abs(offset))
      : hatIntegral(offset + width / 2) - hatIntegral(offset - width / 2);
  const rows = Array.from({ length: count }, (_, index) => {
    const place = start + scale * index;
    const first = clip(Math.floor(place - width / 2 - 1), 0, length - 1);
    const last = clip(Math.ceil(place + width / 2 + 1), 0, length - 1);
    const weights = new Float64Array(last - first + 1).map((_, k) => weight(place - first - k));
    const total = weights.reduce((a, b) => a + b, 0);
    return { first, weights: Float32Array.from(weights, (value) => value / total) };
  });
  return { rows, start, scale };
}

/** Integral of the linear interpolation kernel max(0, 1 - abs(t)) up to `offset`. */
function hatIntegral(offset: number): number {
  const bound = clip(offset, -1, 1);
  return 0.5 + bound - 0.5 * bound * Math.abs(bound);
}

/** Weighted mean of slices, (rows * columns); averaging first leaves one plane to resample. */
function averaged(volume: Volume, first: number, weights: Float32Array): Float64Array {
  const [, height, depth] = volume.shape;
  const [dx, dy, dz] = volume.strides;
  const plane = new Float64Array(height * depth);
  weights.forEach((weight, k) => {
    if (weight === 0) return;
    for (let row = 0; row < height; row++) {
      let from = volume.offset + (first + k) * dx + row * dy;
      for (let to = row * depth; to < (row + 1) * depth; to++, from += dz) plane[to] += weight * volume.data[from];
    }
  });
  return plane;
}

function resample(plane: Float64Array, depth: number, rows: Resampling, columns: Resampling): Float32Array {
  const width = columns.rows.length;
  const resampled = new Float32Array(rows.rows.length * width);
  const line = new Float64Array(depth);
  rows.rows.forEach(({ first, weights }, row) => {
    line.fill(0);
    for (let k = 0; k < weights.length; k++)
      for (let c = 0; c < depth; c++) line[c] += weights[k] * plane[(first + k) * depth + c];
    columns.rows.forEach((column, c) => {
      let value = 0;
      for (let k = 0; k < column.weights.length; k++) value += column.weights[k] * line[column.first + k];
      resampled[row * width + c] = value;
    });
  });
  return resampled;
}
