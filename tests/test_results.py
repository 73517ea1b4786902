import json
import os
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lookonce.anatomy import Level
from lookonce.errors import OutputError
from lookonce.io.bids import read_labels
from lookonce.io.nifti import SpineImage
from lookonce.labeling import LabelResult
from lookonce.landmarks import Disc, DiscLabels
from lookonce.results import check_outputs, output_paths, plan_outputs, result_record, write_result

AFFINE = np.diag([4.0, 1, 1, 1])
IMAGE = SpineImage(np.zeros((6, 40, 80), np.int16), AFFINE, Path("in/sub-01_T2w.nii.gz"), ["from the image"])
LABELS = DiscLabels(
    [Disc(Level.L4_L5, (8, 10, 50), 0.91234), Disc(Level.L5_S1, (8, 12, 15.3)), Disc(Level.T12_L1, (8, 9, 79))]
)
RESULT = LabelResult(
    LABELS,
    level_shift={0: 0.9, 1: 0.06, -1: 0.04},
    uncertain=False,
    warnings=["from labelling"],
    seconds=0.87654,
    model={"name": "discs", "version": "1", "sha256": "ab" * 32},
)
STEM = "sub-01_T2w"
FILES = {
    "labels": f"{STEM}_label-discs_dlabel.nii.gz",
    "sidecar": f"{STEM}_label-discs_dlabel.json",
    "csv": f"{STEM}_discs.csv",
    "result": f"{STEM}_discs.json",
}


def load(path: str | Path) -> dict:
    return json.loads(Path(path).read_text(encoding="utf-8"))


def names_in(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


def test_four_files_are_written_and_read_back(tmp_path):
    outputs = write_result(IMAGE, RESULT, tmp_path / "new", STEM)
    assert outputs == {key: str(tmp_path / "new" / name) for key, name in FILES.items()}
    assert names_in(tmp_path / "new") == set(FILES.values())
    assert read_labels(outputs["labels"]).levels == LABELS.levels
    assert read_labels(outputs["labels"]).points == pytest.approx(np.rint(LABELS.points))
    assert DiscLabels.from_csv(Path(outputs["csv"]).read_text()).points == pytest.approx(LABELS.points)
    assert DiscLabels.from_records(load(outputs["result"])["discs"]).levels == LABELS.levels


def test_the_sidecar_is_bids_and_says_how_sure_the_levels_are(tmp_path):
    sidecar = load(write_result(IMAGE, RESULT, tmp_path, STEM, command="lookonce label a.nii.gz")["sidecar"])
    program = sidecar["GeneratedBy"][0]
    assert sidecar["SpatialReference"] == "orig"
    assert program["Name"] == "LookOnce"
    assert "Version" in program
    assert program["Command"] == "lookonce label a.nii.gz"
    assert sidecar["Model"] == {"Name": "discs", "SHA256": "ab" * 32}
    assert sidecar["LevelShift"] == {"-1": 0.04, "0": 0.9, "1": 0.06}
    assert sidecar["Uncertain"] is False
    assert sidecar["Warnings"] == ["from the image", "from labelling"]


def test_the_record_has_the_fields_of_the_contract():
    record = result_record("in/a.nii.gz", RESULT, IMAGE, {"labels": "l"})
    contract = {"input", "discs", "level_shift", "uncertain", "variant", "warnings", "seconds", "outputs"}
    assert contract <= set(record)
    assert record["discs"][1] == {
        "level": 24,
        "name": "L4/L5",
        "world_mm": [8, 10, 50],
        "confidence": 0.9123,
        "voxel": [2, 10, 50],
    }
    assert record["runner_up"] == {"shift": 1, "probability": 0.06, "names": ["L1/L2", "L5/S1", None]}
    assert record["warnings"] == ["from the image", "from labelling"]
    assert json.loads(json.dumps(record)) == record


def test_a_sure_result_has_no_runner_up():
    record = result_record("a.nii", LabelResult(LABELS, {0: 1.0}, uncertain=False), IMAGE, {})
    assert record["runner_up"] is None


def test_the_written_result_names_files_without_their_folder(tmp_path):
    record = load(write_result(IMAGE, RESULT, tmp_path, STEM)["result"])
    assert record["outputs"] == FILES
    assert record["input"] == "sub-01_T2w.nii.gz"
    assert str(tmp_path) not in json.dumps(record)


@pytest.mark.parametrize(("numbering", "values"), [("totalspineseg", {91, 95, 100}), ("spineps", {119, 123, 124})])
def test_other_numberings_are_in_the_volume_alone(tmp_path, numbering, values):
    outputs = write_result(IMAGE, RESULT, tmp_path, STEM, numbering=numbering)
    assert set(np.unique(np.asanyarray(nib.load(outputs["labels"]).dataobj))) == {0, *values}
    assert load(outputs["sidecar"])["Numbering"] == numbering
    assert [disc["level"] for disc in load(outputs["result"])["discs"]] == [20, 24, 25]


def test_markups_are_written_on_request_beside_the_others(tmp_path):
    outputs = write_result(IMAGE, RESULT, tmp_path, STEM, markups=True)
    assert outputs["markups"] == str(tmp_path / f"{STEM}_discs.mrk.json")
    assert read_labels(outputs["markups"]).levels == LABELS.levels
    assert read_labels(outputs["markups"]).points == pytest.approx(LABELS.points)
    with pytest.raises(OutputError, match="is there already"):
        check_outputs(tmp_path, STEM, markups=True)


def test_a_disc_without_a_value_is_told_everywhere(tmp_path):
    result = LabelResult(DiscLabels([Disc(Level.L6_S1, (8, 12, 15))]), {0: 1.0}, uncertain=True, variant="L6")
    outputs = write_result(IMAGE, result, tmp_path, STEM)
    for record in (load(outputs["sidecar"])["Warnings"], load(outputs["result"])["warnings"]):
        assert any("L6/S1 has no SCT value" in text for text in record)
    assert load(outputs["result"])["discs"][0]["level"] is None


@pytest.mark.parametrize("key", FILES)
def test_existing_files_are_replaced_only_on_request(tmp_path, key):
    (tmp_path / FILES[key]).write_text("{}")
    with pytest.raises(OutputError, match=f"{FILES[key]}: is there already; replace it with --overwrite"):
        write_result(IMAGE, RESULT, tmp_path, STEM)
    assert names_in(tmp_path) == {FILES[key]}
    write_result(IMAGE, RESULT, tmp_path, STEM, overwrite=True)
    assert (tmp_path / FILES[key]).read_bytes() != b"{}"


@pytest.mark.parametrize("made_by", [[{"Name": "Manual"}], {"Name": "manual"}, [{"Name": "SCT"}, {"Name": "Manual"}]])
def test_labels_placed_by_hand_are_never_overwritten(tmp_path, made_by):
    (tmp_path / FILES["labels"]).write_bytes(b"by hand")
    (tmp_path / FILES["sidecar"]).write_text(json.dumps({"GeneratedBy": made_by}))
    with pytest.raises(OutputError, match=f"{FILES['labels']}: was placed by hand .*never overwritten"):
        write_result(IMAGE, RESULT, tmp_path, STEM, overwrite=True)
    assert (tmp_path / FILES["labels"]).read_bytes() == b"by hand"
    assert names_in(tmp_path) == {FILES["labels"], FILES["sidecar"]}


def test_own_labels_may_be_overwritten(tmp_path):
    write_result(IMAGE, RESULT, tmp_path, STEM)
    assert write_result(IMAGE, RESULT, tmp_path, STEM, overwrite=True)


def test_a_sidecar_that_nobody_can_read_protects_its_labels(tmp_path):
    (tmp_path / FILES["sidecar"]).write_text("{")
    with pytest.raises(OutputError, match="cannot tell who made the labels"):
        check_outputs(tmp_path, STEM, overwrite=True)


@pytest.mark.parametrize("failing", [1, 2, 3, 4])
@pytest.mark.parametrize("call", ["fsync", "replace"])
def test_a_file_that_cannot_be_written_takes_the_others_with_it(tmp_path, monkeypatch, call, failing):
    (tmp_path / FILES["csv"]).write_text("before")
    original, calls = getattr(os, call), []

    def fail_at_last(*args):
        calls.append(args)
        if len(calls) == failing:
            raise OSError(28, "No space left on device")
        return original(*args)

    monkeypatch.setattr(os, call, fail_at_last)
    with pytest.raises(OutputError, match="No space left on device"):
        write_result(IMAGE, RESULT, tmp_path, STEM, overwrite=True)
    assert names_in(tmp_path) == {FILES["csv"]}


# --- where outputs go -----------------------------------------------------------------------------------------------


def test_outputs_lie_beside_the_input_by_default():
    plan = plan_outputs(["a/sub-01_T2w.nii.gz", "b/sub-01_T2w.nii", "b/series"])
    assert list(plan.values()) == [(Path("a"), STEM), (Path("b"), STEM), (Path("b"), "series")]


def test_one_folder_for_all_tells_equal_names_apart_by_their_folders():
    inputs = [
        "x/siteA/sub-01/anat/T2w.nii.gz",
        "x/siteB/sub-01/anat/T2w.nii.gz",
        "x/siteB/sub-02/anat/T2w.nii.gz",
        "T1w.nii",
    ]
    plan = plan_outputs(inputs, "out")
    assert [stem for _, stem in plan.values()] == ["siteA_sub-01_T2w", "siteB_sub-01_T2w", "siteB_sub-02_T2w", "T1w"]
    assert {folder for folder, _ in plan.values()} == {Path("out")}


@pytest.mark.parametrize("out", [None, "out"])
def test_one_name_with_two_endings_is_told_apart(out):
    plan = plan_outputs(["a/scan.nii", "a/scan.nii.gz", "/scan.nii", "/scan.nii.gz"], out)
    assert len(set(plan.values())) == 4


def test_an_input_given_twice_counts_once():
    assert len(plan_outputs(["a/scan.nii", Path("a/scan.nii")])) == 1


FOLDERS = st.lists(st.sampled_from(["a", "b", "A", "a_b"]), max_size=3).map("/".join)
NAMES = st.sampled_from(["x.nii", "x.nii.gz", "X.nii.gz", "a_x.nii", "b_x.nii.gz", "x"])
INPUTS = st.lists(st.tuples(FOLDERS, NAMES).map(lambda parts: "/".join(filter(None, parts))), min_size=1, max_size=9)


@given(INPUTS, st.booleans())
def test_no_two_inputs_ever_write_to_the_same_files(inputs, together):
    plan = plan_outputs(inputs, "out" if together else None)
    assert set(plan) == {Path(name) for name in inputs}
    # Without regard to case, for file systems that have none.
    places = {tuple(str(path).casefold() for path in output_paths(*place).values()) for place in plan.values()}
    assert len(places) == len(plan)


@given(INPUTS, st.randoms())
def test_names_do_not_depend_on_the_order_of_the_inputs(inputs, random):
    shuffled = random.sample(inputs, len(inputs))
    assert plan_outputs(inputs, "out") == plan_outputs(shuffled, "out")
