"""Where discs lie right-left: in the plane in which the spine mirrors itself.

A network that looks at one sagittal slab at a time sees a disc almost alike over the whole width of the canal: it is
sure of the disc's place in that plane and unsure across it. But around each disc, bone, canal and spinous process are
symmetric. So every disc is tried at places to the right and left, with the mirror turned as vertebrae turn in
scoliosis, and dynamic programming takes the best places along a spine that bends sideways only gently.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from lookonce.geometry import FloatArray, SlabStack, voxel_sizes, voxel_to_world, world_to_voxel

#: Places are tried this far to either side, and mirrored halves of this width compared, mm.
SEARCH_MM = 10
HALF_MM = 14
#: Slabs this far to either side of the discs are enough for both, with the mirror turned.
REACH_MM = 36.0
#: Turns of the mirror about the spine's axis.
TURNS_DEGREES = (-16, -8, 0, 8, 16)
#: What is compared: behind and before the disc's posterior tip (posterior positive), above and below it, mm.
BEHIND_MM = np.arange(-10.0, 41.0, 3.0)
ABOVE_MM = np.arange(-8.0, 9.0, 3.0)
#: Share of the compared halves that must lie in the picture.
LEAST_SEEN = 0.4
#: Worth of perfect symmetry against none, as a log-probability, and the spread of the network's own place, mm.
SYMMETRY_WEIGHT = 8.0
NETWORK_SPREAD_MM = 5.0
#: Spread of the spine's sideways slope where it begins, and of the slope's change from disc to disc.
SLOPE_SPREAD = 0.35
BEND_SPREAD = 0.08
STEP_MM = 0.5
#: Step of the path that the network alone would take, and score of a disc that it misplaced by far.
COARSE_STEP_MM = 1.5
LOST_SCORE = -4.0


def onto_midline(points: FloatArray, slabs: SlabStack) -> FloatArray:
    """Move discs right-left onto the spine's plane of symmetry.

    The figures above were chosen once, by eye; halving or doubling one hardly changes the result. Where the picture is
    too narrow to compare its halves, the discs only line up on a smooth curve.

    Parameters
    ----------
    points : (N, 3) array
        Posterior tips in world mm, from the head down.
    slabs : SlabStack
        The picture around them in slabs of 1 to 3 mm, where it is that fine; grey values of any scale.

    Returns
    -------
    (N, 3) array
        World mm; each point moved along the slabs' right-left axis.
    """
    places = world_to_voxel(points, affine=slabs.affine)
    step, spacing = slabs.lateral_step, float(voxel_sizes(slabs.affine)[1])
    seen, down = places[:, 0] * step, places[:, 1] * spacing
    middle = _where_to_look(seen, down)
    tried = np.arange(-SEARCH_MM, SEARCH_MM + 1.0)
    offsets = np.arange(-SEARCH_MM, SEARCH_MM + STEP_MM / 2, STEP_MM)
    across = middle[:, None] + offsets
    symmetry = [
        np.interp(offsets, tried, mirror_symmetry(slabs.data, place, step, spacing))
        for place in np.column_stack([middle / step, places[:, 1:]])
    ]
    scores = _network_score(across - seen[:, None]) + SYMMETRY_WEIGHT * np.array(symmetry)
    chosen = smoothest_path(scores, across, down)
    return voxel_to_world(np.column_stack([chosen / step, places[:, 1:]]), affine=slabs.affine)


def _where_to_look(seen: FloatArray, down: FloatArray) -> FloatArray:
    """The network's places; a disc that it misplaced by far is looked for beside the others instead."""
    reach = int(np.ceil(np.ptp(seen) / 2 / COARSE_STEP_MM))
    tried = (seen.min() + seen.max()) / 2 + COARSE_STEP_MM * np.arange(-reach, reach + 1)
    tried = np.tile(tried, (len(seen), 1))
    path = smoothest_path(_network_score(tried - seen[:, None]), tried, down)
    return np.where(np.abs(path - seen) > SEARCH_MM / 2, path, seen)


def _network_score(error: FloatArray) -> FloatArray:
    """Log-probability of an error of the network's right-left place, mm; now and then it is off by any distance."""
    return np.logaddexp(-0.5 * (error / NETWORK_SPREAD_MM) ** 2, LOST_SCORE)


def mirror_symmetry(slabs: NDArray[np.float32], place: FloatArray, step: float, spacing: float) -> FloatArray:
    """How well the picture around a disc mirrors itself in planes to the right and left of it.

    Parameters
    ----------
    slabs : (S, H, W) array
    place : (3,) array
        Slab, row and column of the disc's posterior tip.
    step, spacing : float
        Distance of the slabs and pixel size, mm.

    Returns
    -------
    (2 * SEARCH_MM + 1,) array
        Per place, 1 mm apart from left to right, the best over `TURNS_DEGREES` of the correlation between the two
        halves: 1 for a perfect mirror, 0 for none. Places where too little of the halves is in the picture get the
        mean of the others, which speaks neither for nor against them.
    """
    across = np.arange(-SEARCH_MM - HALF_MM, SEARCH_MM + HALF_MM + 1.0)[:, None]
    rows = np.unique(np.rint(place[1] + ABOVE_MM / spacing).astype(int))
    rows = rows[(rows >= 0) & (rows < slabs.shape[1])]
    middle = np.arange(HALF_MM, len(across) - HALF_MM)[:, None]
    right, left = middle + np.arange(1, HALF_MM + 1), middle - np.arange(1, HALF_MM + 1)
    best = np.full(len(middle), np.nan)
    for turn in np.deg2rad(TURNS_DEGREES):
        slab = place[0] + (across * np.cos(turn) - BEHIND_MM * np.sin(turn)) / step
        column = place[2] + (across * np.sin(turn) + BEHIND_MM * np.cos(turn)) / spacing
        grey = _interpolated(slabs, slab, rows, column)
        seen = (np.abs(2 * slab + 1 - len(slabs)) <= len(slabs)) & (column >= 0) & (column <= slabs.shape[2] - 1)
        best = np.fmax(best, _correlation(grey, np.repeat(seen, len(rows), axis=1), right, left))
    known = np.isfinite(best)
    return np.where(known, best, best[known].mean() if known.any() else 0.0)


def smoothest_path(scores: FloatArray, across: FloatArray, down: FloatArray) -> FloatArray:
    """Choose one right-left place for every disc, so that scores are high and the path bends little.

    Parameters
    ----------
    scores : (N, K) array
        Log-probability of each of K places of each disc.
    across : (N, K) array
        Their right-left coordinates, mm.
    down : (N,) array
        The discs' coordinates towards the feet, mm, rising.

    Returns
    -------
    (N,) array
        The coordinates of the best path, found exactly by dynamic programming over pairs of places.
    """
    if len(scores) == 1:
        return across[0, scores.argmax(axis=1)]
    # slopes[i][a, b]: sideways slope from place a of disc i to place b of disc i + 1
    slopes = (across[1:, None, :] - across[:-1, :, None]) / np.maximum(np.diff(down), 1.0)[:, None, None]
    total = scores[0][:, None] + scores[1] - 0.5 * (slopes[0] / SLOPE_SPREAD) ** 2
    came_from = []
    for before, after, score in zip(slopes[:-1], slopes[1:], scores[2:], strict=True):
        longer = total[:, :, None] - 0.5 * ((after - before[:, :, None]) / BEND_SPREAD) ** 2
        came_from.append(longer.argmax(axis=0))
        total = longer.max(axis=0) + score
    upper, lower = np.unravel_index(total.argmax(), total.shape)
    chosen = [lower, upper]
    for back in reversed(came_from):
        upper, lower = back[upper, lower], upper
        chosen.append(upper)
    return across[np.arange(len(across)), chosen[::-1]]


def _interpolated(
    slabs: NDArray[np.float32], slab: FloatArray, rows: NDArray[np.integer], column: FloatArray
) -> NDArray[np.float32]:
    """Grey values (L, R * A) at slabs and columns (L, A), bilinear, of R rows."""
    corners, shares = [], []
    for place, count in ((slab, slabs.shape[0]), (column, slabs.shape[2])):
        low = np.clip(np.floor(place).astype(int), 0, max(count - 2, 0))
        corners.append((low[:, None], np.minimum(low + 1, count - 1)[:, None]))
        shares.append(np.clip(place - low, 0, 1).astype(np.float32)[:, None])
    (left, right), (front, back) = corners
    across, along = shares
    row = rows[:, None]
    ahead = slabs[left, row, front] * (1 - across) + slabs[right, row, front] * across
    behind = slabs[left, row, back] * (1 - across) + slabs[right, row, back] * across
    return (ahead * (1 - along) + behind * along).reshape(len(slab), -1)


def _correlation(
    grey: NDArray[np.float32], seen: NDArray[np.bool_], right: NDArray[np.integer], left: NDArray[np.integer]
) -> FloatArray:
    """Correlation of right and left halves, indices (K, M) into the first axis, where both are seen; else NaN."""
    both = (seen[right] & seen[left]).astype(np.float32)
    ones, twos = grey[right] * both, grey[left] * both
    count = both.sum(axis=(1, 2))
    total = (ones + twos).sum(axis=(1, 2))
    spread = (ones**2 + twos**2).sum(axis=(1, 2)) - total**2 / np.maximum(2 * count, 1)
    unlike = ((ones - twos) ** 2).sum(axis=(1, 2))
    enough = (count >= LEAST_SEEN * both[0].size) & (spread > 1e-6 * np.maximum(total, 1.0))
    return np.where(enough, np.maximum(1 - unlike / np.where(enough, spread, 1.0), 0.0), np.nan)
