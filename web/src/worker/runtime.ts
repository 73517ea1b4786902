/** The network in the browser: ONNX Runtime with WebGPU where that is present and faster, else with WASM threads. */
import type { InferenceSession, Tensor } from "onnxruntime-web";
import { LookOnceError } from "../errors";
import { gunzip } from "../files/unpack";
import { inBatches, type RunBatch } from "../pipeline/batches";
import type { ModelCard, Network } from "../pipeline/labeling";

type Ort = typeof import("onnxruntime-web");

/** More threads than this do not help a network of this size. */
const MOST_THREADS = 4;
/** A graphics processor whose answer differs by more than this from the processor's is not used. */
const TOLERANCE = 0.02;
const TRIAL_SHAPE: [number, number, number, number] = [1, 1, 192, 128];

export interface LoadedNetwork {
  network: Network;
  card: ModelCard;
  /** What runs it, in words. */
  backend: string;
}

/** Fetch runtime and network, say how far that has come, and try them once. */
export async function loadNetwork(
  model: string,
  page: URL,
  onProgress: (loaded: number, total: number) => void,
): Promise<LoadedNetwork> {
  const hasGpu = await hasUsableGpu();
  const variant = hasGpu ? "ort-wasm-simd-threaded.jspi" : "ort-wasm-simd-threaded";
  const fetching = progressOf(2, onProgress);
  const [ort, card, wasm, content] = await Promise.all([
    (hasGpu ? import("onnxruntime-web/jspi") : import("onnxruntime-web/wasm")) as Promise<Ort>,
    fetchCard(new URL(`weights/${model}.json`, page)),
    fetchBytes(new URL(`runtime/${variant}.wasm.gz`, page), fetching(0)),
    fetchBytes(new URL(`weights/${model}.onnx`, page), fetching(1)),
  ]);
  await checkDigest(content, card);
  const threads = self.crossOriginIsolated ? Math.min(MOST_THREADS, navigator.hardwareConcurrency || 1) : 1;
  ort.env.wasm.numThreads = threads;
  ort.env.wasm.wasmPaths = { mjs: new URL(`runtime/${variant}.mjs`, page).href };
  // Unpacked here: the server sends it as it lies on the disk.
  ort.env.wasm.wasmBinary = (await gunzip("the runtime", wasm)).slice().buffer as ArrayBuffer;
  ort.env.logLevel = "error";
  const onCpu = await tried(ort, content, "wasm");
  const onGpu = hasGpu ? await tried(ort, content, "webgpu").catch(() => null) : null;
  const isGpuBetter = onGpu && onGpu.seconds < onCpu.seconds && largestDifference(onGpu.disc, onCpu.disc) < TOLERANCE;
  const backend = isGpuBetter ? "WebGPU" : `WebAssembly, ${threads} ${threads === 1 ? "thread" : "threads"}`;
  return { network: inBatches((isGpuBetter ? onGpu : onCpu).run, card), card, backend };
}

/** Whether there is a real graphics processor, and a browser that lets WebAssembly wait for it. */
async function hasUsableGpu(): Promise<boolean> {
  if (!("Suspending" in WebAssembly) || !("gpu" in navigator)) return false;
  const gpu = navigator.gpu as { requestAdapter(): Promise<{ info?: { isFallbackAdapter?: boolean } } | null> };
  const adapter = await gpu.requestAdapter().catch(() => null);
  return adapter !== null && !adapter.info?.isFallbackAdapter;
}

/** A session that has run once to warm up and once to be timed. */
async function tried(ort: Ort, content: Uint8Array, provider: "wasm" | "webgpu") {
  const session = await ort.InferenceSession.create(content, { executionProviders: [provider] });
  const run = runner(ort, session);
  const picture = trialPicture();
  await run(picture, TRIAL_SHAPE);
  const started = performance.now();
  const { disc } = await run(picture, TRIAL_SHAPE);
  return { run, disc, seconds: (performance.now() - started) / 1000 };
}

function runner(ort: Ort, session: InferenceSession): RunBatch {
  return async (slabs, shape) => {
    const feeds = { image: new ort.Tensor("float32", slabs, shape) as Tensor };
    const maps = await session.run(feeds, ["disc", "names"]);
    return { disc: maps.disc.data as Float32Array, names: maps.names.data as Float32Array };
  };
}

/** Stripes and blobs: something for the network to see. */
function trialPicture(): Float32Array {
  const [, , height, width] = TRIAL_SHAPE;
  return Float32Array.from({ length: height * width }, (_, i) => {
    const [row, column] = [Math.floor(i / width), i % width];
    return 0.5 + 0.25 * Math.sin(row / 3) * Math.exp(-(((column - 60) / 20) ** 2)) + 0.2 * Math.cos(column / 11);
  });
}

function largestDifference(one: Float32Array, other: Float32Array): number {
  return one.reduce((most, value, i) => Math.max(most, Math.abs(value - other[i])), 0);
}

async function fetchCard(url: URL): Promise<ModelCard> {
  return (await request(url)).json();
}

async function fetchBytes(url: URL, onProgress: (loaded: number, total: number) => void): Promise<Uint8Array> {
  const response = await request(url);
  const total = Number(response.headers.get("Content-Length") ?? 0);
  const reader = response.body!.getReader();
  const parts: Uint8Array[] = [];
  let loaded = 0;
  for (;;) {
    const { done, value } = await reader.read();
    if (done) break;
    parts.push(value);
    loaded += value.length;
    onProgress(loaded, Math.max(total, loaded));
  }
  const content = new Uint8Array(loaded);
  parts.reduce((at, part) => (content.set(part, at), at + part.length), 0);
  return content;
}

async function request(url: URL): Promise<Response> {
  const response = await fetch(url).catch(() => null);
  if (response?.ok) return response;
  throw new LookOnceError(`${url.pathname} could not be fetched; check the connection and load the page again`, "runtime");
}

/** Only a safe context can compute digests; without one the transport is all there is to trust. */
async function checkDigest(content: Uint8Array, card: ModelCard): Promise<void> {
  if (!self.crypto?.subtle) return;
  const digest = new Uint8Array(await crypto.subtle.digest("SHA-256", content as BufferSource));
  const hex = Array.from(digest, (byte) => byte.toString(16).padStart(2, "0")).join("");
  if (hex !== card.sha256) {
    throw new LookOnceError("the network's sha256 is not the one in its card; load the page again", "runtime");
  }
}

/** Joins the progress of several downloads into one. */
function progressOf(count: number, onProgress: (loaded: number, total: number) => void) {
  const states = Array.from({ length: count }, () => [0, 0]);
  return (index: number) => (loaded: number, total: number) => {
    states[index] = [loaded, total];
    const sums = states.reduce(([a, b], [c, d]) => [a + c, b + d], [0, 0]);
    onProgress(sums[0], sums[1]);
  };
}
