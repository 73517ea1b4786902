/** The mode that labels discs, and what it needs. */
import { alertUser } from "../page/dialogs";
import { loadingInto, type Mode } from "../page/mode";
import { StatusLine } from "../page/status";
import { DiscApp } from "./app";
import type { ViewerEvents } from "./viewer";

declare const __VERSION__: string;

const element = <T extends HTMLElement>(id: string) => document.getElementById(id) as T;

export function discMode(): Mode {
  const status = new StatusLine();
  const section = document.querySelector<HTMLElement>("[data-mode=discs]")!;
  return {
    name: "discs",
    title: "Spine discs",
    section,
    status,
    start: async (worker) => {
      let app: DiscApp | null = null;
      const [{ card, backend }, viewer, { niftiFiles }, converter] = await Promise.all([
        worker.start("discs", "discs", loadingInto(status)),
        startViewer(() => app?.viewerEvents ?? null),
        import("../page/opening"),
        import("../dicom/converter").then(({ DicomConverter }) => DicomConverter.load()),
      ]);
      const [panel, area] = [element("panel"), element("viewer")];
      const labelling = (app = new DiscApp({ worker, viewer, card, backend, version: __VERSION__, status, section, panel, area }));
      return async (picked) => labelling.open(await niftiFiles(picked, converter));
    },
  };
}

/** The viewer, or null where the browser cannot draw: labelling and lists work all the same. */
async function startViewer(events: () => ViewerEvents | null) {
  const { Viewer } = await import("./viewer");
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
