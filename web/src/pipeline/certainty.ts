/**
 * How true the decoder's probability of a numbering is, given what of the spine's ends is in view.
 *
 * Measured on real scans: with C2 or S1 wholly in view the numbering is as good as the decoder says; with what there is
 * of them cut off by the border, the decoder's probability tells nothing; with neither in view what it calls likely is
 * nearly always right, and what it calls a little better than even is often wrong. The last holds up to a point: of
 * simulated thoracic scans in which it was all but sure, one in twenty was wrong.
 */
import type { LevelShift } from "./chain";
import type { Evidence } from "./evidence";
import { clip, sum } from "./numeric";

/** Nothing is surer than this, or less sure than what is left: the logarithm of the odds stays finite. */
const SUREST = 1 - 1e-4;

/** From the decoder's probability to a true one; it belongs to the weights and stands in their card. */
export interface Calibration {
  /** Probability of a numbering whose only anchor is cut off. */
  cut: number;
  /** With no anchor in view the logarithm of the odds is intercept + slope * the decoder's. */
  intercept: number;
  slope: number;
  /** With no anchor in view nothing is surer than this; cards of before say nothing of it. */
  most?: number;
}

/** Of a card that says nothing. */
export const UNCALIBRATED: Calibration = { cut: 0.8, intercept: 0, slope: 1 };

/** The distribution of whole-spine shifts with a true share of 0; the others keep their proportions. */
export function calibrated(levelShift: LevelShift, evidence: Evidence, calibration: Calibration): LevelShift {
  if (!levelShift.size) return levelShift;
  const stated = levelShift.get(0) ?? 0;
  const sure = probability(stated, evidence, calibration);
  if (sure === stated) return levelShift;
  let others = [...levelShift].filter(([shift, share]) => shift && share > 0);
  if (!others.length) others = [[-1, 0.5], [1, 0.5]];
  const total = sum(others.map(([, share]) => share));
  return new Map([[0, sure], ...others.map(([shift, share]) => [shift, ((1 - sure) * share) / total] as const)]);
}

/** The probability that a numbering is right of which the decoder says `stated`. */
function probability(stated: number, { anchors, cut }: Evidence, calibration: Calibration): number {
  if (anchors.length) return stated;
  if (cut.length) return calibration.cut;
  const bound = clip(stated, 1 - SUREST, SUREST);
  const surprise = -calibration.intercept - calibration.slope * Math.log(bound / (1 - bound));
  return Math.min(calibration.most ?? SUREST, 1 / (1 + Math.exp(surprise)));
}
