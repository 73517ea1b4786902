import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.conftest import ALL_ORIENTATIONS, Scan, make_scan, orientations, rotation, scans, turns

from lookonce.errors import GeometryError
from lookonce.geometry import (
    check_affine,
    reorient,
    resampling_weights,
    sagittal_slabs,
    scale_intensity,
    voxel_to_world,
    world_to_voxel,
)


def slabs_of(scan: Scan, spacing: float = 1.25, lateral_step: float = 4.0, **options):
    return sagittal_slabs(scan.data, scan.affine, spacing=spacing, lateral_step=lateral_step, **options)


def centroid(data) -> np.ndarray:
    """Centre of mass in voxels, (3,)."""
    weights = np.asarray(data, dtype=np.float64)
    grids = np.meshgrid(*map(np.arange, weights.shape), indexing="ij")
    return np.array([(grid * weights).sum() for grid in grids]) / weights.sum()


@given(turns(180), st.lists(st.floats(-300, 300), min_size=3, max_size=3))
def test_voxels_and_world_are_inverse(turn, point):
    affine = np.eye(4)
    affine[:3, :3] = turn * (4.4, 0.6, 1.0)
    affine[:3, 3] = (10, -200, 35)
    there = world_to_voxel(np.array([point]), affine=affine)
    assert voxel_to_world(there, affine=affine)[0] == pytest.approx(point, abs=1e-6)


@given(scans(largest_turn=40), orientations())
@settings(max_examples=25)
def test_reorienting_moves_no_voxel_in_the_world(scan, orientation):
    ranks = np.arange(scan.data.size).reshape(scan.data.shape)
    stored = Scan(ranks, scan.affine, scan.blob_mm).stored(orientation)
    view, affine = reorient(stored.data, stored.affine)
    rank = ranks[ranks.shape[0] // 3, 7, 11]
    voxels = [np.argwhere(data == rank)[0] for data in (ranks, view)]
    places = [
        voxel_to_world(np.array([voxel]), affine=own) for voxel, own in zip(voxels, (scan.affine, affine), strict=True)
    ]
    assert places[0] == pytest.approx(places[1], abs=1e-6)
    assert np.shares_memory(view, stored.data)


def test_slabs_are_the_same_in_all_48_orientations():
    scan = make_scan((15, 44, 50), (3.5, 1.1, 1.2), rotation([1, 2, 3], 17), (3, -2, 4))
    expected = slabs_of(scan)
    for orientation in ALL_ORIENTATIONS:
        found = slabs_of(scan.stored(orientation))
        assert np.abs(found.data - expected.data).max() < 1e-3  # of a blob 1000 high
        assert found.affine == pytest.approx(expected.affine, abs=1e-9)


@given(scans(), orientations(), st.sampled_from([(1.0, 4.0), (1.25, 4.0), (1.5, 3.0), (0.8, 6.0)]))
@settings(max_examples=40)
def test_a_blob_stays_in_its_place_in_the_world(scan, orientation, steps):
    stack = slabs_of(scan.stored(orientation), *steps)
    place = voxel_to_world(centroid(stack.data)[None], affine=stack.affine)[0]
    assert np.linalg.norm(place - scan.blob_mm) < 0.1


@given(scans())
@settings(max_examples=20)
def test_slabs_run_from_left_to_right_down_and_backwards(scan):
    directions = slabs_of(scan).affine[:3, :3]
    assert directions[0, 0] > 0
    assert directions[2, 1] < 0
    assert directions[1, 2] < 0


@given(scans(), st.floats(0.7, 2.0), st.floats(1.0, 8.0))
@settings(max_examples=30)
def test_slabs_cover_the_extent_of_the_scan(scan, spacing, lateral_step):
    stack = slabs_of(scan, spacing, lateral_step)
    extent = np.array(stack.data.shape) * np.linalg.norm(stack.affine[:3, :3], axis=0)
    original = (np.array(scan.data.shape) * np.linalg.norm(scan.affine[:3, :3], axis=0))[[0, 2, 1]]
    assert extent[0] == pytest.approx(original[0], rel=1e-6)
    assert np.abs(extent - original)[1:].max() <= spacing / 2 + 1e-6
    middles = [
        voxel_to_world((np.array([shape]) - 1) / 2, affine=affine)
        for shape, affine in ((scan.data.shape, scan.affine), (stack.data.shape, stack.affine))
    ]
    assert middles[0] == pytest.approx(middles[1], abs=1e-6)


def test_thin_slices_are_averaged_and_thick_ones_are_kept():
    thin = slabs_of(make_scan((44, 40, 60), (1.0, 1.2, 1.2)))
    thick = slabs_of(make_scan((9, 40, 60), (4.5, 1.2, 1.2)))
    assert (thin.data.shape[0], thin.lateral_step) == (11, 4.0)
    assert (thick.data.shape[0], thick.lateral_step) == (9, 4.5)


@given(st.floats(0, 30), st.floats(6, 30), st.sampled_from([1.0, 3.3, 4.5]))
@settings(max_examples=25)
def test_a_part_of_the_width_gives_slabs_within_it(low, width, size):
    scan = make_scan((round(70 / size), 40, 60), (size, 1.2, 1.2))
    ramp = np.broadcast_to(np.arange(scan.data.shape[0])[:, None, None] * size, scan.data.shape)
    stack = slabs_of(Scan(ramp, scan.affine, scan.blob_mm), lateral_range=(low, low + width))
    centres = voxel_to_world(np.array([[i, 0, 0] for i in range(len(stack.data))]), affine=stack.affine)[:, 0]
    centres = centres - scan.affine[0, 3]
    # A ramp that counts from the first slice's centre; its face lies half a slice further out.
    reach = size if size >= 4 else 0.0
    assert centres[0] + size / 2 >= low + stack.lateral_step / 2 - reach - 1e-3
    assert centres[-1] + size / 2 <= low + width - stack.lateral_step / 2 + reach + 1e-3
    assert stack.data[1:-1, 0, 0] == pytest.approx(centres[1:-1], abs=1e-3)
    assert stack.data[:, 0, 0] == pytest.approx(centres, abs=0.6)  # at the border the average is one-sided


def test_a_part_of_the_width_outside_the_scan_is_an_error():
    with pytest.raises(ValueError, match=r"lateral_range \(100.0, 120.0\).*48.0 mm wide"):
        slabs_of(make_scan(), lateral_range=(100.0, 120.0))


@given(st.integers(2, 60), st.floats(0.3, 4.0), st.floats(0.3, 4.0))
def test_resampling_keeps_a_linear_ramp(length, size, wanted):
    weights, start, scale = resampling_weights(length, size, wanted)
    expected = start + scale * np.arange(len(weights))
    reach = (np.sqrt(max(scale**2 - 1, 0)) + 2) / 2  # the kernel's half width
    inside = (expected >= reach - 0.5) & (expected <= length - 0.5 - reach)
    assert (weights @ np.arange(length))[inside] == pytest.approx(expected[inside], abs=1e-3)
    assert weights.sum(axis=1) == pytest.approx(1, abs=1e-5)
    assert weights.min() >= 0


@given(st.integers(1, 50))
def test_resampling_to_the_same_grid_changes_nothing(length):
    weights, start, scale = resampling_weights(length, 1.3, 1.3)
    assert (start, scale) == (0, 1)
    assert np.array_equal(weights, np.eye(length))


def test_resampling_to_a_coarser_grid_does_not_alias():
    stripes = np.resize([0.0, 1.0], 120)
    weights, _, _ = resampling_weights(120, 0.5, 1.5)
    assert np.abs(weights @ stripes - 0.5)[2:-2].max() < 0.1


@pytest.mark.parametrize("dtype", [np.uint8, np.int16, ">i2", np.uint16, np.int32, np.float32, np.float64, ">f4"])
def test_slabs_take_every_numeric_type(dtype):
    scan = make_scan()
    rounded = np.round(scan.data / 4)
    expected = slabs_of(Scan(rounded, scan.affine, scan.blob_mm))
    found = slabs_of(Scan(rounded.astype(dtype), scan.affine, scan.blob_mm))
    assert found.data.dtype == np.float32
    assert np.abs(found.data - expected.data).max() < 1e-2


def test_a_single_sagittal_slice_is_one_slab():
    stack = slabs_of(make_scan((1, 44, 70)))
    assert stack.data.shape[0] == 1


@pytest.mark.parametrize(
    ("shape", "sizes", "message"),
    [
        ((64, 64, 8), (1, 1, 5.0), "an axial stack that covers 40 mm from head to foot in steps of 5.0 mm"),
        ((64, 64, 30), (1, 1, 6.0), "an axial stack.*steps of 6.0 mm cannot be labelled"),
        ((2, 1, 1), (1, 1, 1), "covers 1 mm from head to foot"),
        ((10, 10, 100), (4, 1, 1), "covers 10 mm from front to back"),
    ],
)
def test_an_image_that_shows_too_little_is_refused_with_its_extent(shape, sizes, message):
    with pytest.raises(GeometryError, match=message):
        sagittal_slabs(np.ones(shape), np.diag([*sizes, 1.0]), spacing=1.25, lateral_step=4)


def test_an_axial_stack_that_covers_enough_is_taken():
    stack = slabs_of(make_scan((40, 40, 30), (1.5, 1.5, 4.0)))
    assert stack.data.shape[1] == 96


@pytest.mark.parametrize(
    "affine",
    [
        np.full((4, 4), np.nan),
        np.zeros((4, 4)),
        np.diag([1.0, 1.0, 0.0, 1.0]),
        np.diag([1.0, 1.0, 1e5, 1.0]),
        np.array([[1.0, 1, 0, 0], [1, 1, 0, 0], [0, 0, 1, 0], [0, 0, 0, 1]]),
        np.eye(3),
    ],
)
def test_a_broken_affine_is_refused(affine):
    with pytest.raises(GeometryError, match="convert"):
        check_affine(affine)


@given(st.floats(-1000, 1000), st.floats(0.01, 1000))
def test_grey_values_are_scaled_to_the_same_range_whatever_their_unit(offset, factor):
    slabs = make_scan().data.transpose(0, 2, 1)
    scaled = scale_intensity((slabs * factor + offset).astype(np.float32))
    assert (scaled.min(), scaled.max()) == (0, 1)
    assert np.abs(scaled - scale_intensity(slabs)).max() < 0.02


def test_a_constant_image_is_scaled_to_zeros():
    assert not scale_intensity(np.full((2, 8, 8), 7, dtype=np.float32)).any()
