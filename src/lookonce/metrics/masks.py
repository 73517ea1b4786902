"""How well masks agree: overlap of pixels and distance of outlines, of single pictures and of whole sets.

Figures are given pooled, over the pixels of all pictures as the papers do, and as the mean of the pictures' own, which
small objects count in as much as large ones.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from lookonce.geometry import FloatArray
from lookonce.metrics.intervals import bootstrap_ratio, bootstrap_statistic
from lookonce.metrics.summary import ALL, POOLED, Figure

#: TMUnet's published evaluation: probability that cuts its masks, side of the square that opens them, picture size.
PAPER_THRESHOLD = 0.43
PAPER_OPENING = 6
PAPER_SIZE = (256, 256)


@dataclass(frozen=True)
class MaskCase:
    """One scored picture.

    Attributes
    ----------
    data_set, name, kin : str
        Where it is from; near-duplicates share their kin and are redrawn together.
    counts : (int, int, int, int)
        Pixels: true positive, false positive, false negative, true negative.
    hd95 : float
        95 % Hausdorff distance, pixels.
    problem : str
        Why there is no prediction, which then counts as an empty one; empty when there is.
    """

    data_set: str
    name: str
    kin: str
    counts: tuple[int, int, int, int]
    hd95: float
    problem: str = ""


@dataclass(frozen=True)
class MaskRow:
    """Figures of one set, by name, of its pixels and of its pictures; distances are pixels, the others shares."""

    data_set: str
    pictures: int
    pooled: dict[str, Figure]
    per_image: dict[str, Figure]


def count_pixels(truth: NDArray[np.bool_], found: NDArray[np.bool_]) -> tuple[int, int, int, int]:
    """True positive, false positive, false negative and true negative pixels of masks (H, W).

    Examples
    --------
    >>> count_pixels(np.array([[True, True, False]]), np.array([[True, False, False]]))
    (1, 0, 1, 1)
    """
    both = int((truth & found).sum())
    false_positive, false_negative = int(found.sum()) - both, int(truth.sum()) - both
    return both, false_positive, false_negative, truth.size - both - false_positive - false_negative


def dice(counts: FloatArray) -> FloatArray:
    """Twice the common pixels over those of both; of counts (..., 4), 1 where both masks are empty."""
    tp, fp, fn, _ = np.moveaxis(counts, -1, 0)
    return _ratio(2 * tp, 2 * tp + fp + fn, empty=1.0)


def iou(counts: FloatArray) -> FloatArray:
    """Intersection over union of the objects' class; of counts (..., 4), 1 where both masks are empty."""
    tp, fp, fn, _ = np.moveaxis(counts, -1, 0)
    return _ratio(tp, tp + fp + fn, empty=1.0)


def mean_iou(counts: FloatArray) -> FloatArray:
    """Mean of the intersections over unions of both classes, objects and ground; of counts (..., 4)."""
    return (iou(counts) + iou(np.asarray(counts)[..., ::-1])) / 2


def sensitivity(counts: FloatArray) -> FloatArray:
    """Share of the objects' pixels that are found; of counts (..., 4), NaN without any."""
    tp, _, fn, _ = np.moveaxis(counts, -1, 0)
    return _ratio(tp, tp + fn)


def specificity(counts: FloatArray) -> FloatArray:
    """Share of the ground's pixels that are left out; of counts (..., 4), NaN without any."""
    _, fp, _, tn = np.moveaxis(counts, -1, 0)
    return _ratio(tn, tn + fp)


def accuracy(counts: FloatArray) -> FloatArray:
    """Share of the pixels that are right; of counts (..., 4)."""
    tp, _, _, tn = np.moveaxis(counts, -1, 0)
    return _ratio(tp + tn, np.sum(counts, axis=-1))


MEASURES: dict[str, Callable[[FloatArray], FloatArray]] = {
    "dice": dice,
    "iou": iou,
    "mean_iou": mean_iou,
    "sensitivity": sensitivity,
    "specificity": specificity,
    "accuracy": accuracy,
}


def hausdorff95(truth: NDArray[np.bool_], found: NDArray[np.bool_]) -> float:
    """95 % Hausdorff distance of two masks (H, W), pixels: the larger of both directions' 95th percentiles.

    Distances are those of outline pixels, which belong to the mask and have a neighbour that does not. Where one mask
    is empty it is the picture's diagonal, the largest there is; where both are, 0.
    """
    from scipy.ndimage import binary_erosion, distance_transform_edt

    if not truth.any() or not found.any():
        return float(np.hypot(*truth.shape)) if truth.any() or found.any() else 0.0
    either = truth | found
    rows, columns = (np.flatnonzero(either.any(axis=axis)) for axis in (1, 0))
    part = np.s_[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
    one, other = ((mask & ~binary_erosion(mask))[part] for mask in (truth, found))
    there, back = (distance_transform_edt(~to)[of] for of, to in ((one, other), (other, one)))
    return float(max(np.percentile(there, 95), np.percentile(back, 95)))


def published_mask(probability: NDArray[np.float32]) -> NDArray[np.bool_]:
    """The mask that TMUnet's published evaluation makes of probabilities (H, W): cut, opened and filled."""
    from scipy.ndimage import binary_fill_holes, binary_opening

    opened = binary_opening(probability >= PAPER_THRESHOLD, structure=np.ones((PAPER_OPENING, PAPER_OPENING)))
    return np.asarray(binary_fill_holes(opened), dtype=bool)


def summarise_masks(cases: Sequence[MaskCase], *, seed: int = 0) -> list[MaskRow]:
    """A row for every set, and for all of them where there are several; 95 % intervals redraw whole kins."""
    names = list(dict.fromkeys(case.data_set for case in cases))
    rows = [_row(name, [case for case in cases if case.data_set == name], seed) for name in names]
    return [*rows, _row(f"{POOLED}, {ALL}", cases, seed)] if len(names) > 1 else rows


def _row(name: str, cases: Sequence[MaskCase], seed: int) -> MaskRow:
    counts = np.array([case.counts for case in cases], dtype=np.float64)
    kin = [(case.data_set, case.kin) for case in cases]
    pooled = {name: _pooled(counts, measure, kin, seed) for name, measure in MEASURES.items()}
    values = {name: measure(counts) for name, measure in MEASURES.items()}
    values["hd95_px"] = np.array([case.hd95 for case in cases])
    return MaskRow(name, len(cases), pooled, {name: _mean(found, kin, seed) for name, found in values.items()})


def _pooled(
    counts: FloatArray, measure: Callable[[FloatArray], FloatArray], kin: Sequence[Hashable], seed: int
) -> Figure:
    def of_all(drawn: FloatArray) -> float:
        return float(measure(drawn.sum(axis=0)))

    value = of_all(counts)
    interval = bootstrap_statistic([[tuple(row)] for row in counts.tolist()], kin, of_all, seed=seed)
    return Figure(value if np.isfinite(value) else None, interval)


def _mean(values: FloatArray, kin: Sequence[Hashable], seed: int) -> Figure:
    """Mean over the pictures that define a value."""
    defined = np.isfinite(values)
    if not defined.any():
        return Figure(None)
    weights = defined.astype(float).tolist()
    interval = bootstrap_ratio(np.where(defined, values, 0).tolist(), weights, kin, seed=seed)
    return Figure(float(values[defined].mean()), interval)


def _ratio(tops: FloatArray, bottoms: FloatArray, *, empty: float = np.nan) -> FloatArray:
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.where(bottoms > 0, np.asarray(tops, dtype=np.float64) / bottoms, empty)
