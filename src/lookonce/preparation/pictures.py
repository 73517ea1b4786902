"""The papers' two-dimensional form of a labelled scan.

Azad, Rouhier, Cohen-Adad (MLMI 2021, arXiv 2108.06554): the mean of the 6 slices around the mid-sagittal plane, resized
to 256 x 256 pixels, with one point a disc. Resizing stretches rows and columns differently unless the slice is square,
and everything the paper computes afterwards (targets, distances) is in pixels of that picture. So the unit of a
picture's `spacing` is its pixel, and `pixel_mm` and `affine` lead back to millimetres.
"""

from __future__ import annotations

import io
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from lookonce.geometry import (
    FloatArray,
    check_affine,
    check_coverage,
    reorient,
    resampling_weights,
    scale_intensity,
    voxel_sizes,
    world_to_voxel,
)
from lookonce.landmarks import DiscLabels

SLICES = 6
SHAPE = (256, 256)
#: Pixel size that a prepared picture states: networks that take 256 x 256 pixels "of 1" see it as it is.
NOMINAL_SPACING = 1.0
#: Level of a disc without an SCT value (of a T13 or an L6): a disc whose name is left open.
UNNAMED = 0
#: Header arithmetic in single precision must not decide which of two slices is nearer.
_SLICE_TOLERANCE = 1e-3


@dataclass(frozen=True)
class PaperPicture:
    """A labelled scan as one sagittal picture.

    Attributes
    ----------
    image : (256, 256) float16 array
        0..1; rows run towards the feet, columns towards the back.
    points : (N, 2) float64 array
        Row and column of the discs' posterior tips, in pixels of the picture; a pixel's centre has integer coordinates.
    levels : (N,) int64 array
        SCT values 2 to 25, or `UNNAMED`. Recipes choose the papers' 11 discs (2 to 12) themselves.
    pixel_mm : (2,) float64 array
        True height and width of a pixel, mm.
    affine : (4, 4) float64 array
        (slice, row, column) to RAS+ world, mm; the picture is slice 0, a step as thick as what it averages.
    """

    image: NDArray[np.float16]
    points: FloatArray
    levels: NDArray[np.int64]
    pixel_mm: FloatArray
    affine: FloatArray

    def to_npz(self) -> bytes:
        """Content of the `.npz` file that `lookonce.datasets.sources.PreparedSource` reads."""
        content = io.BytesIO()
        np.savez(
            content,
            image=self.image,
            spacing=np.float64(NOMINAL_SPACING),
            points=self.points,
            levels=self.levels,
            pixel_mm=self.pixel_mm,
            affine=self.affine,
        )
        return content.getvalue()


def paper_picture(data: NDArray, affine: FloatArray, labels: DiscLabels) -> PaperPicture:
    """Average the slices around the labels' plane and resize them to 256 x 256 pixels.

    The mid-sagittal plane is the median right-left position of the labels. Labels with the value 1 (the top of C1) are
    left out, as are those of 30 and above, which `DiscLabels` does not know.

    Parameters
    ----------
    data : (X, Y, Z) array
        Grey values in any orientation.
    affine : (4, 4) array
        Voxel to RAS+ world, mm.
    labels : DiscLabels
        At least one disc.

    Raises
    ------
    GeometryError
        If the affine is broken, or the image is too short or too coarse from head to foot.
    """
    check_affine(affine)
    volume, affine = reorient(data, affine)
    sizes = voxel_sizes(affine)
    check_coverage(volume.shape, sizes)
    discs = labels.without_c1_top()
    first, count = _slices(volume.shape[0], float(np.median(world_to_voxel(discs.points, affine=affine)[:, 0])))
    plane = np.asarray(volume[first : first + count], dtype=np.float32).mean(axis=0)
    row_weights, row_start, row_step = _resizing(volume.shape[1], sizes[1], SHAPE[0])
    column_weights, column_start, column_step = _resizing(volume.shape[2], sizes[2], SHAPE[1])
    grid = np.diag([count, row_step, column_step, 1.0])
    grid[:3, 3] = first + (count - 1) / 2, row_start, column_start
    placed = affine @ grid
    return PaperPicture(
        image=scale_intensity(row_weights @ plane @ column_weights.T).astype(np.float16),
        points=world_to_voxel(discs.points, affine=placed)[:, 1:],
        levels=np.array([level.sct or UNNAMED for level in discs.levels], dtype=np.int64),
        pixel_mm=voxel_sizes(placed)[1:],
        affine=placed,
    )


def _slices(length: int, middle: float) -> tuple[int, int]:
    """First slice and number of slices to average: `SLICES` with their centre nearest to `middle`, or all there are.

    Where `middle` is a slice's centre, an even number cannot lie around it: there is one more to the left.
    """
    count = min(SLICES, length)
    first = int(np.ceil(middle - count / 2 - _SLICE_TOLERANCE))
    return min(max(first, 0), length - count), count


def _resizing(length: int, size: float, pixels: int) -> tuple[NDArray[np.float32], float, float]:
    """`resampling_weights` of an axis of `length` samples `size` mm apart for the same extent in `pixels` samples."""
    return resampling_weights(length, size, size * length / pixels)
