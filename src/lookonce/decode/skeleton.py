"""Exact skeleton search.

Azad, Rouhier, Cohen-Adad (MLMI 2021, arXiv 2108.06554), section 2.3, searches a tree over all combinations of
candidates, one a joint, for the skeleton nearest to the mean one. Both are moved to a first reference joint and scaled
by the distance from there to a second. With a candidate of each of these two fixed, the squared distance to the mean
skeleton is a sum over the other joints, so each takes its best candidate alone: the same optimum in O(Ma * Mb * sum(M))
instead of O(prod(M)). `tests/decode/test_skeleton.py` holds both side by side.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from lookonce.geometry import FloatArray

#: The published reference joints: the first and the fifth.
REFERENCE = (0, 4)
#: What a joint without a candidate, or with none nearer than this to its place in the mean skeleton, costs, mm^2.
#: Spines lean and bend: where candidates are not turned onto the mean skeleton, true ones lie up to so far from it.
MISSING = 30.0**2
#: Rounds of alignment that a mean skeleton is learned in; the mean moves by less than a millionth after them.
ROUNDS = 20


@dataclass(frozen=True)
class SkeletonMatch:
    """The best combination of candidates.

    Attributes
    ----------
    choice : (J,) int array
        Index of each joint's candidate, -1 for a missing joint.
    cost : float
        Squared distance to the mean skeleton plus the price of missing joints, in squared units of the mean skeleton.
    """

    choice: NDArray[np.intp]
    cost: float


def search_skeleton(
    candidates: Sequence[FloatArray],
    mean: FloatArray,
    *,
    missing: float = MISSING,
    pairs: Sequence[tuple[int, int]] | None = None,
    turn: bool = False,
) -> SkeletonMatch:
    """Find the combination of candidates, one a joint, that is nearest to the mean skeleton.

    Parameters
    ----------
    candidates : sequence of (M_j, 2) arrays
        Places of each joint's candidates; none for a joint that was not seen.
    mean : (J, 2) array
        The mean skeleton, mm. Candidates may be in any unit: they are scaled to it.
    missing : float
        Price of a missing joint, mm^2. A joint whose best candidate would cost more is missing, the reference joints
        apart.
    pairs : sequence of (int, int), optional
        Reference joints to try, of which the cheapest wins. By default the published pair where both have candidates,
        else the first seen joint with the seen one nearest to four further down.
    turn : bool
        Turn the candidates onto the mean skeleton too, so that its direction in the picture does not matter. Published
        is only moving and scaling.

    Returns
    -------
    SkeletonMatch
        When fewer than two joints have candidates there is nothing to compare: every joint is missing.

    Raises
    ------
    ValueError
        If the numbers of joints differ.
    """
    if len(candidates) != len(mean):
        raise ValueError(f"{len(candidates)} lists of candidates for a skeleton of {len(mean)} joints")
    places = [np.asarray(of_joint, dtype=np.float64).reshape(-1, 2) for of_joint in candidates]
    seen = [joint for joint, of_joint in enumerate(places) if len(of_joint)]
    if pairs is None:
        pairs = _reference_pairs(seen)
    usable = [pair for pair in pairs if len(places[pair[0]]) and len(places[pair[1]])]
    matches = [_search_from(places, mean, missing, pair, turn) for pair in usable]
    nothing = SkeletonMatch(np.full(len(mean), -1, dtype=np.intp), missing * len(mean))
    return min(matches, key=lambda match: match.cost, default=nothing)


def mean_skeleton(skeletons: Sequence[FloatArray]) -> FloatArray:
    """The mean of skeletons up to place and size, each (J, 2) with NaN where a joint is unknown.

    Every skeleton is moved and scaled onto the present mean by least squares over its known joints, and the mean taken
    anew, `ROUNDS` times.

    Returns
    -------
    (J, 2) array
        In the unit of the first skeleton that knows most joints.

    Raises
    ------
    ValueError
        If a joint is known in no skeleton that shares two joints with the others.
    """
    known = np.array(skeletons, dtype=np.float64)
    mean = known[np.argmax(np.isfinite(known).all(axis=2).sum(axis=1))]
    size = _spread(mean)
    for _ in range(ROUNDS):
        aligned = np.array([_aligned(skeleton, mean) for skeleton in known])
        count = np.isfinite(aligned).sum(axis=0)
        mean = np.where(count, np.nansum(aligned, axis=0) / np.maximum(count, 1), np.nan)
    if not np.isfinite(mean).all():
        raise ValueError("no skeleton ties every joint to the others")
    return np.asarray(mean * size / _spread(mean))


def _reference_pairs(seen: list[int]) -> list[tuple[int, int]]:
    if set(REFERENCE) <= set(seen):
        return [REFERENCE]
    if len(seen) < 2:
        return []
    first, *others = seen
    return [(first, min(others, key=lambda joint: (abs(joint - first - (REFERENCE[1] - REFERENCE[0])), joint)))]


def _search_from(
    places: Sequence[FloatArray], mean: FloatArray, missing: float, pair: tuple[int, int], turn: bool
) -> SkeletonMatch:
    """The best match with these reference joints: every pair of their candidates at once."""
    first, second = pair
    # The plane as complex numbers, where dividing by one turns and scales.
    joints, target = [row + 1j * column for row, column in (of_joint.T for of_joint in places)], mean @ [1, 1j]
    origin = joints[first][:, None]
    reach = joints[second][None, :] - origin  # (Ma, Mb)
    unit, whole = (reach, target[second] - target[first]) if turn else (abs(reach), abs(target[second] - target[first]))
    choice = np.full((*reach.shape, len(places)), -1, dtype=np.intp)
    cost = np.full(choice.shape, missing)
    # Two candidates on one place have no distance to scale by: they are no reference pair.
    scale = whole / np.where(unit == 0, np.inf, unit)
    for joint, of_joint in enumerate(joints):
        if joint not in pair and len(of_joint):
            away = (of_joint - origin[..., None]) * scale[..., None] - (target[joint] - target[first])  # (Ma, Mb, M)
            squares = away.real**2 + away.imag**2
            nearest = squares.argmin(axis=-1)
            cost[..., joint] = np.minimum(squares.min(axis=-1), missing)
            choice[..., joint] = np.where(cost[..., joint] < missing, nearest, -1)
    choice[..., first], choice[..., second] = np.indices(reach.shape)
    cost[..., first] = 0.0
    # Of the reference joints the second still differs from the mean by its direction.
    cost[..., second] = abs(reach * scale - (target[second] - target[first])) ** 2
    total = np.where(unit == 0, np.inf, cost.sum(axis=-1))
    best = np.unravel_index(total.argmin(), total.shape)
    return SkeletonMatch(choice[best], float(total[best]))


def _aligned(skeleton: FloatArray, mean: FloatArray) -> FloatArray:
    """A skeleton moved and scaled onto the mean; all unknown where they share fewer than two joints."""
    shared = np.isfinite(skeleton).all(axis=1) & np.isfinite(mean).all(axis=1)
    if shared.sum() < 2:
        return np.full_like(skeleton, np.nan)
    own, other = skeleton[shared].mean(axis=0), mean[shared].mean(axis=0)
    mine, target = skeleton[shared] - own, mean[shared] - other
    return np.asarray((skeleton - own) * (mine * target).sum() / (mine**2).sum() + other)


def _spread(skeleton: FloatArray) -> float:
    known = skeleton[np.isfinite(skeleton).all(axis=1)]
    return float(np.linalg.norm(known - known.mean(axis=0)) / np.sqrt(len(known)))
