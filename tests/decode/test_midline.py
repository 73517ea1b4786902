"""Pictures that mirror themselves in a known plane: discs beside the plane come back onto it."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from lookonce.decode.midline import BEND_SPREAD, SEARCH_MM, SLOPE_SPREAD, mirror_symmetry, onto_midline, smoothest_path
from lookonce.geometry import SlabStack, voxel_to_world

STEP, SPACING = 2.0, 1.5
SHAPE = (45, 110, 60)  # 90 mm wide, 165 mm high, 90 mm deep
MIDDLE_SLAB = (SHAPE[0] - 1) / 2
ROWS = np.array([20.0, 40.0, 60.0, 80.0, 100.0])
COLUMN = 20.0


def affine(width: int = SHAPE[0]) -> NDArray:
    """(slab, row, column) to world: slabs to the right, rows down, columns to the back; the middle slab at x = 0."""
    grid = np.zeros((4, 4))
    grid[0, 0], grid[2, 1], grid[1, 2], grid[3, 3] = STEP, -SPACING, -SPACING, 1.0
    grid[0, 3] = -STEP * (width - 1) / 2
    return grid


def symmetric_picture(seed: int, plane_mm: NDArray, turn_degrees: float = 0.0) -> NDArray[np.float32]:
    """Random smooth tissue (S, H, W) that mirrors itself, in every row, `plane_mm` to the right of the middle slab."""
    rng = np.random.default_rng(seed)
    slab, row, column = np.meshgrid(*map(np.arange, SHAPE), indexing="ij")
    across, behind = (slab - MIDDLE_SLAB) * STEP - plane_mm[row], (column - COLUMN) * SPACING
    turn = np.deg2rad(turn_degrees)
    across, behind = across * np.cos(turn) + behind * np.sin(turn), behind * np.cos(turn) - across * np.sin(turn)
    picture = np.zeros(SHAPE)
    for wave in rng.normal(0, 2 * np.pi / 22, (12, 3)):
        picture += np.cos(wave @ [np.abs(across).ravel(), behind.ravel(), SPACING * row.ravel()]).reshape(SHAPE)
    return (picture + 0.1 * rng.standard_normal(SHAPE)).astype(np.float32)


def world_points(across_mm: NDArray) -> NDArray:
    """Discs in the rows `ROWS`, so far to the right of the middle slab."""
    places = np.column_stack([MIDDLE_SLAB + across_mm / STEP, ROWS, np.full(len(ROWS), COLUMN)])
    return voxel_to_world(places, affine=affine())


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 2**32 - 1), st.floats(-8, 8), st.sampled_from([-16, -8, 0, 8, 16]))
def test_symmetry_is_highest_in_the_plane_of_the_mirror_however_it_is_turned(seed, plane, turn):
    picture = symmetric_picture(seed, np.full(SHAPE[1], plane), turn)
    symmetry = mirror_symmetry(picture, np.array([MIDDLE_SLAB, ROWS[2], COLUMN]), STEP, SPACING)
    assert symmetry.shape == (2 * SEARCH_MM + 1,)
    assert symmetry.argmax() - SEARCH_MM == pytest.approx(plane, abs=1.0)
    assert 0.8 < symmetry.max() <= 1
    assert symmetry.min() >= 0


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 2**32 - 1), st.floats(-4, 4), st.floats(-6, 6), st.floats(-3, 3))
def test_discs_come_onto_a_plane_that_bends_as_in_scoliosis(seed, offset, bow, error):
    rows = np.arange(SHAPE[1])
    plane = offset + bow * np.sin(np.pi * rows / SHAPE[1])
    picture = symmetric_picture(seed, plane)
    true = plane[ROWS.astype(int)]
    found = onto_midline(world_points(true + error), SlabStack(picture, affine()))
    assert np.abs(found[:, 0] - true).max() < 1.5
    assert np.allclose(found[:, 1:], world_points(true)[:, 1:])


@settings(max_examples=15, deadline=None)
@given(st.integers(0, 2**32 - 1), st.floats(-5, 5))
def test_a_mirrored_picture_gives_mirrored_discs_and_grey_scales_do_not_matter(seed, plane):
    picture = symmetric_picture(seed, np.full(SHAPE[1], plane))
    points = world_points(np.full(len(ROWS), plane + 2.0))
    found = onto_midline(points, SlabStack(picture, affine()))
    mirror = np.array([-1.0, 1.0, 1.0])
    assert onto_midline(points * mirror, SlabStack(picture[::-1], affine())) == pytest.approx(found * mirror, abs=0.51)
    assert onto_midline(points, SlabStack(300 * picture + 900, affine())) == pytest.approx(found, abs=0.51)


@pytest.mark.parametrize("width", [1, 3, 5])
def test_a_picture_too_narrow_to_compare_its_halves_leaves_a_straight_row_of_discs_where_it_is(width):
    picture = symmetric_picture(0, np.full(SHAPE[1], 4.0))[:width]
    points = world_points(np.zeros(len(ROWS)))
    assert onto_midline(points, SlabStack(picture, affine(width))) == pytest.approx(points)


def test_a_picture_of_one_grey_value_leaves_a_straight_row_of_discs_where_it_is():
    points = world_points(np.full(len(ROWS), 3.0))
    assert onto_midline(points, SlabStack(np.full(SHAPE, 0.3, dtype=np.float32), affine())) == pytest.approx(points)


@pytest.mark.parametrize("astray", [[0, 0, 6.0, 0, 0], [0, 0, 22.0, 0, 0]])
def test_discs_gone_astray_come_back_to_the_line_of_the_others(astray):
    found = onto_midline(world_points(np.array(astray)), SlabStack(np.zeros(SHAPE, dtype=np.float32), affine()))
    assert np.abs(found[:, 0]).max() < 3


@settings(max_examples=15, deadline=None)
@given(st.integers(0, 2**32 - 1), st.floats(-5, 5), st.integers(1, 3), st.sampled_from([-20.0, 20.0]))
def test_a_disc_between_others_misplaced_by_far_is_found_in_the_plane_of_the_mirror(seed, plane, which, error):
    true = np.full(len(ROWS), plane)
    found = onto_midline(
        world_points(true + error * (np.arange(len(ROWS)) == which)),
        SlabStack(symmetric_picture(seed, np.full(SHAPE[1], plane)), affine()),
    )
    assert np.abs(found[:, 0] - true).max() < 1.5


def test_a_lone_disc_is_moved_too():
    picture = symmetric_picture(1, np.full(SHAPE[1], -3.0))
    found = onto_midline(world_points(np.zeros(len(ROWS)))[2:3], SlabStack(picture, affine()))
    assert found[0, 0] == pytest.approx(-3.0, abs=1.0)


@settings(max_examples=50, deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(1, 5))
def test_the_smoothest_path_is_what_trying_all_paths_finds(seed, count):
    rng = np.random.default_rng(seed)
    scores, across = rng.normal(0, 2, (count, 4)), rng.normal(0, 6, (count, 4))
    down = np.cumsum(rng.uniform(12, 36, count))

    def worth(path: tuple[int, ...]) -> float:
        index = np.arange(count), np.array(path)
        slopes = np.diff(across[index]) / np.diff(down)
        first = (slopes[:1] / SLOPE_SPREAD) ** 2
        return scores[index].sum() - 0.5 * (first.sum() + ((np.diff(slopes) / BEND_SPREAD) ** 2).sum())

    best = max(product(range(4), repeat=count), key=worth)
    assert smoothest_path(scores, across, down) == pytest.approx(across[np.arange(count), np.array(best)])
