/**
 * The chain decoder: which candidates are discs, and which disc is which, by dynamic programming.
 *
 * A labelling picks candidates from the head down and gives them increasing levels. Its score adds, per disc, how much
 * the network sees a disc there and how it would name it; per step, how well the distance fits the levels; and prices for
 * levels left out. Whole-spine stature is not known, so every score is computed for a grid of statures and summed over
 * it. The best labelling comes from max-product; sums over all labellings (forward-backward) give the confidences.
 */
import { levelsOf, OWN_SPREAD, STATURE_SPREAD, stepsOf, USUAL_COUNT, type VertebraCount } from "./anatomy";
import { endScore, nodeScores, SETTINGS } from "./chainScores";
import type { Candidate } from "./heatmaps";
import { linspace, sum } from "./numeric";

/** Shifts of the numbering less probable than this are not reported. */
const SMALLEST_SHARE = 1e-3;
const STATURES = linspace(-2, 2, 9);

/** Probability that the true level is the given one plus the key. */
export type LevelShift = Map<number, number>;

/** A labelling and how sure it is. */
export interface Chain {
  /** Indices of the picked candidates, from the head down. */
  picked: number[];
  levels: number[];
  confidence: number[];
  levelShift: LevelShift;
  /** Log-probability of the candidates under all labellings: what counts of vertebrae are compared by. */
  logEvidence: number;
}

/** Pick and name discs; rooms are the heights of picture above the first and below the last candidate, mm. */
export function decodeChain(
  candidates: Candidate[],
  options: { roomAboveMm?: number; roomBelowMm?: number; count?: VertebraCount } = {},
): Chain {
  const { roomAboveMm = Infinity, roomBelowMm = Infinity, count = USUAL_COUNT } = options;
  const lattice = new Lattice(candidates, roomAboveMm, roomBelowMm, count);
  const path = lattice.best();
  const picked = path.map(({ candidate }) => candidate);
  const places = path.map(({ level }) => level);
  const levels = places.map((place) => lattice.levels[place]);
  if (!picked.length) return { picked, levels, confidence: [], levelShift: new Map(), logEvidence: 0 };
  const { posterior, logEvidence } = lattice.posterior();
  const rows = picked.map((candidate) => posterior[candidate]);
  const confidence = rows.map((row, index) => row[places[index]]);
  return { picked, levels, confidence, levelShift: shiftShares(rows, places), logEvidence };
}

/** Mean posterior over the discs of every offset from the given places; tiny shares are left out of the sum. */
function shiftShares(rows: Float64Array[], places: number[]): LevelShift {
  const shares = new Map<number, number>();
  rows.forEach((row, index) =>
    row.forEach((value, level) => {
      const offset = level - places[index];
      shares.set(offset, (shares.get(offset) ?? 0) + value);
    }),
  );
  const least = SMALLEST_SHARE * sum([...shares.values()]);
  const kept = [...shares].filter(([offset, share]) => offset === 0 || share >= least).sort(([a], [b]) => a - b);
  const total = sum(kept.map(([, share]) => share)) || 1;
  return new Map(kept.map(([offset, share]) => [offset, share / total]));
}

interface Edge {
  source: number;
  target: number;
  distance: number;
}

/**
 * Weights of all labellings: states are (stature, level, candidate), in arrays whose last index runs fastest.
 *
 * A weight is the exponential of a score. That of a labelling of one stature is the product of `prior`, `start` of its
 * first state, `node` of each, `step` between neighbours and `end` of its last; picking nothing weighs 1.
 */
class Lattice {
  readonly levels: number[];
  private readonly size: number;
  private readonly statures = STATURES.map((z) => Math.exp(z * STATURE_SPREAD));
  private readonly prior: number[];
  private readonly node: number[][];
  private readonly start: Float64Array;
  private readonly end: Float64Array;
  private readonly edges: Edge[];
  /** Per jump and stature, (level, edge): going from an edge's source at a level to its target, `jump` further down. */
  private readonly steps: Float64Array[][];

  constructor(candidates: Candidate[], roomAbove: number, roomBelow: number, count: VertebraCount) {
    this.levels = levelsOf(count);
    this.size = candidates.length;
    const weights = STATURES.map((z) => Math.exp(-0.5 * z ** 2));
    this.prior = weights.map((weight) => weight / sum(weights));
    this.node = nodeScores(candidates, count).map((row) => row.map(Math.exp));
    const down = [0];
    for (const step of stepsOf(count)) down.push(down[down.length - 1] + step);
    const heights = candidates.map(({ world }) => world[2]);
    const [top, bottom] = [Math.max(...heights), Math.min(...heights)];
    // C1/C2 is no disc and often out of sight: nobody is charged for leaving it out.
    const above = down.map((here, place) => down.slice(1, Math.max(place, 1)).map((level) => here - level));
    const below = down.map((here, place) => down.slice(place + 1).map((level) => level - here));
    this.start = this.ends(above, heights.map((height) => roomAbove + top - height));
    this.end = this.ends(below, heights.map((height) => roomBelow + height - bottom));
    this.edges = edgesBetween(candidates);
    this.steps = Array.from({ length: SETTINGS.mostMissed + 1 }, (_, index) => this.stepWeights(down, index + 1));
  }

  /** Candidates and places in `levels` of the best labelling; empty when none beats picking nothing. */
  best(): { candidate: number; level: number }[] {
    const forward = this.forward(Math.max);
    let [highest, at] = [1, -1];
    forward.forEach((weight, state) => {
      const final = weight * this.end[state] * this.prior[this.statureOf(state)];
      if (final > highest) [highest, at] = [final, state];
    });
    if (at < 0) return [];
    const stature = this.statureOf(at);
    const path: { candidate: number; level: number }[] = [];
    for (let state: number | null = at; state !== null; state = this.cameFrom(forward, stature, state)) {
      path.push({ candidate: state % this.size, level: this.levelOf(state) });
    }
    return path.reverse();
  }

  /** Probability, per candidate, of every level, over all labellings and statures; and the logarithm of their sum. */
  posterior(): { posterior: Float64Array[]; logEvidence: number } {
    const forward = this.forward((a, b) => a + b);
    const backward = this.backward();
    const posterior = Array.from({ length: this.size }, () => new Float64Array(this.levels.length));
    let total = 1; // nothing is picked
    forward.forEach((weight, state) => {
      const share = weight * this.prior[this.statureOf(state)];
      total += share * this.end[state];
      posterior[state % this.size][this.levelOf(state)] += share * backward[state];
    });
    return { posterior: posterior.map((row) => row.map((share) => share / total)), logEvidence: Math.log(total) };
  }

  private statureOf(state: number): number {
    return Math.floor(state / (this.size * this.levels.length));
  }

  private levelOf(state: number): number {
    return Math.floor(state / this.size) % this.levels.length;
  }

  private state(stature: number, level: number, candidate: number): number {
    return (stature * this.levels.length + level) * this.size + candidate;
  }

  private ends(beyond: number[][], room: number[]): Float64Array {
    return new Float64Array(this.statures.length * this.levels.length * this.size).map((_, state) =>
      Math.exp(endScore(beyond[this.levelOf(state)], room[state % this.size], this.statures[this.statureOf(state)])),
    );
  }

  /** How well the distance from one candidate to the next fits levels `jump` apart, per stature. */
  private stepWeights(down: number[], jump: number): Float64Array[] {
    const count = this.edges.length;
    return this.statures.map((stature) => {
      const weights = new Float64Array(down.length * count);
      for (let level = 0; level + jump < down.length; level++) {
        const expected = (down[level + jump] - down[level]) * stature;
        const spread = (OWN_SPREAD * expected) / Math.sqrt(jump) + 1.5;
        this.edges.forEach(({ distance }, edge) => {
          const error = ((distance - expected) / spread) ** 2;
          // Heavy tails: a fused or collapsed level must not break the chain.
          weights[level * count + edge] =
            (Math.exp(-0.5 * error) + Math.exp(-4 - 0.02 * error)) * Math.exp((jump - 1) * SETTINGS.missed);
        });
      }
      return weights;
    });
  }

  /** Weights of all labellings that end with a candidate at a level, without the end. */
  private forward(combine: (a: number, b: number) => number): Float64Array {
    const forward = this.start.map(
      (weight, state) => weight * this.node[state % this.size][this.levelOf(state)],
    );
    const count = this.edges.length;
    this.statures.forEach((_, stature) => {
      for (let level = 1; level < this.levels.length; level++) {
        for (let jump = 1; jump <= Math.min(this.steps.length, level); jump++) {
          const [step, at] = [this.steps[jump - 1][stature], (level - jump) * count];
          this.edges.forEach(({ source, target }, edge) => {
            const state = this.state(stature, level, target);
            const arriving = forward[this.state(stature, level - jump, source)] * step[at + edge];
            forward[state] = combine(forward[state], arriving * this.node[target][level]);
          });
        }
      }
    });
    return forward;
  }

  /** Weights of all ways to go on from a candidate at a level, the end included. */
  private backward(): Float64Array {
    const backward = this.end.slice();
    const count = this.edges.length;
    this.statures.forEach((_, stature) => {
      for (let level = this.levels.length - 2; level >= 0; level--) {
        for (let jump = 1; jump <= Math.min(this.steps.length, this.levels.length - 1 - level); jump++) {
          const step = this.steps[jump - 1][stature];
          this.edges.forEach(({ source, target }, edge) => {
            const following = backward[this.state(stature, level + jump, target)] * this.node[target][level + jump];
            backward[this.state(stature, level, source)] += following * step[level * count + edge];
          });
        }
      }
    });
    return backward;
  }

  /** The state before another in the best labelling, or null where that begins there. */
  private cameFrom(forward: Float64Array, stature: number, state: number): number | null {
    const [candidate, level] = [state % this.size, this.levelOf(state)];
    let [best, before]: [number, number | null] = [this.start[state], null];
    for (let jump = 1; jump <= Math.min(this.steps.length, level); jump++) {
      this.edges.forEach(({ source, target }, edge) => {
        if (target !== candidate) return;
        const from = this.state(stature, level - jump, source);
        const arriving = forward[from] * this.steps[jump - 1][stature][(level - jump) * this.edges.length + edge];
        if (arriving > best) [best, before] = [arriving, from];
      });
    }
    return before;
  }
}

/** Pairs of candidates of which the second lies below the first, in the order of the second. */
function edgesBetween(candidates: Candidate[]): Edge[] {
  const edges: Edge[] = [];
  for (let target = 1; target < candidates.length; target++) {
    for (let source = 0; source < target; source++) {
      const [from, to] = [candidates[source].world, candidates[target].world];
      const distance = Math.hypot(to[0] - from[0], to[1] - from[1], to[2] - from[2]);
      // The next disc lies below, not beside or above.
      if (from[2] - to[2] > 0.35 * distance) edges.push({ source, target, distance });
    }
  }
  return edges;
}
