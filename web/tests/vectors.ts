/** The vectors that benchmarks/web_vectors.py wrote. */
import { readFileSync } from "node:fs";
import { gunzipSync } from "node:zlib";

export type Json = any;

export interface Case {
  input: Json;
  answer: Json;
}

export function cases(stage: string): Case[] {
  const file = new URL(`../vectors/${stage}.json.gz`, import.meta.url);
  return JSON.parse(gunzipSync(readFileSync(file)).toString());
}

export function bytes(base64: string): Uint8Array {
  return new Uint8Array(Buffer.from(base64, "base64"));
}

export function unpacked(entry: Json) {
  const { buffer } = bytes(entry.base64).slice();
  switch (entry.dtype) {
    case "uint8": return new Uint8Array(buffer);
    case "int8": return new Int8Array(buffer);
    case "uint16": return new Uint16Array(buffer);
    case "float32": return new Float32Array(buffer);
    default: throw new Error(entry.dtype);
  }
}

/** The largest difference between two lists of numbers of one length. */
export function apart(one: ArrayLike<number>, other: ArrayLike<number>): number {
  if (one.length !== other.length) return Infinity;
  let most = 0;
  for (let i = 0; i < one.length; i++) most = Math.max(most, Math.abs(one[i] - other[i]));
  return most;
}
