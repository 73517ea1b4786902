/** What a numbering is counted from: the vertebrae that look like no other. */
import { ABOVE_SACRUM, C2_C3, L5_S1, T12_L1 } from "./anatomy";

/** Height of C2 without the dens, and of S1: with less of them in view, C2/C3 and L5/S1 look like any disc. */
const ANCHOR_VIEW_MM = 25;

/** Of C2/C3 and L5/S1, those in view with the whole vertebra that tells them, and those with less of it. */
export interface Evidence {
  anchors: number[];
  cut: number[];
}

/** What the levels are counted from, in words. */
export function describe(evidence: Evidence, levels: number[]): string {
  const { anchors, cut } = evidence;
  if (anchors.length === 2) return "C2 and the sacrum, both in view";
  if (anchors.includes(L5_S1)) {
    return "the sacrum, given 12 thoracic and 5 lumbar vertebrae (other counts cannot be excluded)";
  }
  if (anchors.includes(C2_C3)) {
    const lumbar = Math.max(...levels) >= T12_L1;
    return `C2${lumbar ? ", given 12 thoracic vertebrae (other counts cannot be excluded)" : ""}`;
  }
  if (cut.length) {
    const part = cut.includes(L5_S1) ? "sacrum" : "axis (C2)";
    return `what the border leaves of the ${part}, and the look of the discs (other counts cannot be excluded)`;
  }
  return "the look of the discs alone, with neither C2 nor the sacrum in view (other counts cannot be excluded)";
}

/** Anchors among discs, given the height of picture above and below each, mm. */
export function anchorsInView(levels: number[], above: number[], below: number[]): Evidence {
  const heights: [number, number[]][] = [
    [C2_C3, above.filter((_, i) => levels[i] === C2_C3)],
    [L5_S1, below.filter((_, i) => ABOVE_SACRUM.includes(levels[i]))],
  ];
  const isWhole = ([, height]: [number, number[]]) => height.some((mm) => mm >= ANCHOR_VIEW_MM);
  return {
    anchors: heights.filter(isWhole).map(([level]) => level),
    cut: heights.filter((entry) => entry[1].length && !isWhole(entry)).map(([level]) => level),
  };
}
