"""Measures of a stated certainty on cases that can be worked out by hand, and their properties."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lookonce.metrics.certainty import auroc, brier_score, calibration_error, reliability

CASES = st.lists(st.tuples(st.floats(0, 1), st.booleans()), min_size=1, max_size=30)


def split(cases) -> tuple[np.ndarray, np.ndarray]:
    return np.array([stated for stated, _ in cases]), np.array([right for _, right in cases])


def test_bins_hold_what_was_stated_and_what_turned_out():
    stated, right = np.array([0.05, 0.95, 0.93, 1.0, 0.91]), np.array([False, True, True, True, False])
    low, high = reliability(stated, right)
    assert (low.cases, low.stated, low.right) == (1, pytest.approx(0.05), 0)
    assert (high.cases, high.stated, high.right) == (4, pytest.approx(np.mean([0.95, 0.93, 1.0, 0.91])), 0.75)
    assert calibration_error(stated, right) == pytest.approx((0.05 + 4 * (high.stated - 0.75)) / 5)


def test_one_who_is_always_sure_and_half_right_is_half_off():
    stated, right = np.ones(10), np.arange(10) < 5
    assert calibration_error(stated, right) == 0.5
    assert brier_score(stated, right) == 0.5
    assert auroc(stated, right) == 0.5


def test_without_cases_or_without_wrong_ones_nothing_is_said():
    none = np.zeros(0), np.zeros(0, dtype=bool)
    assert (calibration_error(*none), brier_score(*none), auroc(*none)) == (None, None, None)
    assert auroc(np.array([0.5]), np.array([True])) is None


@given(CASES)
def test_the_order_of_cases_changes_nothing_and_all_lie_in_their_range(cases):
    stated, right = split(cases)
    for measure in (calibration_error, brier_score, auroc):
        value = measure(stated, right)
        assert value is None or 0 <= value <= 1
        assert measure(stated[::-1], right[::-1]) == pytest.approx(value)
    assert sum(level.cases for level in reliability(stated, right)) == len(cases)


@given(CASES)
def test_auroc_of_the_opposite_certainty_is_the_rest_to_one(cases):
    stated, right = split(cases)
    value = auroc(stated, right)
    assert value is None or auroc(-stated, right) == pytest.approx(1 - value)
