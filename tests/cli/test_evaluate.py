"""The command `lookonce evaluate`: what it prints, where, and what it hands on."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
import typer
from typer.testing import CliRunner

from lookonce import labeling
from lookonce.cli.evaluate import evaluate
from lookonce.errors import OutputError, UsageError
from lookonce.labeling import LabelResult
from lookonce.landmarks import DiscLabels
from lookonce.runtime import session, weights

TRUTH = {3: (4, 10, 40), 4: (4, 10, 22), 5: (4, 10, 4)}


def write_volume(path: Path, points: dict) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    volume = np.zeros((9, 20, 50), dtype=np.uint8)
    for level, voxel in points.items():
        volume[voxel] = level
    nib.save(nib.Nifti1Image(volume, np.eye(4)), path)


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """A data set of two people, and predictions for the first one alone."""
    root = tmp_path / "tree"
    for subject in ("sub-01", "sub-02"):
        write_volume(root / subject / "anat" / f"{subject}_T2w.nii.gz", {})
        folder = root / "derivatives" / "labels" / subject / "anat"
        write_volume(folder / f"{subject}_T2w_label-discs_dlabel.nii.gz", TRUTH)
    (root / "participants.tsv").write_text("participant_id\tsite\nsub-01\tnorth\nsub-02\tsouth\n")
    write_volume(tmp_path / "out" / "sub-01_T2w_label-discs_dlabel.nii.gz", TRUTH)
    return root


def run(*arguments: object):
    app = typer.Typer()
    app.command()(evaluate)
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


def test_the_table_is_on_stdout_and_what_is_missing_on_stderr(tree, tmp_path):
    result = run(tmp_path / "out", "--data", tree, "--by", "site")
    assert result.exit_code == 0, result.output
    assert "north" in result.stdout
    assert "all right %" in result.stdout
    assert "50.0" in result.stdout
    assert "0.00 (0.00)" in result.stdout
    assert "sub-02" not in result.stdout
    assert "sub-02 T2w: counted as missed" in result.stderr
    assert "[1/2] sub-01_T2w" in result.stderr


def test_json_is_one_object_on_stdout(tree, tmp_path):
    result = run(tmp_path / "out", "--data", tree, "--json")
    record = json.loads(result.stdout)
    assert record["rows"][0]["fnr_percent"]["value"] == 50
    assert [case["problem"] == "" for case in record["cases"]] == [True, False]


def test_the_paper_protocol_has_its_own_columns(tree, tmp_path):
    result = run(tmp_path / "out", "--data", tree, "--protocol", "paper")
    assert "DTT median mm" in result.stdout
    assert "wrong names" not in result.stdout


def test_csv_has_one_line_a_scan(tree, tmp_path):
    table = tmp_path / "cases.csv"
    result = run(tmp_path / "out", "--data", tree, "--csv", table)
    assert result.exit_code == 0, result.output
    rows = list(csv.DictReader(table.open()))
    assert [row["subject"] for row in rows] == ["sub-01", "sub-02"]
    assert list(table.parent.glob(".*")) == []


def test_a_csv_that_cannot_be_written_leaves_nothing(tree, tmp_path):
    (tmp_path / "file").touch()
    result = run(tmp_path / "out", "--data", tree, "--csv", tmp_path / "file" / "cases.csv")
    assert isinstance(result.exception, OutputError)


def test_subjects_may_be_a_file(tree, tmp_path):
    (tmp_path / "list.txt").write_text("sub-01\n")
    result = run(tmp_path / "out", "--data", tree, "--subjects", tmp_path / "list.txt", "--json")
    record = json.loads(result.stdout)
    assert record["rows"][0]["all_right_percent"]["value"] == 100
    assert isinstance(run(tmp_path / "out", "--data", tree, "--subjects", "unseen").exception, UsageError)


def test_help_shows_an_example(monkeypatch):
    monkeypatch.setenv("COLUMNS", "200")
    result = run("--help")
    assert "lookonce evaluate discs --data" in result.stdout


@pytest.fixture
def knowing_model(monkeypatch):
    """Stands for a model that is shown its answer: the scan's grey values are its labels."""

    def label(image, *, model, decoder):
        return LabelResult(DiscLabels.from_volume(image.data, affine=image.affine), {0: 0.8, 1: 0.2}, False)

    monkeypatch.setattr(labeling, "label", label)
    monkeypatch.setattr(session, "DiscSession", lambda model: model)
    monkeypatch.setattr(weights, "find_model", lambda name: name)


@pytest.mark.usefixtures("knowing_model")
def test_changed_scans_are_named_in_the_title_and_the_certainty_below(tree, tmp_path):
    for subject in ("sub-01", "sub-02"):
        write_volume(tree / subject / "anat" / f"{subject}_T2w.nii.gz", TRUTH)
    table = tmp_path / "cases.csv"
    result = run("discs", "--data", tree, "--change", "crop=0.9", "--repeats", 3, "--seed", 4, "--csv", table)
    assert result.exit_code == 0, result.output
    assert "discs on crop=0.9" in result.stdout
    assert "of them right %" in " ".join(result.stdout.split())
    assert "Stated certainty of the numbering: calibration error % 20.0" in result.stdout
    rows = list(csv.DictReader(table.open()))
    assert [(row["subject"], row["repeat"]) for row in rows] == [
        (subject, str(repeat)) for subject in ("sub-01", "sub-02") for repeat in range(3)
    ]


@pytest.mark.parametrize(
    "options", [("--change", "fog=1"), ("--repeats", 2), ("--change", "crop=9"), ("--decoder", "lookonce")]
)
def test_what_cannot_be_done_to_a_folder_of_labels_is_a_usage_error(tree, tmp_path, options):
    result = run(tmp_path / "out", "--data", tree, *options)
    assert isinstance(result.exception, UsageError)
