"""Peaks of painted heat maps come back where they were painted."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from lookonce.decode.heatmaps import MOST_CANDIDATES, find_candidates, level_maxima

STRIDE, SPACING, SIGMA_MM, LATERAL_SIGMA_MM = 2, 1.25, 4.5, 6.5
CELL_MM = STRIDE * SPACING
CLASSES = 26


def slab_affine(lateral_step: float = 4.0) -> NDArray:
    """(slab, row, column) to world of an upright stack: slabs to the right, rows down, columns to the back."""
    affine = np.zeros((4, 4))
    affine[0, 0], affine[2, 1], affine[1, 2], affine[3, 3] = lateral_step, -SPACING, -SPACING, 1.0
    affine[:3, 3] = (-20.0, 60.0, 90.0)
    return affine


def paint(discs, shape=(9, 60, 40), lateral_step: float = 4.0, height: float = 1.0) -> NDArray[np.float32]:
    """Heat map (S, h, w) of Gaussians at (slab, row cell, column cell), as the network is trained to draw them."""
    slab, row, column = np.meshgrid(*map(np.arange, shape), indexing="ij")
    heat = np.zeros(shape)
    for place in discs:
        lateral = (slab - place[0]) * lateral_step / LATERAL_SIGMA_MM
        plane = np.hypot(row - place[1], column - place[2]) * CELL_MM / SIGMA_MM
        heat = np.maximum(heat, height * np.exp(-0.5 * (lateral**2 + plane**2)))
    return heat.astype(np.float32)


def find(heat: NDArray, names: NDArray | None = None, lateral_step: float = 4.0, **options):
    """Candidates of a heat map, with names that say nothing unless given."""
    if names is None:
        names = np.zeros((len(heat), CLASSES, *heat.shape[1:]), dtype=np.float32)
    affine = slab_affine(lateral_step)
    return find_candidates(heat, names, affine=affine, stride=STRIDE, lateral_sigma_mm=LATERAL_SIGMA_MM, **options)


def cells(candidates) -> NDArray:
    """Slab, row and column of candidates, (N, 3), the last two in cells of the output grid."""
    return candidates.slab / (1, STRIDE, STRIDE)


@st.composite
def columns_of_discs(draw: st.DrawFn) -> NDArray:
    """One to six discs (slab, row cell, column cell), from the head down, at distances that spines have."""
    count = draw(st.integers(1, 6))
    row = draw(st.floats(2, 6))
    discs = []
    for _ in range(count):
        discs.append((draw(st.floats(2, 6)), row, draw(st.floats(8, 32))))
        row += draw(st.floats(15 / CELL_MM, 22 / CELL_MM))
    return np.array(discs)


@given(columns_of_discs())
@settings(max_examples=60)
def test_painted_discs_come_back_in_order_within_a_tenth_of_a_cell_in_the_plane(discs):
    found = find(paint(discs))
    assert len(found) == len(discs)
    assert cells(found)[:, 1:] == pytest.approx(discs[:, 1:], abs=0.1)
    assert np.all(np.diff(found.world_mm[:, 2]) < 0)


@given(columns_of_discs(), st.sampled_from([2.0, 4.0, 5.5, 12.0]))
@settings(max_examples=60)
def test_the_right_left_place_is_within_a_millimetre_whatever_the_slabs_distance(discs, step):
    slabs = max(2, round(36 / step))
    discs[:, 0] *= (slabs - 1) / 8
    found = find(paint(discs, (slabs, 60, 40), step), lateral_step=step)
    assert cells(found)[:, 0] * step == pytest.approx(discs[:, 0] * step, abs=1.0)


@given(columns_of_discs(), st.floats(0.1, 0.99))
@settings(max_examples=25)
def test_the_height_moves_nothing(discs, height):
    faint = find(paint(discs, height=height))
    assert cells(faint)[:, 1:] == pytest.approx(discs[:, 1:], abs=0.1)
    assert faint.probability == pytest.approx(find(paint(discs)).probability * height, rel=1e-4)


def test_world_points_follow_the_affine():
    disc = (3.0, 20.0, 15.0)
    found = find(paint([disc]))
    expected = slab_affine() @ (disc[0], STRIDE * disc[1], STRIDE * disc[2], 1)
    assert found.world_mm[0] == pytest.approx(expected[:3], abs=0.5)
    assert found.world_mm[0, 1:] == pytest.approx(expected[1:3], abs=0.01)


@pytest.mark.parametrize(
    "place", [(0, 20, 15), (8, 20, 15), (4, 0, 15), (4, 59, 15), (4, 20, 0), (4, 20, 39), (0, 0, 0)]
)
def test_a_peak_on_the_border_is_found_there(place):
    found = find(paint([place]))
    assert len(found) == 1
    assert cells(found)[0] == pytest.approx(place, abs=0.3)


def test_a_disc_cut_by_the_border_is_found_at_the_border():
    found = find(paint([(4, -1.0, 15)]))
    assert len(found) == 1
    assert cells(found)[0] == pytest.approx((4, 0, 15), abs=0.1)


@pytest.mark.parametrize("shape", [(9, 60, 40), (1, 60, 40), (3, 2, 1), (1, 1, 1)])
def test_an_empty_map_has_no_candidates(shape):
    found = find(np.zeros(shape, dtype=np.float32))
    assert len(found) == 0
    assert found.world_mm.shape == (0, 3)
    assert found.evidence.shape == (0, CLASSES)


@pytest.mark.parametrize("place", [(4, 20.5, 15), (4, 20, 15.5), (4, 20.5, 15.5), (3.5, 20.5, 15.5)])
def test_a_disc_between_equal_cells_is_one_candidate_in_their_middle(place):
    found = find(paint([place]))
    assert len(found) == 1
    assert cells(found)[0] == pytest.approx(place, abs=0.1)


def test_a_saturated_map_gives_one_candidate_a_plateau():
    found = find(np.minimum(paint([(4, 20, 15), (4, 40, 15)], height=1.4), 1.0))
    assert len(found) == 2
    assert cells(found)[:, 1:] == pytest.approx(np.array([(20, 15), (40, 15)]), abs=2)


def test_no_two_candidates_are_nearer_than_discs_can_be():
    noise = np.random.default_rng(0).random((5, 60, 40), dtype=np.float32)
    found = find(noise)
    assert len(found) <= MOST_CANDIDATES
    apart = np.abs(np.rint(cells(found))[:, None, 1:] - np.rint(cells(found))[None, :, 1:]).max(axis=2) * CELL_MM
    assert apart[~np.eye(len(found), dtype=bool)].min() > 4


def test_of_too_many_peaks_the_highest_stay():
    heat = np.zeros((1, 100, 100), dtype=np.float32)
    heat[0, ::8, ::8] = np.linspace(0.1, 0.9, 13 * 13).reshape(13, 13)
    found = find(heat)
    assert len(found) == MOST_CANDIDATES
    assert found.probability.min() == pytest.approx(np.sort(heat[heat > 0])[-MOST_CANDIDATES])
    assert np.all(np.diff(found.slab[:, 1]) >= 0)


def test_peaks_below_the_threshold_are_dropped():
    assert len(find(paint([(4, 20, 15)], height=0.07))) == 0
    assert len(find(paint([(4, 20, 15)], height=0.07), threshold=0.05)) == 1


def test_a_height_that_is_the_same_in_all_slabs_places_the_disc_in_the_middle():
    heat = np.repeat(paint([(0, 20, 15)], (1, 60, 40)), 7, axis=0)
    assert cells(find(heat))[0] == pytest.approx((3, 20, 15), abs=1e-3)


@given(columns_of_discs(), st.sampled_from([slice(None, 4), slice(5, None)]), st.floats(0.1, 0.3))
@settings(max_examples=40)
def test_a_haze_in_the_slabs_of_one_side_does_not_pull_the_right_left_place(discs, side, haze):
    heat = paint(discs)
    heat[side] = np.maximum(heat[side], haze * heat.max(axis=0))
    assert cells(find(heat))[:, 0] * 4.0 == pytest.approx(discs[:, 0] * 4.0, abs=1.0)


def test_a_single_slab_has_one_place_from_right_to_left():
    assert find(paint([(0, 20, 15)], (1, 60, 40))).slab[0, 0] == 0


def test_names_are_read_at_the_peak_from_the_slabs_that_see_the_disc():
    heat = paint([(2, 20, 15), (6, 40, 15)])
    names = np.zeros((9, CLASSES, 60, 40), dtype=np.float32)
    names[:5, 7, :30] = 5
    names[5:, 8, 30:] = 5
    names[7:, 11, :30] = 9  # far from the first disc
    evidence = find(heat, names).evidence
    assert evidence.argmax(axis=1).tolist() == [7, 8]
    assert np.exp(evidence).sum(axis=1) == pytest.approx(1)


def test_huge_logits_do_not_overflow():
    names = np.full((9, CLASSES, 60, 40), -3e4, dtype=np.float32)
    names[:, 5] = 3e4
    evidence = find(paint([(4, 20, 15)]), names).evidence[0]
    assert evidence[5] == pytest.approx(0)
    assert not np.isnan(evidence).any()


@given(
    st.lists(st.tuples(st.integers(0, 3), st.floats(6, 53), st.floats(6, 33), st.floats(0.4, 1)), max_size=4),
    st.sampled_from([1, 2, 4]),
)
def test_maxima_of_level_maps_are_those_of_each_map_alone(discs, stride):
    discs = list({level: (level, *place) for level, *place in discs}.values())
    heat = np.zeros((4, 60, 40), dtype=np.float32)
    for level, row, column, height in discs:
        heat[level] = paint([(0, row, column)], (1, 60, 40), height=height)[0]
    found = level_maxima(heat, stride=stride, radius=3, threshold=0.2)
    assert found.channel.tolist() == sorted(level for level, *_ in discs)
    for level, row, column, height in discs:
        (index,) = np.flatnonzero(found.channel == level)
        assert found.places[index] == pytest.approx((stride * row, stride * column), abs=0.05 * stride)
        assert height * 0.8 <= found.height[index] <= height * (1 + 1e-6)


def test_several_maxima_of_one_level_come_highest_first():
    heat = np.maximum(paint([(0, 10, 10)], (1, 60, 40), height=0.5), paint([(0, 40, 20)], (1, 60, 40), height=0.9))
    found = level_maxima(heat, stride=1, radius=3, threshold=0.2)
    assert found.places == pytest.approx(np.array([(40, 20), (10, 10)]), abs=0.1)
    assert level_maxima(heat, stride=1, radius=3, threshold=0.95).places.shape == (0, 2)


@given(st.integers(0, 2**32 - 1), st.integers(1, 5), st.floats(0.01, 0.99))
def test_maxima_are_the_cells_that_no_other_within_the_radius_beats(seed, radius, threshold):
    heat = np.random.default_rng(seed).random((9, 11)).astype(np.float32)
    found = level_maxima(heat[None], stride=1, radius=radius, threshold=threshold)
    highest = [
        (row, column)
        for row, column in np.ndindex(heat.shape)
        if heat[row, column] >= threshold
        and heat[row, column]
        == heat[max(row - radius, 0) : row + radius + 1, max(column - radius, 0) : column + radius + 1].max()
    ]
    assert sorted(map(tuple, found.places.round().astype(int).tolist())) == highest
