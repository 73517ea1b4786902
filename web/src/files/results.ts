/** What labelling a scan leaves behind: label file, sidecar, table, full result, and markups for Slicer. */
import { levelName, REGULAR_LEVELS, sctValue } from "../pipeline/anatomy";
import { type Disc, inOrder, type LabelResult, type ModelCard } from "../pipeline/labeling";
import { drawLabels, nearestVoxel } from "../pipeline/labels";
import { runnerUp } from "../pipeline/numbering";
import { encodeLabels, pack, type SpineImage } from "./nifti";

/** What is saved: the discs as they stand, and how they came about. */
export interface Labels {
  discs: Disc[];
  /** What the program found; null where labels were loaded instead. */
  result: LabelResult | null;
  /** Whether a person changed, placed or loaded a label. */
  byHand: boolean;
}

export interface Origin {
  /** What a person said of the labels, or null. */
  verdict?: string | null;
  version: string;
  card: Pick<ModelCard, "name" | "version" | "sha256">;
  seconds: number;
  /** When the labels were saved: the day alone. */
  date: string;
}

export interface SavedFile {
  name: string;
  type: string;
  content: Uint8Array | string;
}

/** Name of an image without its endings, such as sub-01_T2w. */
export function labelStem(name: string): string {
  return name.replace(/\.gz$/i, "").replace(/(.)\.(nii|dcm|zip)$/i, "$1");
}

/** The label file and its BIDS sidecar, which belong together. */
export function labelFiles(labels: Labels, image: SpineImage, origin: Origin): SavedFile[] {
  const stem = `${labelStem(image.name)}_label-discs_dlabel`;
  const { labels: voxels } = drawLabels(labels.discs, image.volume.shape, image.volume.affine);
  return [
    { name: `${stem}.nii.gz`, type: "application/gzip", content: pack(encodeLabels(voxels, image.header)) },
    { name: `${stem}.json`, type: "application/json", content: json(sidecar(labels, image, origin)) },
  ];
}

export function csvFile(labels: Labels, image: SpineImage): SavedFile {
  const rows = inOrder(labels.discs).map(({ level, world, confidence }) =>
    [sctValue(level) ?? "", levelName(level), ...world.map((mm) => mm.toFixed(3)), confidence.toFixed(4)].join(","),
  );
  const content = ["level,name,x_mm,y_mm,z_mm,confidence", ...rows].join("\n") + "\n";
  return { name: `${labelStem(image.name)}_discs.csv`, type: "text/csv", content };
}

export function resultFile(labels: Labels, image: SpineImage, origin: Origin): SavedFile {
  const name = `${labelStem(image.name)}_discs.json`;
  return { name, type: "application/json", content: json(resultRecord(labels, image, origin)) };
}

/** Markups as `lookonce label` writes them for 3D Slicer, in its LPS; locked, so that no point moves by accident. */
export function slicerFile(labels: Labels, image: SpineImage): SavedFile {
  const isUncertain = !labels.byHand && (labels.result?.uncertain ?? false);
  const controlPoints = inOrder(labels.discs).map(({ level, world: [x, y, z], confidence }, index) => ({
    id: String(index + 1),
    label: levelName(level),
    description: `confidence ${confidence.toFixed(4)}${isUncertain ? "; numbering uncertain" : ""}`,
    associatedNodeID: "",
    position: [-x, -y, z].map((mm) => Number(mm.toFixed(3))),
    orientation: [-1, 0, 0, 0, -1, 0, 0, 0, 1],
    selected: true,
    locked: false,
    visibility: true,
    positionStatus: "defined",
  }));
  const list = {
    type: "Fiducial",
    name: `${labelStem(image.name)}_discs`,
    coordinateSystem: "LPS",
    coordinateUnits: "mm",
    locked: true,
    fixedNumberOfControlPoints: false,
    labelFormat: "%N-%d",
    lastUsedControlPointNumber: controlPoints.length,
    controlPoints,
    display: { visibility: true, pointLabelsVisibility: true, propertiesLabelVisibility: false },
  };
  const schema =
    "https://raw.githubusercontent.com/slicer/slicer/master/Modules/Loadable/Markups/Resources/Schema/" +
    "markups-schema-v1.0.3.json#";
  const name = `${labelStem(image.name)}_discs.mrk.json`;
  return { name, type: "application/json", content: json({ "@schema": schema, markups: [list] }) };
}

/** The full result, with the fields of `lookonce label --json`. */
export function resultRecord(labels: Labels, image: SpineImage, origin: Origin) {
  const { shape, affine } = image.volume;
  const { warnings } = drawLabels(labels.discs, shape, affine);
  // What the program said of its own numbering does not hold of one that a person corrected.
  const result = labels.byHand ? null : labels.result;
  return {
    input: image.name,
    discs: inOrder(labels.discs).map(({ level, world, confidence }) => ({
      level: sctValue(level),
      name: levelName(level),
      world_mm: world.map((mm) => Number(mm.toFixed(3))),
      confidence: Number(confidence.toFixed(4)),
      voxel: nearestVoxel(world, shape, affine),
    })),
    level_shift: result ? levelShift(result) : { "0": 1 },
    uncertain: result ? result.uncertain : false,
    runner_up: result ? runnerUpRecord(labels.discs, result) : null,
    counted_from: result ? result.countedFrom : "a person's correction",
    variant: result ? result.variant : null,
    warnings: [...new Set([...image.warnings, ...(result ? result.warnings : []), ...warnings])],
    seconds: Number(origin.seconds.toFixed(3)),
    model: { name: origin.card.name, version: origin.card.version, sha256: origin.card.sha256 },
    by_hand: labels.byHand,
    verdict: origin.verdict ?? null,
  };
}

function sidecar(labels: Labels, image: SpineImage, origin: Origin) {
  const record = resultRecord(labels, image, origin);
  const program = { Name: "LookOnce", Version: origin.version, Description: "web page" };
  return {
    SpatialReference: "orig",
    // `lookonce label` and `lookonce cohort` never overwrite what says Manual.
    GeneratedBy: labels.byHand ? [{ Name: "Manual", Date: origin.date }, program] : [program],
    Sources: [image.name],
    Model: { Name: record.model.name, SHA256: record.model.sha256 },
    Numbering: "sct",
    LevelShift: record.level_shift,
    Uncertain: record.uncertain,
    RunnerUp: record.runner_up,
    CountedFrom: record.counted_from,
    Variant: record.variant,
    Warnings: record.warnings,
  };
}

function levelShift(result: LabelResult): Record<string, number> {
  const rising = [...result.levelShift].sort(([a], [b]) => a - b);
  return Object.fromEntries(rising.map(([shift, share]) => [String(shift), Number(share.toFixed(6))]));
}

/** The second most probable numbering: its shift, its probability and the names, from the head down. */
function runnerUpRecord(discs: Disc[], result: LabelResult) {
  const best = runnerUp(result.levelShift);
  if (!best) return null;
  const [shift, share] = best;
  const names = inOrder(discs).map(({ level }) => {
    const moved = level + shift;
    return sctValue(level) !== null && REGULAR_LEVELS.includes(moved) ? levelName(moved) : null;
  });
  return { shift, probability: Number(share.toFixed(6)), names };
}

function json(content: unknown): string {
  return JSON.stringify(content, null, 2) + "\n";
}
