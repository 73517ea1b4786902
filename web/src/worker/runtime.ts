/** Networks in the browser: ONNX Runtime with WebGPU where that is present and faster, else with WASM threads. */
import type { InferenceSession, Tensor } from "onnxruntime-web";
import { LookOnceError } from "../errors";
import { gunzip } from "../files/unpack";

type Ort = typeof import("onnxruntime-web");

/** More threads than this do not help networks of this size. */
const MOST_THREADS = 4;
/** A graphics processor whose answer differs by more than this from the processor's is not used. */
const TOLERANCE = 0.02;

/** Runs a network on an image; gives its outputs by name. */
export type Run = (image: Float32Array, shape: number[]) => Promise<Record<string, Float32Array>>;

export interface LoadedModel<Card> {
  run: Run;
  card: Card;
  /** What runs it, in words. */
  backend: string;
}

/** What is asked of a network. */
export interface Form<Card> {
  /** Names of the outputs that are wanted; by the first a graphics processor is compared with the processor. */
  outputs: string[];
  /** Shape of an image to try it with. */
  trialShape(card: Card): number[];
}

type OnProgress = (loaded: number, total: number) => void;

/** The runtime, fetched with the first network and used by all. */
export class Runtime {
  private loading: Promise<Ort> | null = null;
  private busy: Promise<unknown> = Promise.resolve();

  private constructor(
    private readonly page: URL,
    private readonly hasGpu: boolean,
    private readonly threads: number,
  ) {}

  static async create(page: URL): Promise<Runtime> {
    const threads = self.crossOriginIsolated ? Math.min(MOST_THREADS, navigator.hardwareConcurrency || 1) : 1;
    return new Runtime(page, await hasUsableGpu(), threads);
  }

  /** Fetch a network, and the runtime where it is not there yet, say how far that has come, and try them once. */
  async load<Card extends { sha256: string }>(name: string, form: Form<Card>, onProgress: OnProgress): Promise<LoadedModel<Card>> {
    const fetching = progressOf(2, onProgress);
    const [ort, card, content] = await Promise.all([
      this.started(fetching(0)),
      request(new URL(`weights/${name}.json`, this.page)).then((response) => response.json() as Promise<Card>),
      fetchBytes(new URL(`weights/${name}.onnx`, this.page), fetching(1)),
    ]);
    await checkDigest(content, card);
    return this.alone(() => this.chosen(ort, content, card, form));
  }

  /** The runtime; a failed download is tried again the next time. */
  private started(onProgress: OnProgress): Promise<Ort> {
    this.loading ??= this.fetched(onProgress).catch((error) => {
      this.loading = null;
      throw error;
    });
    return this.loading;
  }

  private async fetched(onProgress: OnProgress): Promise<Ort> {
    const variant = this.hasGpu ? "ort-wasm-simd-threaded.jspi" : "ort-wasm-simd-threaded";
    const [ort, wasm] = await Promise.all([
      (this.hasGpu ? import("onnxruntime-web/jspi") : import("onnxruntime-web/wasm")) as Promise<Ort>,
      fetchBytes(new URL(`runtime/${variant}.wasm.gz`, this.page), onProgress),
    ]);
    ort.env.wasm.numThreads = this.threads;
    ort.env.wasm.wasmPaths = { mjs: new URL(`runtime/${variant}.mjs`, this.page).href };
    // Unpacked here: the server sends it as it lies on the disk.
    ort.env.wasm.wasmBinary = (await gunzip("the runtime", wasm)).slice().buffer as ArrayBuffer;
    ort.env.logLevel = "error";
    return ort;
  }

  /** The network on the processor, or on the graphics processor where that is better. */
  private async chosen<Card>(ort: Ort, content: Uint8Array, card: Card, form: Form<Card>): Promise<LoadedModel<Card>> {
    const onCpu = await tried(ort, content, "wasm", card, form);
    const onGpu = this.hasGpu ? await tried(ort, content, "webgpu", card, form).catch(() => null) : null;
    const isGpuBetter = onGpu && onGpu.seconds < onCpu.seconds && largestDifference(onGpu.map, onCpu.map) < TOLERANCE;
    const { run } = isGpuBetter ? onGpu : onCpu;
    const backend = isGpuBetter ? "WebGPU" : `WebAssembly, ${this.threads} ${this.threads === 1 ? "thread" : "threads"}`;
    return { run: (image, shape) => this.alone(() => run(image, shape)), card, backend };
  }

  /** Do one thing after the other: the runtime does not bear two at a time. */
  private alone<T>(task: () => Promise<T>): Promise<T> {
    const done = this.busy.then(task);
    this.busy = done.catch(() => undefined);
    return done;
  }
}

/** Whether there is a real graphics processor, and a browser that lets WebAssembly wait for it. */
async function hasUsableGpu(): Promise<boolean> {
  if (!("Suspending" in WebAssembly) || !("gpu" in navigator)) return false;
  const gpu = navigator.gpu as { requestAdapter(): Promise<{ info?: { isFallbackAdapter?: boolean } } | null> };
  const adapter = await gpu.requestAdapter().catch(() => null);
  return adapter !== null && !adapter.info?.isFallbackAdapter;
}

/** A session that has run once to warm up and once to be timed. */
async function tried<Card>(ort: Ort, content: Uint8Array, provider: "wasm" | "webgpu", card: Card, form: Form<Card>) {
  const session = await ort.InferenceSession.create(content, { executionProviders: [provider] });
  const run = runner(ort, session, form.outputs);
  const shape = form.trialShape(card);
  const picture = trialPicture(shape);
  await run(picture, shape);
  const started = performance.now();
  const maps = await run(picture, shape);
  return { run, map: maps[form.outputs[0]], seconds: (performance.now() - started) / 1000 };
}

function runner(ort: Ort, session: InferenceSession, outputs: string[]): Run {
  return async (image, shape) => {
    const maps = await session.run({ image: new ort.Tensor("float32", image, shape) as Tensor }, outputs);
    return Object.fromEntries(outputs.map((name) => [name, maps[name].data as Float32Array]));
  };
}

/** Stripes and blobs: something for the network to see. */
function trialPicture(shape: number[]): Float32Array {
  const [height, width] = shape.slice(-2);
  return Float32Array.from({ length: shape.reduce((size, side) => size * side) }, (_, i) => {
    const [row, column] = [Math.floor(i / width) % height, i % width];
    return 0.5 + 0.25 * Math.sin(row / 3) * Math.exp(-(((column - 60) / 20) ** 2)) + 0.2 * Math.cos(column / 11);
  });
}

function largestDifference(one: Float32Array, other: Float32Array): number {
  return one.reduce((most, value, i) => Math.max(most, Math.abs(value - other[i])), 0);
}

async function fetchBytes(url: URL, onProgress: OnProgress): Promise<Uint8Array> {
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
async function checkDigest(content: Uint8Array, card: { sha256: string }): Promise<void> {
  if (!self.crypto?.subtle) return;
  const digest = new Uint8Array(await crypto.subtle.digest("SHA-256", content as BufferSource));
  const hex = Array.from(digest, (byte) => byte.toString(16).padStart(2, "0")).join("");
  if (hex !== card.sha256) {
    throw new LookOnceError("the network's sha256 is not the one in its card; load the page again", "runtime");
  }
}

/** Joins the progress of several downloads into one. */
function progressOf(count: number, onProgress: OnProgress) {
  const states = Array.from({ length: count }, () => [0, 0]);
  return (index: number) => (loaded: number, total: number) => {
    states[index] = [loaded, total];
    const sums = states.reduce(([a, b], [c, d]) => [a + c, b + d], [0, 0]);
    onProgress(sums[0], sums[1]);
  };
}
