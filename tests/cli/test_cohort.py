"""`lookonce cohort` as a user calls it."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from importlib import resources
from pathlib import Path

import pytest
from tests.blobs import make_phantom, write_blob_model

VALIDATOR = Path(sys.executable).with_name("bids-validator-deno")


@pytest.fixture(scope="module")
def model(tmp_path_factory) -> Path:
    return write_blob_model(tmp_path_factory.mktemp("model") / "blobs.onnx", first_level=3)


@pytest.fixture
def study(tmp_path) -> Path:
    """Two subjects, the second with a broken scan."""
    scan = make_phantom().save(tmp_path / "in/sub-01/anat/sub-01_T2w.nii.gz")
    other = tmp_path / "in/sub-02/anat"
    other.mkdir(parents=True)
    shutil.copy(scan, other / "sub-02_T2w.nii.gz")
    (other / "sub-02_T1w.nii.gz").write_bytes(b"")
    return tmp_path / "in"


def validate(folder: Path) -> list[dict]:
    """Errors that the BIDS validator finds; it needs no network."""
    done = subprocess.run(
        [VALIDATOR, folder, "--format", "json"], capture_output=True, text=True, check=False, timeout=300
    )
    issues = json.loads(done.stdout)["issues"]["issues"]
    return [issue for issue in issues if issue["severity"] == "error"]


def test_a_study_is_labelled_summarised_and_continued(run_command, study, model, tmp_path):
    call = ["cohort", study, tmp_path / "out", "participant", "group", "--model", model, "--jobs", 1, "--json"]
    code, out, err = run_command(*call)
    assert code == 3, err  # the one failure is an unreadable scan
    answer = json.loads(out)
    assert answer["counts"] == {"done": 2, "failed": 1}
    (failed,) = (scan for scan in answer["scans"] if scan["state"] == "failed")
    assert failed["scan"] == "sub-02/anat/sub-02_T1w.nii.gz"
    assert failed["error"]["kind"] == "unreadable"
    assert all(Path(path).is_file() for path in answer["outputs"].values())
    assert "[3/3, 0:00:00 left]" in err
    assert "Traceback" not in err
    (study / "sub-02/anat/sub-02_T1w.nii.gz").unlink()
    code, out, err = run_command(*call, "--dry-run")
    assert code == 0
    assert json.loads(out)["counts"] == {"done": 2}
    code, out, err = run_command("cohort", study, tmp_path / "out", "group", "--model", model)
    assert code == 0
    assert "2 scans: 2 done" in out


def test_a_dry_run_says_what_there_is_to_do_and_writes_nothing(run_command, study, model, tmp_path):
    exclude = tmp_path / "exclude.yml"
    exclude.write_text("moved: [sub-02_T1w]")
    code, out, _ = run_command(
        *("cohort", study, tmp_path / "out", "participant", "--model", model, "--exclude", exclude, "--dry-run")
    )
    assert code == 0
    assert "3 scans: 1 excluded, 2 pending" in out
    assert "sub-02_T1w (moved)" in out
    assert not (tmp_path / "out").exists()


def test_labels_are_separated_by_spaces_as_bids_apps_have_it(run_command, study, model, tmp_path):
    out_dir = tmp_path / "out"

    def scans(*words) -> list[str]:
        code, out, err = run_command("cohort", *words, "--model", model, "--dry-run", "--json")
        assert code == 0, err
        return [Path(scan["scan"]).name.removesuffix(".nii.gz") for scan in json.loads(out)["scans"]]

    everything = ["sub-01_T2w", "sub-02_T1w", "sub-02_T2w"]
    assert scans(study, out_dir, "participant", "--participant-label", "01", "sub-02", "--jobs", 1) == everything
    assert scans(study, out_dir, "participant", "--participant_label", "02", "--suffix", "T1w") == ["sub-02_T1w"]
    assert scans("--participant-label", "01", study, out_dir, "participant") == ["sub-01_T2w"]
    assert scans("--jobs", 1, study, out_dir, "participant", "--suffix", "T1w", "T2w") == everything


@pytest.mark.parametrize(
    ("words", "complaint"),
    [
        (("--participant-label", "07"), "sub-07"),
        (("--entity", "acq"), "KEY=VALUE"),
        (("--scheduler", "tcp://127.0.0.1:9"), "--engine dask"),
        (("--engine", "dask"), "--cluster"),
    ],
)
def test_a_call_that_makes_no_sense_says_so(words, complaint, run_command, study, model, tmp_path):
    code, _, err = run_command("cohort", study, tmp_path / "out", "participant", "--model", model, *words)
    assert code == 2
    assert complaint in err


def test_the_data_set_itself_is_no_place_for_the_results(run_command, study, model):
    code, _, err = run_command("cohort", study, study, "participant", "--model", model)
    assert code == 2
    assert "derivatives/lookonce" in err


def test_the_shipped_model_labels_a_study_that_the_bids_validator_accepts(run_command, tmp_path):
    scan = resources.files("lookonce.examples") / "sub-simulated_T2w.nii.gz"
    folder = tmp_path / "in/sub-simulated/ses-1/anat"
    folder.mkdir(parents=True)
    shutil.copy(str(scan), folder / "sub-simulated_ses-1_T2w.nii.gz")
    code, out, err = run_command(*("cohort", tmp_path / "in", tmp_path / "out", "participant", "group", "--json"))
    assert code == 0, err
    assert json.loads(out)["counts"] == {"done": 1}
    assert len((tmp_path / "out/group_discs.tsv").read_text().splitlines()) > 4
    if not VALIDATOR.exists():
        pytest.skip("bids-validator-deno is not installed")
    assert validate(tmp_path / "out") == []
