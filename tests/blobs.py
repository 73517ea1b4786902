"""A scan whose discs are bright blobs at known places, and a tiny ONNX model that finds exactly such blobs.

Together they run the whole pipeline, ONNX Runtime included, with an answer that is known to a tenth of a millimetre and
does not depend on any trained weights.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path

import nibabel as nib
import numpy as np
from numpy.typing import NDArray

from lookonce.anatomy import ADULT_SPACING
from lookonce.io.nifti import SpineImage

#: As the default recipe has them.
CARD = {"spacing_mm": 1.25, "lateral_step_mm": 4.0, "lateral_sigma_mm": 6.5, "stride": 2, "multiple": 32}
SIGMA_MM = 4.5
CERVICAL = tuple(range(3, 10))

#: The picture holds the heat map at half its brightness, so that scaling to 0..1 by percentiles changes nothing once a
#: bright bar fills more than a percent of it. The model doubles it, wipes out the bar and its surroundings, and counts
#: the blobs from the head down: in the rows from the k-th blob on it names what has the number k.
_MODEL = """
<ir_version: 8, opset_import: ["" : 17]>
blobs (float[n, 1, h, w] image) => (float[n, a, b] disc, float[n, 26, a, b] names, float[n, a, b] attention)
<float two = {{2.0}}, float one = {{1.0}}, float bar = {{1.1}}, float half = {{0.5}}, float sure = {{{sure}}},
 int64[2] from = {{0, 0}}, int64[2] to = {{1000000, 1000000}}, int64[2] axes = {{2, 3}}, int64[2] steps = {{2, 2}},
 int64[1] channel = {{1}}, int64 rows = {{2}}, int64[1] row_axis = {{2}},
 int64[1] first = {{0}}, int64[1] last = {{-1}},
 int64[8] one_above = {{0, 0, 1, 0, 0, 0, 0, 0}}, float[1, 26, 1, 1] number = {{{number}}}>
{{
  bright = Mul(image, two)
  is_bar = Greater(bright, bar)
  at_bar = Cast<to = 1>(is_bar)
  near_bar = MaxPool<kernel_shape = [9, 9], pads = [4, 4, 4, 4]>(at_bar)
  away = Sub(one, near_bar)
  blobs = Mul(bright, away)
  cells = Slice(blobs, from, to, axes, steps)
  disc = Squeeze(cells, channel)
  attention = Squeeze(cells, channel)
  highest = ReduceMax<axes = [0, 3], keepdims = 1>(cells)
  is_blob = Greater(highest, half)
  blob_row = Cast<to = 1>(is_blob)
  padded = Pad(blob_row, one_above)
  row_above = Slice(padded, first, last, row_axis)
  is_upper_edge = Greater(blob_row, row_above)
  upper_edge = Cast<to = 1>(is_upper_edge)
  count = CumSum(upper_edge, rows)
  is_named = Equal(count, number)
  named = Cast<to = 1>(is_named)
  evidence = Mul(named, sure)
  nothing = Sub(cells, cells)
  names = Add(evidence, nothing)
}}
"""


def write_blob_model(path: Path, *, first_level: int | None = None) -> Path:
    """Write the model and its card; with `first_level` the topmost blob is that disc, and so on down."""
    import onnx

    number = ", ".join(str(float(value - (first_level or 0) + 1)) for value in range(26))
    text = _MODEL.format(number=number, sure=0.0 if first_level is None else 9.0)
    onnx.save(onnx.parser.parse_model(text), str(path))
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    card = {"name": "blobs", "version": "1", "sha256": digest, **CARD, "recipe": {}, "about": {"data": "painted"}}
    path.with_suffix(".json").write_text(json.dumps(card))
    return path


@dataclass(frozen=True)
class Phantom:
    """A painted scan: its image, and the world points (N, 3) in mm of its discs with their SCT levels."""

    image: SpineImage
    points: NDArray
    levels: tuple[int, ...]

    def stored(self, orientation: NDArray) -> Phantom:
        """The same scan with its axes in another order and direction."""
        data = nib.orientations.apply_orientation(self.image.data, orientation)
        affine = self.image.affine @ nib.orientations.inv_ornt_aff(orientation, self.image.data.shape)
        return Phantom(SpineImage(np.ascontiguousarray(data), affine), self.points, self.levels)

    def save(self, path: Path) -> Path:
        """Write the image as NIfTI."""
        path.parent.mkdir(parents=True, exist_ok=True)
        nib.save(nib.Nifti1Image(self.image.data, self.image.affine), path)
        return path


def make_phantom(
    levels: tuple[int, ...] = CERVICAL,
    *,
    width: float = 44.0,
    sizes: tuple[float, float, float] = (4.0, 1.1, 1.0),
    turn: NDArray | None = None,
    off_middle: float = 3.0,
) -> Phantom:
    """Paint a scan.

    Parameters
    ----------
    levels : tuple of int
        SCT values of the discs, rising.
    width : float
        Right-left extent, mm.
    sizes : (float, float, float)
        Voxels, mm, right-left first.
    turn : (3, 3) array, optional
        Rotation of the scanner's grid about the middle of the spine; the spine stays where it is.
    off_middle : float
        Distance of the spine's middle from the middle slice, mm to the right.
    """
    down = np.array([ADULT_SPACING.between(levels[0], level) if level > levels[0] else 0.0 for level in levels])
    down -= down[-1] / 2
    points = np.column_stack([6e-4 * down**2, 1.5e-3 * down**2, -down])
    extents = np.array([width, 110.0, np.ptp(down) + 70.0])
    shape = np.maximum(np.rint(extents / sizes), 1).astype(int)
    affine = np.eye(4)
    affine[:3, :3] = (np.eye(3) if turn is None else turn) * sizes
    affine[:3, 3] = -affine[:3, :3] @ ((shape - 1) / 2 + np.array([off_middle, 0, 0]) / sizes)
    voxels = np.linalg.solve(affine[:3, :3], (points - affine[:3, 3]).T).T
    heat = np.zeros(shape)
    for voxel in voxels:
        x, y, z = (
            np.exp(-0.5 * ((np.arange(length) - at) * size / sigma) ** 2)
            for length, at, size, sigma in zip(
                shape, voxel, sizes, (CARD["lateral_sigma_mm"], SIGMA_MM, SIGMA_MM), strict=True
            )
        )
        heat = np.maximum(heat, x[:, None, None] * y[:, None] * z)
    heat[:, -max(2, round(8 / sizes[1])) :] = 2.0
    image = SpineImage(np.rint(heat * 1000).astype(np.int16), affine)
    return Phantom(image, points, tuple(levels))
