"""The simpler post-processing that the papers compare with: candidates must meet conditions on their places.

Azad et al. (2022, arXiv 2204.02943), section 3.2, name it without its rules; these are the plain ones.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from lookonce.geometry import FloatArray

#: A disc lies this near to the column's line, mm: half the depth of a body.
ASIDE_MM = 15.0
#: Its nearest neighbour along the line is this far away, mm: from cervical to lumbar.
NEAREST_MM, FARTHEST_MM = 9.0, 45.0


def meet_conditions(points: FloatArray) -> NDArray[np.bool_]:
    """Which points may be discs.

    The column's line is the straight one through two of the points that has most of the points beside it. A disc lies
    near it and has a neighbour there, neither too near nor too far.

    Parameters
    ----------
    points : (N, 2) array
        Rows (towards the feet) and columns, mm.

    Returns
    -------
    (N,) bool array
        Does not depend on the order of the points.
    """
    if len(points) < 2:
        return np.zeros(len(points), dtype=bool)
    aside, along = _about_line(points)
    near = aside <= ASIDE_MM
    gaps = np.abs(along[:, None] - along)
    gaps[:, ~near] = np.inf
    np.fill_diagonal(gaps, np.inf)
    nearest = gaps.min(axis=1)
    return np.asarray(near & (nearest >= NEAREST_MM) & (nearest <= FARTHEST_MM))


def _about_line(points: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Distance of each point from the best line, and its place along it."""
    first, second = np.triu_indices(len(points), 1)
    way = points[second] - points[first]
    length = np.linalg.norm(way, axis=1)
    # The spine runs down the picture.
    upright = (np.abs(way[:, 0]) >= np.abs(way[:, 1])) & (length > 0)
    if not upright.any():
        return np.full(len(points), np.inf), points[:, 0]
    direction, start = way[upright] / length[upright, None], points[first[upright]]
    offsets = points[None] - start[:, None]
    aside = np.abs(offsets[..., 0] * direction[:, None, 1] - offsets[..., 1] * direction[:, None, 0])
    beside = aside <= ASIDE_MM
    # Of lines with as many points, the one nearer to them.
    best = np.lexsort((np.where(beside, aside, 0.0).sum(axis=1), -beside.sum(axis=1)))[0]
    return aside[best], offsets[best] @ direction[best]
