/** The worker in which scans are read and labelled, so that the page stays responsive. */
import { LookOnceError } from "../errors";
import { readImage, readVolume, SeveralVolumesError, type SpineImage } from "../files/nifti";
import { label } from "../pipeline/labeling";
import { readLabels } from "../pipeline/labels";
import type { Reply, Request } from "./messages";
import { type LoadedNetwork, loadNetwork } from "./runtime";

/** A volume with fewer voxels than this above zero holds labels, not a scan. */
const MOST_LABEL_VOXELS = 2000;

let loading: Promise<LoadedNetwork> | null = null;

self.onmessage = async ({ data: request }: MessageEvent<Request>) => {
  if (request.kind === "start") await start();
  else await open(request);
};

function reply(message: Reply, transfer: Transferable[] = []): void {
  self.postMessage(message, { transfer });
}

async function start(): Promise<void> {
  // This file lies in assets/, beside which the page's other folders are.
  const page = new URL("../", self.location.href);
  loading = loadNetwork("discs", page, (loaded, total) => reply({ kind: "loading", loaded, total }));
  try {
    const { card, backend } = await loading;
    reply({ kind: "ready", card, backend });
  } catch (error) {
    reply({ kind: "broken", message: describe(error) });
  }
}

async function open({ id, file, volume }: Extract<Request, { kind: "open" }>): Promise<void> {
  try {
    const started = performance.now();
    const asLabels = await readAsLabels(file.name, file.bytes);
    if (asLabels) {
      const { name, header } = asLabels;
      reply({ kind: "labels", id, name, header, discs: readLabels(asLabels.volume) });
      return;
    }
    const image = await readImage(file.name, file.bytes, volume);
    const { name, header, warnings } = image;
    const data = image.volume.data.slice();
    reply({ kind: "image", id, image: { name, header, warnings, data } }, [data.buffer]);
    const { network, card } = await loading!;
    const result = await label(image.volume, network, card);
    reply({ kind: "result", id, result, seconds: (performance.now() - started) / 1000 });
  } catch (error) {
    if (error instanceof SeveralVolumesError) reply({ kind: "several", id, volumes: error.volumes });
    else reply({ kind: "failed", id, message: describe(error, file.name) });
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
