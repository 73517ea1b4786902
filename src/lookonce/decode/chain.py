"""The chain decoder: which candidates are discs, and which disc is which, by dynamic programming.

A labelling picks candidates from the head down and gives them increasing levels. Its score adds, per disc, how much the
network sees a disc there and how it would name it; per step, how well the distance fits the levels; and prices for
levels left out. Whole-spine stature is not known, so every score is computed for a grid of statures and summed over it.
The best labelling comes from max-product; sums over all labellings (forward-backward) give the confidences.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from lookonce.anatomy import ADULT_SPACING, Level, SpacingPrior
from lookonce.decode.heatmaps import Candidates
from lookonce.geometry import FloatArray

FIRST, LAST = int(Level.C1_C2), int(Level.L5_S1)


@dataclass(frozen=True)
class ChainSettings:
    """Prices and weights of the chain; natural logarithms.

    Attributes
    ----------
    name_weight : float
        Trust in the network's names. Below 1 because neighbouring discs err together: a chain of ten is not ten
        independent witnesses.
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
        Their SCT values.
    confidence : (N,) array
        Probability that the candidate is a disc of that level, over all labellings.
    level_shift : dict of int to float
        Probability that the true level is the given one plus the key, averaged over the discs; sums to 1.
    """

    picked: np.ndarray
    levels: np.ndarray
    confidence: FloatArray
    level_shift: dict[int, float]


def decode_chain(
    candidates: Candidates,
    *,
    room_above_mm: float = np.inf,
    room_below_mm: float = np.inf,
    first_level: int | None = None,
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
        SCT value of the topmost disc, when the user knows it; numbering is then certain.
    spacing : SpacingPrior
    settings : ChainSettings, optional

    Returns
    -------
    Chain
        Empty when no labelling is better than none.
    """
    lattice = _Lattice(candidates, room_above_mm, room_below_mm, first_level, spacing, settings or ChainSettings())
    picked, levels = lattice.best()
    if len(picked) == 0:
        return Chain(picked, levels, np.zeros(0), {})
    posterior = lattice.posterior()
    rows = posterior[picked]
    shares = _shift_shares(rows, levels)
    return Chain(picked, levels, rows[np.arange(len(picked)), levels - FIRST], shares)


def _shift_shares(rows: FloatArray, levels: np.ndarray) -> dict[int, float]:
    """Mean posterior of every offset from the given levels, over the discs, summing to 1."""
    shares: dict[int, float] = {}
    for row, level in zip(rows, levels, strict=True):
        for column, share in enumerate(row):
            offset = FIRST + column - int(level)
            shares[offset] = shares.get(offset, 0.0) + float(share)
    total = sum(shares.values()) or 1.0
    return {offset: share / total for offset, share in sorted(shares.items()) if offset == 0 or share / total >= 1e-3}


class _Lattice:
    """Scores of all labellings: states are (stature, candidate, level)."""

    def __init__(
        self,
        candidates: Candidates,
        room_above_mm: float,
        room_below_mm: float,
        first_level: int | None,
        spacing: SpacingPrior,
        settings: ChainSettings,
    ) -> None:
        self.settings = settings
        statures = np.linspace(-2, 2, 9) * spacing.stature_spread
        self.statures = np.exp(statures)
        self.prior = -0.5 * (statures / spacing.stature_spread) ** 2
        self.prior -= np.logaddexp.reduce(self.prior)
        self.node = _node_scores(candidates, settings)
        levels = np.arange(FIRST, LAST + 1)
        above = _expected_rooms(levels - FIRST, spacing, upwards=True)
        below = _expected_rooms(levels - FIRST, spacing, upwards=False)
        rows = candidates.world_mm[:, 2] if len(candidates) else np.zeros(0)
        top, bottom = (rows.max(), rows.min()) if len(candidates) else (0.0, 0.0)
        self.start = _end_scores(above, top - rows + room_above_mm, self.statures, settings)
        self.end = _end_scores(below, rows - bottom + room_below_mm, self.statures, settings)
        if first_level is not None:
            self.start[:, :, levels != first_level] = -np.inf
        self.steps = self._step_scores(candidates.world_mm, levels, spacing)

    def _step_scores(self, points: FloatArray, levels: np.ndarray, spacing: SpacingPrior) -> list[FloatArray]:
        """Score of going from candidate i at a level to candidate j, `jump` levels further down.

        One (statures, i, j, level of i) array per jump.
        """
        offsets = points[None, :] - points[:, None]
        distance = np.linalg.norm(offsets, axis=2)
        steep = -offsets[..., 2] > 0.35 * distance  # the next disc lies below, not beside or above
        steps = []
        for jump in range(1, self.settings.most_missed + 2):
            mean = np.array(
                [spacing.between(level, level + jump) if level + jump <= LAST else np.nan for level in levels]
            )
            expected = mean * self.statures[:, None]  # (statures, levels)
            spread = spacing.own_spread * expected / np.sqrt(jump) + 1.5
            error = (distance[None, :, :, None] - expected[:, None, None, :]) / spread[:, None, None, :]
            # Heavy tails: a fused or collapsed level must not break the chain.
            score = np.logaddexp(-0.5 * error**2, -4.0 - 0.02 * error**2) + (jump - 1) * self.settings.missed
            score = np.where(np.isnan(score) | ~steep[None, :, :, None], -np.inf, score)
            steps.append(score)
        return steps

    def _forward(self, combine: np.ufunc) -> FloatArray:
        count = len(self.node)
        forward = self.start + self.node[None]
        for j in range(count):
            for jump, step in enumerate(self.steps, start=1):
                arriving = combine.reduce(forward[:, :j] + step[:, :j, j], axis=1) if j else None
                if arriving is not None:
                    forward[:, j, jump:] = combine(
                        forward[:, j, jump:], arriving[:, :-jump] + self.node[j, jump:][None]
                    )
        return forward

    def _backward(self) -> FloatArray:
        count = len(self.node)
        backward = self.end.copy()
        for i in range(count - 2, -1, -1):
            for jump, step in enumerate(self.steps, start=1):
                following = (backward + self.node[None])[:, i + 1 :, jump:] + step[:, i, i + 1 :, :-jump]
                leaving = np.logaddexp.reduce(following, axis=1)
                backward[:, i, :-jump] = np.logaddexp(backward[:, i, :-jump], leaving)
        return backward

    def posterior(self) -> FloatArray:
        """Probability (N, levels) that a candidate is picked with a level, over all labellings and statures."""
        with np.errstate(invalid="ignore", divide="ignore"):
            joint = self._forward(np.logaddexp) + self._backward() + self.prior[:, None, None]
            total = np.logaddexp(np.logaddexp.reduce((self._forward_ends()).ravel()), 0.0)
        return np.exp(np.logaddexp.reduce(joint, axis=0) - total)

    def _forward_ends(self) -> FloatArray:
        return self._forward(np.logaddexp) + self.end + self.prior[:, None, None]

    def best(self) -> tuple[np.ndarray, np.ndarray]:
        """Candidates and levels of the best labelling over all statures; empty when none beats picking nothing."""
        if len(self.node) == 0:
            return np.zeros(0, dtype=int), np.zeros(0, dtype=int)
        with np.errstate(invalid="ignore"):
            forward = self._forward(np.maximum)
        final = forward + self.end + self.prior[:, None, None]
        stature, j, level = np.unravel_index(int(final.argmax()), final.shape)
        if final[stature, j, level] <= 0:
            return np.zeros(0, dtype=int), np.zeros(0, dtype=int)
        path = [(int(j), int(level))]
        while (previous := self._came_from(forward[stature], int(stature), *path[-1])) is not None:
            path.append(previous)
        picked, levels = np.array(path[::-1]).T
        return picked, levels + FIRST

    def _came_from(self, forward: FloatArray, stature: int, j: int, level: int) -> tuple[int, int] | None:
        value = forward[j, level] - self.node[j, level]
        if np.isclose(value, self.start[stature, j, level], rtol=0, atol=1e-9):
            return None
        best, place = -np.inf, None
        for jump, step in enumerate(self.steps, start=1):
            if level - jump >= 0 and j:
                arriving = forward[:j, level - jump] + step[stature, :j, j, level - jump]
                i = int(arriving.argmax())
                if arriving[i] > best:
                    best, place = float(arriving[i]), (i, level - jump)
        return place


def _node_scores(candidates: Candidates, settings: ChainSettings) -> FloatArray:
    """Score (N, levels) of picking each candidate with each level."""
    probability = np.clip(candidates.probability, 1e-4, 1 - 1e-4)
    odds = np.log(probability / (1 - probability))
    neutral = np.log(settings.disc_threshold / (1 - settings.disc_threshold))
    names = np.exp(candidates.evidence[:, FIRST : LAST + 1])
    count = LAST - FIRST + 1
    named = np.log((1 - settings.name_floor) * names + settings.name_floor / count)
    # Relative to knowing nothing, so that evidence for a name is evidence for a disc and a clear "no disc" is against.
    return (odds - neutral)[:, None] + settings.name_weight * (named + np.log(count))


def _expected_rooms(index: np.ndarray, spacing: SpacingPrior, *, upwards: bool) -> list[FloatArray]:
    """For each level, distances in mm to all levels beyond it, nearest first."""
    rooms = []
    for level in index + FIRST:
        if upwards:
            rooms.append(np.array([spacing.between(other, level) for other in range(level - 1, FIRST, -1)]))
        else:
            rooms.append(np.array([spacing.between(level, other) for other in range(level + 1, LAST + 1)]))
    return rooms


def _end_scores(
    rooms: list[FloatArray], available: FloatArray, statures: FloatArray, settings: ChainSettings
) -> FloatArray:
    """Price (statures, N, levels) of the levels beyond an end that the picture has room for but that were not found.

    A third of the way is allowed for: a spine bends away from the straight line, and the last disc may be cut.
    """
    scores = np.zeros((len(statures), len(available), len(rooms)))
    for level, distances in enumerate(rooms):
        needed = 1.1 * distances[None, None, :] * statures[:, None, None] + 12.0
        missing = (needed < available[None, :, None]).sum(axis=2)
        scores[:, :, level] = settings.end_missed * np.minimum(missing, 4)
    if not np.isfinite(available).all():
        scores[:, ~np.isfinite(available)] = 0.0
    return scores
