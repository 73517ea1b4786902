"""Calibration: probabilities stay a distribution, and only what counts from a cut-off anchor changes."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lookonce.anatomy import Level
from lookonce.decode.certainty import CUT_SHARE, calibrated
from lookonce.decode.evidence import Evidence
from lookonce.numbering import CERTAIN_FROM

CUT = Evidence(cut=(Level.L5_S1,))


@given(st.floats(0, 1))
def test_with_an_anchor_cut_off_the_decoder_says_nothing(sure):
    shares = calibrated({0: sure, 1: 0.75 * (1 - sure), -2: 0.25 * (1 - sure)}, CUT)
    assert shares[0] == CUT_SHARE
    assert sum(shares.values()) == pytest.approx(1)
    if sure < 0.999:
        assert shares[1] == pytest.approx(3 * shares[-2])


@pytest.mark.parametrize(
    "evidence",
    [
        Evidence(),
        Evidence((Level.C2_C3,), cut=(Level.L5_S1,)),
        Evidence(cut=(Level.L5_S1,), first_level=True),
        Evidence(cut=(Level.C2_C3,), localizer=True),
    ],
)
def test_elsewhere_the_decoder_is_believed(evidence):
    assert calibrated({0: 0.8, 1: 0.2}, evidence) == {0: 0.8, 1: 0.2}


def test_a_sure_decoder_leaves_both_neighbours_possible():
    assert calibrated({0: 1.0}, CUT) == pytest.approx({0: CUT_SHARE, -1: (1 - CUT_SHARE) / 2, 1: (1 - CUT_SHARE) / 2})


def test_a_cut_anchor_alone_is_never_certain():
    assert CUT_SHARE < CERTAIN_FROM
