"""The plain conditions: what they keep does not depend on order, place or a mirror, and what they are for."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_array_equal
from numpy.typing import NDArray
from tests.spines import spine

from lookonce.decode.conditions import ASIDE_MM, FARTHEST_MM, NEAREST_MM, meet_conditions

seeds = st.integers(0, 10_000)


def column(levels) -> NDArray:
    """Discs as rows and columns, mm."""
    return -spine(levels)[:, [2, 1]]


def crowd(seed: int) -> NDArray:
    rng = np.random.default_rng(seed)
    return np.concatenate([column(range(3, 12)), rng.uniform(-80, 200, (int(rng.integers(0, 12)), 2))])


@settings(deadline=None, max_examples=60)
@given(seeds)
def test_the_order_of_the_points_does_not_matter(seed):
    points = crowd(seed)
    order = np.random.default_rng(seed + 1).permutation(len(points))
    assert_array_equal(meet_conditions(points[order]), meet_conditions(points)[order])


@settings(deadline=None, max_examples=60)
@given(seeds, st.floats(-100, 100), st.floats(-100, 100), st.booleans())
def test_place_and_mirror_do_not_matter(seed, down, across, mirrored):
    points = crowd(seed)
    moved = points * [1, -1 if mirrored else 1] + [down, across]
    assert_array_equal(meet_conditions(moved), meet_conditions(points))


@settings(deadline=None, max_examples=60)
@given(seeds)
def test_what_is_kept_has_neighbours_neither_too_near_nor_too_far(seed):
    points = crowd(seed)
    kept = meet_conditions(points)
    gaps = np.linalg.norm(points[:, None] - points, axis=2) + 1e9 * np.eye(len(points))
    # The neighbour need not be kept itself: another point may be too near to it.
    assert gaps[kept].min(axis=1).max(initial=0) <= np.hypot(FARTHEST_MM, 2 * ASIDE_MM)
    assert gaps[kept][:, kept].min(initial=np.inf) >= NEAREST_MM


def test_a_spine_alone_is_kept_and_points_far_beside_it_are_not():
    discs = column(range(3, 12))
    beside = discs[2:6] + np.array([0, 60])
    assert_array_equal(meet_conditions(np.concatenate([discs, beside])), [True] * 9 + [False] * 4)


def test_one_point_is_no_spine():
    assert meet_conditions(np.zeros((0, 2))).tolist() == []
    assert meet_conditions(np.zeros((1, 2))).tolist() == [False]
    assert meet_conditions(np.zeros((3, 2))).tolist() == [False] * 3
