"""What is painted into a target is what the decoder takes out of it; where the truth is unknown, nothing is asked."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lookonce.datasets.samples import UNNAMED, SlabSample
from lookonce.datasets.targets import (
    LAST_DISC_LEVEL,
    LOOKALIKE_WEIGHT,
    NAME_CLASSES,
    UNKNOWN_GAP_MM,
    UNKNOWN_HALF_WIDTH_MM,
    Target,
    levels_target,
    names_target,
)
from lookonce.decode.heatmaps import find_candidates, level_maxima

NAMES, LEVELS = Target(), Target(kind="levels")
SPACING = 1.5


@st.composite
def spines(draw: st.DrawFn) -> SlabSample:
    """Pictures of 3 to 7 discs, 12 to 30 mm apart, wholly inside."""
    count, first = draw(st.integers(3, 7)), draw(st.integers(2, 18))
    steps = [draw(st.floats(12, 30)) for _ in range(count)]
    rows = 14 + np.cumsum(steps) / SPACING
    columns = np.array([draw(st.floats(25, 60)) for _ in range(count)])
    height = 32 * int(np.ceil((rows[-1] + 14) / 32))
    return spine(np.column_stack([rows, columns]), np.arange(first, first + count), shape=(height, 96))


def spine(points, levels, *, shape=(192, 128), lateral=0.0, complete=True) -> SlabSample:
    points, levels = np.asarray(points, dtype=np.float64), np.asarray(levels)
    image = np.zeros(shape, dtype=np.float32)
    return SlabSample(image, SPACING, points, levels, np.full(len(levels), lateral), complete=complete)


def three_discs(levels, **options) -> SlabSample:
    return spine([(80, 60), (95, 62), (110, 64)], levels, **options)


@given(spines(), st.sampled_from([1, 2]))
def test_the_decoder_takes_out_of_the_maps_the_discs_that_were_painted_in(sample, stride):
    target = names_target(sample, stride, NAMES)
    logits = 9.0 * np.eye(NAME_CLASSES, dtype=np.float32)[target["name"]].transpose(2, 0, 1)
    affine = np.diag([4.0, SPACING, SPACING, 1.0])
    found = find_candidates(
        target["heat"][None], logits[None], affine=affine, stride=stride, lateral_sigma_mm=NAMES.lateral_sigma_mm
    )
    assert len(found) == len(sample.points)
    assert np.abs(found.slab[:, 1:] - sample.points).max() < 0.5
    assert found.evidence.argmax(axis=1).tolist() == sample.levels.tolist()


@given(spines(), st.sampled_from([1, 2, 4]))
def test_each_level_has_its_peak_at_its_point_in_its_own_channel(sample, stride):
    target = levels_target(sample, stride, LEVELS)
    assert target["heat"].shape == (LEVELS.levels, sample.image.shape[0] // stride, sample.image.shape[1] // stride)
    for point, level in zip(sample.points, sample.levels, strict=True):
        channel = level - LEVELS.first_level
        if channel < LEVELS.levels:
            cell = np.unravel_index(target["heat"][channel].argmax(), target["heat"].shape[1:])
            assert np.abs(stride * np.array(cell) - point).max() <= stride / 2 + 1e-6


@given(spines(), st.sampled_from([9, 15, 27]))
def test_squares_are_counted_back_to_the_discs_that_were_painted_in(sample, side):
    target = Target(kind="levels", blob="square", square_mm=side * SPACING, levels=11)
    counts = levels_target(sample, 1, target)["heat"]
    assert set(np.unique(counts)) <= {0, 1}
    found = level_maxima(counts, stride=1, radius=4, threshold=0.5, square=side)
    wanted = sample.levels < 2 + 11
    assert sorted(found.channel.tolist()) == sorted((sample.levels[wanted] - 2).tolist())
    for channel, place in zip(found.channel, found.places, strict=True):
        assert np.abs(place - sample.points[sample.levels == channel + 2]).max() <= 1


@given(spines(), st.sampled_from(["gaussian", "square"]))
def test_one_map_of_all_discs_is_the_sum_of_the_maps_of_each(sample, blob):
    apart = Target(kind="levels", blob=blob)
    together = apart.model_copy(update={"one_map": True})
    maps, one = levels_target(sample, 1, apart), levels_target(sample, 1, together)
    assert one["heat"].shape == (together.classes, *sample.image.shape) == (1, *sample.image.shape)
    np.testing.assert_allclose(one["heat"][0], maps["heat"].sum(axis=0), rtol=1e-6)
    assert one["visible"].tolist() == [maps["visible"].max()]


def test_blobs_shrink_in_the_first_half_of_a_run_and_then_keep_their_size():
    target = Target(kind="levels", sigma_mm=5, first_sigma_mm=20)
    sizes = [target.after(share).sigma_mm for share in (0, 0.25, 0.5, 0.75, 1)]
    assert sizes == pytest.approx([20, 10, 5, 5, 5])
    assert LEVELS.after(0.25) == LEVELS
    sample = three_discs([3, 4, 5])
    early, late = (levels_target(sample, 1, target.after(share))["heat"] for share in (0, 1))
    np.testing.assert_array_equal(late, levels_target(sample, 1, Target(kind="levels", sigma_mm=5))["heat"])
    assert early.sum() > 10 * late.sum()


def test_arrays_are_of_the_types_that_the_losses_take():
    target = names_target(three_discs([5, 6, 7]), 2, NAMES)
    assert {name: (array.dtype, array.shape) for name, array in target.items()} == {
        "heat": (np.float32, (96, 64)),
        "name": (np.int64, (96, 64)),
        "known": (np.float32, (96, 64)),
    }
    assert NAMES.classes == 1 + NAME_CLASSES
    assert LEVELS.classes == LEVELS.levels


def test_a_disc_fades_with_its_right_left_distance_and_far_off_has_no_name():
    near, off, far = (names_target(three_discs([5, 6, 7], lateral=mm), 2, NAMES) for mm in (0.0, 6.5, 30.0))
    assert near["heat"].max() == pytest.approx(1, abs=0.02)
    assert off["heat"].max() == pytest.approx(np.exp(-0.5), abs=0.02)
    assert set(np.unique(off["name"])) == {0, 5, 6, 7}
    assert far["heat"].max() < 0.01
    assert not far["name"].any()


def test_complete_truth_is_known_everywhere():
    assert (names_target(three_discs([10, 11, 12]), 2, NAMES)["known"] == 1).all()


def test_incomplete_truth_is_unknown_above_its_first_and_below_its_last_disc():
    known = names_target(three_discs([10, 11, 12], complete=False), 1, NAMES)["known"]
    gap, half = UNKNOWN_GAP_MM / SPACING, UNKNOWN_HALF_WIDTH_MM / SPACING
    rows, columns = np.mgrid[:192, :128]
    above = (rows < 80 - gap) & (np.abs(columns - 60) < half)
    below = (rows > 110 + gap) & (np.abs(columns - 64) < 1.5 * half)
    np.testing.assert_array_equal(known, np.where(above | below, 0, 1))


def test_above_c2_c3_only_the_place_of_the_first_two_levels_is_unknown():
    known = names_target(three_discs([3, 4, 5], complete=False), 1, NAMES)["known"]
    assert known[80 - 20, 60] == 0
    assert known[80 - 50, 60] == 1  # 75 mm up: the head, where no disc is


@pytest.mark.parametrize(
    ("levels", "row"),
    [([2, 3, 4], 30), ([LAST_DISC_LEVEL - 2, LAST_DISC_LEVEL - 1, LAST_DISC_LEVEL], 150)],
    ids=["nothing above C1/C2", "nothing below L5/S1"],
)
def test_beyond_the_ends_of_the_spine_the_truth_is_known(levels, row):
    assert (names_target(three_discs(levels, complete=False), 1, NAMES)["known"][row] == 1).all()


def test_nobody_is_asked_for_the_top_of_c1():
    target = names_target(three_discs([1, 2, 3]), 1, NAMES)
    assert target["known"][80, 60] == 0
    assert target["heat"][80, 60] < 0.05
    assert target["name"][80, 60] == 0
    assert target["name"][95, 62] == 2


def test_places_that_look_like_a_disc_count_more():
    sample = replace(three_discs([23, 24, 25]), negatives=np.array([[130.0, 70.0]]))
    target = names_target(sample, 1, NAMES)
    assert target["known"][130, 70] == LOOKALIKE_WEIGHT
    assert target["heat"][130, 70] < 0.01
    assert target["known"][130, 80] == 1


def test_every_level_of_complete_truth_is_visible_and_empty_where_it_is_not_in_the_picture():
    target = levels_target(three_discs([2, 3, 4]), 1, LEVELS)
    assert target["visible"].tolist() == [1.0] * 11
    assert not target["heat"][3:].any()


def test_only_the_listed_levels_of_incomplete_truth_are_visible():
    target = levels_target(three_discs([11, 12, 13], complete=False), 1, LEVELS)
    assert np.flatnonzero(target["visible"]).tolist() == [9, 10]  # SCT value 13 has no channel


def test_a_listed_disc_outside_the_picture_is_visible_as_an_empty_map():
    target = levels_target(spine([(-60, 50), (20, 50)], [4, 5], complete=False), 1, LEVELS)
    assert target["visible"][2] == 1
    assert target["heat"][2].max() < 0.01


def test_a_disc_without_a_name_is_a_disc_and_nothing_is_said_of_its_name():
    sample = SlabSample(
        image=np.zeros((64, 64), np.float32),
        spacing=1.5,
        points=np.array([[20.0, 30.0], [44.0, 30.0]]),
        levels=np.array([UNNAMED, 25]),
        lateral=np.zeros(2),
    )
    arrays = names_target(sample, 2, Target())
    assert arrays["heat"][10, 15] == arrays["heat"][22, 15] == pytest.approx(1)
    assert arrays["name"][10, 15] == 0
    assert arrays["name"][22, 15] == 25
    assert arrays["known"].min() == 1


def test_where_only_anchors_are_named_the_other_discs_are_discs_without_a_name():
    sample = spine([[30, 40], [60, 42], [90, 40], [120, 38]], [2, 3, 4, 8])
    every, anchors = names_target(sample, 2, NAMES), names_target(sample, 2, Target(anchors_only=True))
    assert set(np.unique(every["name"])) == {0, 2, 3, 4, 8}
    assert set(np.unique(anchors["name"])) == {0, 2, 3, 8}
    np.testing.assert_array_equal(anchors["heat"], every["heat"])
