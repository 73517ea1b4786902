"""Intervals: known values, and what redrawing patients must and must not do."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lookonce.metrics.intervals import bootstrap_ratio, bootstrap_statistic, rate_interval, wilson


@pytest.mark.parametrize(
    ("successes", "trials", "expected"),
    [
        # Newcombe, Statistics in Medicine 1998, table I, method 3.
        (81, 263, (0.2553, 0.3662)),
        (15, 148, (0.0624, 0.1605)),
        (0, 20, (0.0, 0.1611)),
        (1, 29, (0.0061, 0.1718)),
    ],
)
def test_wilson_gives_the_published_intervals(successes, trials, expected):
    assert wilson(successes, trials) == pytest.approx(expected, abs=5e-5)


@given(st.integers(1, 500).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n))))
def test_wilson_holds_the_share_and_mirrors(counts):
    successes, trials = counts
    low, high = wilson(successes, trials)
    assert 0 <= low <= successes / trials <= high <= 1
    assert wilson(trials - successes, trials) == pytest.approx((1 - high, 1 - low))


def test_wilson_needs_trials_and_counts_that_fit():
    assert wilson(0, 0) is None
    with pytest.raises(ValueError, match="successes=3"):
        wilson(3, 2)


def test_a_mean_of_many_patients_has_the_interval_of_the_normal_distribution():
    values = np.random.default_rng(1).normal(2.0, 1.0, 400)
    low, high = bootstrap_ratio(values, np.ones(400), range(400))
    half = 1.96 * values.std() / 20
    assert (low, high) == pytest.approx((values.mean() - half, values.mean() + half), abs=0.02)


def test_scans_of_one_patient_are_drawn_together():
    # Each patient's ten scans say the same: ten times the scans, no more knowledge.
    values = np.random.default_rng(2).normal(0, 1, 30)
    once = bootstrap_ratio(values, np.ones(30), range(30))
    repeated = bootstrap_ratio(np.repeat(values, 10), np.ones(300), np.repeat(np.arange(30), 10))
    alone = bootstrap_ratio(np.repeat(values, 10), np.ones(300), range(300))
    assert repeated == pytest.approx(once)
    assert alone[1] - alone[0] < 0.5 * (repeated[1] - repeated[0])


def test_the_seed_decides():
    arguments = ([1, 0, 2, 5], [8, 8, 8, 8], "abcd")
    assert bootstrap_ratio(*arguments, seed=3) == bootstrap_ratio(*arguments, seed=3)
    assert bootstrap_ratio(*arguments, seed=3, resamples=50) != bootstrap_ratio(*arguments, seed=4, resamples=50)


def test_one_patient_has_no_interval():
    assert bootstrap_ratio([1, 2], [8, 8], ["a", "a"]) is None
    assert bootstrap_statistic([[1.0], [2.0]], ["a", "a"], np.median) is None


def test_a_ratio_without_denominators_has_no_interval():
    assert bootstrap_ratio([0, 0], [0, 0], "ab") is None
    low, high = bootstrap_ratio([4, 0], [2, 0], "ab")
    assert (low, high) == (2, 2)


def test_a_rate_of_none_or_all_is_bounded_by_the_number_of_patients():
    assert rate_interval([0] * 20, [8] * 20, range(20)) == wilson(0, 20)
    assert rate_interval([8] * 20, [8] * 20, range(20)) == wilson(20, 20)
    assert rate_interval([0] * 20, [8] * 20, [0] * 20) == wilson(0, 1)
    assert rate_interval([0], [0], "a") is None


def test_a_rate_may_exceed_one_and_is_then_drawn():
    low, high = rate_interval([16, 0, 8], [8, 8, 8], "abc")
    assert low < 1 < high


def test_the_median_of_redrawn_patients():
    samples = [[float(i)] * 3 for i in range(9)]
    low, high = bootstrap_statistic(samples, range(9), lambda values: float(np.median(values)))
    assert low < 4 < high
    assert bootstrap_statistic([[1.0], [], []], range(3), np.median) is None
