/** Slabs in batches of the sizes that the network takes, and its answers as maps of the slabs' own size. */
import type { ModelCard, Network } from "./labeling";

/** Slabs per call: a larger batch is no faster per slab and takes more memory. */
const BATCH = 4;

/** Gives for a batch (B, 1, H, W) of padded slabs the maps `disc` (B, h, w) and `names` (B, C, h, w). */
export type RunBatch = (slabs: Float32Array, shape: number[]) => Promise<Record<string, Float32Array>>;

/** A network that takes slabs of any size: zeros pad them, and what lies in the padding is cut off again. */
export function inBatches(run: RunBatch, card: ModelCard): Network {
  return async ({ data, shape: [count, height, width] }) => {
    const [tall, wide] = [height, width].map((length) => Math.ceil(length / card.multiple) * card.multiple);
    const [h, w] = [tall, wide].map((length) => length / card.stride);
    const [rows, columns] = [height, width].map((length) => Math.ceil(length / card.stride));
    const heat = new Float32Array(count * rows * columns);
    let names = new Float32Array(0);
    let channels = 0;
    for (let start = 0; start < count; start += BATCH) {
      const size = Math.min(BATCH, count - start);
      const padded = new Float32Array(size * tall * wide);
      for (let s = 0; s < size; s++)
        for (let row = 0; row < height; row++) {
          const from = ((start + s) * height + row) * width;
          padded.set(data.subarray(from, from + width), (s * tall + row) * wide);
        }
      const maps = await run(padded, [size, 1, tall, wide]);
      channels = maps.names.length / (size * h * w);
      if (!names.length) names = new Float32Array(count * channels * rows * columns);
      heat.set(cropped(maps.disc, size, [h, w], [rows, columns]), start * rows * columns);
      names.set(cropped(maps.names, size * channels, [h, w], [rows, columns]), start * channels * rows * columns);
    }
    return { shape: [count, rows, columns], heat, names, channels };
  };
}

function cropped(maps: Float32Array, count: number, [h, w]: number[], [rows, columns]: number[]): Float32Array {
  const kept = new Float32Array(count * rows * columns);
  for (let map = 0; map < count; map++)
    for (let row = 0; row < rows; row++) {
      const from = (map * h + row) * w;
      kept.set(maps.subarray(from, from + columns), (map * rows + row) * columns);
    }
  return kept;
}
