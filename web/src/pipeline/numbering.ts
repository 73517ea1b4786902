/** Which disc is which: the decoder's answer, what settles it, and what is left to doubt. */
import { extraDiscs, USUAL_COUNT, VARIANT_SHARES, variantName, type VertebraCount } from "./anatomy";
import { voxelSizes } from "./affine";
import { calibrated, type Calibration, UNCALIBRATED } from "./certainty";
import { type Chain, decodeChain, type LevelShift } from "./chain";
import { anchorsInView, describe, type Evidence } from "./evidence";
import type { Candidate } from "./heatmaps";
import { logAddExp } from "./numeric";
import type { SlabStack } from "./slabs";

/** A numbering less probable than this is marked uncertain. */
const CERTAIN_FROM = 0.95;
/** Unusual numbers of vertebrae that are together more probable than this are reported. */
const VARIANT_FROM = 0.25;
/** Fewer discs than this do not reach from C2 to the sacrum, whatever the spine. */
const FEWEST_TO_COUNT = 18;

/** Which candidates are discs and of which level. */
export interface Numbering {
  picked: number[];
  levels: number[];
  confidence: number[];
  levelShift: LevelShift;
  countedFrom: string;
  /** Why the numbering is uncertain; empty where it is certain. */
  doubts: string[];
  variant: string | null;
}

export type Picture = Pick<SlabStack, "shape" | "affine">;

/** Pick and name discs among candidates found in a picture; the calibration is that of the weights. */
export function numberDiscs(
  candidates: Candidate[],
  picture: Picture,
  calibration: Calibration = UNCALIBRATED,
): Numbering {
  const { above, below } = heights(candidates, picture);
  const decode = (count: VertebraCount) =>
    decodeChain(candidates, {
      roomAboveMm: candidates.length ? Math.min(...above) : 0,
      roomBelowMm: candidates.length ? Math.min(...below) : 0,
      count,
    });
  let chain = decode(USUAL_COUNT);
  let counts: [VertebraCount, number][] = [[USUAL_COUNT, 1]];
  if (chain.picked.length >= FEWEST_TO_COUNT) {
    const unusual = VARIANT_SHARES.map(([count]) => [count, decode(count)] as const);
    // Only who sees both ends, be they cut by the border, can count what lies between them.
    const seen = unusual.filter(([, of]) => {
      const { anchors, cut } = anchorsOf(of, candidates, picture);
      return anchors.length + cut.length === 2;
    });
    const chains = new Map<VertebraCount, Chain>([[USUAL_COUNT, chain], ...seen]);
    counts = countVertebrae(chains);
    chain = chains.get(counts[0][0])!;
  }
  const evidence = anchorsOf(chain, candidates, picture);
  const levelShift = calibrated(chain.levelShift, evidence, calibration);
  return {
    picked: chain.picked,
    levels: chain.levels,
    confidence: chain.confidence,
    levelShift,
    countedFrom: describe(evidence, chain.levels),
    doubts: [...shiftDoubts(levelShift), ...countDoubts(counts)],
    variant: variantName(counts[0][0]),
  };
}

/** The most probable shift other than 0 and its probability, or null when there is no other. */
export function runnerUp(levelShift: LevelShift): [number, number] | null {
  const others = [...levelShift].filter(([shift]) => shift);
  return others.length ? others.reduce((best, entry) => (entry[1] > best[1] ? entry : best)) : null;
}

export function percent(share: number): string {
  return (100 * share).toFixed(0);
}

export function signed(shift: number): string {
  return shift < 0 ? String(shift) : `+${shift}`;
}

/** The probability of each number of vertebrae, the one to report first. */
function countVertebrae(chains: Map<VertebraCount, Chain>): [VertebraCount, number][] {
  const usual = 1 - VARIANT_SHARES.reduce((sum, [, share]) => sum + share, 0);
  const shares = new Map([[USUAL_COUNT, usual], ...VARIANT_SHARES]);
  const scores = [...chains].map(([count, chain]) => Math.log(shares.get(count)!) + chain.logEvidence);
  const total = scores.reduce(logAddExp, -Infinity);
  const posterior = [...chains.keys()].map((count, i) => [count, Math.exp(scores[i] - total)] as [VertebraCount, number]);
  const unusual = posterior.filter(([count]) => extraDiscs(count));
  const together = unusual.reduce((sum, [, share]) => sum + share, 0);
  const reported =
    together >= VARIANT_FROM ? unusual.reduce((best, entry) => (entry[1] > best[1] ? entry : best)) : posterior[0];
  return [reported, ...posterior.filter((entry) => entry !== reported)];
}

/** What to say of an unusual number of vertebrae, or of a usual one that is in doubt. */
function countDoubts(counts: [VertebraCount, number][]): string[] {
  const [[reported, share], ...rest] = counts;
  const others = [...rest].sort((a, b) => b[1] - a[1]);
  const extra = extraDiscs(reported);
  if (extra) {
    const alike = others.filter(([count]) => extraDiscs(count) === extra);
    const named = [`${variantName(reported)}, ${percent(share)} %`];
    named.push(...alike.map(([count, other]) => `or ${variantName(count)}, ${percent(other)} %`));
    return [
      `${named.join("; ")}: between C2 and the sacrum, both in view, ` +
        `there is one disc ${extra > 0 ? "more" : "less"} than usual; check the numbering`,
    ];
  }
  if (share >= CERTAIN_FROM) return [];
  const [count, other] = others[0];
  return [
    `the number of vertebrae is uncertain: 12 + 5 at ${percent(share)} %, ` +
      `${variantName(count)} at ${percent(other)} %`,
  ];
}

/** Why the numbering is uncertain, and what to do about it on this page; empty where it is certain. */
function shiftDoubts(levelShift: LevelShift): string[] {
  const sure = levelShift.get(0) ?? 0;
  if (sure >= CERTAIN_FROM) return [];
  const best = runnerUp(levelShift);
  const other = best ? `; the runner-up is ${signed(best[0])} level at ${percent(best[1])} %` : "";
  return [`the numbering is uncertain (${percent(sure)} %)${other}; check it, and shift it where it is wrong`];
}

/** Height of picture above and below every candidate, mm. */
function heights(candidates: Candidate[], picture: Picture): { above: number[]; below: number[] } {
  const spacing = voxelSizes(picture.affine)[1];
  return {
    above: candidates.map(({ slab }) => slab[1] * spacing),
    below: candidates.map(({ slab }) => (picture.shape[1] - 1 - slab[1]) * spacing),
  };
}

function anchorsOf(chain: Chain, candidates: Candidate[], picture: Picture): Evidence {
  const { above, below } = heights(candidates, picture);
  const of = (values: number[]) => chain.picked.map((index) => values[index]);
  return anchorsInView(chain.levels, of(above), of(below));
}
