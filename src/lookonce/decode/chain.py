"""The chain decoder: which candidates are discs, and which disc is which, by dynamic programming.

A labelling picks candidates from the head down and gives them increasing levels. Its score adds, per disc, how much the
network sees a disc there and how it would name it; per step, how well the distance fits the levels; and prices for
levels left out. Whole-spine stature is not known, so every score is computed for a grid of statures and summed over it.
The best labelling comes from max-product; sums over all labellings (forward-backward) give the confidences.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from lookonce.anatomy import ADULT_SPACING, USUAL_COUNT, SpacingPrior, VertebraCount
from lookonce.decode.chain_scores import ChainSettings, end_scores, node_scores
from lookonce.decode.heatmaps import Candidates
from lookonce.geometry import FloatArray

#: Shifts of the numbering less probable than this are not reported.
SMALLEST_SHARE = 1e-3


@dataclass(frozen=True)
class Chain:
    """A labelling and how sure it is.

    Attributes
    ----------
    picked : (N,) int array
        Indices of the picked candidates, from the head down.
    levels : (N,) int array
        Their `Level` values.
    confidence : (N,) array
        Probability that the candidate is a disc of that level, over all labellings.
    level_shift : dict of int to float
        Probability that the true level is the given one plus the key, averaged over the discs; sums to 1. Shifts
        below `SMALLEST_SHARE` are left out, 0 never.
    log_evidence : float
        Log-probability of the candidates under all labellings, up to a constant that only they determine: what
        different counts of vertebrae are compared by.
    """

    picked: np.ndarray
    levels: np.ndarray
    confidence: FloatArray
    level_shift: dict[int, float]
    log_evidence: float = 0.0


def decode_chain(
    candidates: Candidates,
    *,
    room_above_mm: float = np.inf,
    room_below_mm: float = np.inf,
    first_level: int | None = None,
    known: np.ndarray | None = None,
    path: tuple[np.ndarray, np.ndarray] | None = None,
    count: VertebraCount = USUAL_COUNT,
    spacing: SpacingPrior = ADULT_SPACING,
    settings: ChainSettings | None = None,
) -> Chain:
    """Pick and name discs.

    Parameters
    ----------
    candidates : Candidates
        From the head down.
    room_above_mm, room_below_mm : float
        Height of picture above the first and below the last candidate: the chain pays for levels that the picture has
        room for and that are not found. Infinite means unknown: nothing is paid.
    first_level : int, optional
        SCT value of the topmost disc, when the user knows it. What can still be in doubt is which candidate that disc
        is, and whether levels were missed further down.
    known : (N,) int array, optional
        SCT value of each candidate whose level is known from elsewhere, 0 for the others.
    path : (N,) and (N,) int arrays, optional
        Picked candidates and their levels as another decoder has them: given back with how sure they are.
    count : VertebraCount
        The levels that there are.
    spacing : SpacingPrior
    settings : ChainSettings, optional

    Returns
    -------
    Chain
        Empty when no labelling is better than none.
    """
    lattice = _Lattice(
        candidates, room_above_mm, room_below_mm, first_level, count, spacing, settings or ChainSettings()
    )
    if known is not None:
        lattice.fix(known)
    picked, places = lattice.best() if path is None else (path[0], np.searchsorted(lattice.levels, path[1]))
    levels = lattice.levels[places]
    if len(picked) == 0:
        return Chain(picked, levels, np.zeros(0), {})
    posterior, log_evidence = lattice.posterior()
    rows = posterior[picked]
    return Chain(picked, levels, rows[np.arange(len(picked)), places], _shift_shares(rows, places), log_evidence)


def _shift_shares(rows: FloatArray, places: np.ndarray) -> dict[int, float]:
    """Mean posterior over the discs of every offset from the given places; tiny shares are left out of the sum.

    All that is left is a zero where no labelling picks any of these discs.
    """
    offsets = np.arange(rows.shape[1]) - places[:, None]
    shares = {int(offset): float(rows[offsets == offset].sum()) for offset in np.unique(offsets)}
    least = SMALLEST_SHARE * sum(shares.values())
    kept = {offset: share for offset, share in shares.items() if offset == 0 or share >= least}
    total = sum(kept.values()) or 1.0
    return {offset: share / total for offset, share in kept.items()}


class _Lattice:
    """Weights of all labellings: states are (stature, level, candidate).

    A weight is the exponential of a score. That of a labelling of one stature is the product of ``prior``, ``start`` of
    its first state, ``node`` of each, ``steps`` between neighbours and ``end`` of its last; picking nothing weighs 1.
    Levels are counted from the first of `levels` in all arrays.

    Attributes
    ----------
    levels : (levels,) int array
        `Level` values, from the head down.
    prior : (statures,) array
        Probability of each stature.
    node : (levels, N) array
        What a candidate says for itself and for the level.
    start, end : (statures, levels, N) arrays
        Price of beginning or ending with a candidate at a level.
    source, target : (E,) int arrays
        Pairs of candidates of which the second lies below the first, in the order of the second.
    steps : list of (statures, levels, E) arrays
        Entry ``jump - 1`` is the weight of going from a pair's first candidate at a level to its second, `jump` levels
        further down.
    """

    def __init__(
        self,
        candidates: Candidates,
        room_above_mm: float,
        room_below_mm: float,
        first_level: int | None,
        count: VertebraCount,
        spacing: SpacingPrior,
        settings: ChainSettings,
    ) -> None:
        self.levels = np.array(count.levels, dtype=int)
        statures = np.linspace(-2, 2, 9) * spacing.stature_spread
        self.statures = np.exp(statures)
        self.prior = np.exp(-0.5 * (statures / spacing.stature_spread) ** 2)
        self.prior /= self.prior.sum()
        self.node = np.exp(node_scores(candidates, count, settings)).T
        down = np.concatenate([[0.0], np.cumsum(spacing.steps(count))])
        # C1/C2 is no disc and often out of sight: nobody is charged for leaving it out.
        above = [down[place] - down[1:place] for place in range(len(down))]
        below = [down[place + 1 :] - down[place] for place in range(len(down))]
        heights = candidates.world_mm[:, 2]
        room_above = room_above_mm + heights.max(initial=-np.inf) - heights
        room_below = room_below_mm + heights - heights.min(initial=np.inf)
        self.start = np.exp(end_scores(above, room_above, self.statures, settings))
        self.end = np.exp(end_scores(below, room_below, self.statures, settings))
        if first_level is not None:
            self.start[:, self.levels != first_level] = 0
        self._set_steps(candidates.world_mm, down, spacing.own_spread, settings)

    def fix(self, known: np.ndarray) -> None:
        """Leave candidates with a known SCT value, (N,) and 0 for none, no other level."""
        self.node[(known > 0) & (known != self.levels[:, None])] = 0

    def _set_steps(self, points: FloatArray, down: FloatArray, own_spread: float, settings: ChainSettings) -> None:
        """How well the distance from one candidate to the next fits the levels: `source`, `target` and `steps`.

        `down` is the way from the first level to each, mm.
        """
        first, second = np.triu_indices(len(points), 1)
        offsets = points[second] - points[first]
        distance = np.linalg.norm(offsets, axis=1)
        steep = -offsets[:, 2] > 0.35 * distance  # the next disc lies below, not beside or above
        order = np.argsort(second[steep], kind="stable")
        self.source, self.target = first[steep][order], second[steep][order]
        distance = distance[steep][order]
        self.steps = []
        for jump in range(1, settings.most_missed + 2):
            below = np.minimum(np.arange(len(down)) + jump, len(down) - 1)
            expected = (down[below] - down) * self.statures[:, None]  # (statures, levels)
            spread = own_spread * expected / np.sqrt(jump) + 1.5
            error = ((distance - expected[..., None]) / spread[..., None]) ** 2
            # Heavy tails: a fused or collapsed level must not break the chain.
            weight = (np.exp(-0.5 * error) + np.exp(-4.0 - 0.02 * error)) * np.exp((jump - 1) * settings.missed)
            weight[:, -jump:] = 0  # there are no such levels further down
            self.steps.append(weight)

    def _forward(self, combine: np.ufunc) -> FloatArray:
        """Weights (statures, levels, N) of all labellings that end with a candidate at a level, without the end."""
        forward = self.start * self.node
        targets, groups = np.unique(self.target, return_index=True)
        if len(targets) == 0:
            return forward
        for level in range(1, len(self.levels)):
            for jump, step in enumerate(self.steps[:level], start=1):
                leaving = forward[:, level - jump, self.source] * step[:, level - jump]
                arriving = combine.reduceat(leaving, groups, axis=1) * self.node[level, targets]
                forward[:, level, targets] = combine(forward[:, level, targets], arriving)
        return forward

    def _backward(self) -> FloatArray:
        """Weights (statures, levels, N) of all ways to go on from a candidate at a level, the end included."""
        backward = self.end.copy()
        by_source = np.argsort(self.source, kind="stable")
        sources, groups = np.unique(self.source[by_source], return_index=True)
        if len(sources) == 0:
            return backward
        target = self.target[by_source]
        for level in range(len(self.levels) - 2, -1, -1):
            for jump, step in enumerate(self.steps[: len(self.levels) - 1 - level], start=1):
                following = (backward[:, level + jump] * self.node[level + jump])[:, target]
                backward[:, level, sources] += np.add.reduceat(following * step[:, level, by_source], groups, axis=1)
        return backward

    def posterior(self) -> tuple[FloatArray, float]:
        """Probability (N, levels) that a candidate is picked with a level, over all labellings and statures.

        And the logarithm of the sum over all of them.
        """
        forward = self._forward(np.add) * self.prior[:, None, None]
        total = 1.0 + (forward * self.end).sum()  # 1: nothing is picked
        return np.asarray((forward * self._backward()).sum(axis=0).T / total), float(np.log(total))

    def best(self) -> tuple[np.ndarray, np.ndarray]:
        """Candidates and places in `levels` of the best labelling; empty when none beats picking nothing."""
        forward = self._forward(np.maximum)
        final = forward * self.end * self.prior[:, None, None]
        if final.max(initial=0.0) <= 1:
            return np.zeros(0, dtype=int), np.zeros(0, dtype=int)
        stature, level, candidate = map(int, np.unravel_index(final.argmax(), final.shape))
        path = []
        state: tuple[int, int] | None = (candidate, level)
        while state is not None:
            path.append(state)
            state = self._came_from(forward[stature], stature, *state)
        picked, places = np.array(path[::-1]).T
        return picked, places

    def _came_from(self, forward: FloatArray, stature: int, candidate: int, level: int) -> tuple[int, int] | None:
        """The state before (candidate, level) in the best labelling, or None where that begins there."""
        best, place = self.start[stature, level, candidate], None
        edges = np.flatnonzero(self.target == candidate)
        for jump, step in enumerate(self.steps[:level], start=1):
            if len(edges):
                arriving = forward[level - jump, self.source[edges]] * step[stature, level - jump, edges]
                edge = int(arriving.argmax())
                if arriving[edge] > best:
                    best, place = arriving[edge], (int(self.source[edges[edge]]), level - jump)
        return place
