"""What many tests share: simulated little scans in every orientation, and where the development data are."""

from __future__ import annotations

import gzip
import itertools
import os
from dataclasses import dataclass
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

# A shared runner is slow at times, which says nothing about the code; CI must give the same answer twice.
_COMMON = {"deadline": None, "suppress_health_check": [HealthCheck.too_slow, HealthCheck.function_scoped_fixture]}
settings.register_profile("local", **_COMMON)
settings.register_profile("ci", derandomize=True, **_COMMON)
settings.load_profile("ci" if os.environ.get("CI") else "local")

SHARED_DATA = Path(__file__).parents[2] / "shared" / "data"

#: All 48 ways to store a volume: a permutation of the axes and a direction for each, as nibabel writes them.
ALL_ORIENTATIONS = [
    np.column_stack([order, flips]).astype(float)
    for order in itertools.permutations(range(3))
    for flips in itertools.product((1, -1), repeat=3)
]


@dataclass(frozen=True)
class Scan:
    """A volume with one bright blob whose place is known."""

    data: NDArray
    affine: NDArray
    blob_mm: NDArray

    def stored(self, orientation: NDArray) -> Scan:
        """The same scan with its axes in another order and direction."""
        data = nib.orientations.apply_orientation(self.data, orientation)
        affine = self.affine @ nib.orientations.inv_ornt_aff(orientation, self.data.shape)
        return Scan(np.ascontiguousarray(data), affine, self.blob_mm)


def rotation(axis: NDArray, degrees: float) -> NDArray:
    """Rotation matrix, (3, 3), about an axis (Rodrigues)."""
    x, y, z = np.asarray(axis) / np.linalg.norm(axis)
    cross = np.array([[0, -z, y], [z, 0, -x], [-y, x, 0]])
    angle = np.radians(degrees)
    return np.eye(3) + np.sin(angle) * cross + (1 - np.cos(angle)) * cross @ cross


def make_scan(
    shape: tuple[int, int, int] = (12, 44, 70),
    sizes: tuple[float, float, float] = (4.0, 1.1, 1.3),
    turn: NDArray | None = None,
    shift: tuple[float, float, float] = (0.0, 0.0, 0.0),
    dtype: type = np.float32,
) -> Scan:
    """RAS scan, (X, Y, Z), with a blob `shift` mm off its middle; `turn`, (3, 3), makes it oblique."""
    affine = np.diag([*sizes, 1.0])
    affine[:3, :3] = (np.eye(3) if turn is None else turn) @ affine[:3, :3]
    affine[:3, 3] = (-31.5, 12.25, 104.0)
    middle = (np.array(shape) - 1) / 2
    offsets = [
        (np.arange(length) - centre) * size - off
        for length, centre, size, off in zip(shape, middle, sizes, shift, strict=True)
    ]
    x, y, z = np.meshgrid(*offsets, indexing="ij")
    blob = 1000 * np.exp(-((x / 6) ** 2 + (y / 4) ** 2 + (z / 4) ** 2) / 2)
    place = affine[:3, :3] @ (middle + np.array(shift) / sizes) + affine[:3, 3]
    return Scan(blob.astype(dtype), affine, place)


def orientations() -> st.SearchStrategy[NDArray]:
    """One of the 48 axis orders and directions."""
    return st.sampled_from(ALL_ORIENTATIONS)


@st.composite
def turns(draw: st.DrawFn, largest: float = 30.0) -> NDArray:
    """Rotation matrices, (3, 3), of up to `largest` degrees: oblique scans."""
    axis = [draw(st.floats(low, 1)) for low in (-1, -1, 0.1)]
    return rotation(np.array(axis), draw(st.floats(-largest, largest)))


@st.composite
def scans(draw: st.DrawFn, largest_turn: float = 30.0) -> Scan:
    """Oblique scans of sagittal and isotropic kind with a blob well inside."""
    sizes = draw(
        st.sampled_from([(4.4, 0.9, 0.9), (3.3, 0.7, 0.7), (1.0, 1.0, 1.0), (2.0, 1.5, 1.2), (4.0, 1.25, 1.25)])
    )
    extents = [draw(st.floats(low, low + 12)) for low in (44, 42, 56)]
    shape = tuple(round(extent / size) for extent, size in zip(extents, sizes, strict=True))
    shift = tuple(draw(st.floats(-2, 2)) for _ in range(3))
    return make_scan(shape, sizes, draw(turns(largest_turn)), shift)


#: A small grey image and the place of `save_nifti`'s files.
SHAPE = (5, 6, 7)
GREY = np.random.default_rng(1).integers(0, 200, SHAPE).astype(np.int16)


def oblique(degrees: float = 12, shift: float = 0.0) -> NDArray:
    """Affine, (4, 4), turned by some degrees and moved to the right by `shift` mm."""
    affine = np.diag([4.0, 1.1, 1.2, 1.0])
    affine[:3, :3] = rotation(np.array([1, 2, 3]), degrees) @ affine[:3, :3]
    affine[:3, 3] = (-20 + shift, 31, 5)
    return affine


def save_nifti(path: Path, data=GREY, affine=None, kind=nib.Nifti1Image, **fields) -> Path:
    """Write an image with nibabel, header fields overridden as they stand."""
    image = kind(np.asarray(data), oblique() if affine is None else affine)
    content = bytearray(image.to_bytes())
    header = type(image.header)(bytes(content[: image.header.sizeof_hdr]), check=False)
    for name, value in fields.items():
        header[name] = value
    content[: image.header.sizeof_hdr] = header.binaryblock
    path.write_bytes(gzip.compress(content, mtime=0) if path.suffix == ".gz" else content)
    return path


@pytest.fixture(scope="session")
def spine_data() -> Path:
    """Folder of the shared development scans; the test is skipped where they are absent."""
    folder = SHARED_DATA / "spine"
    if not folder.is_dir():
        pytest.skip("the shared development data are not beside this repository")
    return folder
