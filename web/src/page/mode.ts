/** What the page is made of: modes, one of which is shown at a time. */
import type { WorkerClient } from "../worker/client";
import type { PickedFile } from "./picked";
import type { StatusLine } from "./status";

export const READY = "Ready. Works offline: nothing that you open leaves this computer.";

/** Opens what a person dropped or chose. */
export type Opener = (picked: PickedFile[]) => Promise<void>;

export interface Mode {
  /** In the page's address, after #. */
  name: string;
  title: string;
  section: HTMLElement;
  status: StatusLine;
  /** Fetches all that the mode needs; from then on it asks the network for nothing. */
  start(worker: WorkerClient): Promise<Opener>;
}

/** Says of a mode how far its download has come. */
export function loadingInto(status: StatusLine): (loaded: number, total: number) => void {
  const megabytes = (bytes: number) => (bytes / 1e6).toFixed(0);
  return (loaded, total) => status.set(`Loading: ${megabytes(loaded)} of ${megabytes(total)} MB`, loaded / total);
}
