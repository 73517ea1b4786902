"""Calibration: probabilities stay a distribution, and what is settled stays as it is."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from lookonce.anatomy import Level
from lookonce.decode.certainty import Calibration
from lookonce.decode.evidence import Evidence
from lookonce.numbering import CERTAIN_FROM
from lookonce.runtime.weights import find_model

CUT = Evidence(cut=(Level.L5_S1,))
FITTED = Calibration(cut=0.8, intercept=-1.5, slope=2.0)
SETTLED = [
    Evidence((Level.C2_C3,), cut=(Level.L5_S1,)),
    Evidence(cut=(Level.L5_S1,), first_level=True),
    Evidence(cut=(Level.C2_C3,), localizer=True),
    Evidence(localizer=True),
]


@given(sure=st.floats(0, 1), evidence=st.sampled_from([Evidence(), CUT, *SETTLED]))
def test_what_comes_out_is_a_distribution_whose_other_shifts_keep_their_proportions(sure, evidence):
    shares = FITTED.calibrated({0: sure, 1: 0.75 * (1 - sure), -2: 0.25 * (1 - sure)}, evidence)
    assert sum(shares.values()) == pytest.approx(1)
    if sure < 0.999:
        assert shares[1] == pytest.approx(3 * shares[-2])


@given(st.floats(0, 1))
def test_with_an_anchor_cut_off_the_decoder_says_nothing(sure):
    assert FITTED.probability(sure, CUT) == 0.8


@given(st.floats(0, 1), st.floats(0.5, 0.99))
def test_with_no_anchor_nothing_is_surer_than_the_card_allows(sure, most):
    capped = FITTED.model_copy(update={"most": most})
    assert capped.probability(sure, Evidence()) == min(most, FITTED.probability(sure, Evidence()))
    assert capped.probability(sure, SETTLED[0]) == sure


@given(st.floats(0, 1), st.floats(0, 1))
def test_with_no_anchor_who_is_surer_stays_surer(one, other):
    low, high = sorted((one, other))
    assert FITTED.probability(low, Evidence()) <= FITTED.probability(high, Evidence())
    assert 0 < FITTED.probability(low, Evidence()) < 1


def test_the_logarithm_of_the_odds_is_moved_and_stretched():
    assert FITTED.probability(0.5, Evidence()) == pytest.approx(1 / (1 + 2.718281828**1.5))
    assert FITTED.probability(0.9, Evidence()) == pytest.approx(1 / (1 + 2.718281828**1.5 / 81))


@pytest.mark.parametrize("evidence", SETTLED)
def test_what_is_settled_stays_as_it_is(evidence):
    assert FITTED.calibrated({0: 0.8, 1: 0.2}, evidence) == {0: 0.8, 1: 0.2}


@given(st.floats(0.001, 0.999))
def test_a_card_without_a_calibration_believes_the_decoder(sure):
    assert Calibration().probability(sure, Evidence()) == pytest.approx(sure)


def test_a_sure_decoder_leaves_both_neighbours_possible():
    assert FITTED.calibrated({0: 1.0}, CUT) == pytest.approx({0: 0.8, -1: 0.1, 1: 0.1})


def test_a_cut_anchor_alone_is_never_certain():
    assert Calibration().cut < CERTAIN_FROM
    assert find_model().card.certainty.cut < CERTAIN_FROM


@pytest.mark.parametrize("wrong", [{"cut": 1.0}, {"slope": 0.0}, {"slope": -1.0}, {"most": 1.0}, {"bend": 1.0}])
def test_an_impossible_calibration_is_refused(wrong):
    with pytest.raises(ValidationError):
        Calibration(**wrong)
