"""Where voxels and the world meet: affines, orientations, resampling and sagittal slabs.

World coordinates are RAS+ millimetres (right, anterior, superior positive), as the input's affine gives them. A voxel's
centre has integer coordinates.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from nibabel import orientations
from numpy.typing import NDArray

from lookonce.errors import GeometryError

FloatArray = NDArray[np.floating]

#: Slabs are seen as a radiologist sees a sagittal picture: rows run down, columns run from the face to the back.
SLAB_AXES = ("R", "I", "P")
#: Head-to-foot extent and sampling below which discs cannot be told apart (an adult disc is 4 to 12 mm high).
SMALLEST_EXTENT_MM = 50.0
COARSEST_SAMPLING_MM = 5.0


def voxel_to_world(voxels: FloatArray, *, affine: FloatArray) -> FloatArray:
    """Map voxel indices to world coordinates.

    Parameters
    ----------
    voxels : (N, 3) array
        Indices i, j, k; a voxel's centre has integer coordinates.
    affine : (4, 4) array
        Voxel to RAS+ world, millimetres.

    Returns
    -------
    (N, 3) array
        World coordinates x, y, z in mm (right, anterior, superior positive).

    Examples
    --------
    >>> voxel_to_world(np.array([[1, 2, 3]]), affine=np.diag([2.0, 2, 2, 1])).tolist()
    [[2.0, 4.0, 6.0]]
    """
    points = np.asarray(voxels, dtype=np.float64).reshape(-1, 3)
    return points @ affine[:3, :3].T + affine[:3, 3]


def world_to_voxel(points: FloatArray, *, affine: FloatArray) -> FloatArray:
    """Map world coordinates in mm, (N, 3), to fractional voxel indices, (N, 3).

    Raises
    ------
    GeometryError
        If the affine is singular or not finite: such a header cannot place the image in space.

    Examples
    --------
    >>> world_to_voxel(np.array([[2.0, 4.0, 6.0]]), affine=np.diag([2.0, 2, 2, 1])).tolist()
    [[1.0, 2.0, 3.0]]
    """
    check_affine(affine)
    return voxel_to_world(points, affine=np.linalg.inv(affine))


def check_affine(affine: FloatArray) -> None:
    """Raise GeometryError unless `affine` is a finite, invertible (4, 4) matrix with voxels of a plausible size."""
    if np.shape(affine) != (4, 4) or not np.isfinite(affine).all():
        raise GeometryError("the header's affine is not finite, so the image has no place in space; convert it again")
    sizes = voxel_sizes(affine)
    # Axes within about three degrees of one plane are a broken header, not a sheared scan.
    if sizes.min() < 1e-3 or sizes.max() > 100 or abs(np.linalg.det(affine[:3, :3])) < 0.05 * np.prod(sizes):
        raise GeometryError(
            f"the header gives voxels of {' x '.join(f'{size:.3g}' for size in sizes)} mm with a singular or "
            "implausible affine; convert the scan again from its source"
        )


def voxel_sizes(affine: FloatArray) -> FloatArray:
    """Lengths of a voxel's edges in mm, (3,)."""
    return np.linalg.norm(np.asarray(affine, dtype=np.float64)[:3, :3], axis=0)


def reorient(
    data: NDArray, affine: FloatArray, *, axes: tuple[str, str, str] = SLAB_AXES
) -> tuple[NDArray, FloatArray]:
    """Permute and flip a volume's axes so that they run closest to `axes`; no resampling, world points stay.

    Parameters
    ----------
    data : (X, Y, Z) array
    affine : (4, 4) array
        Voxel to world, mm.
    axes : three of R L A P S I
        Directions that the new axes point to, approximately for oblique images.

    Returns
    -------
    (view of data, affine of the view)
    """
    transform = orientations.ornt_transform(orientations.io_orientation(affine), orientations.axcodes2ornt(axes))
    moved = orientations.apply_orientation(data, transform)
    return moved, affine @ orientations.inv_ornt_aff(transform, data.shape)


@dataclass(frozen=True)
class SlabStack:
    """Parallel sagittal slabs of one image.

    Attributes
    ----------
    data : (S, H, W) float32 array
        Slabs left to right; rows run towards the feet, columns towards the back.
    affine : (4, 4) array
        (slab, row, column) to RAS+ world, mm. Slab centres have integer coordinates.
    """

    data: NDArray[np.float32]
    affine: FloatArray

    @property
    def lateral_step(self) -> float:
        """Distance between the centres of neighbouring slabs in mm."""
        return float(voxel_sizes(self.affine)[0])


def sagittal_slabs(
    data: NDArray,
    affine: FloatArray,
    *,
    spacing: float,
    lateral_step: float,
    lateral_range: tuple[float, float] | None = None,
) -> SlabStack:
    """Resample a volume to parallel sagittal slabs on a square grid.

    The image's own planes are kept: an oblique volume gives oblique slabs, whose affine says so. Thin slices are
    averaged to slabs of about `lateral_step`; slices thicker than that stay one slab each.

    Parameters
    ----------
    data : (X, Y, Z) array
        Any orientation and numeric type, finite.
    affine : (4, 4) array
        Voxel to world, mm.
    spacing : float
        In-plane pixel size of the slabs, mm.
    lateral_step : float
        Wanted distance between slabs, mm.
    lateral_range : (float, float), optional
        Part of the right-left extent to use, mm from the outer face of the volume's leftmost slice. Slices thicker
        than `lateral_step` that it cuts are used whole.

    Raises
    ------
    GeometryError
        If the affine is broken, or the image is too short or too coarse from head to foot.
    ValueError
        If `lateral_range` lies outside the volume.
    """
    check_affine(affine)
    volume, affine = reorient(data, affine)
    sizes = voxel_sizes(affine)
    check_coverage(volume.shape, sizes)
    x_weights, x_start, x_scale = _slab_weights(volume.shape[0], sizes[0], lateral_step, lateral_range)
    row_weights, row_start, row_scale = resampling_weights(volume.shape[1], sizes[1], spacing)
    column_weights, column_start, column_scale = resampling_weights(volume.shape[2], sizes[2], spacing)
    slabs = np.empty((len(x_weights), len(row_weights), len(column_weights)), dtype=np.float32)
    for slab, weights in zip(slabs, x_weights, strict=True):
        # Slab by slab, so that a large scan is never held as floats; averaging first leaves one plane to resample.
        used = np.flatnonzero(weights)
        slices = np.asarray(volume[used[0] : used[-1] + 1], dtype=np.float32)
        plane = np.tensordot(weights[used[0] : used[-1] + 1], slices, axes=1)
        np.matmul(row_weights @ plane, column_weights.T, out=slab)
    grid = np.diag([x_scale, row_scale, column_scale, 1.0])
    grid[:3, 3] = x_start, row_start, column_start
    return SlabStack(slabs, affine @ grid)


def resampling_weights(length: int, size: float, wanted: float) -> tuple[NDArray[np.float32], float, float]:
    """Resampling of one axis as a matrix: linear interpolation, averaged over the pixels of a coarser grid.

    Away from the border a linear ramp is kept exactly, so that resampling moves nothing; beyond the outermost centres
    the image goes on with its last value.

    Parameters
    ----------
    length : int
        Samples along the axis.
    size, wanted : float
        Sample distance now and afterwards, mm.

    Returns
    -------
    weights : (M, length) float32 array
        Rows sum to 1; M covers the same extent, to within half a new pixel.
    start, scale : float
        New index m lies at old index ``start + scale * m``.

    Examples
    --------
    >>> weights, start, scale = resampling_weights(4, 1.0, 2.0)
    >>> weights.shape, start, scale
    ((2, 4), 0.5, 2.0)
    """
    scale = wanted / size
    count = max(1, round(length / scale))
    start = (length - 1) / 2 - scale * (count - 1) / 2
    return _kernel(length, count, start, scale), start, scale


def scale_intensity(slabs: NDArray[np.float32]) -> NDArray[np.float32]:
    """Scale slabs to 0..1 between their 0.5th and 99.5th percentiles; a constant image becomes zeros."""
    sample = slabs[..., ::2, ::2]
    low, high = np.percentile(sample, (0.5, 99.5))
    if high <= low:  # almost everything is one value: fall back on the full range
        low, high = float(slabs.min()), float(slabs.max())
    return np.clip((slabs - low) / max(high - low, 1e-12), 0, 1).astype(np.float32)


def check_coverage(shape: tuple[int, ...], sizes: FloatArray) -> None:
    """Raise GeometryError unless a volume with the axes of `SLAB_AXES` shows enough of a spine, finely enough.

    `shape` is in voxels, `sizes` are the voxels' edges in mm, (3,).
    """
    height, depth = shape[1] * sizes[1], shape[2] * sizes[2]
    if height < SMALLEST_EXTENT_MM or sizes[1] > COARSEST_SAMPLING_MM:
        axial = "an axial stack that " if sizes[1] > 1.5 * sizes[2] else "an image that "
        raise GeometryError(
            f"{axial}covers {height:.0f} mm from head to foot in steps of {sizes[1]:.1f} mm cannot be labelled "
            f"(needed: {SMALLEST_EXTENT_MM:.0f} mm in steps of {COARSEST_SAMPLING_MM:.0f} mm or less); "
            "use a sagittal or 3D scan"
        )
    if depth < SMALLEST_EXTENT_MM / 2 or sizes[2] > COARSEST_SAMPLING_MM:
        raise GeometryError(
            f"the image covers {depth:.0f} mm from front to back in steps of {sizes[2]:.1f} mm, "
            "too little to see discs; use a sagittal or 3D scan"
        )


def _slab_weights(
    length: int, size: float, step: float, lateral_range: tuple[float, float] | None
) -> tuple[NDArray[np.float32], float, float]:
    """Averages over about `step` mm of the right-left axis, as `resampling_weights` returns them."""
    low, high = (0.0, float(length)) if lateral_range is None else (edge / size for edge in lateral_range)
    low, high = max(low, 0.0), min(high, float(length))
    if high - low < 1e-6:
        raise ValueError(f"lateral_range {lateral_range} holds nothing of a volume {length * size:.1f} mm wide")
    if size >= step:
        low, high = np.floor(low + 1e-6), np.ceil(high - 1e-6)
    count = max(1, round((high - low) * min(size / step, 1.0)))
    scale = (high - low) / count
    # Slice i spans [i, i + 1) here, and its centre has the voxel index i.
    start = low + scale / 2 - 0.5
    return _kernel(length, count, start, scale), start, scale


def _kernel(length: int, count: int, start: float, scale: float) -> NDArray[np.float32]:
    """Weights, (count, length), that interpolate at ``start + scale * m``, averaged where `scale` is over 1."""
    offsets = start + scale * np.arange(count)[:, None] - np.arange(length)
    # A sample is a mean over its own pixel already; a box of this width adds the variance of the coarser one.
    width = np.sqrt(max(scale**2 - 1.0, 0.0))
    if width < 1e-3:
        weights = np.maximum(0.0, 1.0 - np.abs(offsets))
    else:
        weights = _hat_integral(offsets + width / 2) - _hat_integral(offsets - width / 2)
    return (weights / weights.sum(axis=1, keepdims=True)).astype(np.float32)


def _hat_integral(offset: NDArray[np.float64]) -> NDArray[np.float64]:
    """Integral of the linear interpolation kernel max(0, 1 - abs(t)) up to `offset`."""
    bound = np.clip(offset, -1.0, 1.0)
    return 0.5 + bound - 0.5 * bound * np.abs(bound)
