"""Noise as the paper makes it, skeletons, and a stream that depends on its seed alone."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal
from tests.labelled_tree import DISCS, SIZES, add_scan

from lookonce.datasets.points import Noise, PointStream, among_false_points, any_view, paper_view
from lookonce.datasets.skeletons import JOINTS, PAPER_JOINTS, labelled_skeletons, simulated_skeletons
from lookonce.decode.chain_scores import FIRST
from lookonce.errors import InputError

NOISE = Noise()
seeds = st.integers(0, 100_000)


@pytest.fixture(scope="module")
def people() -> list[np.ndarray]:
    return simulated_skeletons(6, seed=0)


def stream(
    people: list[np.ndarray], *, any_region: float, start: int = 0, length: int = 4, seed: int = 1
) -> PointStream:
    lower = np.full((JOINTS, 2), np.nan)
    lower[-6:] = people[0][-6:]
    sources = [(people, 0.7), ([lower], 0.3)]
    return PointStream(sources, noise=NOISE, any_region=any_region, batch_size=5, seed=seed, start=start, length=length)


def distances(points: np.ndarray, others: np.ndarray) -> np.ndarray:
    return np.linalg.norm(points[:, None] - others, axis=2)


@settings(deadline=None, max_examples=60)
@given(seed=seeds)
def test_false_points_keep_the_papers_distances(people, seed):
    rng = np.random.default_rng(seed)
    places, joints = paper_view(people[seed % len(people)], NOISE, rng)
    drawn = among_false_points(places, joints, NOISE, rng)
    true, false = drawn.points[drawn.true], drawn.points[~drawn.true]
    assert len(drawn.points) == 20
    assert len(true) == len(places) <= PAPER_JOINTS
    assert distances(false, places).min() >= 0.07 * 256
    apart = distances(false, false) + 1e9 * np.eye(len(false))
    assert apart.min() >= 0.06 * 256
    assert ((false >= 0) & (false < 256)).all()
    order = np.argsort(drawn.joint[drawn.true])
    assert_array_equal(drawn.joint[drawn.true][order], joints)
    assert_allclose(true[order], places, atol=6)  # six times the jitter
    assert set(drawn.joint[~drawn.true]) <= set(joints)


@settings(deadline=None, max_examples=40)
@given(seed=seeds, most=st.integers(2, 40))
def test_a_view_of_any_region_shows_neighbouring_joints(people, seed, most):
    noise = Noise(points=most, bend=4.0)
    places, joints = any_view(people[0], noise, np.random.default_rng(seed))
    assert min(3, most) <= len(joints) <= min(most, JOINTS)
    assert_array_equal(np.diff(joints), 1)
    assert (np.diff(places[:, 0]) > 0).all()


def test_bending_turns_each_step_by_its_own_angle(people):
    def turns(bend: float) -> float:
        views = (any_view(people[0], Noise(points=60, bend=bend), np.random.default_rng(seed))[0] for seed in range(60))
        steps = [np.diff(view, axis=0) for view in views]
        angles = [np.diff(np.rad2deg(np.arctan2(step[:, 1], step[:, 0]))) for step in steps]
        return float(np.concatenate(angles).std())

    assert np.hypot(turns(0), 3) < turns(4) < np.hypot(turns(0), 8)


def test_points_come_in_random_order(people):
    rng = np.random.default_rng(0)
    places, joints = paper_view(people[0], NOISE, rng)
    firsts = [among_false_points(places, joints, NOISE, rng).true[0] for _ in range(20)]
    assert any(firsts)
    assert not all(firsts)


def test_a_picture_without_room_is_an_error(people):
    rng = np.random.default_rng(0)
    crowded = Noise(points=400)
    with pytest.raises(ValueError, match="no room for"):
        among_false_points(*paper_view(people[0], crowded, rng), crowded, rng)


@pytest.mark.parametrize("any_region", [0.0, 1.0])
def test_batch_i_depends_on_the_seed_and_i_alone(people, any_region):
    whole = stream(people, any_region=any_region)
    later = stream(people, any_region=any_region, start=2, length=2)
    for name in ("points", "true"):
        assert torch.equal(whole[2][name], later[0][name])
        assert torch.equal(whole[2][name], whole[2][name])
    assert not torch.equal(whole[0]["points"][:, :4], whole[1]["points"][:, :4])
    other = stream(people, any_region=any_region, seed=2)
    assert not torch.equal(whole[0]["points"][:, :4], other[0]["points"][:, :4])
    with pytest.raises(IndexError):
        whole[4]


def test_the_papers_pictures_have_twenty_points_and_no_lumbar_scan(people):
    for batch in stream(people, any_region=0.0, length=8):
        assert batch["points"].shape == (5, 20, 2)
        assert batch["true"].shape == (5, 20)
        assert (batch["true"].sum(dim=1) >= 5).all()


def test_other_batches_have_any_number_of_points(people):
    numbers = {batch["points"].shape[1] for batch in stream(people, any_region=1.0, length=12)}
    assert len(numbers) > 5
    assert min(numbers) >= 4


def test_simulated_people_are_upright_and_differ(people):
    for skeleton in people:
        assert skeleton.shape == (JOINTS, 2)
        steps = np.linalg.norm(np.diff(skeleton, axis=0), axis=1)
        assert (np.diff(skeleton[:, 0]) > 0).all()
        assert 8 < steps.min() < steps.max() < 60
    assert not np.allclose(people[0], people[1])
    assert_array_equal(people[2], simulated_skeletons(3, seed=0)[2])


def test_a_labelled_scan_s_skeleton_is_its_labels_in_mm(tmp_path):
    add_scan(tmp_path, "sub-01")
    (skeleton,) = labelled_skeletons(tmp_path)
    known = np.flatnonzero(np.isfinite(skeleton).all(axis=1))
    assert_array_equal(known + FIRST, list(DISCS))
    voxels = np.array(list(DISCS.values())) * SIZES
    assert_allclose(skeleton[known] - skeleton[known[0]], (voxels[0] - voxels)[:, [2, 1]], atol=1e-6)


def test_a_tree_without_the_wanted_subjects_is_an_input_error(tmp_path):
    add_scan(tmp_path, "sub-01")
    with pytest.raises(InputError, match="no labelled scan of the subjects"):
        labelled_skeletons(tmp_path, ["sub-nobody"])
