"""The unit of training data: one sagittal picture with its truth, whatever it came from."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from lookonce.geometry import FloatArray

#: Level of a disc whose name the truth leaves open: it is a disc, and that is all that is asked for.
UNNAMED = 0


@dataclass(frozen=True)
class SlabSample:
    """A sagittal picture and where its discs are.

    Attributes
    ----------
    image : (H, W) float array
        0..1; rows run towards the feet, columns towards the back.
    spacing : float
        Pixel size, mm.
    points : (N, 2) float array
        Row and column of the discs' posterior tips; they may lie outside the picture.
    levels : (N,) int array
        SCT values, or `UNNAMED`.
    lateral : (N,) float array
        Right-left distance from the picture's plane to each disc's point, mm.
    negatives : (M, 2) float array
        Places known to look like a disc and not to be one.
    complete : bool
        True when every disc in view is listed (simulated pictures); False where the truth ends at the first and last
        listed level and says nothing beyond them.
    """

    image: NDArray
    spacing: float
    points: FloatArray
    levels: NDArray[np.integer]
    lateral: FloatArray
    negatives: FloatArray = field(default_factory=lambda: np.zeros((0, 2)))
    complete: bool = True
