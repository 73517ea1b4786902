"""Targets: what a network should answer for a picture, and where the truth is known.

Two layouts. `names`: one disc channel and, per place, which level it is (class 0 = no disc); the default model.
`levels`: one map a level, as in arXiv 2108.06554, with the visibility of every level: Gaussians, or squares for a
network that counts.
"""

from __future__ import annotations

from typing import Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field

from lookonce.anatomy import Level
from lookonce.datasets.samples import UNNAMED, SlabSample

#: The top of C1 is no disc: the network is neither asked for it nor punished for it.
FIRST_DISC_LEVEL, LAST_DISC_LEVEL = 2, 25
NAME_CLASSES = LAST_DISC_LEVEL + 1
#: Those around the dens, at the ends of the thoracic spine, and the lumbosacral one.
ANCHOR_LEVELS = (Level.C1_C2, Level.C2_C3, Level.C7_T1, Level.T12_L1, Level.L5_S1)
#: Beyond the last listed disc of incomplete truth, discs are unknown this far to the front and back of it.
UNKNOWN_HALF_WIDTH_MM = 45.0
UNKNOWN_GAP_MM = 11.0
#: S1/S2 is the disc most often taken for a true one.
LOOKALIKE_WEIGHT = 4.0


class Target(BaseModel):
    """Layout of the targets of one recipe."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    kind: Literal["names", "levels"] = "names"
    sigma_mm: float = 4.5
    #: In the first half of a run, Gaussians shrink from this to `sigma_mm`: the squared error of small ones alone keeps
    #: a network at empty maps for thousands of steps.
    first_sigma_mm: float | None = None
    #: Of the `levels` layout: a Gaussian of `sigma_mm` a disc, or a square of `square_mm` that is 1 inside.
    blob: Literal["gaussian", "square"] = "gaussian"
    square_mm: float = 32.0
    #: Share of a run in which counts in squares are learned by squared error: the absolute one stays at empty maps.
    squared_until: float = Field(0.0, ge=0, le=1)
    #: All discs of the `levels` layout in one map, summed: of a network that finds discs and does not name them.
    one_map: bool = False
    #: Spread of a disc's strength over the right-left distance from its mid-sagittal point.
    lateral_sigma_mm: float = 6.5
    #: Ask for the names of discs that look like no other alone.
    anchors_only: bool = False
    first_level: int = 2
    levels: int = 11

    @property
    def classes(self) -> int:
        """Channels that the network needs."""
        if self.kind == "names":
            return 1 + NAME_CLASSES
        return 1 if self.one_map else self.levels

    def after(self, share: float) -> Target:
        """The targets once a share of the run, 0..1, is over."""
        if self.first_sigma_mm is None:
            return self
        left = max(0.0, 1 - 2 * share)
        return self.model_copy(update={"sigma_mm": self.sigma_mm * (self.first_sigma_mm / self.sigma_mm) ** left})


def names_target(sample: SlabSample, stride: int, target: Target) -> dict[str, NDArray]:
    """Disc heat map, names and known area on the output grid.

    Returns
    -------
    dict
        heat (h, w) float32 0..1; name (h, w) int64, the SCT value of the nearest disc, 0 away from discs and at
        discs without a name;
        known (h, w) float32, how much the place counts: 0 where the truth is unknown, 1 elsewhere, more at lookalikes.
    """
    rows, columns = _grid(sample, stride)
    heat = np.zeros(rows.shape, dtype=np.float32)
    name = np.zeros(rows.shape, dtype=np.int64)
    known = _known(sample, rows, columns)
    for row, column in sample.negatives:
        known[np.hypot(rows - row, columns - column) * sample.spacing < target.sigma_mm] = LOOKALIKE_WEIGHT
    for (row, column), level, lateral in zip(sample.points, sample.levels, sample.lateral, strict=True):
        distance = np.hypot(rows - row, columns - column) * sample.spacing
        if UNNAMED < level < FIRST_DISC_LEVEL:
            known[distance < 2 * target.sigma_mm] = 0
            continue
        strength = np.exp(-0.5 * (lateral / target.lateral_sigma_mm) ** 2)
        blob = strength * np.exp(-0.5 * (distance / target.sigma_mm) ** 2)
        named = not target.anchors_only or level in ANCHOR_LEVELS
        name[blob > np.maximum(heat, 0.1)] = level if named else UNNAMED
        heat = np.maximum(heat, blob.astype(np.float32))
    return {"heat": heat, "name": name, "known": known}


def levels_target(sample: SlabSample, stride: int, target: Target) -> dict[str, NDArray]:
    """One map a level, (K, h, w) float32, and the visibility of every level, (K,) float32.

    A level that the truth does not list counts as visible (an empty map) in complete truth and as unknown otherwise.
    One map of all levels counts as visible where any is.
    """
    rows, columns = _grid(sample, stride)
    heat = np.zeros((target.levels, *rows.shape), dtype=np.float32)
    visible = np.full(target.levels, float(sample.complete), dtype=np.float32)
    for (row, column), level in zip(sample.points, sample.levels, strict=True):
        channel = int(level) - target.first_level
        if 0 <= channel < target.levels:
            heat[channel] = _blob((rows[:, :1] - row) * sample.spacing, (columns[:1] - column) * sample.spacing, target)
            visible[channel] = 1
    if target.one_map:
        return {"heat": heat.sum(axis=0, keepdims=True), "visible": visible.max(keepdims=True)}
    return {"heat": heat, "visible": visible}


def _blob(down: NDArray[np.float64], across: NDArray[np.float64], target: Target) -> NDArray[np.float64]:
    """A disc's map (h, w) from the distances to it, mm, (h, 1) and (1, w)."""
    if target.blob == "square":
        return (np.maximum(abs(down), abs(across)) < target.square_mm / 2).astype(np.float64)
    # A product of two lines: a picture's worth of exponentials is slow.
    return np.asarray(np.exp(-0.5 * (down / target.sigma_mm) ** 2) * np.exp(-0.5 * (across / target.sigma_mm) ** 2))


def _grid(sample: SlabSample, stride: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    height, width = sample.image.shape
    rows, columns = np.mgrid[: height // stride, : width // stride].astype(np.float64)
    return rows * stride, columns * stride


def _known(sample: SlabSample, rows: NDArray[np.float64], columns: NDArray[np.float64]) -> NDArray[np.float32]:
    known = np.ones(rows.shape, dtype=np.float32)
    if sample.complete or len(sample.points) == 0:
        return known
    order = np.argsort(sample.levels)
    first, last = order[0], order[-1]
    gap, half = UNKNOWN_GAP_MM / sample.spacing, UNKNOWN_HALF_WIDTH_MM / sample.spacing
    if sample.levels[first] > FIRST_DISC_LEVEL:
        row, column = sample.points[first]
        above = (rows < row - gap) & (np.abs(columns - column) < half)
        if sample.levels[first] == FIRST_DISC_LEVEL + 1:
            above &= rows > row - 55 / sample.spacing  # beyond the C1 region there is only the head
        known[above] = 0
    if sample.levels[last] < LAST_DISC_LEVEL:
        row, column = sample.points[last]
        known[(rows > row + gap) & (np.abs(columns - column) < 1.5 * half)] = 0
    return known
