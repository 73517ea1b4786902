/** What speaks for and against a labelling of the chain: its settings, the candidates' say, and levels out of view. */
import { C1_C2, C2_C3, L5_S1, levelsOf, T9_T10, type VertebraCount } from "./anatomy";
import type { Candidate } from "./heatmaps";
import { clip } from "./numeric";

const FIRST = C1_C2;
const USUAL = L5_S1 - C1_C2 + 1;
/** Discs that look like no other: those around the dens and the lumbosacral one. */
const ANCHORS = [C1_C2, C2_C3, L5_S1];

/** Prices and weights; natural logarithms. What each means is said in decode/chain_scores.py. */
export const SETTINGS = {
  nameWeight: 0.5,
  nameDoubt: 0.2,
  anchorDoubt: 0.02,
  nameFloor: 0.01,
  missed: -3.5,
  endMissed: -1.0,
  mostMissed: 2,
  discThreshold: 0.25,
};

/** Score of picking each candidate with each level: (candidate, level of `count`). */
export function nodeScores(candidates: Candidate[], count: VertebraCount): number[][] {
  const neutral = Math.log(SETTINGS.discThreshold / (1 - SETTINGS.discThreshold));
  const called = product(confusion(), namesOf(count));
  return candidates.map(({ probability, evidence }) => {
    const clipped = clip(probability, 1e-4, 1 - 1e-4);
    const odds = Math.log(clipped / (1 - clipped));
    const said = evidence.slice(FIRST, FIRST + USUAL).map(Math.exp);
    return product([said], called)[0].map((name) => {
      const named = Math.log((1 - SETTINGS.nameFloor) * name + SETTINGS.nameFloor / USUAL);
      // Relative to knowing nothing, so that evidence for a name is evidence for a disc.
      return odds - neutral + SETTINGS.nameWeight * (named + Math.log(USUAL));
    });
  });
}

/**
 * Price of the levels past an end that the picture has room for but that were not found.
 *
 * `beyond` holds the distances to the levels past a level, mm, `room` the height of picture past a candidate. A spine
 * bends away from the straight line, and a disc at the very border may be cut: hence the slack.
 */
export function endScore(beyond: number[], room: number, stature: number): number {
  if (room === Infinity) return 0;
  const missing = beyond.filter((distance) => 1.1 * stature * distance + 12 < room).length;
  return SETTINGS.endMissed * Math.min(missing, 4);
}

/**
 * Matrix (usual level, level of `count`) of what the levels are called by who expects the usual number.
 *
 * Down to T9/T10 they are called as counted from C2, the one above the sacrum as counted from there; those between may
 * be called either way.
 */
function namesOf(count: VertebraCount): number[][] {
  const total = levelsOf(count).length;
  const sure = T9_T10 - FIRST + 1;
  return Array.from({ length: USUAL }, (_, usual) =>
    Array.from({ length: total }, (_, level) => {
      const fromAbove = Number(level === usual);
      const fromBelow = Number(level === usual + total - USUAL);
      if (level < sure) return fromAbove;
      return level === total - 1 ? fromBelow : (fromAbove + fromBelow) / 2;
    }),
  );
}

/** Matrix (said, true) of how probable a level is, given that the network names it `said`. */
function confusion(): number[][] {
  const doubt = Array.from({ length: USUAL }, (_, i) =>
    ANCHORS.includes(FIRST + i) ? SETTINGS.anchorDoubt : SETTINGS.nameDoubt,
  );
  return doubt.map((own, said) => {
    const row = doubt.map((_, level) => (level === said ? 1 - 2 * own : Math.abs(level - said) === 1 ? own : 0));
    const total = row.reduce((a, b) => a + b, 0);
    return row.map((value) => value / total);
  });
}

function product(one: number[][], other: number[][]): number[][] {
  return one.map((row) => other[0].map((_, j) => row.reduce((sum, value, k) => sum + value * other[k][j], 0)));
}
