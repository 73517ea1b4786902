"""Counting what is left when false candidates are gone."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_array_equal
from tests.spines import candidates_at, named, says, spine

from lookonce.decode.chain_scores import FIRST, LAST
from lookonce.decode.lookonce import count_discs


def counted(levels, told, true=None):
    """Count candidates at the places of some levels, of which a few are told their names."""
    candidates = candidates_at(spine(levels), evidence=named(levels, told))
    places = -candidates.world_mm[:, [2, 1]]
    return count_discs(candidates, places, np.ones(len(levels), bool) if true is None else true)


@given(st.integers(FIRST, LAST - 3), st.integers(3, 24), st.data())
def test_one_known_name_numbers_all(first, count, data):
    levels = list(range(first, min(first + count, LAST + 1)))
    position = data.draw(st.integers(0, len(levels) - 1))
    picked, found = counted(levels, {position: levels[position]})
    assert_array_equal(picked, np.arange(len(levels)))
    assert_array_equal(found, levels)


@pytest.mark.parametrize("hidden", [5, 12, 22])
def test_a_gap_hides_a_disc(hidden):
    levels = [level for level in range(3, 25) if level != hidden]
    assert_array_equal(counted(levels, {0: 3})[1], levels)


def test_the_names_of_most_decide_against_one():
    levels = [20, 21, 22, 23, 24, 25]
    told = {0: 19, 1: 21, 2: 22, 3: 23, 4: 24, 5: 25}
    assert_array_equal(counted(levels, told)[1], levels)


def test_false_candidates_are_neither_picked_nor_counted():
    levels = [10, 11, 12, 13]
    candidates = candidates_at(
        np.insert(spine(levels), 2, [0, 40, -150], axis=0), evidence=np.array([says(n) for n in (10, 11, 25, 12, 13)])
    )
    true = np.array([True, True, False, True, True])
    picked, found = count_discs(candidates, -candidates.world_mm[:, [2, 1]], true)
    assert picked.tolist() == [0, 1, 3, 4]
    assert found.tolist() == levels


def test_nothing_true_is_nothing_picked():
    picked, levels = counted([3, 4, 5], {}, np.zeros(3, bool))
    assert len(picked) == len(levels) == 0


def test_more_discs_than_levels_are_left_out():
    candidates = candidates_at(np.column_stack([np.zeros((30, 2)), -20.0 * np.arange(30)]))
    picked, levels = count_discs(candidates, -candidates.world_mm[:, [2, 1]], np.ones(30, bool))
    assert levels.tolist() == list(range(FIRST, LAST + 1))
    assert picked.tolist() == list(range(LAST - FIRST + 1))
