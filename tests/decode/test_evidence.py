"""What numberings are counted from, in words, and levels taken over from a localizer."""

from __future__ import annotations

import numpy as np
import pytest

from lookonce.anatomy import Level
from lookonce.decode.evidence import ANCHOR_VIEW_MM, Evidence, anchors_in_view, levels_by_localizer
from lookonce.decode.heatmaps import Candidates
from lookonce.landmarks import DiscLabels

ACROSS = np.array([1.0, 0, 0])


def candidates_at(points) -> Candidates:
    points = np.asarray(points, dtype=float).reshape(-1, 3)
    return Candidates(points, points, np.full(len(points), 0.9), np.zeros((len(points), 26)))


@pytest.mark.parametrize(
    ("levels", "above", "below", "expected"),
    [
        ([3, 4, 5], [30, 48, 66], [90, 70, 50], ((Level.C2_C3,), ())),
        ([3, 4, 5], [20, 38, 56], [90, 70, 50], ((), (Level.C2_C3,))),
        ([24, 25], [90, 125], [60, 25], ((Level.L5_S1,), ())),
        ([24, 25], [90, 125], [50, 15], ((), (Level.L5_S1,))),
        ([24, Level.L5_L6, Level.L6_S1], [90, 125, 160], [95, 60, 25], ((Level.L5_S1,), ())),
        ([23, Level.L4_S1], [90, 125], [60, 10], ((), (Level.L5_S1,))),
        ([4, 5, 6], [99, 99, 99], [99, 99, 99], ((), ())),
        (range(3, 26), np.linspace(40, 500, 23), np.linspace(500, 40, 23), ((Level.C2_C3, Level.L5_S1), ())),
    ],
)
def test_an_anchor_counts_with_its_whole_vertebra_in_view(levels, above, below, expected):
    assert ANCHOR_VIEW_MM == 25
    assert anchors_in_view(list(levels), np.array(above, float), np.array(below, float)) == expected


@pytest.mark.parametrize(
    ("evidence", "levels", "text"),
    [
        (Evidence((Level.C2_C3,)), range(3, 20), "C2"),
        (Evidence((Level.C2_C3,)), range(3, 21), "C2, given 12 thoracic vertebrae (other counts cannot be excluded)"),
        (Evidence((Level.C2_C3,)), range(3, 25), "C2, given 12 thoracic vertebrae (other counts cannot be excluded)"),
        (Evidence((Level.C2_C3, Level.L5_S1)), range(3, 26), "C2 and the sacrum, both in view"),
        (Evidence((Level.L5_S1,), first_level=True), [24, 25], "the first level that was given"),
        (Evidence((Level.L5_S1,), localizer=True), [24, 25], "the localizer"),
    ],
)
def test_what_decided_is_said(evidence, levels, text):
    assert evidence.describe(list(levels)) == text


def test_where_nothing_is_in_view_to_count_from_it_is_said_what_is_left():
    assert "look of the discs alone" in Evidence().describe([9, 10])
    assert "leaves of the sacrum" in Evidence(cut=(Level.L5_S1,)).describe([24, 25])
    assert "leaves of the axis" in Evidence(cut=(Level.C2_C3,)).describe([3, 4])


def test_a_count_from_the_sacrum_names_what_it_takes_for_granted():
    text = Evidence((Level.L5_S1,)).describe([24, 25])
    assert "given 12 thoracic and 5 lumbar" in text
    assert "cannot be excluded" in text


def test_candidates_take_the_levels_of_the_discs_that_they_lie_on():
    points = np.array([[0, 0, 60], [0, 2, 42], [0, 40, 30], [0, 4, 24.0]])
    localizer = DiscLabels.from_points({5: [1, 1, 61], 6: [0, 2, 45], 7: [0, 4, 27], 8: [0, 4, 9]})
    assert levels_by_localizer(candidates_at(points).world_mm, localizer, ACROSS).tolist() == [5, 6, 0, 7]


@pytest.mark.parametrize(("aside", "expected"), [(15, [5, 6]), (40, [0, 0])])
def test_right_left_a_localizer_may_lie_off_but_not_in_another_body(aside, expected):
    localizer = DiscLabels.from_points({5: [aside, 0, 59], 6: [aside, 0, 41]})
    assert levels_by_localizer(candidates_at([[0, 0, 60], [0, 0, 42]]).world_mm, localizer, ACROSS).tolist() == expected
    turned = np.array([0, 1.0, 0])
    back = DiscLabels.from_points({5: [0, aside, 59], 6: [0, aside, 41]})
    assert levels_by_localizer(candidates_at([[0, 0, 60], [0, 0, 42]]).world_mm, back, turned).tolist() == expected


def test_of_two_candidates_near_one_disc_the_nearest_has_its_level():
    points = np.array([[0, 0, 60], [0, 0, 54], [0, 0, 42.0]])
    localizer = DiscLabels.from_points({5: [0, 0, 59], 6: [0, 0, 41]})
    assert levels_by_localizer(candidates_at(points).world_mm, localizer, ACROSS).tolist() == [5, 0, 6]


@pytest.mark.parametrize("points", [[[0, 0, 60], [0, 0, 300]], []])
def test_one_shared_disc_or_none_ties_nothing_together(points):
    localizer = DiscLabels.from_points({5: [0, 0, 59], 6: [0, 0, 41]})
    assert not levels_by_localizer(candidates_at(points).world_mm, localizer, ACROSS).any()
    assert not levels_by_localizer(candidates_at([[0, 0, 60], [0, 0, 42]]).world_mm, DiscLabels(), ACROSS).any()
