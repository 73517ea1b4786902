"""The mask of one picture, and what can be said of each object in it."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lookonce.decode.outlines import Polygon, trace_outlines
from lookonce.geometry import FloatArray

#: Rows measured at a time: the places of all pixels of a large photograph would take gigabytes.
_ROWS = 256


@dataclass(frozen=True)
class MaskObject:
    """One object of a mask.

    Attributes
    ----------
    number : int
        Its value in `Mask.labels`, from 1.
    area_px : int
        Pixels.
    area_mm2 : float or None
        Where the size of a pixel is known.
    box : (int, int, int, int)
        First column and row, column and row after the last: x0, y0, x1, y1.
    centre : (float, float)
        x, y of its centroid; the picture's upper left corner is 0, 0 and a pixel's centre lies at halves.
    touches_border : bool
        Whether it may go on beyond the picture: it comes as near to the border as the network can tell.
    confidence : float
        Mean probability of its pixels.
    """

    number: int
    area_px: int
    area_mm2: float | None
    box: tuple[int, int, int, int]
    centre: tuple[float, float]
    touches_border: bool
    confidence: float


@dataclass(frozen=True)
class Mask:
    """What segmenting one picture gives; arrays are of the picture's own size, turned as people see it.

    Attributes
    ----------
    labels : (H, W) uint16 array
        Number of the object that a pixel belongs to, 0 for none.
    probability : (H, W) float32 array
        As predicted, before anything was cleaned.
    objects : list of MaskObject
        In reading order.
    kind : {"one", "many"}
        Whether the model looks for one object, which may have parts, or counts many.
    mm_per_pixel : float or None
    distance, limit : float
        How unlike the training pictures the picture is, and from where on that is unusual.
    warnings : list of str
    seconds : float
        Time from having the picture to having its mask.
    model : dict
        Name, version, sha256 and licence of the weights.
    """

    labels: NDArray[np.uint16]
    probability: NDArray[np.float32]
    objects: list[MaskObject]
    kind: str
    mm_per_pixel: float | None = None
    distance: float = 0.0
    limit: float = np.inf
    warnings: list[str] = field(default_factory=list)
    seconds: float = 0.0
    model: dict[str, Any] = field(default_factory=dict)

    @property
    def mask(self) -> NDArray[np.bool_]:
        """Pixels of any object, (H, W)."""
        return self.labels > 0

    @property
    def area_px(self) -> int:
        """Pixels of all objects."""
        return sum(found.area_px for found in self.objects)

    @property
    def area_mm2(self) -> float | None:
        """Area of all objects, where the size of a pixel is known."""
        return None if self.mm_per_pixel is None else self.area_px * self.mm_per_pixel**2

    @property
    def touches_border(self) -> bool:
        """Whether an object may go on beyond the picture."""
        return any(found.touches_border for found in self.objects)

    @property
    def confidence(self) -> float | None:
        """Mean probability of the objects' pixels, None without any."""
        if not self.objects:
            return None
        return sum(found.confidence * found.area_px for found in self.objects) / self.area_px

    @property
    def unlike(self) -> bool:
        """Whether the picture looks unlike those that the model was trained on."""
        return self.distance > self.limit

    @cached_property
    def outlines(self) -> dict[int, list[Polygon]]:
        """Polygons of each object by its number (see `lookonce.decode.outlines`): (x, y) of pixel corners."""
        outlines = {}
        for found in self.objects:
            x0, y0, x1, y1 = found.box
            polygons = trace_outlines(self.labels[y0:y1, x0:x1] == found.number)
            outlines[found.number] = [[ring + np.array([x0, y0]) for ring in polygon] for polygon in polygons]
        return outlines


def describe_objects(
    labels: NDArray[np.uint16], probability: NDArray[np.float32], *, margin: tuple[int, int], mm_per_pixel: float | None
) -> list[MaskObject]:
    """The objects of a label picture (H, W), numbered from 1 without gaps.

    `margin` is how many rows and columns from the border count as touching it.
    """
    count = int(labels.max(initial=0))
    sizes, sums, boxes = _measured(labels, probability, count)
    height, width = labels.shape
    found = []
    for number in range(1, count + 1):
        x0, y0, x1, y1 = map(int, boxes[:, number])
        area = int(sizes[number])
        x, y, sure = (sums[:, number] / area).tolist()
        near = x0 < margin[1] or y0 < margin[0] or x1 > width - margin[1] or y1 > height - margin[0]
        area_mm2 = None if mm_per_pixel is None else area * mm_per_pixel**2
        found.append(MaskObject(number, area, area_mm2, (x0, y0, x1, y1), (x + 0.5, y + 0.5), near, sure))
    return found


def _measured(
    labels: NDArray[np.uint16], probability: NDArray[np.float32], count: int
) -> tuple[NDArray[np.int64], FloatArray, NDArray[np.int64]]:
    """Of each number: pixels (N,), sums of x, y and probability (3, N), and boxes x0, y0, x1, y1 (4, N)."""
    sizes, sums = np.zeros(count + 1, dtype=np.int64), np.zeros((3, count + 1))
    boxes = np.zeros((4, count + 1), dtype=np.int64)
    boxes[:2] = max(labels.shape)
    for top in range(0, len(labels), _ROWS):
        rows, columns = np.nonzero(labels[top : top + _ROWS])
        rows += top
        numbers = labels[rows, columns]
        sizes += np.bincount(numbers, minlength=count + 1)
        weights = (columns, rows, probability[rows, columns])
        sums += [np.bincount(numbers, values, count + 1) for values in weights]
        for low, high, places in zip(boxes[:2], boxes[2:], (columns, rows), strict=True):
            np.minimum.at(low, numbers, places)
            np.maximum.at(high, numbers, places + 1)
    return sizes, sums, boxes
