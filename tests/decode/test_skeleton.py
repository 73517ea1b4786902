"""The exact search finds what the exhaustive tree finds; mean skeletons do not depend on place and size."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose

from lookonce.decode.skeleton import MISSING, mean_skeleton, search_skeleton

seeds = st.integers(0, 2**32 - 1)


def spine(rng: np.random.Generator, joints: int) -> np.ndarray:
    """A column of joints, 16 mm apart, that bends."""
    steps = np.stack([16 + rng.normal(0, 1, joints), rng.normal(0, 3, joints)], axis=1)
    return np.cumsum(steps, axis=0)


def crowd(rng: np.random.Generator, places: np.ndarray, most: int, *, least: int = 1) -> list[np.ndarray]:
    """Candidates of each joint: its place and false ones around it, in any order; fewer than one is none at all."""
    crowds = []
    for place in places:
        count = int(rng.integers(least, most + 1))
        false = place + rng.normal(0, 20, (max(count - 1, 0), 2))
        crowds.append(rng.permutation(np.concatenate([place[None], false])) if count else np.zeros((0, 2)))
    return crowds


def tree_costs(combinations: np.ndarray, crowds: list[np.ndarray], mean: np.ndarray, pair: tuple[int, int]):
    """The published distance of each combination (K, J), moved and scaled by its reference joints; -1 is missing.

    The mean skeleton keeps its own size, so distances are in its unit.
    """
    lost = np.full((1, 2), np.nan)
    places = np.stack([np.concatenate([crowds[j], lost])[combinations[:, j]] for j in range(len(mean))], axis=1)
    first, second = places[:, pair[0]], places[:, pair[1]]
    size = np.linalg.norm(second - first, axis=1)[:, None, None]
    unit = np.linalg.norm(mean[pair[1]] - mean[pair[0]])
    squares = ((unit * (places - first[:, None]) / size - (mean - mean[pair[0]])) ** 2).sum(axis=2)
    return np.where(np.isnan(squares), MISSING, squares).sum(axis=1)


def brute_force(crowds: list[np.ndarray], mean: np.ndarray, pair: tuple[int, int]) -> float:
    """The cheapest of all combinations, in which any joint but the reference ones may be missing."""
    choices = [range(0 if joint in pair else -1, len(of_joint)) for joint, of_joint in enumerate(crowds)]
    combinations = np.array(list(itertools.product(*choices)))
    return float(tree_costs(combinations, crowds, mean, pair).min())


@settings(max_examples=1000, deadline=None)
@given(seeds, st.integers(5, 7))
def test_exact_search_finds_what_the_exhaustive_tree_finds(seed, joints):
    rng = np.random.default_rng(seed)
    mean = spine(rng, joints)
    crowds = crowd(rng, spine(rng, joints), most=3)
    match = search_skeleton(crowds, mean)
    assert match.cost == pytest.approx(brute_force(crowds, mean, (0, 4)), rel=1e-9, abs=1e-12)
    assert match.cost == pytest.approx(tree_costs(match.choice[None], crowds, mean, (0, 4))[0], rel=1e-9, abs=1e-12)


@settings(max_examples=100, deadline=None)
@given(seeds, st.integers(5, 7), st.data())
def test_a_missing_reference_joint_is_replaced(seed, joints, data):
    rng = np.random.default_rng(seed)
    mean = spine(rng, joints)
    crowds = crowd(rng, spine(rng, joints), most=3, least=0)
    crowds[data.draw(st.sampled_from([0, 4]))] = np.zeros((0, 2))
    seen = [joint for joint, of_joint in enumerate(crowds) if len(of_joint)]
    match = search_skeleton(crowds, mean)
    assert all(match.choice[joint] == -1 for joint in range(joints) if joint not in seen)
    if len(seen) < 2:
        assert (match.choice == -1).all()
        assert match.cost == pytest.approx(joints * MISSING)
    else:
        second = min(seen[1:], key=lambda joint: (abs(joint - seen[0] - 4), joint))
        assert match.cost == pytest.approx(brute_force(crowds, mean, (seen[0], second)), rel=1e-9, abs=1e-12)


@settings(max_examples=50, deadline=None)
@given(seeds, st.floats(0.2, 5), st.floats(-100, 100), st.floats(-100, 100))
def test_the_choice_does_not_depend_on_place_and_size(seed, scale, down, across):
    rng = np.random.default_rng(seed)
    mean = spine(rng, 8)
    crowds = crowd(rng, spine(rng, 8), most=6)
    moved = [scale * of_joint + [down, across] for of_joint in crowds]
    here, there = search_skeleton(crowds, mean), search_skeleton(moved, mean - 7.0)
    assert there.cost == pytest.approx(here.cost, rel=1e-6, abs=1e-9)
    assert there.choice.tolist() == here.choice.tolist()


@settings(max_examples=50, deadline=None)
@given(seeds, st.floats(-np.pi, np.pi))
def test_a_turned_spine_is_found_where_turning_is_allowed(seed, angle):
    rng = np.random.default_rng(seed)
    mean = spine(rng, 8)
    crowds = crowd(rng, mean, most=6)
    turned = [of_joint @ [[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]] for of_joint in crowds]
    match = search_skeleton(turned, mean, turn=True)
    assert match.cost == pytest.approx(0, abs=1e-6)
    assert_allclose([crowds[joint][index] for joint, index in enumerate(match.choice)], mean, atol=1e-4)


def test_more_reference_pairs_never_cost_more():
    rng = np.random.default_rng(3)
    mean = spine(rng, 8)
    crowds = crowd(rng, spine(rng, 8), most=5)
    crowds[0] = rng.normal(0, 50, (3, 2))  # the first joint itself is false
    published = search_skeleton(crowds, mean, pairs=[(0, 4)])
    every = search_skeleton(crowds, mean, pairs=list(itertools.combinations(range(8), 2)))
    assert every.cost < published.cost


def test_true_joints_are_picked_out_of_a_hundred_false_ones():
    rng = np.random.default_rng(0)
    mean = spine(rng, 11)
    places = mean + rng.normal(0, 0.5, mean.shape)
    crowds = [np.concatenate([rng.normal(0, 35, (9, 2)) + place, place[None]]) for place in places]
    assert search_skeleton(crowds, mean).choice.tolist() == [9] * 11


def test_two_candidates_on_one_place_are_no_size():
    mean = spine(np.random.default_rng(0), 6)
    crowds = [place[None] for place in mean]
    crowds[4] = np.stack([mean[0], mean[4]])
    assert search_skeleton(crowds, mean).choice.tolist() == [0, 0, 0, 0, 1, 0]


def test_candidates_for_another_number_of_joints_are_refused():
    with pytest.raises(ValueError, match="3 lists of candidates for a skeleton of 5 joints"):
        search_skeleton([np.zeros((1, 2))] * 3, np.zeros((5, 2)))


@settings(max_examples=30, deadline=None)
@given(seeds)
def test_the_mean_of_one_skeleton_in_many_places_and_sizes_is_that_skeleton(seed):
    rng = np.random.default_rng(seed)
    truth = spine(rng, 9)
    copies = [truth] + [rng.uniform(0.3, 3) * truth + rng.normal(0, 100, 2) for _ in range(6)]
    for copy in copies[1:]:
        first = int(rng.integers(0, 5))
        copy[:first] = copy[first + 4 :] = np.nan
    mean = mean_skeleton(copies)
    shift = truth.mean(axis=0) - mean.mean(axis=0)
    assert_allclose(mean + shift, truth, atol=1e-6)


def test_skeletons_that_share_no_joints_have_no_mean():
    upper, lower = np.full((4, 2), np.nan), np.full((4, 2), np.nan)
    upper[:2], lower[2:] = [[0, 0], [1, 0]], [[2, 0], [3, 0]]
    with pytest.raises(ValueError, match="ties every joint"):
        mean_skeleton([upper, lower])
