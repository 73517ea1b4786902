"""The chain decoder: which candidates are discs, and which disc is which, by dynamic programming.

A labelling picks candidates from the head down and gives them increasing levels. Its score adds, per disc, how much the
network sees a disc there and how it would name it; per step, how well the distance fits the levels; and prices for
levels left out. Whole-spine stature is not known, so every score is computed for a grid of statures and summed over it.
The best labelling comes from max-product; sums over all labellings (forward-backward) give the confidences.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from lookonce.anatomy import ADULT_SPACING, USUAL_COUNT, Level, SpacingPrior, VertebraCount
from lookonce.decode.heatmaps import Candidates
from lookonce.geometry import FloatArray

FIRST, LAST = int(Level.C1_C2), int(Level.L5_S1)
#: Discs that look like no other: those around the dens and the lumbosacral one.
ANCHORS = (Level.C1_C2, Level.C2_C3, Level.L5_S1)
#: Shifts of the numbering less probable than this are not reported.
SMALLEST_SHARE = 1e-3


@dataclass(frozen=True)
class ChainSettings:
    """Prices and weights of the chain; natural logarithms.

    Attributes
    ----------
    name_weight : float
        Trust in the network's names. Below 1 because neighbouring discs err together: a chain of ten is not ten
        independent witnesses.
    name_doubt : float
        Probability that a name is one level too high, and that it is one too low. Far from the ends of the spine the
        network counts along look-alikes, and whole runs of discs are named one off together.
    anchor_doubt : float
        The same for the names in `ANCHORS`, which have a shape of their own.
    name_floor : float
        Probability that a name is anything at all, whatever the network says.
    missed : float
        Price of a level between two picked ones without a candidate.
    end_missed : float
        Price of a level that the picture has room for beyond either end.
    most_missed : int
        Levels that may be left out between two picked ones.
    disc_threshold : float
        Heat-map height that speaks neither for nor against a disc.
    """

    name_weight: float = 0.5
    name_doubt: float = 0.2
    anchor_doubt: float = 0.02
    name_floor: float = 0.01
    missed: float = -3.5
    end_missed: float = -1.0
    most_missed: int = 2
    disc_threshold: float = 0.25


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
    picked, places = lattice.best()
    levels = lattice.levels[places]
    if len(picked) == 0:
        return Chain(picked, levels, np.zeros(0), {})
    posterior, log_evidence = lattice.posterior()
    rows = posterior[picked]
    return Chain(picked, levels, rows[np.arange(len(picked)), places], _shift_shares(rows, places), log_evidence)


def _shift_shares(rows: FloatArray, places: np.ndarray) -> dict[int, float]:
    """Mean posterior over the discs of every offset from the given places; tiny shares are left out of the sum."""
    offsets = np.arange(rows.shape[1]) - places[:, None]
    shares = {int(offset): float(rows[offsets == offset].sum()) for offset in np.unique(offsets)}
    least = SMALLEST_SHARE * sum(shares.values())
    kept = {offset: share for offset, share in shares.items() if offset == 0 or share >= least}
    total = sum(kept.values())
    return {offset: share / total for offset, share in kept.items()}


class _Lattice:
    """Scores of all labellings: states are (stature, candidate, level).

    A labelling of one stature scores ``prior + start[first] + node[each] + steps[each] + end[last]``; picking nothing
    scores 0. Levels are counted from the first of `levels` in all arrays.

    Attributes
    ----------
    levels : (levels,) int array
        `Level` values, from the head down.
    prior : (statures,) array
        Log-probability of each stature; sums to 1.
    node : (N, levels) array
        What a candidate says for itself and for the level.
    start, end : (statures, N, levels) arrays
        Price of beginning or ending with a candidate at a level.
    steps : list of (statures, N, N, levels) arrays
        Entry ``jump - 1`` is the score from candidate i at a level to candidate j, `jump` levels further down.
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
        self.settings = settings
        self.levels = np.array(count.levels, dtype=int)
        statures = np.linspace(-2, 2, 9) * spacing.stature_spread
        self.statures = np.exp(statures)
        self.prior = -0.5 * (statures / spacing.stature_spread) ** 2
        self.prior -= np.logaddexp.reduce(self.prior)
        self.node = _node_scores(candidates, count, settings)
        down = np.concatenate([[0.0], np.cumsum(spacing.steps(count))])
        # C1/C2 is no disc and often out of sight: nobody is charged for leaving it out.
        above = [down[place] - down[1:place] for place in range(len(down))]
        below = [down[place + 1 :] - down[place] for place in range(len(down))]
        heights = candidates.world_mm[:, 2]
        room_above = room_above_mm + heights.max(initial=-np.inf) - heights
        room_below = room_below_mm + heights - heights.min(initial=np.inf)
        self.start = _end_scores(above, room_above, self.statures, settings)
        self.end = _end_scores(below, room_below, self.statures, settings)
        if first_level is not None:
            self.start[:, :, self.levels != first_level] = -np.inf
        self.steps = self._step_scores(candidates.world_mm, down, spacing.own_spread)

    def fix(self, known: np.ndarray) -> None:
        """Leave candidates with a known SCT value, (N,) and 0 for none, no other level."""
        self.node[(known[:, None] > 0) & (known[:, None] != self.levels)] = -np.inf

    def _step_scores(self, points: FloatArray, down: FloatArray, own_spread: float) -> list[FloatArray]:
        """How well the distance from one candidate to the next fits the levels, for all `steps`.

        `down` is the way from the first level to each, mm.
        """
        offsets = points[None, :] - points[:, None]
        distance = np.linalg.norm(offsets, axis=2)
        steep = -offsets[..., 2] > 0.35 * distance  # the next disc lies below, not beside or above
        steps = []
        for jump in range(1, self.settings.most_missed + 2):
            below = np.minimum(np.arange(len(down)) + jump, len(down) - 1)
            expected = (down[below] - down) * self.statures[:, None]  # (statures, levels)
            spread = own_spread * expected / np.sqrt(jump) + 1.5
            error = (distance[None, :, :, None] - expected[:, None, None, :]) / spread[:, None, None, :]
            # Heavy tails: a fused or collapsed level must not break the chain.
            score = np.logaddexp(-0.5 * error**2, -4.0 - 0.02 * error**2) + (jump - 1) * self.settings.missed
            score[:, ~steep] = -np.inf
            score[..., -jump:] = -np.inf  # there are no such levels further down
            steps.append(score)
        return steps

    def _forward(self, combine: np.ufunc) -> FloatArray:
        """Scores (statures, N, levels) of all labellings that end with a candidate at a level, without the end."""
        forward = self.start + self.node
        for j in range(1, len(self.node)):
            for jump, step in enumerate(self.steps, start=1):
                arriving = combine.reduce(forward[:, :j] + step[:, :j, j], axis=1)[:, :-jump]
                forward[:, j, jump:] = combine(forward[:, j, jump:], arriving + self.node[j, jump:])
        return forward

    def _backward(self) -> FloatArray:
        """Scores (statures, N, levels) of all ways to go on from a candidate at a level, the end included."""
        backward = self.end.copy()
        for i in range(len(self.node) - 2, -1, -1):
            for jump, step in enumerate(self.steps, start=1):
                following = (backward + self.node)[:, i + 1 :, jump:] + step[:, i, i + 1 :, :-jump]
                leaving = np.logaddexp.reduce(following, axis=1)
                backward[:, i, :-jump] = np.logaddexp(backward[:, i, :-jump], leaving)
        return backward

    def posterior(self) -> tuple[FloatArray, float]:
        """Probability (N, levels) that a candidate is picked with a level, over all labellings and statures.

        And the logarithm of the sum over all of them.
        """
        forward = self._forward(np.logaddexp) + self.prior[:, None, None]
        total = np.logaddexp.reduce((forward + self.end).ravel(), initial=0.0)  # 0: nothing is picked
        return np.exp(np.logaddexp.reduce(forward + self._backward(), axis=0) - total), float(total)

    def best(self) -> tuple[np.ndarray, np.ndarray]:
        """Candidates and places in `levels` of the best labelling; empty when none beats picking nothing."""
        forward = self._forward(np.maximum)
        final = forward + self.end + self.prior[:, None, None]
        if final.max(initial=0.0) <= 0:
            return np.zeros(0, dtype=int), np.zeros(0, dtype=int)
        stature, *last = map(int, np.unravel_index(final.argmax(), final.shape))
        path = []
        state: tuple[int, int] | None = (last[0], last[1])
        while state is not None:
            path.append(state)
            state = self._came_from(forward[stature], stature, *state)
        picked, places = np.array(path[::-1]).T
        return picked, places

    def _came_from(self, forward: FloatArray, stature: int, j: int, level: int) -> tuple[int, int] | None:
        """The state before (candidate j, level) in the best labelling, or None where that begins there."""
        best, place = self.start[stature, j, level], None
        for jump, step in enumerate(self.steps, start=1):
            if j > 0 and level >= jump:
                arriving = forward[:j, level - jump] + step[stature, :j, j, level - jump]
                i = int(arriving.argmax())
                if arriving[i] > best:
                    best, place = arriving[i], (i, level - jump)
        return place


def _node_scores(candidates: Candidates, count: VertebraCount, settings: ChainSettings) -> FloatArray:
    """Score (N, levels) of picking each candidate with each level."""
    probability = np.clip(candidates.probability, 1e-4, 1 - 1e-4)
    odds = np.log(probability / (1 - probability))
    neutral = np.log(settings.disc_threshold / (1 - settings.disc_threshold))
    said = np.exp(candidates.evidence[:, FIRST : LAST + 1])
    names = said @ _confusion(settings) @ _names_of(count)
    choices = LAST - FIRST + 1
    named = np.log((1 - settings.name_floor) * names + settings.name_floor / choices)
    # Relative to knowing nothing, so that evidence for a name is evidence for a disc and a clear "no disc" is against.
    return (odds - neutral)[:, None] + settings.name_weight * (named + np.log(choices))


def _names_of(count: VertebraCount) -> FloatArray:
    """Matrix (usual level, level) of what the levels of `count` are called by who expects the usual number.

    Down to T9/T10 they are called as counted from C2, the one above the sacrum as counted from there; those between
    may be called either way.
    """
    total, usual = len(count.levels), LAST - FIRST + 1
    from_above, from_below = np.eye(usual, total), np.eye(usual, total, total - usual)
    names = (from_above + from_below) / 2
    sure = Level.T9_T10 - FIRST + 1
    names[:, :sure], names[:, -1] = from_above[:, :sure], from_below[:, -1]
    return names


def _confusion(settings: ChainSettings) -> FloatArray:
    """Matrix (said, true) of how probable a level is, given that the network names it `said`."""
    doubt = [settings.anchor_doubt if level in ANCHORS else settings.name_doubt for level in range(FIRST, LAST + 1)]
    confusion = np.diag(1 - 2 * np.array(doubt)) + np.diag(doubt[:-1], 1) + np.diag(doubt[1:], -1)
    return confusion / confusion.sum(axis=1, keepdims=True)


def _end_scores(
    beyond: list[FloatArray], room: FloatArray, statures: FloatArray, settings: ChainSettings
) -> FloatArray:
    """Price (statures, N, levels) of the levels past an end that the picture has room for but that were not found.

    `beyond` holds, per level, the distances to the levels past it in mm, `room` the height of picture past each
    candidate. A spine bends away from the straight line, and a disc at the very border may be cut: hence the slack.
    """
    scores = np.zeros((len(statures), len(room), len(beyond)))
    for level, distances in enumerate(beyond):
        needed = 1.1 * statures[:, None, None] * np.array(distances) + 12.0
        missing = (needed < room[:, None]).sum(axis=2)
        scores[:, :, level] = settings.end_missed * np.minimum(missing, 4)
    scores[:, np.isinf(room)] = 0.0
    return scores
