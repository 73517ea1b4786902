/** What the page and its worker say to each other; a reply has the number of the request that it answers. */
import type { NiftiHeader } from "../files/header";
import type { Disc, LabelResult, ModelCard } from "../pipeline/labeling";
import type { Voxels } from "../pipeline/volume";
import type { Mask } from "../segmentation/mask";
import type { MaskCard } from "../segmentation/segment";

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

/** Kind of a network: what its card tells, and what it is used for. */
export interface Cards {
  discs: ModelCard;
  masks: MaskCard;
}

export type Request =
  /** Fetch the network of a name, and the runtime if need be. */
  | { kind: "start"; model: string; task: keyof Cards }
  /** Read a NIfTI file: a scan is labelled, a label file is read. `volume` is which of several, from 0. */
  | { kind: "open"; file: NamedFile; volume: number | null }
  /** Read a picture and segment it. */
  | { kind: "segment"; model: string; file: File };

export type StartReply =
  | { kind: "loading"; loaded: number; total: number }
  | { kind: "ready"; card: ModelCard | MaskCard; backend: string }
  | { kind: "broken"; message: string };

export type ScanReply =
  | { kind: "image"; image: ReadImage }
  | { kind: "result"; result: LabelResult; seconds: number }
  | { kind: "labels"; name: string; header: NiftiHeader; discs: Disc[] }
  | { kind: "several"; volumes: number }
  | { kind: "failed"; message: string };

export type PictureReply =
  /** The picture scaled down; its mask follows. */
  | { kind: "picture"; preview: ImageBitmap; width: number; height: number; warnings: string[] }
  | { kind: "mask"; mask: Mask }
  | { kind: "failed"; message: string };

export type Reply = StartReply | ScanReply | PictureReply;
/** Replies after which no other follows to the same request. */
export const LAST: readonly Reply["kind"][] = ["ready", "broken", "result", "labels", "several", "mask", "failed"];
export type Numbered<T> = T & { id: number };
