"""Disc labels against the truth, in world millimetres, by two protocols.

`strict_case` matches by level: a disc under its neighbour's name is an error. `paper_case` repeats the published code
of Azad et al. (MLMI 2021, arXiv 2108.06554, and arXiv 2204.02943), which ignores names. Both score one scan; rates of
many scans divide summed counts by the summed number of true discs (`lookonce.metrics.summary`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from nibabel import orientations

from lookonce.anatomy import Level
from lookonce.geometry import FloatArray, check_affine
from lookonce.landmarks import DiscLabels

#: A prediction this close to a true disc, mm, is on that disc; neighbouring discs lie more than twice as far apart.
STRICT_TOLERANCE_MM = 5.0
#: Limits of the published code along the spine's axis: beyond the first a true disc is missed, beyond the second a
#: prediction is false.
PAPER_MISS_MM = 7.0
PAPER_FALSE_MM = 10.0
#: In a stack of this many sagittal slices or fewer nobody knows the right-left position better than a slice.
FEW_SLICES = 7


@dataclass(frozen=True)
class StrictCase:
    """One scan by the strict protocol.

    Attributes
    ----------
    true : int
        Annotated discs.
    distances : dict of Level to float
        Distance of each found disc to its prediction, mm.
    false_positives : int
        Predictions of an annotated level that lie on no true disc.
    wrong_names : int
        Predictions on a true disc that bear another disc's name.
    """

    true: int
    distances: dict[Level, float]
    false_positives: int
    wrong_names: int

    @property
    def found(self) -> int:
        """True discs with a prediction of their own level within the tolerance."""
        return len(self.distances)

    @property
    def false_negatives(self) -> int:
        """True discs that were not found."""
        return self.true - self.found

    @property
    def dtt_mean(self) -> float | None:
        """Mean distance to target over the found discs, mm; None when none was found."""
        return float(np.mean(list(self.distances.values()))) if self.distances else None

    @property
    def level_shift(self) -> bool:
        """Whether more than half of the discs go by another disc's name."""
        return 2 * self.wrong_names > self.true

    @property
    def all_right(self) -> bool:
        """Whether nothing is missed, false or wrongly named."""
        return not (self.false_negatives or self.false_positives or self.wrong_names)


@dataclass(frozen=True)
class PaperCase:
    """One scan by the published code.

    Attributes
    ----------
    true : int
        Annotated discs.
    distances : tuple of float
        From each true disc to the nearest prediction whatever its name, mm; empty without predictions.
    axial : tuple of float
        The same pairs' distances along the spine's axis, mm.
    false_negatives, false_positives : int
    """

    true: int
    distances: tuple[float, ...]
    axial: tuple[float, ...]
    false_negatives: int
    false_positives: int

    @property
    def dtt_median(self) -> float | None:
        """Median distance to target, mm."""
        return float(np.median(self.distances)) if self.distances else None

    @property
    def dtt_mean(self) -> float | None:
        """Mean distance to target, mm."""
        return float(np.mean(self.distances)) if self.distances else None

    @property
    def dtt_std(self) -> float | None:
        """Standard deviation (population form) of the distance to target, mm."""
        return float(np.std(self.distances)) if self.distances else None

    @property
    def z_mean(self) -> float | None:
        """Mean distance along the spine's axis, mm."""
        return float(np.mean(self.axial)) if self.axial else None


def strict_case(
    truth: DiscLabels,
    prediction: DiscLabels,
    *,
    annotated: tuple[int, int] | None = None,
    normal: FloatArray | None = None,
    tolerance: float = STRICT_TOLERANCE_MM,
) -> StrictCase:
    """Score one scan by level.

    Parameters
    ----------
    truth, prediction : DiscLabels
    annotated : (first, last), optional
        Inclusive range of levels within which the truth is complete; by default from the first to the last true disc.
    normal : (3,) array, optional
        Unit normal of the slices in world coordinates; distances are then measured within the slice plane.
    tolerance : float
        Largest distance at which a prediction is on a disc, mm.

    Examples
    --------
    >>> truth = DiscLabels.from_points({3: (0, 0, 36), 4: (0, 0, 18), 5: (0, 0, 0)})
    >>> shifted = DiscLabels.from_points({4: (0, 0, 36), 5: (0, 0, 18), 6: (0, 0, 0)})
    >>> case = strict_case(truth, shifted)
    >>> case.found, case.wrong_names, case.level_shift
    (0, 3, True)
    """
    gaps = np.linalg.norm(_offsets(truth.points, prediction.points, normal), axis=-1)
    levels = truth.levels
    distances = {
        level: float(gaps[levels.index(level), column])
        for column, level in enumerate(prediction.levels)
        if level in truth and gaps[levels.index(level), column] <= tolerance
    }
    first, last = annotated or _range_of(levels)
    false_positives = wrong_names = 0
    for level, to_discs in zip(prediction.levels, gaps.T, strict=True):
        if to_discs.min(initial=np.inf) <= tolerance:
            wrong_names += levels[int(to_discs.argmin())] != level
        elif first <= level.nifti_value <= last:
            false_positives += 1
    return StrictCase(len(truth), distances, false_positives, wrong_names)


def paper_case(
    truth: DiscLabels,
    prediction: DiscLabels,
    *,
    normal: Sequence[float] | FloatArray = (1.0, 0.0, 0.0),
    axis: Sequence[float] | FloatArray = (0.0, 0.0, 1.0),
) -> PaperCase:
    """Score one scan as the published code does: nearest points in the sagittal plane, names ignored.

    The code's test for a second prediction on one disc never fires; it is left out here.

    Parameters
    ----------
    truth, prediction : DiscLabels
    normal : (3,) array
        Unit normal of the sagittal plane in world coordinates: the published code sees one picture, not a volume.
    axis : (3,) array
        Unit vector along the spine within that plane, the direction of the picture's rows.
    """
    return paper_points(truth.points, prediction.points, normal=normal, axis=axis)


def paper_points(
    truth: FloatArray,
    prediction: FloatArray,
    *,
    normal: Sequence[float] | FloatArray = (1.0, 0.0, 0.0),
    axis: Sequence[float] | FloatArray = (0.0, 0.0, 1.0),
) -> PaperCase:
    """`paper_case` of bare points (N, 3) and (M, 3), world mm: what bears no name, or several times the same."""
    offsets = _offsets(truth, prediction, np.asarray(normal, dtype=np.float64))
    gaps, axial = np.linalg.norm(offsets, axis=-1), np.abs(offsets @ np.asarray(axis, dtype=np.float64))
    if not gaps.size:
        return PaperCase(len(truth), (), (), len(truth), len(prediction))
    rows, columns = np.arange(len(truth)), np.arange(len(prediction))
    of_discs = axial[rows, gaps.argmin(axis=1)]
    of_predictions = axial[gaps.argmin(axis=0), columns]
    return PaperCase(
        true=len(truth),
        distances=tuple(gaps.min(axis=1).tolist()),
        axial=tuple(of_discs.tolist()),
        false_negatives=int((of_discs > PAPER_MISS_MM).sum()),
        false_positives=int((of_predictions > PAPER_FALSE_MM).sum()),
    )


@dataclass(frozen=True)
class SagittalFrame:
    """How an image's sagittal slices lie in the world.

    Attributes
    ----------
    normal, axis : (3,) array
        Unit vectors: across the slices, and within them towards the head or the feet.
    slices : int
        Number of sagittal slices.
    """

    normal: FloatArray
    axis: FloatArray
    slices: int

    @property
    def strict_normal(self) -> FloatArray | None:
        """The normal to give to `strict_case`: None where there are slices enough to measure in 3D."""
        return self.normal if self.slices <= FEW_SLICES else None


def sagittal_frame(shape: tuple[int, ...], *, affine: FloatArray) -> SagittalFrame:
    """Sagittal slices of an image of `shape` (two or more axes) with `affine` (4, 4), voxel to world mm.

    Raises
    ------
    GeometryError
        If the affine is singular or not finite.

    Examples
    --------
    >>> frame = sagittal_frame((390, 640, 5), affine=np.diag([0.5, 0.5, 4, 1])[[2, 1, 0, 3]])
    >>> frame.slices, abs(frame.normal).tolist()
    (5, [1.0, 0.0, 0.0])
    """
    check_affine(affine)
    world_axes = orientations.io_orientation(affine)[:, 0].astype(int).tolist()
    right, front, up = (world_axes.index(axis) for axis in range(3))
    # The cross product is perpendicular to the slices even where a sheared affine's third column is not.
    normal = np.cross(affine[:3, front], affine[:3, up])
    slices = shape[right] if right < len(shape) else 1
    return SagittalFrame(normal / np.linalg.norm(normal), affine[:3, up] / np.linalg.norm(affine[:3, up]), slices)


def _offsets(truth: FloatArray, prediction: FloatArray, normal: FloatArray | None) -> FloatArray:
    """Vectors from every true disc to every prediction, (T, P, 3) mm, without their part along `normal`."""
    offsets = prediction[None] - truth[:, None]
    return offsets if normal is None else offsets - (offsets @ normal)[..., None] * normal


def _range_of(levels: list[Level]) -> tuple[int, int]:
    """First and last SCT value of the true discs; an empty range when there are none."""
    values = [level.nifti_value for level in levels]
    return min(values, default=1), max(values, default=0)
