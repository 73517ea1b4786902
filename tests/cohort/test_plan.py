"""Which scans a study takes."""

from __future__ import annotations

import pytest

from lookonce.errors import InputError, UsageError
from lookonce.io.exclusions import Exclusions

STEMS = (
    "sub-01_ses-1_T1w",
    "sub-01_ses-1_T2w",
    "sub-01_ses-2_T2w",
    "sub-02_ses-1_acq-sag_run-1_T2w",
    "sub-02_ses-1_TIRM",
)


@pytest.fixture
def study(told):
    told.add(*STEMS)
    return told.study


def stems(study) -> list[str]:
    return [scan.stem for scan in study.scans]


def test_t1w_and_t2w_are_taken_by_default_and_others_by_name(study):
    assert stems(study()) == list(STEMS[:4])
    assert stems(study(suffixes=("TIRM",))) == ["sub-02_ses-1_TIRM"]


def test_scans_of_one_visit_are_one_session(study):
    assert [session.name for session in study().sessions] == ["sub-01_ses-1", "sub-01_ses-2", "sub-02_ses-1"]
    assert len(study().sessions[0].scans) == 2


def test_entities_filter_by_value_and_by_absence(study):
    assert stems(study(entities={"acq": ("sag", "cor")})) == ["sub-02_ses-1_acq-sag_run-1_T2w"]
    assert stems(study(entities={"acq": ("",)})) == list(STEMS[:3])
    with pytest.raises(UsageError, match="--entity"):
        study(entities={"acq": ("ax",)})


@pytest.mark.parametrize("prefix", ["", "sub-"])
def test_participants_are_named_with_or_without_their_prefix(study, prefix):
    assert stems(study().part([f"{prefix}02"])) == ["sub-02_ses-1_acq-sag_run-1_T2w"]
    assert stems(study().part([f"{prefix}01"], ["ses-2"])) == ["sub-01_ses-2_T2w"]


def test_a_participant_that_is_not_there_is_named_with_those_that_are(study):
    with pytest.raises(UsageError, match=r"sub-07.*there are: 01, 02"):
        study().part(["07"])


def test_excluded_scans_are_left_out_with_their_reason(study):
    found = study(exclusions=Exclusions((("sub-02", "motion"),)))
    assert stems(found) == list(STEMS[:3])
    assert list(found.excluded.values()) == ["sub-02 (motion)"]


def test_a_folder_without_scans_says_what_was_looked_for(tmp_path, told):
    tmp_path.joinpath("in").mkdir()
    with pytest.raises(InputError, match=r"sub-\*_T1w"):
        told.study()
