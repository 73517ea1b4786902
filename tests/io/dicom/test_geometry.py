"""Places of slices, computed by hand and for any orientation, order, gap and tilt."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.conftest import rotation
from tests.dicom_files import Volume, slices

from lookonce.errors import GeometryError
from lookonce.geometry import voxel_to_world
from lookonce.io.dicom.files import DicomFile
from lookonce.io.dicom.frames import Frame, frames_of
from lookonce.io.dicom.geometry import stack_geometry


def frames(volume: Volume, places=None, **values) -> list[Frame]:
    return [frame for one in slices(volume, places, **values) for frame in frames_of(one, DicomFile(Path("x")))]


def straight(count: int = 5) -> Volume:
    """Sagittal slices: columns to the back, rows to the feet, slices to the left."""
    affine = np.array([[0, 0, -4, 8], [-1.5, 0, 0, 60], [0, -2, 0, 90], [0, 0, 0, 1]], dtype=float)
    return Volume(np.zeros((30, 40, count), np.uint16), affine)


def test_a_sagittal_stack_computed_by_hand():
    """IPP (-8, -60, 90) LPS is (8, 60, 90) RAS; the last of 40 rows lies 2 mm times 39 further down."""
    stack = frames(straight())
    assert stack[0].position.tolist() == [-8, -60, 90]
    assert stack[0].spacing.tolist() == [1.5, 2.0]  # PixelSpacing gives the rows' distance first
    geometry = stack_geometry(stack)
    # Slices run to DICOM's normal: along a row (to the back) times down a column (to the feet) is to the right.
    expected = [[0, 0, 4, -8], [-1.5, 0, 0, 60], [0, 2, 0, 12], [0, 0, 0, 1]]
    assert geometry.affine == pytest.approx(np.array(expected), abs=1e-9)
    assert geometry.order.tolist() == [4, 3, 2, 1, 0]
    assert geometry.is_even
    assert not geometry.warnings


@settings(max_examples=25)
@given(
    axis=st.tuples(*[st.floats(-1, 1)] * 2, st.floats(0.1, 1)),
    degrees=st.floats(-180, 180),
    shear=st.tuples(*[st.floats(-0.4, 0.4)] * 2),
    seed=st.integers(0, 999),
)
def test_first_pixels_stay_where_their_headers_say_in_any_orientation_tilt_and_order(axis, degrees, shear, seed):
    volume = straight(6)
    affine = np.array(volume.affine)
    affine[:3, 2] += affine[:3, :2] @ np.array(shear) * 2
    affine[:3, :3] = rotation(np.array(axis), degrees) @ affine[:3, :3]
    stack = frames(Volume(volume.data, affine))
    shuffled = [stack[index] for index in np.random.default_rng(seed).permutation(len(stack))]
    geometry = stack_geometry(shuffled)
    assert geometry.is_even
    first_pixels = [[0, volume.data.shape[1] - 1, index] for index in range(len(stack))]
    expected = [shuffled[index].position * (-1, -1, 1) for index in geometry.order]
    assert voxel_to_world(np.array(first_pixels), affine=geometry.affine) == pytest.approx(np.array(expected), abs=1e-4)


@pytest.mark.parametrize("gone", [1, 2, 3])
def test_a_missing_slice_leaves_the_others_in_place(gone):
    stack = [frame for index, frame in enumerate(frames(straight(6))) if index != gone]
    geometry = stack_geometry(stack)
    assert geometry.count == 6
    assert not geometry.is_even
    for index, place in zip(geometry.order, geometry.places, strict=True):
        (world,) = voxel_to_world(np.array([[0, 39, place]]), affine=geometry.affine)
        assert world == pytest.approx(stack[index].position * (-1, -1, 1), abs=1e-6)
    assert "1 missing slice was interpolated" in geometry.warnings[0]


def test_rounded_positions_are_even():
    assert stack_geometry(frames(straight(), [0, 1.02, 1.99, 3.01, 4])).is_even


def test_a_gap_of_several_slices_is_refused():
    with pytest.raises(GeometryError, match=r"two neighbours are 12\.0 mm apart, the others 4\.0 mm"):
        stack_geometry([frame for index, frame in enumerate(frames(straight(8))) if index not in (3, 4)])


def test_slices_aside_of_the_others_are_refused():
    stack = slices(straight())
    stack[2].ImagePositionPatient = [*stack[2].ImagePositionPatient[:2], 100]
    with pytest.raises(GeometryError, match=r"one is 10\.0 mm aside"):
        stack_geometry([frame for one in stack for frame in frames_of(one, DicomFile(Path("x")))])


def test_one_slice_is_as_thick_as_its_header_says():
    geometry = stack_geometry(frames(straight(1)))
    assert np.linalg.norm(geometry.affine[:3, 2]) == pytest.approx(4)
    assert "one slice alone" in geometry.warnings[0]


@pytest.mark.parametrize(
    ("keyword", "value", "message"),
    [
        ("ImageOrientationPatient", [1, 0, 0, 1, 0, 0], "a broken orientation"),
        ("ImageOrientationPatient", [1, 0, 0], "where the pictures lie"),
        ("PixelSpacing", [0, 1], "how large the pixels are"),
        ("Rows", 0, "how large the pictures are"),
        ("NumberOfFrames", 3, "several pictures in one object"),
    ],
)
def test_headers_that_place_nothing_are_refused(keyword, value, message):
    (one,) = slices(straight(1))
    setattr(one, keyword, value)
    with pytest.raises(Exception, match=message):
        frames_of(one, DicomFile(Path("x")))
