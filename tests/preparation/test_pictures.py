"""The papers' picture: points lie where discs are seen, however the scan is stored, and lead back to millimetres."""

from __future__ import annotations

import io

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.conftest import Scan, orientations, turns
from tests.spine_generic_tree import DISCS, SHAPE, SIZES, bright_discs

from lookonce.anatomy import Level
from lookonce.errors import GeometryError
from lookonce.geometry import voxel_to_world
from lookonce.landmarks import Disc, DiscLabels
from lookonce.preparation.pictures import SHAPE as PICTURE_SHAPE
from lookonce.preparation.pictures import UNNAMED, PaperPicture, paper_picture


def labels_at(discs: dict[int, tuple[int, int, int]], affine) -> DiscLabels:
    """Labels at voxels of a scan."""
    world = voxel_to_world(np.array(list(discs.values())), affine=affine)
    return DiscLabels.from_points(dict(zip(discs, world, strict=True)))


def oblique(scan: Scan, turn) -> Scan:
    """The same voxels lying at an angle in the world."""
    affine = scan.affine.copy()
    affine[:3] = turn @ affine[:3]
    return Scan(scan.data, affine, scan.blob_mm)


@st.composite
def discs(draw: st.DrawFn) -> dict[int, tuple[int, int, int]]:
    """Discs far enough from each other and from the border to be seen as one spot each."""
    places = st.tuples(st.integers(5, 8), st.integers(10, SHAPE[1] - 11))
    return {3 + place: (*draw(places), SHAPE[2] - 11 - 16 * place) for place in range(draw(st.integers(1, 4)))}


@settings(max_examples=25)
@given(discs(), orientations(), turns())
def test_the_storage_of_a_scan_changes_neither_picture_nor_points(places, orientation, turn):
    scan = oblique(bright_discs(places), turn)
    labels = labels_at(places, scan.affine)
    first = paper_picture(scan.data, scan.affine, labels)
    stored = scan.stored(orientation)
    second = paper_picture(stored.data, stored.affine, labels)
    np.testing.assert_allclose(second.image, first.image, atol=2e-3)
    np.testing.assert_allclose(second.points, first.points, atol=1e-6)
    np.testing.assert_allclose(second.affine, first.affine, atol=1e-6)
    assert second.levels.tolist() == first.levels.tolist() == list(places)


@settings(max_examples=25)
@given(discs())
def test_a_bright_disc_is_bright_at_its_point(places):
    scan = bright_discs(places)
    picture = paper_picture(scan.data, scan.affine, labels_at(places, scan.affine))
    rows, columns = np.mgrid[: PICTURE_SHAPE[0], : PICTURE_SHAPE[1]]
    for row, column in picture.points:
        near = np.where(np.hypot(rows - row, columns - column) < 18, picture.image.astype(float) ** 4, 0)
        seen = np.array([(rows * near).sum(), (columns * near).sum()]) / near.sum()
        assert np.abs(seen - (row, column)).max() < 0.7
        assert picture.image[round(row), round(column)] > 0.8


@settings(max_examples=25)
@given(discs(), turns())
def test_points_lead_back_to_the_world_and_pixel_sizes_to_millimetres(places, turn):
    scan = oblique(bright_discs(places), turn)
    labels = labels_at(places, scan.affine)
    picture = paper_picture(scan.data, scan.affine, labels)
    in_plane = np.column_stack([np.zeros(len(places)), picture.points])
    world = voxel_to_world(in_plane, affine=picture.affine)
    right = picture.affine[:3, 0] / np.linalg.norm(picture.affine[:3, 0])
    across = labels.points - world
    np.testing.assert_allclose(across, np.outer(across @ right, right), atol=1e-6)  # all that is lost is right-left
    steps = np.diff(picture.points, axis=0) * picture.pixel_mm
    lengths = np.linalg.norm(np.diff(world, axis=0), axis=1)
    np.testing.assert_allclose(np.linalg.norm(steps, axis=1), lengths, atol=1e-6)


def test_the_slice_is_stretched_to_the_full_picture():
    scan = bright_discs()
    picture = paper_picture(scan.data, scan.affine, labels_at(DISCS, scan.affine))
    assert picture.image.shape == (256, 256)
    np.testing.assert_allclose(picture.pixel_mm, (SHAPE[2] * SIZES[2] / 256, SHAPE[1] * SIZES[1] / 256))
    assert picture.image.min() >= 0
    assert picture.image.max() <= 1


@pytest.mark.parametrize(
    ("plane", "slices"), [(7, range(4, 10)), (6.5, range(4, 10)), (0, range(6)), (13, range(8, 14))]
)
def test_six_slices_around_the_labels_plane_are_averaged(plane, slices):
    """Slice i is 2^i bright on the front half, so the mean tells which were taken."""
    data = np.zeros(SHAPE, dtype=np.float32)
    data[:, 26:] = 2.0 ** np.arange(SHAPE[0])[:, None, None]
    affine = np.diag([*SIZES, 1.0])
    ends = {3: (int(np.floor(plane)), 20, 50), 4: (int(np.ceil(plane)), 20, 30)}
    picture = paper_picture(data, affine, labels_at(ends, affine))
    centre = np.linalg.inv(affine) @ picture.affine @ (0, 0, 0, 1)
    assert centre[0] == pytest.approx(np.mean(slices))
    left_out = data.copy()
    left_out[[index for index in range(SHAPE[0]) if index not in slices]] = 777
    same = paper_picture(left_out, affine, labels_at(ends, affine))
    np.testing.assert_array_equal(same.image, picture.image)


def test_a_scan_of_few_thick_slices_gives_the_mean_of_them_all():
    scan = bright_discs()
    affine = scan.affine @ np.diag([4.0, 1, 1, 1])
    picture = paper_picture(scan.data[5:9], affine, labels_at({3: (1, 24, 58)}, affine))
    assert (np.linalg.inv(affine) @ picture.affine @ (0, 0, 0, 1))[0] == pytest.approx(1.5)


def test_the_top_of_c1_is_left_out_and_a_disc_without_a_number_has_no_name():
    scan = bright_discs()
    placed = labels_at({1: (7, 20, 66), **DISCS}, scan.affine)
    extra = Disc(Level.T13_L1, tuple(voxel_to_world(np.array([(7, 24, 9)]), affine=scan.affine)[0]))
    picture = paper_picture(scan.data, scan.affine, DiscLabels([*placed, extra]))
    assert picture.levels.tolist() == [*DISCS, UNNAMED]
    assert len(picture.points) == len(DISCS) + 1


def test_a_scan_that_training_would_refuse_is_refused():
    scan = bright_discs()
    low = scan.data[:, :, 20:50]
    with pytest.raises(GeometryError, match="covers 30 mm from head to foot"):
        paper_picture(low, scan.affine, labels_at(DISCS, scan.affine))


def test_the_file_holds_every_field_and_is_the_same_each_time():
    scan = bright_discs()
    picture = paper_picture(scan.data, scan.affine, labels_at(DISCS, scan.affine))
    content = picture.to_npz()
    assert content == picture.to_npz()
    with np.load(io.BytesIO(content), allow_pickle=False) as stored:
        for name in PaperPicture.__dataclass_fields__:
            np.testing.assert_array_equal(stored[name], getattr(picture, name))
        assert float(stored["spacing"]) == 1.0
