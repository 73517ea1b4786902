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
#: What a joint without a candidate, or with none nearer than this, costs: squared distance in units of the distance
#: between the reference joints. Half the distance of neighbours, about an eighth of that unit, is no longer the joint.
MISSING = 0.125**2
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
        Squared distance to the mean skeleton plus the price of missing joints, in units of the squared distance between
        the reference joints.
    """

    choice: NDArray[np.intp]
    cost: float


def search_skeleton(
    candidates: Sequence[FloatArray],
    mean: FloatArray,
    *,
    missing: float = MISSING,
    pairs: Sequence[tuple[int, int]] | None = None,
) -> SkeletonMatch:
    """Find the combination of candidates, one a joint, that is nearest to the mean skeleton.

    Parameters
    ----------
    candidates : sequence of (M_j, 2) arrays
        Places of each joint's candidates; none for a joint that was not seen.
    mean : (J, 2) array
        The mean skeleton, in any unit.
    missing : float
        Price of a missing joint. A joint whose best candidate would cost more is missing, the reference joints apart.
    pairs : sequence of (int, int), optional
        Reference joints to try, of which the cheapest wins. By default the published pair where both have candidates,
        else the first seen joint with the seen one nearest to four further down.

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
    matches = [_search_from(places, mean, missing, pair) for pair in usable]
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
    places: Sequence[FloatArray], mean: FloatArray, missing: float, pair: tuple[int, int]
) -> SkeletonMatch:
    """The best match with these reference joints: every pair of their candidates at once."""
    first, second = pair
    origins = places[first][:, None, None]
    sizes = np.linalg.norm(places[second][None, :, None] - origins, axis=-1, keepdims=True)  # (Ma, Mb, 1, 1)
    target = (mean - mean[first]) / np.linalg.norm(mean[second] - mean[first])
    joints = np.arange(len(places))
    choice = np.full((*sizes.shape[:2], len(places)), -1, dtype=np.intp)
    cost = np.full(choice.shape, missing)
    with np.errstate(divide="ignore", invalid="ignore"):
        for joint in joints[[len(of_joint) > 0 for of_joint in places]]:
            offsets = (places[joint] - origins) / sizes - target[joint]  # (Ma, Mb, M, 2)
            squares = np.nan_to_num((offsets**2).sum(axis=-1), nan=np.inf)
            choice[..., joint] = squares.argmin(axis=-1)
            cost[..., joint] = squares.min(axis=-1)
    # The reference joints are what was chosen, and the second still differs from the mean by its direction.
    rows, columns = np.indices(choice.shape[:2])
    choice[..., first], cost[..., first] = rows, 0.0
    direction = (places[second][None, :] - places[first][:, None]) / np.maximum(sizes[..., 0], np.finfo(float).tiny)
    choice[..., second], cost[..., second] = columns, ((direction - target[second]) ** 2).sum(axis=-1)
    too_far = (cost > missing) & ~np.isin(joints, pair)
    choice[too_far], cost[too_far] = -1, missing
    total = np.where(sizes[..., 0, 0] > 0, cost.sum(axis=-1), np.inf)
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
