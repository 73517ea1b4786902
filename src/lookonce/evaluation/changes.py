"""Harder forms of a real scan with known labels: cut short, noisy, blurred, coarser, or wrong about its own axes.

All work on the scan's canonical axes (`SLAB_AXES`: right, down, back) and move the truth along, so that the same labels
are asked for in the same world coordinates, but for `turned`, whose header lies about them.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from lookonce.errors import UsageError
from lookonce.geometry import FloatArray, reorient, resampling_weights, voxel_sizes, voxel_to_world, world_to_voxel
from lookonce.io.nifti import SpineImage
from lookonce.landmarks import DiscLabels

#: A disc nearer than this to a cut, mm, is cut itself: it is neither asked for nor held against anyone.
CUT_DISC_MM = 8.0
#: A piece of a scan must hold this many whole discs, or nobody could number it.
FEWEST_DISCS = 2
_ACROSS, _DOWN, _BACK = range(3)


@dataclass(frozen=True)
class KnownScan:
    """A scan and the truth about it.

    Attributes
    ----------
    image : SpineImage
    truth : DiscLabels
    annotated : (first, last) or None
        Inclusive range of SCT levels within which the truth is complete; None: from the first to the last disc.
    """

    image: SpineImage
    truth: DiscLabels
    annotated: tuple[int, int] | None = None


@dataclass(frozen=True)
class Change:
    """A named change of a scan and how strong it is.

    Examples
    --------
    >>> Change.parse("crop=0.4")
    Change(name='crop', strength=0.4)
    """

    name: str
    strength: float

    def __str__(self) -> str:
        return f"{self.name}={self.strength:g}"

    @classmethod
    def parse(cls, text: str) -> Change:
        """Read ``NAME=STRENGTH``.

        Raises
        ------
        UsageError
            If there is no such change, or its strength is no number or out of its range.
        """
        name, _, value = text.partition("=")
        if name not in CHANGES:
            raise UsageError(f"--change {text}: choose one of {', '.join(CHANGES)}, as in crop=0.4")
        kind = CHANGES[name]
        try:
            strength = float(value)
        except ValueError:
            raise UsageError(f"--change {text}: {name}= takes a number, {kind.meaning}") from None
        if not kind.lowest <= strength <= kind.highest or (kind.whole and strength != round(strength)):
            number = "a whole number from" if kind.whole else "a number from"
            raise UsageError(f"--change {text}: takes {number} {kind.lowest:g} to {kind.highest:g}, {kind.meaning}")
        return cls(name, strength)

    @property
    def is_random(self) -> bool:
        """Whether it differs from one time to the next."""
        return CHANGES[self.name].random

    def apply(self, scan: KnownScan, rng: np.random.Generator) -> KnownScan | None:
        """The changed scan, or None where it would hold no two discs that anyone could number."""
        image = scan.image
        data, affine = reorient(image.data, np.asarray(image.affine, dtype=np.float64))
        upright = KnownScan(SpineImage(np.asarray(data, dtype=np.float32), affine), scan.truth, scan.annotated)
        return CHANGES[self.name].make(upright, self.strength, rng)


@dataclass(frozen=True)
class _Kind:
    make: Callable[[KnownScan, float, np.random.Generator], KnownScan | None]
    meaning: str
    lowest: float = 0.0
    highest: float = 100.0
    random: bool = False
    whole: bool = False


def _crop(scan: KnownScan, share: float, rng: np.random.Generator) -> KnownScan | None:
    """Keep a piece of the scan's height, cut anywhere that leaves `FEWEST_DISCS` whole discs."""
    rows = scan.image.data.shape[_DOWN]
    height = max(2, round(share * rows))
    size = voxel_sizes(scan.image.affine)[_DOWN]
    places = world_to_voxel(scan.truth.points, affine=scan.image.affine)[:, _DOWN]
    tops = np.arange(rows - height + 1)[:, None]
    whole = ((places - tops) * size >= CUT_DISC_MM) & ((tops + height - 1 - places) * size >= CUT_DISC_MM)
    usable = np.flatnonzero(whole.sum(axis=1) >= FEWEST_DISCS)
    if not len(usable):
        return None
    top = int(rng.choice(usable))
    affine = scan.image.affine @ _shifted(_DOWN, top)
    image = SpineImage(scan.image.data[:, top : top + height], affine)
    kept = DiscLabels(disc for disc, inside in zip(scan.truth, whole[top], strict=True) if inside)
    values = [disc.level.nifti_value for disc in kept]
    # The truth was complete between its first and last disc, so it is between those that are left.
    return KnownScan(image, kept, (min(values), max(values)))


def _noise(scan: KnownScan, share: float, rng: np.random.Generator) -> KnownScan:
    """Rician noise whose standard deviation is a share of the 99th percentile."""
    data = scan.image.data
    real, imaginary = rng.standard_normal((2, *data.shape), dtype=np.float32) * (share * np.percentile(data, 99))
    return _with(scan, np.hypot(data + real, imaginary))


def _bias(scan: KnownScan, strength: float, rng: np.random.Generator) -> KnownScan:
    """Multiply by a smooth random field between exp(-strength) and exp(strength)."""
    waves = [
        np.cos(np.pi * np.arange(3)[:, None] * (np.arange(length) + 0.5) / length) for length in scan.image.data.shape
    ]
    weights = rng.standard_normal((3, 3, 3))
    weights[0, 0, 0] = 0
    field = np.einsum("abc,ai,bj,ck->ijk", weights, *waves, optimize=True)
    return _with(scan, scan.image.data * np.exp(strength * field / np.abs(field).max()))


def _blur(scan: KnownScan, sigma_mm: float, _rng: np.random.Generator) -> KnownScan:
    """Gaussian blur within the sagittal plane; the strength is its standard deviation, mm."""
    data, sizes = scan.image.data, voxel_sizes(scan.image.affine)
    for axis in (_DOWN, _BACK):
        index = np.arange(data.shape[axis])
        kernel = np.exp(-0.5 * ((index[:, None] - index) * sizes[axis] / max(sigma_mm, 1e-6)) ** 2)
        data = _along(data, axis, kernel / kernel.sum(axis=1, keepdims=True))
    return _with(scan, data)


def _motion(scan: KnownScan, amplitude_mm: float, rng: np.random.Generator) -> KnownScan:
    """Ghosts of a periodic movement, such as breathing, along the phase-encoding axis (head to foot)."""
    data = scan.image.data
    count = data.shape[_DOWN]
    lines = np.arange(count)
    moved = amplitude_mm / voxel_sizes(scan.image.affine)[_DOWN]
    shift = moved * np.sin(2 * np.pi * (rng.uniform(0.03, 0.2) * lines + rng.random()))
    phase = np.exp(-2j * np.pi * np.fft.fftfreq(count) * np.fft.ifftshift(shift))
    spectrum = np.fft.fft(data, axis=_DOWN) * phase[:, None].astype(np.complex64)
    return _with(scan, np.abs(np.fft.ifft(spectrum, axis=_DOWN)))


def _inverted(scan: KnownScan, strength: float, _rng: np.random.Generator) -> KnownScan:
    """Dark for bright, what lies above the 99.5th percentile darkest; a strength of 0.5 leaves grey."""
    data = scan.image.data
    return _with(scan, (1 - strength) * data + strength * np.maximum(np.percentile(data, 99.5) - data, 0))


def _resolution(scan: KnownScan, size_mm: float, _rng: np.random.Generator) -> KnownScan:
    return _resampled(_resampled(scan, _DOWN, size_mm), _BACK, size_mm)


def _thickness(scan: KnownScan, size_mm: float, _rng: np.random.Generator) -> KnownScan:
    return _resampled(scan, _ACROSS, size_mm)


def _turned(scan: KnownScan, quarters: float, _rng: np.random.Generator) -> KnownScan:
    """Turn the voxels in the sagittal plane, but not the header, which then lies about up and front."""
    data, places = scan.image.data, world_to_voxel(scan.truth.points, affine=scan.image.affine)
    for _ in range(round(quarters)):
        places = np.column_stack([places[:, 0], data.shape[_BACK] - 1 - places[:, 2], places[:, 1]])
        data = np.rot90(data, axes=(_DOWN, _BACK))
    points = voxel_to_world(places, affine=scan.image.affine)
    truth = DiscLabels.from_points(dict(zip(scan.truth.levels, points, strict=True)))
    return KnownScan(SpineImage(data, scan.image.affine), truth, scan.annotated)


def _with(scan: KnownScan, data: FloatArray) -> KnownScan:
    return KnownScan(SpineImage(np.asarray(data, dtype=np.float32), scan.image.affine), scan.truth, scan.annotated)


def _along(data: FloatArray, axis: int, weights: FloatArray) -> FloatArray:
    """Multiply an axis of a volume by a matrix (new length, old length)."""
    return np.moveaxis(np.tensordot(weights.astype(np.float32), data, axes=(1, axis)), 0, axis)


def _resampled(scan: KnownScan, axis: int, size_mm: float) -> KnownScan:
    """Another sampling of one axis: averaged where coarser, interpolated where finer."""
    image = scan.image
    weights, start, scale = resampling_weights(image.data.shape[axis], voxel_sizes(image.affine)[axis], size_mm)
    grid = _shifted(axis, start)
    grid[axis, axis] = scale
    return KnownScan(SpineImage(_along(image.data, axis, weights), image.affine @ grid), scan.truth, scan.annotated)


def _shifted(axis: int, by: float) -> FloatArray:
    """Matrix from the voxels of a piece to those of the whole that begins `by` voxels before it."""
    grid = np.eye(4)
    grid[axis, 3] = by
    return grid


CHANGES = {
    "crop": _Kind(_crop, "the share of the scan's height that is left", 0.05, 1.0, random=True),
    "noise": _Kind(_noise, "its standard deviation as a share of the 99th percentile", random=True),
    "bias": _Kind(_bias, "the logarithm of the largest factor", random=True),
    "blur": _Kind(_blur, "the standard deviation in mm"),
    "motion": _Kind(_motion, "the amplitude in mm", random=True),
    "inverted": _Kind(_inverted, "from 0, as it is, to 1, dark for bright", 0.0, 1.0),
    "resolution": _Kind(_resolution, "the pixel size in the sagittal plane in mm", 0.2, 10.0),
    "thickness": _Kind(_thickness, "the slice thickness in mm", 0.2, 20.0),
    "turned": _Kind(_turned, "quarter turns that the header does not know of", 1, 3, whole=True),
}
