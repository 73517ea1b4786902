"""Both protocols: the hand-checked cases, and what must hold for every spine."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lookonce.anatomy import Level
from lookonce.errors import GeometryError
from lookonce.landmarks import Disc, DiscLabels
from lookonce.metrics.landmarks import paper_case, paper_points, sagittal_frame, strict_case

GOLDEN = Path(__file__).parents[3] / "shared" / "golden" / "landmark_metrics.json"
CASES = json.loads(GOLDEN.read_text()) if GOLDEN.exists() else []
needs_golden = pytest.mark.skipif(not CASES, reason="the shared golden vectors are not beside this repository")


def labels_of(points: dict[str, list[float]]) -> DiscLabels:
    return DiscLabels.from_points({int(level): np.array(point) for level, point in points.items()})


def expected_of(case: dict, protocol: str) -> dict:
    return {key: pytest.approx(value, abs=1e-5) for key, value in case[protocol].items()}


@needs_golden
@pytest.mark.data
@pytest.mark.parametrize("case", CASES, ids=lambda case: case["name"])
def test_hand_checked_cases(case):
    truth, prediction = labels_of(case["truth"]), labels_of(case["prediction"])
    strict = strict_case(truth, prediction, annotated=tuple(case["annotated_levels"]))
    paper = paper_case(truth, prediction)
    assert {key: getattr(strict, key) for key in case["strict"]} == expected_of(case, "strict")
    assert {key: getattr(paper, key) for key in case["paper"]} == expected_of(case, "paper")


@st.composite
def spines(draw):
    """Up to 25 discs in a smooth curve, their first level anywhere."""
    first = draw(st.integers(1, 25))
    count = draw(st.integers(1, 26 - first))
    steps = draw(st.lists(st.floats(14, 35), min_size=count, max_size=count))
    sway = draw(st.floats(-10, 10))
    heights = -np.cumsum(steps)
    return DiscLabels.from_points(
        {first + i: np.array([0.0, sway * np.sin(height / 60), height]) for i, height in enumerate(heights)}
    )


@st.composite
def predictions(draw, truth: DiscLabels):
    """Some discs kept and moved, some under another name, some left out.

    The moves come from a generator, so that no distance lies on a limit, where rounding decides.
    """
    noise = np.random.default_rng(draw(st.integers(0, 2**32)))
    points = {}
    for disc in truth:
        level = draw(st.sampled_from([disc.level, disc.level, None, *Level]))
        if level is not None:
            points[level] = np.array(disc.world_mm) + noise.normal(0, 4, 3)
    return DiscLabels(Disc(level, tuple(point)) for level, point in points.items())


def vectors(limit: float):
    return st.tuples(*[st.floats(-limit, limit)] * 3).map(np.array)


@st.composite
def cases(draw):
    truth = draw(spines())
    return truth, draw(predictions(truth))


@st.composite
def rigid_motions(draw):
    """A rotation and a translation in mm."""
    quaternion = np.array(draw(st.tuples(*[st.floats(-1, 1)] * 4).filter(lambda q: np.linalg.norm(q) > 0.1)))
    w, x, y, z = quaternion / np.linalg.norm(quaternion)
    rotation = np.array(
        [
            [1 - 2 * (y * y + z * z), 2 * (x * y - z * w), 2 * (x * z + y * w)],
            [2 * (x * y + z * w), 1 - 2 * (x * x + z * z), 2 * (y * z - x * w)],
            [2 * (x * z - y * w), 2 * (y * z + x * w), 1 - 2 * (x * x + y * y)],
        ]
    )
    return rotation, draw(vectors(500))


def moved(labels: DiscLabels, rotation, translation) -> DiscLabels:
    return DiscLabels(
        Disc(disc.level, tuple(rotation @ np.array(disc.world_mm) + translation), disc.confidence) for disc in labels
    )


def renamed(labels: DiscLabels, by: int) -> DiscLabels:
    return DiscLabels(Disc(Level(disc.level + by), disc.world_mm) for disc in labels)


@given(spines())
def test_a_perfect_prediction_is_all_right(truth):
    strict, paper = strict_case(truth, truth), paper_case(truth, truth)
    assert strict.all_right
    assert not strict.level_shift
    assert strict.dtt_mean == 0
    assert (paper.dtt_median, paper.dtt_std, paper.false_negatives, paper.false_positives) == (0, 0, 0, 0)


@given(spines().filter(lambda labels: len(labels) < 25))
def test_moving_every_name_by_one_is_a_level_shift_that_only_the_strict_protocol_sees(truth):
    by = 1 if 25 not in truth else -1
    strict = strict_case(truth, renamed(truth, by))
    assert strict.level_shift
    assert (strict.found, strict.wrong_names, strict.false_positives) == (0, len(truth), 0)
    assert paper_case(truth, renamed(truth, by)).false_negatives == 0


@given(cases())
def test_found_and_missed_discs_are_the_true_ones(case):
    truth, prediction = case
    strict = strict_case(truth, prediction)
    assert strict.found + strict.false_negatives == strict.true == len(truth)
    assert set(strict.distances) <= set(truth.levels) & set(prediction.levels)
    assert all(0 <= distance <= 5 for distance in strict.distances.values())
    assert strict.false_positives + strict.wrong_names <= len(prediction)
    paper = paper_case(truth, prediction)
    assert 0 <= paper.false_negatives <= paper.true == len(truth)
    assert 0 <= paper.false_positives <= len(prediction)


@given(cases(), rigid_motions())
@settings(max_examples=50)
def test_a_rigid_motion_of_the_world_changes_nothing(case, motion):
    truth, prediction = case
    rotation = motion[0]
    normal, axis = np.eye(3)[0], np.eye(3)[2]
    there = moved(truth, *motion), moved(prediction, *motion)
    for plane in (None, normal):
        before = strict_case(truth, prediction, normal=plane)
        after = strict_case(*there, normal=None if plane is None else rotation @ plane)
        assert after.distances == pytest.approx(before.distances, abs=1e-6)
        assert (after.false_positives, after.wrong_names) == (before.false_positives, before.wrong_names)
    before, after = paper_case(truth, prediction), paper_case(*there, normal=rotation @ normal, axis=rotation @ axis)
    assert after.distances == pytest.approx(before.distances, abs=1e-6)
    assert (after.false_negatives, after.false_positives) == (before.false_negatives, before.false_positives)


@given(cases(), st.randoms(use_true_random=False))
def test_the_order_of_the_discs_does_not_matter(case, random):
    truth, prediction = case
    shuffled = [random.sample(list(labels), len(labels)) for labels in case]
    again = [DiscLabels(discs) for discs in shuffled]
    assert strict_case(*again) == strict_case(truth, prediction)
    assert paper_case(*again) == paper_case(truth, prediction)


@given(cases())
def test_names_do_not_matter_to_the_paper_protocol(case):
    truth, prediction = case
    levels = list(reversed(prediction.levels))
    swapped = DiscLabels(Disc(level, disc.world_mm) for level, disc in zip(levels, prediction, strict=True))
    before, after = paper_case(truth, prediction), paper_case(truth, swapped)
    assert sorted(before.distances) == sorted(after.distances)
    assert (before.false_negatives, before.false_positives) == (after.false_negatives, after.false_positives)


@given(cases())
def test_a_wider_tolerance_never_finds_fewer(case):
    truth, prediction = case
    found = [strict_case(truth, prediction, tolerance=tolerance).found for tolerance in (1, 3, 5, 10)]
    assert found == sorted(found)


@given(spines(), st.floats(-40, 40))
def test_the_position_across_few_slices_does_not_count(truth, sideways):
    aside = moved(truth, np.eye(3), np.array([sideways, 0, 0]))
    assert strict_case(truth, aside, normal=np.eye(3)[0]).all_right
    assert strict_case(truth, aside).all_right == (abs(sideways) <= 5)


def test_nothing_predicted_is_all_missed():
    truth = labels_of({"3": [0, 0, 20], "4": [0, 0, 0]})
    strict, paper = strict_case(truth, DiscLabels()), paper_case(truth, DiscLabels())
    assert (strict.false_negatives, strict.false_positives, strict.dtt_mean) == (2, 0, None)
    assert (paper.false_negatives, paper.false_positives, paper.dtt_median, paper.z_mean) == (2, 0, None, None)
    assert not strict.level_shift


def test_predictions_without_a_true_disc_are_false_within_the_annotated_range_alone():
    prediction = labels_of({"3": [0, 0, 20], "20": [0, 0, 0]})
    strict = strict_case(DiscLabels(), prediction, annotated=(3, 10))
    assert (strict.true, strict.false_positives, strict.wrong_names) == (0, 1, 0)
    assert strict_case(DiscLabels(), prediction).false_positives == 0
    assert paper_case(DiscLabels(), prediction).false_positives == 2


def test_a_disc_exactly_at_the_tolerance_is_found():
    truth = labels_of({"3": [0, 0, 0]})
    assert strict_case(truth, labels_of({"3": [3, 0, 4]})).all_right
    assert strict_case(truth, labels_of({"3": [3, 0, 4.01]})).false_positives == 1


def test_a_disc_of_a_sixth_lumbar_vertebra_is_judged_as_the_level_it_touches():
    truth = labels_of({"24": [0, 0, 30], "25": [0, 0, 0]})
    extra = DiscLabels([*truth, Disc(Level.L6_S1, (0.0, 0.0, -25.0))])
    assert strict_case(truth, extra).false_positives == 1
    assert strict_case(truth, extra, annotated=(20, 24)).false_positives == 0


def test_the_sagittal_frame_follows_the_image():
    pil = np.array([[0, 0, -4, 0], [-0.5, 0, 0, 0], [0, -0.5, 0, 0], [0, 0, 0, 1]])
    frame = sagittal_frame((390, 640, 5), affine=pil)
    assert frame.slices == 5
    assert np.abs(frame.normal).tolist() == [1, 0, 0]
    assert np.abs(frame.axis).tolist() == [0, 0, 1]
    assert frame.strict_normal is not None
    assert sagittal_frame((390, 640, 8), affine=pil).strict_normal is None


def test_an_oblique_frame_is_perpendicular_to_its_slices():
    tilt = np.radians(20)
    rotation = np.array([[np.cos(tilt), -np.sin(tilt), 0], [np.sin(tilt), np.cos(tilt), 0], [0, 0, 1]])
    affine = np.eye(4)
    affine[:3, :3] = rotation @ np.diag([3.0, 1, 1])
    frame = sagittal_frame((7, 200, 200), affine=affine)
    assert np.abs(frame.normal @ rotation).tolist() == pytest.approx([1, 0, 0])


def test_a_single_sagittal_picture_is_one_slice():
    flat = np.array([[0, 0, 1, 0], [1, 0, 0, 0], [0, 1, 0, 0], [0, 0, 0, 1.0]])
    assert sagittal_frame((200, 300), affine=flat).slices == 1


def test_a_singular_affine_is_refused():
    with pytest.raises(GeometryError):
        sagittal_frame((4, 4, 4), affine=np.zeros((4, 4)))


@given(cases())
def test_points_that_come_twice_are_no_error_of_the_paper_s_protocol(case):
    truth, prediction = case
    twice = np.concatenate([prediction.points, prediction.points])
    once, again = paper_case(truth, prediction), paper_points(truth.points, twice)
    assert (again.distances, again.false_negatives) == (once.distances, once.false_negatives)
    assert again.false_positives == 2 * once.false_positives
