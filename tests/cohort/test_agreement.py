"""Scans of one session and what they say of each other."""

from __future__ import annotations

from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st
from tests.cohort.studies import alone

from lookonce.cohort.agreement import number_together
from lookonce.io.bids import Scan


def scan(name: str) -> Scan:
    return Scan(Path("sub-01/anat", f"sub-01_{name}.nii.gz"))


T1W, T2W = scan("T1w"), scan("T2w")
UPPER, LOWER, LAST = scan("acq-1_T2w"), scan("acq-2_T2w"), scan("acq-3_T2w")


def levels(verdict) -> list[int]:
    return [int(level) for level in verdict.localizer.labels.levels]


def test_contrasts_that_agree_have_nothing_to_say():
    found = number_together({T1W: alone(range(3, 9)), T2W: alone(range(4, 10))})
    assert all(verdict.localizer is None and not verdict.disagrees for verdict in found.values())


def test_contrasts_that_disagree_are_both_flagged_and_keep_their_names():
    found = number_together({T1W: alone(range(3, 9)), T2W: alone(range(3, 9), off=1, sure=0.6)})
    assert "sub-01_T2w of the same session, where C2/C3 is C3/C4" in found[T1W].disagrees[0]
    assert "sub-01_T1w of the same session, where C3/C4 is C2/C3" in found[T2W].disagrees[0]
    assert found[T1W].localizer is found[T2W].localizer is None


@given(st.integers(-3, 3), st.integers(9, 13))
def test_overlapping_stations_are_numbered_by_the_surest(off, end):
    found = number_together({UPPER: alone(range(3, end)), LOWER: alone(range(end - 3, 18), off=off, sure=0.5)})
    assert found[UPPER].localizer is None
    assert found[LOWER].station == UPPER.stem
    assert levels(found[LOWER]) == list(range(end - 3, 18))
    assert found[LOWER].localizer.level_shift[0] == 0.99
    assert not found[UPPER].disagrees
    assert not found[LOWER].disagrees


@given(st.integers(5, 18), st.integers(1, 2), st.integers(-2, 2))
def test_adjoining_stations_go_on_counting_where_the_other_ends(last, apart, off):
    upper, lower = range(last - 2, last + 1), range(last + apart, last + apart + 4)
    found = number_together({UPPER: alone(upper), LOWER: alone(lower, off=off, sure=0.5)})
    assert levels(found[LOWER]) == list(lower)
    found = number_together({UPPER: alone(upper, off=off, sure=0.5), LOWER: alone(lower)})
    assert levels(found[UPPER]) == list(upper)


def test_a_station_far_away_stays_on_its_own():
    found = number_together({UPPER: alone(range(3, 8)), LOWER: alone(range(14, 20), sure=0.5)})
    assert found[LOWER].localizer is None


def test_numbers_are_handed_on_from_station_to_station():
    seen = {
        UPPER: alone(range(3, 9)),
        LOWER: alone(range(7, 15), off=1, sure=0.6),
        LAST: alone(range(13, 20), off=-1, sure=0.5),
    }
    found = number_together(seen)
    assert levels(found[LOWER]) == list(range(7, 15))
    assert levels(found[LAST]) == list(range(13, 20))
    assert found[LAST].station == UPPER.stem


def test_stations_that_are_both_sure_and_differ_are_both_flagged():
    found = number_together({UPPER: alone(range(3, 10)), LOWER: alone(range(6, 15), off=1)})
    assert found[UPPER].disagrees
    assert found[LOWER].disagrees
    assert found[UPPER].localizer is found[LOWER].localizer is None


def test_labels_placed_by_hand_number_the_others_and_are_never_renumbered():
    seen = {UPPER: alone(range(3, 10), sure=0.99), LOWER: alone(range(3, 10), off=1, sure=0.5, by_hand=True)}
    found = number_together({**seen, LAST: alone(range(5, 14), sure=0.4)})
    assert found[LOWER].localizer is None
    assert found[LAST].station == LOWER.stem


def test_a_scan_without_a_place_in_the_scanner_is_compared_with_none():
    found = number_together({T1W: alone(range(3, 9)), T2W: alone(range(3, 9), off=1, placed=False)})
    assert not found[T1W].disagrees


@given(
    st.permutations([UPPER, LOWER, LAST, T1W]),
    st.lists(st.sampled_from([0.3, 0.6, 0.96, 0.99]), min_size=4, max_size=4),
)
def test_the_order_of_the_scans_does_not_matter(order, sure):
    seen = {
        UPPER: alone(range(3, 9), sure=sure[0]),
        LOWER: alone(range(7, 15), off=1, sure=sure[1]),
        LAST: alone(range(13, 20), sure=sure[2]),
        T1W: alone(range(3, 20), sure=sure[3]),
    }
    assert number_together({scan: seen[scan] for scan in order}) == number_together(seen)
