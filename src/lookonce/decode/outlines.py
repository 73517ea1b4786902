"""The outline of a mask as polygons along the borders of its pixels: exact, with holes and any number of parts.

A pixel in row r and column c covers x from c to c + 1 and y from r to r + 1, so that a polygon's area is its number of
pixels. Outer rings have a positive area by the shoelace formula in (x, y) as written, holes a negative one, as
GeoJSON (RFC 7946) has it; no ring touches itself.
"""

from __future__ import annotations

from collections import defaultdict

import numpy as np
from numpy.typing import NDArray

from lookonce.decode.regions import label_regions

#: A corner of pixels, and the part whose border passes it: part, x, y.
Corner = tuple[int, int, int]
#: Corners (x, y) of a polygon's outer ring and of its holes, each (N, 2) with the first repeated at the end.
Polygon = list[NDArray[np.int64]]


def trace_outlines(mask: NDArray[np.bool_]) -> list[Polygon]:
    """Polygons of a mask (H, W), one for each part whose pixels share edges.

    Examples
    --------
    >>> [[outer]] = trace_outlines(np.array([[0, 1, 1]], bool))
    >>> outer.tolist()
    [[1, 0], [3, 0], [3, 1], [1, 1], [1, 0]]
    """
    top, left, inside = _cut_out(mask)
    polygons: dict[int, Polygon] = {}
    for ring in _rings(_border_steps(label_regions(inside))):
        corners = _bends(np.array(ring)[:, 1:])
        rings = polygons.setdefault(ring[0][0], [])
        # The outer ring comes first, whenever it is found.
        rings.insert(0 if signed_area(corners) > 0 else len(rings), corners + np.array([left, top]))
    return [polygons[part] for part in sorted(polygons)]


def signed_area(ring: NDArray) -> float:
    """Area of a closed ring (N, 2) of (x, y) by the shoelace formula."""
    x, y = np.asarray(ring, dtype=np.float64).T
    return float(np.sum(x[:-1] * y[1:] - x[1:] * y[:-1]) / 2)


def _cut_out(mask: NDArray[np.bool_]) -> tuple[int, int, NDArray[np.bool_]]:
    """First row and column of what the mask covers, and that part of it."""
    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    if len(rows) == 0:
        return 0, 0, mask[:0, :0]
    return int(rows[0]), int(columns[0]), mask[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]


def _border_steps(parts: NDArray[np.int32]) -> dict[Corner, list[Corner]]:
    """Steps from corner to corner along the borders of numbered parts (H, W).

    Steps go around a part with it on the side of larger y when going to larger x. Those of two parts that share a
    corner stay apart.
    """
    around = np.pad(parts, 1)
    following: dict[Corner, list[Corner]] = defaultdict(list)
    # The neighbour outside, and where the step along that side of the pixel begins and ends: x, y.
    sides = (
        (around[:-2, 1:-1], (0, 0), (1, 0)),
        (around[1:-1, 2:], (1, 0), (1, 1)),
        (around[2:, 1:-1], (1, 1), (0, 1)),
        (around[1:-1, :-2], (0, 1), (0, 0)),
    )
    for neighbour, begin, end in sides:
        rows, columns = np.nonzero((parts > 0) & (neighbour == 0))
        places = zip(parts[rows, columns].tolist(), columns.tolist(), rows.tolist(), strict=True)
        for part, x, y in places:
            following[part, x + begin[0], y + begin[1]].append((part, x + end[0], y + end[1]))
    return following


def _rings(following: dict[Corner, list[Corner]]) -> list[list[Corner]]:
    """Closed rings that together use every step once, each passing a corner at most once; the first is repeated."""
    rings = []
    for start in list(following):
        while following[start]:
            path, place_in_path = [start], {start: 0}
            while following[path[-1]]:
                corner = following[path[-1]].pop()
                path.append(corner)
                if corner in place_in_path:  # a ring has closed; the path goes on from where it was left
                    first = place_in_path[corner]
                    rings.append(path[first:])
                    for passed in path[first + 1 : -1]:
                        del place_in_path[passed]
                    del path[first + 1 :]
                else:
                    place_in_path[corner] = len(path) - 1
    return rings


def _bends(ring: NDArray[np.int64]) -> NDArray[np.int64]:
    """A closed ring without the corners at which it goes straight on."""
    corners = ring[:-1]
    before, after = corners - np.roll(corners, 1, axis=0), np.roll(corners, -1, axis=0) - corners
    bends = corners[(before != after).any(axis=1)]
    return np.concatenate([bends, bends[:1]])
