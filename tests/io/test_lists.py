"""Lists of subjects and patients."""

from __future__ import annotations

import pytest

from lookonce.errors import UsageError
from lookonce.io.lists import read_patients, read_subjects


def test_comments_and_blank_lines_name_nobody(tmp_path):
    path = tmp_path / "mine.txt"
    path.write_text("# header\nsub-01\n\n  sub-02  # why\n")
    assert read_subjects(path) == {"sub-01", "sub-02"}


def test_the_shipped_lists_never_train_on_what_they_hold_out():
    unseen = read_subjects("unseen")
    for data_set in ("cervical", "spider"):
        train, validation = read_subjects(f"{data_set}_train"), read_subjects(f"{data_set}_validation.txt")
        assert not train & unseen
        assert validation <= unseen
        assert train
    assert len(read_subjects("spider_train")) == 16
    assert len(unseen) == 29


def test_a_patient_is_never_on_both_sides():
    patients = read_patients("lumbar_patients")
    assert set(patients) <= read_subjects("unseen")
    assert len(set(patients.values())) == 1


def test_a_bare_name_is_the_shipped_list_and_one_with_its_ending_the_file(tmp_path, monkeypatch):
    shipped = read_subjects("unseen")
    for name in ("unseen", "unseen.txt", "mine"):
        (tmp_path / name).write_text("sub-mine\n")
    (tmp_path / "spider_train").mkdir()
    monkeypatch.chdir(tmp_path)
    assert read_subjects("unseen") == shipped
    assert read_subjects("unseen.txt") == read_subjects("mine") == read_subjects(tmp_path / "unseen") == {"sub-mine"}
    assert len(read_subjects("spider_train")) > 1


@pytest.mark.parametrize("name", ["nowhere", "folder/unseen"])
def test_a_list_that_is_not_there_is_named(name):
    with pytest.raises(UsageError, match=name):
        read_subjects(name)


def test_an_empty_list_and_a_table_without_its_columns_are_refused(tmp_path):
    (tmp_path / "empty.txt").write_text("# nobody\n")
    with pytest.raises(UsageError, match="no subject"):
        read_subjects(tmp_path / "empty.txt")
    (tmp_path / "patients.tsv").write_text("subject\tpatient_id\nsub-01\tp1\n")
    with pytest.raises(UsageError, match="participant_id"):
        read_patients(tmp_path / "patients.tsv")


def test_the_spider_hold_out_follows_its_rule():
    from hashlib import sha256

    everyone = read_subjects("spider_train") | read_subjects("spider_validation")
    ordered = sorted(everyone, key=lambda subject: sha256(subject.encode()).hexdigest())
    assert set(ordered[:7]) == read_subjects("spider_validation")
