/** The labelling pipeline: an image in, named discs and how sure the numbering is out. */
import { LookOnceError } from "../errors";
import { type Point, voxelSizes, worldToVoxel } from "./affine";
import { anatomicalOrder } from "./anatomy";
import type { Calibration } from "./certainty";
import type { LevelShift } from "./chain";
import { type Candidate, type DiscMaps, findCandidates } from "./heatmaps";
import { ontoMidline, REACH_MM } from "./midline";
import { numberDiscs } from "./numbering";
import { median } from "./numeric";
import { sagittalSlabs, scaleIntensity, type SlabStack } from "./slabs";
import { asSagittal, type Volume } from "./volume";

/** Volumes wider than this many slabs are looked at coarsely first, then finely around the spine. */
const MOST_SLABS = 18;
const COARSE_STEP_MM = 12;
const MARGIN_MM = 14;
/** Slabs in which the spine's plane of symmetry is sought. */
const FINE_STEP_MM = 2;
/** Fewer discs seen this clearly are no spine. */
const FEWEST_CLEAR = 2;
const CLEAR_FROM = 0.7;

/** What the program must know of a model: a part of the card beside its ONNX file. */
export interface ModelCard {
  name: string;
  version: string;
  sha256: string;
  spacing_mm: number;
  lateral_step_mm: number;
  lateral_sigma_mm: number;
  stride: number;
  multiple: number;
  certainty?: Calibration;
}

/** Runs the network on slabs in 0..1. */
export type Network = (slabs: Pick<SlabStack, "data" | "shape">) => Promise<DiscMaps>;

export interface Disc {
  level: number;
  world: Point;
  /** Probability that place and name are right. */
  confidence: number;
}

export interface LabelResult {
  /** From the head down. */
  discs: Disc[];
  levelShift: LevelShift;
  uncertain: boolean;
  countedFrom: string;
  variant: string | null;
  warnings: string[];
}

/** Find and name the intervertebral discs of a spine MRI. */
export async function label(image: Volume, network: Network, card: ModelCard): Promise<LabelResult> {
  const { slabs, candidates } = await look(image, network, card);
  const numbering = numberDiscs(candidates, slabs, card.certainty);
  const picked = numbering.picked.map((index) => candidates[index]);
  if (picked.filter(({ probability }) => probability >= CLEAR_FROM).length < FEWEST_CLEAR) {
    throw new LookOnceError(
      "no spine was found in the image; is it a sagittal or 3D spine scan?",
      "nothing-found",
    );
  }
  const points = ontoOwnMidline(picked.map(({ world }) => world), image, card.spacing_mm);
  const discs = numbering.levels.map((level, i) => ({ level, world: points[i], confidence: numbering.confidence[i] }));
  return {
    discs: inOrder(discs),
    levelShift: numbering.levelShift,
    uncertain: numbering.doubts.length > 0,
    countedFrom: numbering.countedFrom,
    variant: numbering.variant,
    warnings: numbering.doubts,
  };
}

/** Discs from the head down, by their levels. */
export function inOrder<T extends { level: number }>(discs: T[]): T[] {
  return [...discs].sort((a, b) => anatomicalOrder(a.level) - anatomicalOrder(b.level));
}

/** Cut an image into slabs and run the network on them: slabs in 0..1 and candidates, head to feet. */
export async function look(
  image: Volume,
  network: Network,
  card: ModelCard,
): Promise<{ slabs: SlabStack; candidates: Candidate[] }> {
  const turned = asSagittal(image);
  const width = turned.shape[0] * voxelSizes(turned.affine)[0];
  if (width <= MOST_SLABS * card.lateral_step_mm) return lookAt(image, network, card, card.lateral_step_mm);
  const { slabs: coarse, candidates: seen } = await lookAt(image, network, card, COARSE_STEP_MM);
  if (!seen.length) return lookAt(image, network, card, card.lateral_step_mm * 2);
  const strongest = Math.max(...seen.map(({ probability }) => probability));
  const places = seen
    .filter(({ probability }) => probability >= 0.5 * strongest)
    .map(({ slab }) => (slab[0] + 0.5) * voxelSizes(coarse.affine)[0]);
  const middle = median(places);
  const farthest = Math.max(...places.map((place) => Math.abs(place - middle)));
  const half = Math.min(farthest + MARGIN_MM, (MOST_SLABS * card.lateral_step_mm) / 2);
  return lookAt(image, network, card, card.lateral_step_mm, [middle - half, middle + half]);
}

async function lookAt(
  image: Volume,
  network: Network,
  card: ModelCard,
  lateralStep: number,
  lateralRange?: [number, number],
): Promise<{ slabs: SlabStack; candidates: Candidate[] }> {
  const slabs = scaleIntensity(sagittalSlabs(image, { spacing: card.spacing_mm, lateralStep, lateralRange }));
  const options = { affine: slabs.affine, stride: card.stride, lateralSigmaMm: card.lateral_sigma_mm };
  return { slabs, candidates: findCandidates(await network(slabs), options) };
}

/** Points moved onto the plane in which the spine mirrors itself, as seen in fine slabs around them. */
function ontoOwnMidline(points: Point[], image: Volume, spacing: number): Point[] {
  const turned = asSagittal(image);
  const size = voxelSizes(turned.affine)[0];
  const edges = points.map((point) => (worldToVoxel(point, turned.affine)[0] + 0.5) * size);
  const lateralRange: [number, number] = [Math.min(...edges) - REACH_MM, Math.max(...edges) + REACH_MM];
  const fine = sagittalSlabs(image, { spacing, lateralStep: FINE_STEP_MM, lateralRange });
  return ontoMidline(points, scaleIntensity(fine));
}
