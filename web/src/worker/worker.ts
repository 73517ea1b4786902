/** The worker in which files are read and networks run, so that the page stays responsive. */
import { LookOnceError } from "../errors";
import { readImage, readVolume, SeveralVolumesError, type SpineImage } from "../files/nifti";
import { readPicture } from "../files/pictures";
import { inBatches } from "../pipeline/batches";
import { label, type ModelCard } from "../pipeline/labeling";
import { readLabels } from "../pipeline/labels";
import { type MaskCard, segment } from "../segmentation/segment";
import type { Numbered, Reply, Request } from "./messages";
import { type Form, type LoadedModel, Runtime } from "./runtime";

/** A volume with fewer voxels than this above zero holds labels, not a scan. */
const MOST_LABEL_VOXELS = 2000;
/** Longest side of a picture as it is shown and saved with its outline. */
const LONGEST_PREVIEW = 1600;

const DISCS: Form<ModelCard> = { outputs: ["disc", "names"], trialShape: () => [1, 1, 192, 128] };
const MASKS: Form<MaskCard> = { outputs: ["mask"], trialShape: ({ size }) => [1, 3, ...size] };

/** This file lies in assets/, beside which the page's other folders are. */
const runtime = Runtime.create(new URL("../", self.location.href));
let discs: Promise<LoadedModel<ModelCard>> | null = null;
const masks = new Map<string, Promise<LoadedModel<MaskCard>>>();

type Answer = (message: Reply, transfer?: Transferable[]) => void;

self.onmessage = async ({ data: request }: MessageEvent<Numbered<Request>>) => {
  const answer: Answer = (message, transfer = []) => self.postMessage({ ...message, id: request.id }, { transfer });
  if (request.kind === "start") await start(request, answer);
  else if (request.kind === "open") await open(request, answer);
  else await segmentPicture(request, answer);
};

async function start({ model, task }: Extract<Request, { kind: "start" }>, answer: Answer): Promise<void> {
  const onProgress = (loaded: number, total: number) => answer({ kind: "loading", loaded, total });
  try {
    let loading: Promise<LoadedModel<ModelCard | MaskCard>>;
    if (task === "discs") loading = discs = (await runtime).load(model, DISCS, onProgress);
    else masks.set(model, (loading = (await runtime).load(model, MASKS, onProgress)) as Promise<LoadedModel<MaskCard>>);
    const { card, backend } = await loading;
    answer({ kind: "ready", card, backend });
  } catch (error) {
    answer({ kind: "broken", message: describe(error) });
  }
}

async function open({ file, volume }: Extract<Request, { kind: "open" }>, answer: Answer): Promise<void> {
  try {
    const started = performance.now();
    const asLabels = await readAsLabels(file.name, file.bytes);
    if (asLabels) {
      const { name, header } = asLabels;
      answer({ kind: "labels", name, header, discs: readLabels(asLabels.volume) });
      return;
    }
    const image = await readImage(file.name, file.bytes, volume);
    const { name, header, warnings } = image;
    const data = image.volume.data.slice();
    answer({ kind: "image", image: { name, header, warnings, data } }, [data.buffer]);
    const { run, card } = await discs!;
    const result = await label(image.volume, inBatches(run, card), card);
    answer({ kind: "result", result, seconds: (performance.now() - started) / 1000 });
  } catch (error) {
    if (error instanceof SeveralVolumesError) answer({ kind: "several", volumes: error.volumes });
    else answer({ kind: "failed", message: describe(error, file.name) });
  }
}

async function segmentPicture({ model, file }: Extract<Request, { kind: "segment" }>, answer: Answer): Promise<void> {
  try {
    const { run, card } = await masks.get(model)!;
    const picture = await readPicture(file);
    try {
      const { width, height, warnings } = picture;
      const preview = picture.preview(LONGEST_PREVIEW);
      answer({ kind: "picture", preview, width, height, warnings }, [preview]);
      const network = async (pixels: Float32Array) => (await run(pixels, [1, 3, ...card.size])).mask;
      const mask = await segment(picture, network, card, warnings);
      answer({ kind: "mask", mask }, [mask.labels.buffer]);
    } finally {
      picture.close();
    }
  } catch (error) {
    answer({ kind: "failed", message: describe(error, file.name) });
  }
}

/** The file as a label volume, or null when it is a scan or cannot be read as one. */
async function readAsLabels(name: string, bytes: Uint8Array): Promise<SpineImage | null> {
  if (!/label|seg/i.test(name)) return null;
  const image = await readVolume(name, bytes).catch(() => null);
  if (!image) return null;
  let above = 0;
  const { data } = image.volume;
  for (let i = 0; i < data.length && above <= MOST_LABEL_VOXELS; i++) if (data[i] !== 0) above += 1;
  return above <= MOST_LABEL_VOXELS ? image : null;
}

function describe(error: unknown, name?: string): string {
  if (error instanceof LookOnceError) return name && !error.message.includes(name) ? `${name}: ${error.message}` : error.message;
  const text = error instanceof Error ? error.message : String(error);
  return `${name ? `${name}: ` : ""}an unexpected failure (${text}); please report it`;
}
