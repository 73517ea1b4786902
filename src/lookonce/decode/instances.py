"""Objects that touch, told apart by a watershed on the predicted map.

The height of a pixel is its distance from the background times its probability: cells are round, so the distance has a
peak in each and a saddle where two touch, and the network doubts the pixels between them. Flooding from the peaks
downwards, two basins stay apart only if the saddle between them is clearly lower than the lower of their peaks; an
uneven border makes many peaks and shallow saddles. All of it runs at the network's resolution, where numpy and a plain
loop over the pixels of the objects take a fraction of a second; scipy would have doubled the time to install.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

BoolArray = NDArray[np.bool_]
#: Two basins are one object if the saddle between them has at least this share of the lower peak's height. Two equal
#: discs whose centres are 1.2 radii apart have a saddle of 0.8.
SAME_FROM = 0.8
_EIGHT = [(down, right) for down in (-1, 0, 1) for right in (-1, 0, 1) if (down, right) != (0, 0)]


def separate(mask: BoolArray, probability: NDArray[np.float32], *, same_from: float = SAME_FROM) -> NDArray[np.int32]:
    """Number the objects of a mask from 1 in reading order, those that touch apart; 0 is outside.

    Parameters
    ----------
    mask : (H, W) bool array
    probability : (H, W) float32 array
        0..1.
    same_from : float
        See `SAME_FROM`; 0 leaves whatever touches together.
    """
    height = np.pad(squared_distance(mask) ** 0.5 * np.clip(probability, 0, 1), 1)
    width = height.shape[1]
    steps = [down * width + right for down, right in _EIGHT]
    flat = height.ravel()
    places = np.flatnonzero(np.pad(mask, 1))
    falling = places[np.argsort(-flat[places], kind="stable")].tolist()
    heights = flat.tolist()
    basins = _Basins(same_from)
    basin_of: dict[int, int] = {}
    for place in falling:
        level = heights[place]
        # The highest neighbour first: the pixel is on the slope below it.
        above = sorted((place + step for step in steps if place + step in basin_of), key=heights.__getitem__)[::-1]
        around = list(dict.fromkeys(basins.root(basin_of[neighbour]) for neighbour in above))
        basin_of[place] = basins.meet(around, level) if around else basins.add(level)
    roots = np.array([basins.root(basin_of[place]) for place in places.tolist()], dtype=np.int64)
    labels = np.zeros(height.size, dtype=np.int32)
    _, first, found = np.unique(roots, return_index=True, return_inverse=True)
    labels[places] = np.argsort(np.argsort(first))[found] + 1
    return labels.reshape(height.shape)[1:-1, 1:-1]


def squared_distance(mask: BoolArray) -> NDArray[np.float64]:
    """Squared distance, in pixels, of each pixel of a mask (H, W) from the nearest pixel outside; 0 outside.

    What lies beyond the picture is not outside: an object that its border cuts goes on there. A mask without any
    outside is as far from it as the picture is large.

    Examples
    --------
    >>> squared_distance(np.array([[0, 1, 1, 1]], bool)).tolist()
    [[0.0, 1.0, 4.0, 9.0]]
    """
    far = float(sum(mask.shape))
    across = _distance_along_rows(mask, far) ** 2
    squared = across.copy()
    # The nearest pixel outside is some rows up or down, at most as far as the farthest one in a row.
    reach = min(mask.shape[0] - 1, int(np.sqrt(across.max(initial=0))))
    for rows in range(1, reach + 1):
        np.minimum(squared[rows:], across[:-rows] + rows**2, out=squared[rows:])
        np.minimum(squared[:-rows], across[rows:] + rows**2, out=squared[:-rows])
    return squared


def grow(labels: NDArray[np.int32], *, steps: int) -> NDArray[np.int32]:
    """Labels (H, W) spread over the pixels around them, `steps` pixels far; nothing that is labelled changes."""
    grown = labels.copy()
    for _ in range(steps):
        padded = np.pad(grown, 1)
        for down, right in _EIGHT:
            shifted = padded[1 + down : padded.shape[0] - 1 + down, 1 + right : padded.shape[1] - 1 + right]
            np.copyto(grown, shifted, where=grown == 0)
    return grown


class _Basins:
    """Basins under a falling water level: their peaks, and which have become one."""

    def __init__(self, same_from: float) -> None:
        self._same_from = same_from
        self._peaks: list[float] = []
        self._parents: list[int] = []

    def add(self, level: float) -> int:
        """A new basin whose peak is at `level`."""
        self._peaks.append(level)
        self._parents.append(len(self._parents))
        return self._parents[-1]

    def root(self, basin: int) -> int:
        """The basin that a basin has become part of."""
        while self._parents[basin] != basin:
            self._parents[basin] = basin = self._parents[self._parents[basin]]
        return basin

    def meet(self, basins: list[int], level: float) -> int:
        """Basins meet at `level`: the shallow ones join that with the highest peak; returns what the first is now."""
        highest = max(basins, key=lambda basin: (self._peaks[basin], -basin))
        for basin in basins:
            if basin != highest and level >= self._same_from * self._peaks[basin]:
                self._parents[basin] = highest
        return self.root(basins[0])


def _distance_along_rows(mask: BoolArray, far: float) -> NDArray[np.float64]:
    """Distance of each pixel from the nearest outside in its row; `far` where there is none."""
    columns = np.arange(mask.shape[1], dtype=np.float64)
    before = np.maximum.accumulate(np.where(mask, -far, columns), axis=1)
    after = np.minimum.accumulate(np.where(mask, 2 * far, columns)[:, ::-1], axis=1)[:, ::-1]
    return np.minimum(np.minimum(columns - before, after - columns), far)
