"""From heat maps to candidates: peaks over all slabs at once, with sub-pixel places and evidence for their names."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from lookonce.geometry import FloatArray, voxel_to_world

#: Two discs' posterior tips are never closer than this; the smallest adult cervical distance is about 12 mm.
PEAK_RADIUS_MM = 6.0
MOST_CANDIDATES = 60
#: Right-left places are found to this step.
LATERAL_GRID_MM = 0.25


@dataclass(frozen=True)
class Candidates:
    """Places that may be discs, from the head down.

    Attributes
    ----------
    slab : (N, 3) array
        Slab, row and column of each, fractional, in the slab stack's pixels.
    world_mm : (N, 3) array
        RAS+ world coordinates, mm.
    probability : (N,) array
        Height of the heat map, 0..1.
    evidence : (N, C) array
        Log-probabilities of the names: column 0 "no disc", column n the disc of SCT value n.
    """

    slab: FloatArray
    world_mm: FloatArray
    probability: FloatArray
    evidence: FloatArray

    def __len__(self) -> int:
        return len(self.probability)


def find_candidates(
    heat: NDArray[np.float32],
    names: NDArray[np.float32],
    *,
    affine: FloatArray,
    stride: int,
    lateral_sigma_mm: float,
    threshold: float = 0.08,
) -> Candidates:
    """Find the peaks of the disc heat map over all slabs together.

    Neighbouring slabs see the same disc at nearly the same row and column, so peaks are taken on the maximum over the
    slabs; each then finds its own right-left place from how its height changes over the slabs.

    Parameters
    ----------
    heat : (S, h, w) float array
        Disc probability per slab on the output grid.
    names : (S, C, h, w) float array
        Logits of the names on the same grid.
    affine : (4, 4) array
        (slab, row, column) of the slab stack to world mm.
    stride : int
        Pixels of the slab stack per output cell; cell c is centred at pixel ``stride * c``.
    lateral_sigma_mm : float
        Spread over the right-left distance that the heat map was trained with.
    threshold : float
        Peaks below are dropped.
    """
    sizes = np.linalg.norm(affine[:3, :3], axis=0)
    strongest = heat.max(axis=0)
    cells = _peaks(strongest, radius=max(1, round(PEAK_RADIUS_MM / (sizes[1] * stride))), threshold=threshold)
    slab = np.zeros((len(cells), 3))
    evidence = np.zeros((len(cells), names.shape[1]))
    for index, (row, column) in enumerate(cells):
        best = int(heat[:, row, column].argmax())
        profile = heat[:, max(row - 1, 0) : row + 2, max(column - 1, 0) : column + 2].max(axis=(1, 2))
        slab[index, 0] = _lateral_place(profile, sizes[0], lateral_sigma_mm)
        slab[index, 1:] = stride * _refined(heat[best], row, column)
        share = profile**2 / (profile**2).sum()
        evidence[index] = _log_softmax(share @ names[:, :, row, column])
    order = np.argsort(slab[:, 1])
    rows, columns = cells[order].T
    return Candidates(
        slab=slab[order],
        world_mm=voxel_to_world(slab[order], affine=affine),
        probability=strongest[rows, columns].astype(np.float64),
        evidence=evidence[order],
    )


@dataclass(frozen=True)
class LevelMaxima:
    """Local maxima of one picture's maps, one map a level.

    Attributes
    ----------
    channel : (N,) int array
        Which map shows it.
    places : (N, 2) array
        Row and column in input pixels, sub-pixel.
    height : (N,) array
    """

    channel: NDArray[np.intp]
    places: FloatArray
    height: FloatArray


def level_maxima(
    heat: NDArray[np.float32], *, stride: int, radius: int, threshold: float, square: int | None = None
) -> LevelMaxima:
    """All local maxima of maps that show one level each (`levels` layout), the highest of a level first.

    Parameters
    ----------
    heat : (K, h, w) float array
    stride : int
        Input pixels per cell.
    radius : int
        Of two maxima this near, in cells, the higher stays.
    threshold : float
        Maxima below are dropped.
    square : int, optional
        The maps hold counts of squares with this odd side in cells, whose mean is the map of places (Count-ception).
    """
    found = []
    for channel, of_level in enumerate(heat):
        counted = of_level if square is None else _box_mean(of_level, square)
        cells = _peaks(counted, radius=radius, threshold=threshold)
        found += [(channel, *(stride * _refined(counted, *cell)), float(counted[tuple(cell)])) for cell in cells]
    table = np.array(found, dtype=np.float64).reshape(-1, 4)
    return LevelMaxima(table[:, 0].astype(np.intp), table[:, 1:3], table[:, 3])


def _box_mean(heat: NDArray[np.float32], side: int) -> NDArray[np.float32]:
    """Mean over the square around every cell; what lies outside the picture counts nothing."""
    total = np.pad(heat.astype(np.float64), (side // 2 + 1, side // 2)).cumsum(axis=0).cumsum(axis=1)
    of_square = total[side:, side:] - total[side:, :-side] - total[:-side, side:] + total[:-side, :-side]
    return (of_square / side**2).astype(np.float32)


def _peaks(heat: NDArray[np.float32], *, radius: int, threshold: float) -> NDArray[np.intp]:
    """Cells (N, 2) that are the highest within `radius` cells and at least `threshold`; one of equal neighbours."""
    strong = heat >= threshold
    if not strong.any():
        return np.zeros((0, 2), dtype=np.intp)
    # Only where something is strong: what lies outside that box beats nothing in it.
    cells = np.argwhere(strong)
    first, last = cells.min(axis=0), cells.max(axis=0)
    part = heat[first[0] : last[0] + 1, first[1] : last[1] + 1]
    highest = np.pad(part, radius, constant_values=-1.0)
    for axis in (0, 1):  # one axis after the other: far fewer comparisons than in squares
        highest = np.lib.stride_tricks.sliding_window_view(highest, 2 * radius + 1, axis=axis).max(axis=-1)
    cells = np.argwhere((part >= highest) & (part >= threshold)) + first
    cells = cells[np.argsort(-heat[tuple(cells.T)], kind="stable")]
    kept: list[NDArray[np.intp]] = []
    while len(cells) and len(kept) < MOST_CANDIDATES:
        kept.append(cells[0])
        cells = cells[np.abs(cells - cells[0]).max(axis=1) > radius]
    return np.array(kept, dtype=np.intp).reshape(-1, 2)


def _refined(heat: NDArray[np.float32], row: int, column: int) -> FloatArray:
    """Sub-cell peak: the vertex of a parabola through the logarithm, which is exact for a Gaussian."""
    place = np.array([row, column], dtype=np.float64)
    for axis in (0, 1):
        index = (row, column)[axis]
        line = heat[:, column] if axis == 0 else heat[row]
        if 0 < index < len(line) - 1:
            before, here, after = np.log(np.maximum(line[index - 1 : index + 2].astype(np.float64), 1e-6))
            bend = before - 2 * here + after
            if bend < 0:
                place[axis] += np.clip(0.5 * (before - after) / bend, -0.5, 0.5)
    return place


def _lateral_place(profile: NDArray[np.float32], step_mm: float, sigma_mm: float) -> float:
    """Slab index where the height over the slabs peaks: the centre of the Gaussian of known width that fits it best.

    Least squares on the heights themselves, over centres between the outer slabs; the amplitude solves itself. A fit to
    their logarithm would be linear, but there the faint heights far from the disc pull hardest.
    """
    slabs = np.arange(len(profile))
    centres = np.linspace(0, len(profile) - 1, max(1, round((len(profile) - 1) * step_mm / LATERAL_GRID_MM)) + 1)
    shapes = np.exp(-0.5 * ((slabs - centres[:, None]) * step_mm / sigma_mm) ** 2)
    explained = (shapes @ profile) ** 2 / (shapes**2).sum(axis=1)
    return float(centres[explained.argmax()])


def _log_softmax(logits: FloatArray) -> FloatArray:
    shifted = logits - logits.max()
    return shifted - np.log(np.exp(shifted).sum())
