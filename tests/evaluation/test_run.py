"""Evaluation of label files on small BIDS trees."""

from __future__ import annotations

import json
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest

from lookonce import evaluation, labeling
from lookonce.errors import InputError, NothingFoundError, UsageError, WeightsError
from lookonce.evaluation import Change, Selection, evaluate
from lookonce.io.markups import encode_markups
from lookonce.labeling import LabelResult
from lookonce.landmarks import DiscLabels
from lookonce.runtime import session, weights

SHAPE = (12, 30, 130)
TRUTH = {level: (6, 15, 120 - 18 * (level - 3)) for level in range(3, 9)}
PEOPLE = {"sub-01": ("female", "train"), "sub-02": ("male", "test"), "sub-03": ("male", "test")}


def write_volume(path: Path, points: dict[int, tuple[int, int, int]], shape=SHAPE, affine=None) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    volume = np.zeros(shape, dtype=np.uint8)
    for level, voxel in points.items():
        volume[voxel] = level
    nib.save(nib.Nifti1Image(volume, np.eye(4) if affine is None else affine), path)
    return path


def write_scan(root: Path, subject: str, suffix: str = "T2w", **options) -> None:
    write_volume(root / subject / "anat" / f"{subject}_{suffix}.nii.gz", {}, **options)
    labels = root / "derivatives" / "labels" / subject / "anat" / f"{subject}_{suffix}_label-discs_dlabel.nii.gz"
    write_volume(labels, TRUTH, **options)
    sidecar = {"SpatialReference": "orig", "GeneratedBy": [{"Name": "Manual"}], "AnnotatedLevels": [3, 8]}
    labels.with_name(labels.name.replace(".nii.gz", ".json")).write_text(json.dumps(sidecar))


def write_prediction(folder: Path, stem: str, points: dict, uncertain: bool | None = None, **options) -> None:
    write_volume(folder / f"{stem}_label-discs_dlabel.nii.gz", points, **options)
    if uncertain is not None:
        (folder / f"{stem}_discs.json").write_text(json.dumps({"discs": [], "uncertain": uncertain}))


def moved(points: dict, levels: int = 0, by: tuple[int, int, int] = (0, 0, 0)) -> dict:
    return {level + levels: tuple(np.add(voxel, by).tolist()) for level, voxel in points.items()}


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """Three people with known discs; participants.tsv tells their sex and split."""
    root = tmp_path / "tree"
    for subject in PEOPLE:
        write_scan(root, subject)
    (root / "dataset_description.json").write_text(json.dumps({"Name": "tree", "BIDSVersion": "1.9.0"}))
    lines = [f"{subject}\t{sex}\t{split}" for subject, (sex, split) in PEOPLE.items()]
    (root / "participants.tsv").write_text("\n".join(["participant_id\tsex\tsplit", *lines]) + "\n")
    return root


@pytest.fixture
def predictions(tmp_path: Path) -> Path:
    """sub-01 2 mm off; sub-02 shifted by one level in silence; sub-03 with one disc missed, marked uncertain."""
    folder = tmp_path / "predictions"
    write_prediction(folder / "deep" / "down", "sub-01_T2w", moved(TRUTH, by=(0, 2, 0)), uncertain=False)
    write_prediction(folder, "sub-02_T2w", moved(TRUTH, levels=1), uncertain=False)
    write_prediction(folder, "sub-03_T2w", {k: v for k, v in TRUTH.items() if k != 5}, uncertain=True)
    return folder


def values(row) -> dict[str, float | None]:
    return {name: figure.value for name, figure in row.figures.items()}


def test_the_table_says_what_is_in_the_files(tree, predictions):
    result = evaluate(predictions, [tree])
    (row,) = result.rows
    assert (row.data_set, row.group, row.scans, row.patients) == ("tree", "T2w", 3, 3)
    distances = [2.0] * 6 + [0.0] * 5
    assert values(row) == pytest.approx(
        {
            "dtt_mm": np.mean(distances),
            "dtt_std_mm": np.std(distances),
            "fnr_percent": 100 * 7 / 18,
            "fpr_percent": 0,
            "wrong_names_percent": 100 * 6 / 18,
            "all_right_percent": 100 / 3,
            "certain_percent": 200 / 3,
            "right_of_certain_percent": 50,
            "level_shift_percent": 100 / 3,
            "silent_shift_percent": 100 / 3,
            "calibration_error_percent": None,
            "brier": None,
            "auroc": None,
        }
    )
    for name, figure in row.figures.items():
        if name != "dtt_std_mm" and figure.value is not None:
            assert figure.interval[0] <= figure.value <= figure.interval[1], name


def test_a_shift_that_is_marked_uncertain_is_not_silent(tree, predictions):
    write_prediction(predictions, "sub-02_T2w", moved(TRUTH, levels=1), uncertain=True)
    figures = values(evaluate(predictions, [tree]).rows[0])
    assert (figures["level_shift_percent"], figures["silent_shift_percent"]) == (pytest.approx(100 / 3), 0)


def test_labels_of_a_tool_that_marks_nothing_have_no_certain_share_and_every_shift_is_silent(tree, predictions):
    for mark in predictions.rglob("*.json"):
        mark.unlink()
    figures = values(evaluate(predictions, [tree]).rows[0])
    assert figures["certain_percent"] is None
    assert figures["silent_shift_percent"] == pytest.approx(100 / 3)


def test_a_missing_prediction_counts_as_missed_and_is_named(tree, predictions):
    (predictions / "sub-02_T2w_label-discs_dlabel.nii.gz").unlink()
    result = evaluate(predictions, [tree])
    case = next(case for case in result.cases if case.subject == "sub-02")
    assert (case.strict.false_negatives, case.paper.false_negatives) == (6, 6)
    assert "sub-02_T2w" in case.problem
    assert values(result.rows[0])["certain_percent"] == pytest.approx(100 / 3)


def test_markups_are_scored_where_there_is_no_label_file(tree, tmp_path):
    write_prediction(tmp_path / "out", "sub-01_T2w", TRUTH)
    for stem, shift in (("sub-01_T2w", 1), ("sub-02_T2w", 0), ("sub-03_T2w", 1)):
        labels = DiscLabels.from_points({level + shift: np.array(point, float) for level, point in TRUTH.items()})
        (tmp_path / "out" / f"{stem}_discs.mrk.json").write_bytes(encode_markups(labels, name=stem))
    (tmp_path / "out" / "sub-03_T2w_discs.json").write_text(json.dumps({"discs": [], "uncertain": True}))
    cases = {case.subject: case for case in evaluate(tmp_path / "out", [tree]).cases}
    assert [cases[subject].strict.wrong_names for subject in PEOPLE] == [0, 0, 6]
    assert [cases[subject].uncertain for subject in PEOPLE] == [None, None, True]


def test_a_damaged_prediction_counts_as_missed_and_the_others_are_scored(tree, predictions):
    damaged = predictions / "sub-03_T2w_label-discs_dlabel.nii.gz"
    damaged.write_bytes(damaged.read_bytes()[:40])
    cases = {case.subject: case for case in evaluate(predictions, [tree]).cases}
    assert cases["sub-03"].strict.false_negatives == 6
    assert "sub-03_T2w" in cases["sub-03"].problem
    assert cases["sub-01"].strict.all_right


def test_subjects_and_split_restrict(tree, predictions):
    chosen = evaluate(predictions, [tree], selection=Selection(subjects=frozenset({"sub-01", "02"})))
    assert [case.subject for case in chosen.cases] == ["sub-01", "sub-02"]
    chosen = evaluate(predictions, [tree], selection=Selection(split="test"))
    assert [case.subject for case in chosen.cases] == ["sub-02", "sub-03"]
    with pytest.raises(UsageError, match="no labelled scan"):
        evaluate(predictions, [tree], selection=Selection(subjects=frozenset({"sub-99"})))


def test_a_column_groups_and_an_unknown_one_is_answered_with_those_there_are(tree, predictions):
    rows = evaluate(predictions, [tree], selection=Selection(by="sex")).rows
    assert [(row.group, row.scans) for row in rows] == [("female", 1), ("male", 2), ("all", 3)]
    assert values(rows[0])["all_right_percent"] == 100
    assert values(rows[1])["fnr_percent"] == pytest.approx(100 * 7 / 12)
    with pytest.raises(UsageError, match="sex"):
        evaluate(predictions, [tree], selection=Selection(by="site"))


def test_contrasts_group_by_default(tree, predictions):
    write_scan(tree, "sub-01", suffix="T1w")
    write_prediction(predictions, "sub-01_T1w", TRUTH)
    rows = evaluate(predictions, [tree]).rows
    assert [(row.group, row.scans, row.patients) for row in rows] == [("T1w", 1, 1), ("T2w", 3, 3), ("all", 4, 3)]


def test_one_person_under_two_names_is_one_patient(tree, predictions):
    patients = {"sub-02": "someone", "03": "someone"}
    assert evaluate(predictions, [tree], selection=Selection(patients=patients)).rows[0].patients == 2
    table = tree / "participants.tsv"
    lines = table.read_text().splitlines()
    table.write_text("\n".join([f"{lines[0]}\tpatient_id", *(f"{line}\tsomeone" for line in lines[1:])]) + "\n")
    row = evaluate(predictions, [tree]).rows[0]
    assert row.patients == 1
    assert row.figures["dtt_mm"].interval is None


def test_several_data_sets_are_pooled_and_their_people_kept_apart(tree, predictions, tmp_path):
    other = tmp_path / "other"
    write_scan(other, "sub-01", suffix="T1w")
    write_prediction(predictions, "sub-01_T1w", TRUTH)
    result = evaluate(predictions, [tree, other], selection=Selection(by="sex"))
    assert [(row.data_set, row.group) for row in result.rows] == [
        *[("tree", group) for group in ("female", "male", "all")],
        ("other", "n/a"),
        ("pooled", "all"),
    ]
    assert (result.rows[-1].scans, result.rows[-1].patients) == (4, 4)


def test_a_few_thick_slices_are_measured_within_the_slice(tmp_path):
    root, folder = tmp_path / "thick", tmp_path / "predictions"
    options = {"shape": (7, *SHAPE[1:]), "affine": np.diag([8.0, 1, 1, 1])}
    write_scan(root, "sub-01", **options)
    write_prediction(folder, "sub-01_T2w", moved(TRUTH, by=(-2, 0, 0)), **options)
    assert evaluate(folder, [root]).cases[0].strict.all_right


def test_two_label_files_of_one_scan_are_refused(tree, predictions):
    write_prediction(predictions / "again", "sub-01_T2w", TRUTH)
    with pytest.raises(UsageError, match="sub-01_T2w"):
        evaluate(predictions, [tree])


def test_the_paper_protocol_ignores_names(tree, predictions):
    (row,) = evaluate(predictions, [tree], protocol="paper").rows
    figures = values(row)
    distances = [2.0] * 6 + [0.0] * 11 + [18.0]
    assert figures["dtt_median_mm"] == pytest.approx(np.median(distances))
    assert figures["dtt_mm"] == pytest.approx(np.mean(distances))
    assert figures["dtt_std_mm"] == pytest.approx(np.std(distances))
    assert figures["z_mm"] == pytest.approx(1.0)
    assert figures["fnr_percent"] == pytest.approx(100 / 18)
    assert figures["fpr_percent"] == 0
    with pytest.raises(UsageError, match="strict, paper"):
        evaluate(predictions, [tree], protocol="loose")


@pytest.fixture
def fake_model(monkeypatch):
    """Stands for the model "discs": right everywhere, uncertain of sub-02, nothing found in sub-03."""

    def label(image, *, model, decoder):
        assert model == "session of discs"
        if "sub-03" in str(image):
            raise NothingFoundError("no spine was found in the image")
        labels = DiscLabels.from_points({level: np.array(voxel) for level, voxel in TRUTH.items()})
        return LabelResult(labels, {0: 1.0}, uncertain="sub-02" in str(image))

    monkeypatch.setattr(labeling, "label", label)
    monkeypatch.setattr(session, "DiscSession", lambda model: f"session of {model}")
    monkeypatch.setattr(weights, "find_model", lambda name: name)


@pytest.mark.usefixtures("fake_model")
def test_a_model_is_run_on_every_scan(tree):
    seen = []
    result = evaluate("discs", [tree], progress=lambda *step: seen.append(step))
    assert [case.strict.all_right for case in result.cases] == [True, True, False]
    assert [case.uncertain for case in result.cases] == [False, True, None]
    assert "no spine" in result.cases[2].problem
    assert seen[0] == (0, 3, "sub-01_T2w")


def test_a_model_that_is_not_there_stops_everything(tree):
    with pytest.raises((WeightsError, UsageError), match="no-such-model"):
        evaluate("no-such-model", [tree])


@pytest.mark.usefixtures("fake_model")
def test_weights_that_fail_on_the_way_stop_everything(tree, monkeypatch):
    def label(image, *, model, decoder):
        raise WeightsError("the weights are damaged")

    monkeypatch.setattr(labeling, "label", label)
    with pytest.raises(WeightsError):
        evaluate("discs", [tree])


def test_a_label_file_without_discs_is_passed_over(tree, predictions, caplog):
    empty = next((tree / "derivatives").rglob("sub-01_T2w_label-discs_dlabel.nii.gz"))
    write_volume(empty, {})
    assert [case.subject for case in evaluate(predictions, [tree]).cases] == ["sub-02", "sub-03"]
    assert "sub-01_T2w" in caplog.text
    with pytest.raises(UsageError, match="no label file"):
        evaluate(predictions, [tree], selection=Selection(subjects=frozenset({"sub-01"})))


def test_a_damaged_mark_of_doubt_is_named(tree, predictions):
    (predictions / "sub-03_T2w_discs.json").write_text("{")
    case = evaluate(predictions, [tree]).cases[2]
    assert "sub-03_T2w_discs.json" in case.problem


def test_json_and_csv_hold_every_scan(tree, predictions):
    result = evaluate(predictions, [tree])
    record = json.loads(json.dumps(result.to_json()))
    assert record["tolerance_mm"] == 5
    assert [case["subject"] for case in record["cases"]] == list(PEOPLE)
    assert set(record["rows"][0]["fnr_percent"]) == {"value", "low", "high"}
    lines = result.to_csv().splitlines()
    assert lines[0].startswith("data_set,subject,session,suffix,patient,group,true,found")
    assert len(lines) == 4
    assert evaluation.case_record(result.cases[0], "paper")["dtt_median"] == pytest.approx(2)


def test_truth_that_cannot_be_read_stops_with_its_name(tree, predictions):
    labels = next((tree / "derivatives").rglob("sub-01_T2w_label-discs_dlabel.nii.gz"))
    labels.write_bytes(b"no image")
    with pytest.raises(InputError, match="sub-01_T2w"):
        evaluate(predictions, [tree])


def test_a_folder_is_scored_without_the_scans(tree, predictions):
    before = evaluate(predictions, [tree]).to_json()
    for subject in PEOPLE:
        (tree / subject / "anat" / f"{subject}_T2w.nii.gz").write_bytes(b"")
    assert evaluate(predictions, [tree]).to_json() == before


def test_a_changed_scan_is_labelled_as_often_as_asked_and_its_truth_goes_along(tree, monkeypatch):
    for subject in PEOPLE:
        write_volume(tree / subject / "anat" / f"{subject}_T2w.nii.gz", TRUTH)

    def label(image, *, model, decoder):  # a model that is shown its answer
        points = DiscLabels.from_volume(image.data, affine=image.affine)
        return LabelResult(points, {0: 0.8, 1: 0.2}, uncertain=False)

    monkeypatch.setattr(labeling, "label", label)
    monkeypatch.setattr(session, "DiscSession", lambda model: model)
    monkeypatch.setattr(weights, "find_model", lambda name: name)
    result = evaluate("discs", [tree], change=Change("crop", 0.5), repeats=3)
    assert len(result.cases) == 9
    assert all(case.strict.all_right for case in result.cases)
    assert {case.strict.true for case in result.cases} <= {2, 3}
    figures = values(result.rows[0])
    assert figures["calibration_error_percent"] == pytest.approx(20)
    assert figures["brier"] == pytest.approx(0.04)
    again = evaluate("discs", [tree], selection=Selection(subjects=frozenset({"02"})), change=Change("crop", 0.5))
    assert again.cases[0] == result.cases[3]
    record = result.to_json()
    assert record["change"] == "crop=0.5"
    assert record["reliability"] == [{"cases": 9, "stated": pytest.approx(0.8), "right": 1.0}]


@pytest.fixture
def knowing_model(monkeypatch):
    """Stands for a model that is shown its answer: the scan's grey values are its labels."""

    def label(image, *, model, decoder):
        return LabelResult(DiscLabels.from_volume(np.rint(image.data), affine=image.affine), {0: 0.8, 1: 0.2}, False)

    monkeypatch.setattr(labeling, "label", label)
    monkeypatch.setattr(session, "DiscSession", lambda model: model)
    monkeypatch.setattr(weights, "find_model", lambda name: name)


@pytest.mark.usefixtures("knowing_model")
def test_forms_of_one_scan_are_no_independent_witnesses(tree):
    for subject in PEOPLE:
        grey = TRUTH if subject != "sub-03" else moved(TRUTH, levels=1)
        write_volume(tree / subject / "anat" / f"{subject}_T2w.nii.gz", grey)
    once = evaluate("discs", [tree], change=Change("crop", 0.5)).rows[0].figures["all_right_percent"]
    often = evaluate("discs", [tree], change=Change("crop", 0.5), repeats=30).rows[0].figures["all_right_percent"]
    assert once.value == often.value == pytest.approx(200 / 3)
    assert often.interval[1] - often.interval[0] > 60


@pytest.mark.usefixtures("knowing_model")
def test_what_is_not_random_is_done_once_and_too_strong_a_change_says_so(tree):
    for subject in PEOPLE:
        write_volume(tree / subject / "anat" / f"{subject}_T2w.nii.gz", TRUTH)
    assert len(evaluate("discs", [tree], change=Change("turned", 1), repeats=5).cases) == 3
    with pytest.raises(UsageError, match=r"crop=0\.05: no scan is left"):
        evaluate("discs", [tree], change=Change("crop", 0.05))


@pytest.mark.usefixtures("knowing_model")
def test_thick_slices_do_not_loosen_the_measure(tree):
    """A change to few slices must not switch to distances within the slice."""
    write_volume(tree / "sub-01" / "anat" / "sub-01_T2w.nii.gz", moved(TRUTH, by=(-6, 0, 0)))
    chosen = Selection(subjects=frozenset({"01"}))
    (case,) = evaluate("discs", [tree], selection=chosen, change=Change("turned", 2)).cases
    assert case.strict.found == 0
    (case,) = evaluate("discs", [tree], selection=chosen, change=Change("thickness", 2)).cases
    assert case.strict.found == 0


def test_a_folder_of_labels_cannot_be_scored_on_changed_scans(tree, predictions):
    with pytest.raises(UsageError, match="folder of labels"):
        evaluate(predictions, [tree], change=Change("noise", 0.1))


@pytest.mark.usefixtures("fake_model")
def test_a_scan_that_cannot_be_read_counts_as_missed_once_however_often_it_would_be_changed(tree):
    (tree / "sub-01" / "anat" / "sub-01_T2w.nii.gz").write_bytes(b"no image")
    cases = evaluate("discs", [tree], change=Change("noise", 0.1), repeats=2).cases
    assert [case.subject for case in cases][:2] == ["sub-01", "sub-02"]
    assert "sub-01_T2w" in cases[0].problem


def test_how_sure_a_tool_is_comes_from_its_full_result(tree, predictions):
    full = {"discs": [], "uncertain": False, "level_shift": {"0": 0.97, "1": 0.03}}
    (predictions / "deep" / "down" / "sub-01_T2w_discs.json").write_text(json.dumps(full))
    cases = evaluate(predictions, [tree]).cases
    assert [case.certainty for case in cases] == [0.97, None, None]
