"""Who trains, validates and tests: pinned, disjoint, and the same whoever else is there."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from lookonce.io.lists import read_subjects
from lookonce.preparation.splits import SHARES, split_of, subject_list

subjects = st.sets(st.integers(0, 9999).map("sub-{:04d}".format), min_size=1, max_size=30)


def members(text: str) -> set[str]:
    return {line for line in text.splitlines() if not line.startswith("#")}


@given(subjects)
def test_every_subject_is_on_one_list(everyone):
    lists = [members(subject_list(name, everyone)) for name in SHARES]
    assert set.union(*lists) == everyone
    assert sum(map(len, lists)) == len(everyone)


@given(subjects, subjects)
def test_nobody_moves_when_others_join(first, others):
    for name in SHARES:
        assert members(subject_list(name, first)) == members(subject_list(name, first | others)) & first


def test_the_shares_hold_on_average():
    splits = [split_of(f"sub-{number:04d}") for number in range(4000)]
    for name, share in SHARES.items():
        assert abs(splits.count(name) / len(splits) - share) < 0.02


def test_the_rule_is_pinned():
    """Published results name these lists: a changed rule would silently test on what earlier models trained on."""
    pinned = {"sub-amu01": "train", "sub-amu02": "test", "sub-amu03": "train", "sub-10": "validation"}
    assert {name: split_of(name) for name in pinned} == pinned


def test_a_list_is_read_back(tmp_path):
    everyone = [f"sub-{number:02d}" for number in range(20)]
    path = tmp_path / "train.txt"
    path.write_text(subject_list("train", everyone))
    assert read_subjects(path) == {subject for subject in everyone if split_of(subject) == "train"}
