/** What the page and its worker say to each other. */
import type { LabelResult, ModelCard } from "../pipeline/labeling";
import type { NiftiHeader } from "../files/header";
import type { Disc } from "../pipeline/labeling";
import type { Voxels } from "../pipeline/volume";

export interface NamedFile {
  name: string;
  bytes: Uint8Array;
}

/** A scan as the page needs it: to show, and to save labels that lie on it. */
export interface ReadImage {
  name: string;
  header: NiftiHeader;
  warnings: string[];
  data: Voxels;
}

export type Request =
  | { kind: "start" }
  /** Read a NIfTI file: a scan is labelled, a label file is read. `volume` is which of several, from 0. */
  | { kind: "open"; id: number; file: NamedFile; volume: number | null };

export type Reply =
  | { kind: "loading"; loaded: number; total: number }
  | { kind: "ready"; card: ModelCard; backend: string }
  | { kind: "broken"; message: string }
  | { kind: "image"; id: number; image: ReadImage }
  | { kind: "result"; id: number; result: LabelResult; seconds: number }
  | { kind: "labels"; id: number; name: string; header: NiftiHeader; discs: Disc[] }
  | { kind: "several"; id: number; volumes: number }
  | { kind: "failed"; id: number; message: string };
