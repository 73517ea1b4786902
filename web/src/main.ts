/** The page: fetches everything, then says ready and asks the network for nothing more. */
import { DiscApp, type Parts } from "./discs/app";
import { WorkerClient } from "./discs/client";
import type { ViewerEvents } from "./discs/viewer";
import { alertUser, setStatus } from "./page/dialogs";
import { fromDrop, fromInput, type PickedFile } from "./page/picked";

declare const __VERSION__: string;

const READY = "Ready. Works offline: nothing that you open leaves this computer.";
const element = <T extends HTMLElement>(id: string) => document.getElementById(id) as T;

/** What opens picked files once everything is there; files picked before wait for it. */
const opening = start().catch((error: Error) => {
  setStatus("Not ready.");
  alertUser(`the page could not be set up: ${error.message}`);
  return null;
});

async function start(): Promise<(picked: PickedFile[]) => Promise<void>> {
  await firstPaint();
  const worker = new WorkerClient();
  let app: DiscApp | null = null;
  const [{ card, backend }, viewer, { niftiFiles }, converter] = await Promise.all([
    worker.start((loaded, total) => setStatus(`Loading: ${megabytes(loaded)} of ${megabytes(total)} MB`, loaded / total)),
    startViewer(() => app?.viewerEvents ?? null),
    import("./page/opening"),
    import("./dicom/converter").then(({ DicomConverter }) => DicomConverter.load()),
  ]);
  const parts: Parts = {
    worker, viewer, card, backend, version: __VERSION__, panel: element("panel"), area: element("viewer"),
  };
  const labelling = (app = new DiscApp(parts));
  setStatus(READY);
  document.body.dataset.ready = "true";
  return async (picked) => labelling.open(await niftiFiles(picked, converter));
}

/** When the page has been drawn: the viewer's code keeps it busy for a while. A page in the background is never drawn. */
function firstPaint(): Promise<unknown> {
  const drawn = new Promise((resolve) => requestAnimationFrame(() => setTimeout(resolve)));
  return Promise.race([drawn, new Promise((resolve) => setTimeout(resolve, 1000))]);
}

/** The viewer, or null where the browser cannot draw: labelling and lists work all the same. */
async function startViewer(events: () => ViewerEvents | null) {
  const { Viewer } = await import("./discs/viewer");
  return Viewer.create(element<HTMLCanvasElement>("canvas"), element("marks"), {
    onSelect: (level) => events()?.onSelect(level),
    onMove: (level, world, isContinued) => events()?.onMove(level, world, isContinued),
    onRemove: (level) => events()?.onRemove(level),
    onPick: (world) => events()?.onPick(world),
  }).catch((error: Error) => {
    alertUser(`the scan cannot be shown (${error.message}); labelling works all the same`);
    return null;
  });
}

async function openPicked(picked: PickedFile[]): Promise<void> {
  if (!picked.length) return;
  try {
    await (await opening)?.(picked);
  } catch (error) {
    alertUser((error as Error).message);
  }
}

function megabytes(bytes: number): string {
  return (bytes / 1e6).toFixed(0);
}

for (const id of ["choose-files", "choose-folder"]) {
  const input = element<HTMLInputElement>(id);
  input.addEventListener("change", async () => {
    const picked = fromInput(input);
    input.value = "";
    await openPicked(picked);
  });
}

document.addEventListener("dragover", (event) => {
  event.preventDefault();
  document.body.classList.add("over");
});
document.addEventListener("dragleave", (event) => {
  if (!event.relatedTarget) document.body.classList.remove("over");
});
document.addEventListener("drop", async (event) => {
  event.preventDefault();
  document.body.classList.remove("over");
  if (event.dataTransfer) await openPicked(await fromDrop(event.dataTransfer));
});
