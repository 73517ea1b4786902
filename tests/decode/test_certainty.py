"""Calibration: a probability stays one, in the same order, and the user's word stands."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lookonce.anatomy import Level
from lookonce.decode.certainty import CALIBRATION, Calibration, logit, sight_of
from lookonce.decode.evidence import Evidence
from lookonce.numbering import CERTAIN_FROM

SHARES = st.floats(0, 1)
CALIBRATIONS = st.builds(Calibration, st.floats(-3, 3), st.floats(0.2, 3), st.floats(0, 1))
WHOLE, CUT, NOTHING = Evidence((Level.L5_S1,)), Evidence(cut=(Level.L5_S1,)), Evidence()


@given(CALIBRATIONS, SHARES, st.sampled_from([WHOLE, CUT, NOTHING]))
def test_a_calibrated_distribution_is_one_and_keeps_the_proportions_of_the_others(calibration, sure, evidence):
    shares = {0: sure, 1: 0.75 * (1 - sure), -2: 0.25 * (1 - sure)} if sure < 1 else {0: 1.0}
    calibrated = calibration(shares, evidence)
    assert sum(calibrated.values()) == pytest.approx(1)
    assert min(calibrated.values()) >= 0
    if 1 - sure > 0:
        assert calibrated[1] == pytest.approx(3 * calibrated[-2])


@given(CALIBRATIONS, SHARES, SHARES)
def test_the_surer_decoder_stays_the_surer(calibration, first, second):
    low, high = sorted((first, second))
    calibrated = [calibration({0: share, 1: 1 - share}, NOTHING)[0] for share in (low, high)]
    assert calibrated[0] <= calibrated[1] + 1e-12


def test_without_coefficients_nothing_changes():
    shares = {0: 0.8, 1: 0.15, -1: 0.05}
    assert Calibration()(shares, NOTHING) == pytest.approx(shares)


def test_with_a_whole_anchor_in_view_the_decoder_is_believed():
    assert CALIBRATION({0: 0.8, 1: 0.2}, WHOLE) == pytest.approx({0: 0.8, 1: 0.2})


@given(SHARES)
def test_with_an_anchor_cut_off_the_decoder_says_nothing(sure):
    assert CALIBRATION({0: sure, 1: 1 - sure}, CUT)[0] == CALIBRATION.cut


@pytest.mark.parametrize("evidence", [Evidence(first_level=True), Evidence(localizer=True)])
def test_what_the_user_settled_is_not_calibrated(evidence):
    assert CALIBRATION({0: 0.6, 1: 0.4}, evidence) == {0: 0.6, 1: 0.4}


def test_a_whole_anchor_counts_before_a_cut_one():
    assert sight_of(Evidence((Level.C2_C3,), cut=(Level.L5_S1,))) == "whole"
    assert [sight_of(evidence) for evidence in (CUT, NOTHING)] == ["cut", "none"]


def test_a_certainty_of_nothing_or_all_has_finite_odds():
    assert np.isfinite([logit(0.0), logit(1.0)]).all()
    assert logit(0.5) == 0


def test_a_cut_anchor_alone_is_never_certain():
    assert CALIBRATION.cut < CERTAIN_FROM
