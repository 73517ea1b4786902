"""`lookonce label` as a user calls it: outputs, JSON, exit codes, and what is left behind when something goes wrong."""

from __future__ import annotations

import csv
import errno
import gzip
import json
import os
import re
import resource
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import get_args

import nibabel as nib
import numpy as np
import pytest
from tests.blobs import CERVICAL, make_phantom, write_blob_model
from tests.point_model import write_point_model

import lookonce
from lookonce import decoders, labeling
from lookonce.anatomy import NUMBERINGS
from lookonce.cli.app import main
from lookonce.cli.label import Decoder, Numbering
from lookonce.decoders import DecoderName
from lookonce.io.bids import read_labels

ENDINGS = ("_label-discs_dlabel.nii.gz", "_label-discs_dlabel.json", "_discs.csv", "_discs.json")


@dataclass(frozen=True)
class Done:
    """How a command ended."""

    code: int
    stdout: str
    stderr: str

    @property
    def complaints(self) -> list[str]:
        """The lines about errors on stderr."""
        return [line for line in self.stderr.splitlines() if line.startswith("lookonce: ")]

    @property
    def results(self) -> list[dict]:
        return json.loads(self.stdout)["results"]


@pytest.fixture(scope="module")
def model(tmp_path_factory) -> Path:
    """A model that finds painted blobs and counts them down from C2/C3."""
    return write_blob_model(tmp_path_factory.mktemp("model") / "blobs.onnx", first_level=3)


@pytest.fixture
def run(model, monkeypatch, capsys):
    """Run `lookonce label` in this process with the blob model, as the entry point does."""

    def run(*arguments: object) -> Done:
        words = ["lookonce", "label", "--model", *map(str, (model, *arguments))]
        monkeypatch.setattr(sys, "argv", words)
        monkeypatch.setenv("COLUMNS", "500")  # errors of usage come in a frame that would break them
        try:
            main()
            code = 0
        except SystemExit as left:
            code = int(left.code or 0)
        captured = capsys.readouterr()
        return Done(code, captured.out, captured.err)

    return run


@pytest.fixture(scope="module")
def phantom():
    return make_phantom()


@pytest.fixture
def scan(phantom, tmp_path) -> Path:
    return phantom.save(tmp_path / "in" / "sub-01_T2w.nii.gz")


def names_in(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()} if folder.exists() else set()


def outputs_of(stem: str) -> set[str]:
    return {stem + ending for ending in ENDINGS}


# What a good call leaves behind.


def test_four_files_lie_beside_the_scan_and_a_table_is_printed(run, scan, phantom):
    done = run(scan)
    assert done.code == 0, done.stderr
    assert done.stderr == ""
    assert names_in(scan.parent) == {scan.name} | outputs_of("sub-01_T2w")
    assert "C2/C3" in done.stdout
    assert "numbering certain" in done.stdout
    labels = read_labels(scan.with_name("sub-01_T2w_label-discs_dlabel.nii.gz"))
    assert [int(level) for level in labels.levels] == list(CERVICAL)
    assert np.abs(labels.points - phantom.points).max() <= 2.5  # half a voxel
    sidecar = json.loads(scan.with_name("sub-01_T2w_label-discs_dlabel.json").read_text())
    assert sidecar["SpatialReference"] == "orig"
    assert sidecar["GeneratedBy"][0]["Name"] == "LookOnce"
    assert sidecar["GeneratedBy"][0]["Command"].startswith("lookonce label --model ")
    rows = list(csv.DictReader(scan.with_name("sub-01_T2w_discs.csv").open()))
    assert [int(row["level"]) for row in rows] == list(CERVICAL)


def test_json_is_one_object_of_the_promised_shape(run, scan, phantom, tmp_path):
    done = run(scan, "-o", tmp_path / "out", "--json")
    assert done.code == 0
    (record,) = done.results
    promised = {"input", "discs", "level_shift", "uncertain", "variant", "warnings", "seconds", "outputs"}
    assert promised <= set(record)
    assert record["input"] == str(scan)
    assert record["uncertain"] is False
    assert record["variant"] is None
    assert record["warnings"] == []
    assert sum(record["level_shift"].values()) == pytest.approx(1, abs=1e-4)
    assert record["level_shift"]["0"] > 0.9
    assert 0 < record["seconds"] < 30
    assert set(record["outputs"]) == {"labels", "sidecar", "csv", "result"}
    assert {Path(path).name for path in record["outputs"].values()} == outputs_of("sub-01_T2w")
    assert all(Path(path).is_file() for path in record["outputs"].values())
    for disc, level, point in zip(record["discs"], phantom.levels, phantom.points, strict=True):
        assert set(disc) == {"level", "name", "world_mm", "voxel", "confidence"}
        assert disc["level"] == level
        assert disc["world_mm"] == pytest.approx(point, abs=0.5)
        voxel = np.linalg.solve(phantom.image.affine, (*point, 1))[:3]
        assert np.abs(np.array(disc["voxel"]) - voxel).max() <= 0.6
        assert 0.9 < disc["confidence"] <= 1


def test_markups_for_slicer_name_the_same_discs_at_the_same_places(run, scan, tmp_path):
    (record,) = run(scan, "-o", tmp_path / "out", "--markups", "--json").results
    assert Path(record["outputs"]["markups"]).name == "sub-01_T2w_discs.mrk.json"
    points = read_labels(record["outputs"]["markups"])
    assert [disc.level.label for disc in points] == [disc["name"] for disc in record["discs"]]
    assert points.points == pytest.approx(np.array([disc["world_mm"] for disc in record["discs"]]), abs=1e-3)


def test_the_full_result_is_what_json_prints(run, scan, tmp_path):
    (record,) = run(scan, "-o", tmp_path / "out", "--json").results
    written = json.loads((tmp_path / "out" / "sub-01_T2w_discs.json").read_text())
    assert written["discs"] == record["discs"]
    assert written["level_shift"] == record["level_shift"]


def test_an_uncertain_numbering_is_written_marked_and_explained(run, scan, tmp_path):
    unnamed = write_blob_model(tmp_path / "unnamed.onnx")
    done = run("--model", unnamed, scan, "-o", tmp_path / "out")
    assert done.code == 0
    assert "numbering UNCERTAIN" in done.stdout
    assert "--first-level" in done.stdout
    (record,) = run("--model", unnamed, scan, "-o", tmp_path / "out", "--overwrite", "--json").results
    assert record["uncertain"] is True
    assert record["runner_up"]["names"]
    (record,) = run(
        "--model", unnamed, scan, "-o", tmp_path / "out", "--overwrite", "--json", "--first-level", 3
    ).results
    assert record["uncertain"] is False


def test_a_localizer_numbers_the_scans_of_its_session(run, scan, tmp_path):
    (record,) = run(scan, "-o", tmp_path / "out", "--localizer", scan, "--json").results
    assert record["counted_from"] == "the localizer"
    sidecar = json.loads((tmp_path / "out" / "sub-01_T2w_label-discs_dlabel.json").read_text())
    assert sidecar["CountedFrom"] == "the localizer"
    done = run(scan, "-o", tmp_path / "again", "--localizer", scan)
    assert "counted from the localizer" in done.stdout


def test_a_localizer_that_cannot_be_used_stops_the_call_before_anything_is_written(run, scan, tmp_path):
    text = tmp_path / "localizer.nii.gz"
    text.write_text("no image")
    done = run(scan, "-o", tmp_path / "out", "--localizer", text)
    assert done.code == 3
    assert str(text) in done.complaints[0]
    empty = tmp_path / "empty.nii.gz"
    noise = np.random.default_rng(0).normal(100, 10, (12, 100, 100)).astype(np.float32)
    nib.save(nib.Nifti1Image(noise, np.eye(4)), empty)
    done = run(scan, "-o", tmp_path / "out", "--localizer", empty)
    assert done.code == 4
    assert "the localizer cannot be used" in done.complaints[0]
    assert not (tmp_path / "out").exists()


def test_the_label_file_may_follow_another_numbering(run, scan, tmp_path):
    assert run(scan, "-o", tmp_path / "out", "--numbering", "totalspineseg").code == 0
    path = tmp_path / "out" / "sub-01_T2w_label-discs_dlabel.nii.gz"
    values = np.unique(np.asarray(nib.load(path).dataobj))
    assert values.tolist() == [0, 63, 64, 65, 66, 67, 71, 72]
    assert [int(level) for level in read_labels(path, numbering="totalspineseg").levels] == list(CERVICAL)


def test_the_choices_of_numbering_are_those_of_the_library():
    assert get_args(Numbering) == NUMBERINGS


def test_the_choices_of_decoder_are_those_of_the_library():
    assert get_args(Decoder) == get_args(DecoderName)


@pytest.mark.parametrize("decoder", ["skeleton", "lookonce"])
def test_another_decoder_names_the_same_discs(decoder, run, scan, tmp_path, monkeypatch):
    monkeypatch.setattr(decoders, "POINT_MODEL", str(write_point_model(tmp_path / "rows.onnx")))
    done = run(scan, "-o", tmp_path / "out", "--decoder", decoder, "--json")
    assert done.code == 0
    (result,) = done.results
    assert [disc["level"] for disc in result["discs"]] == list(CERVICAL)
    assert (
        f"--decoder {decoder}"
        in json.loads(Path(result["outputs"]["sidecar"]).read_text())["GeneratedBy"][0]["Command"]
    )


def test_one_volume_of_several_can_be_chosen(run, phantom, tmp_path):
    both = np.stack([phantom.image.data // 2, phantom.image.data], axis=3)
    nib.save(nib.Nifti1Image(both, phantom.image.affine), tmp_path / "both.nii.gz")
    done = run(tmp_path / "both.nii.gz")
    assert done.code == 3
    assert "pick one with --volume N" in done.complaints[0]
    assert run(tmp_path / "both.nii.gz", "--volume", 1).code == 0


def test_the_qc_page_shows_every_scan_of_the_call(run, phantom, tmp_path):
    scans = [phantom.save(tmp_path / f"sub-0{number}_T2w.nii.gz") for number in (1, 2)]
    done = run(*scans, "-o", tmp_path / "out", "--qc", tmp_path / "qc")
    assert done.code == 0, done.stderr
    assert str(tmp_path / "qc" / "index.html") in done.stdout
    page = (tmp_path / "qc" / "index.html").read_text()
    assert "sub-01_T2w" in page
    assert "sub-02_T2w" in page


def test_progress_is_on_stderr_when_there_are_several_inputs(run, phantom, tmp_path):
    scans = [phantom.save(tmp_path / f"sub-0{number}_T2w.nii.gz") for number in (1, 2)]
    done = run(*scans, "--json")
    assert done.stderr.splitlines() == [f"[1/2] {scans[0]}", f"[2/2] {scans[1]}"]
    assert [record["input"] for record in done.results] == list(map(str, scans))


# Names of files.


def test_two_inputs_of_one_stem_do_not_collide(run, phantom, tmp_path):
    scans = [phantom.save(tmp_path / site / "sub-01_T2w.nii.gz") for site in ("north", "south")]
    done = run(*scans, "-o", tmp_path / "out", "--json")
    assert done.code == 0
    paths = [path for record in done.results for path in record["outputs"].values()]
    assert len(set(paths)) == 8
    assert names_in(tmp_path / "out") == outputs_of("north_sub-01_T2w") | outputs_of("south_sub-01_T2w")


def test_packed_and_plain_files_of_one_name_do_not_collide(run, phantom, tmp_path):
    scans = [phantom.save(tmp_path / f"scan{ending}") for ending in (".nii", ".nii.gz")]
    done = run(*scans, "--json")
    assert done.code == 0
    assert len({path for record in done.results for path in record["outputs"].values()}) == 8


def test_a_name_with_spaces_and_letters_of_any_language_will_do(run, phantom, tmp_path):
    path = phantom.save(tmp_path / "[Wirbelsäule] rück 脊椎.nii.gz")
    done = run(path)
    assert done.code == 0, done.stderr
    assert outputs_of("[Wirbelsäule] rück 脊椎") <= names_in(tmp_path)


def test_a_name_that_is_no_text_is_labelled_too(model, phantom, tmp_path):
    path = os.fsencode(tmp_path) + b"/scan-\xff.nii"
    with open(path, "wb") as file:
        file.write(nib.Nifti1Image(phantom.image.data, phantom.image.affine).to_bytes())
    command = [*lookonce_command(), "label", "--model", str(model), path, "-o", str(tmp_path / "out")]
    done = subprocess.run(command, capture_output=True, check=False, env=environment(), timeout=120)
    assert done.returncode == 0, done.stderr
    assert len(list((tmp_path / "out").iterdir())) == 4


def test_results_are_replaced_only_when_asked(run, scan):
    assert run(scan).code == 0
    first = scan.with_name("sub-01_T2w_discs.json").stat().st_mtime_ns
    done = run(scan)
    assert done.code == 1
    assert "is there already; replace it with --overwrite" in done.complaints[0]
    assert scan.with_name("sub-01_T2w_discs.json").stat().st_mtime_ns == first
    assert run(scan, "--overwrite").code == 0
    assert scan.with_name("sub-01_T2w_discs.json").stat().st_mtime_ns != first


def test_labels_placed_by_hand_are_kept_whatever_is_asked(run, scan):
    labels = scan.with_name("sub-01_T2w_label-discs_dlabel.nii.gz")
    labels.write_bytes(b"placed by hand")
    sidecar = scan.with_name("sub-01_T2w_label-discs_dlabel.json")
    sidecar.write_text(json.dumps({"GeneratedBy": [{"Name": "Manual", "Author": "A. Reader"}]}))
    done = run(scan, "--overwrite", "--json")
    assert done.code == 1
    assert done.results[0]["error"]["kind"] == "unwritable"
    assert "never overwritten" in done.results[0]["error"]["message"]
    assert labels.read_bytes() == b"placed by hand"
    assert names_in(scan.parent) == {scan.name, labels.name, sidecar.name}
    assert run(scan, "-o", scan.parent / "out").code == 0


# Bad inputs: (what is written under the name, exit code, kind, words of the message).


def truncated(path: Path, good: bytes) -> None:
    path.write_bytes(good[: len(good) // 2])


def text(path: Path, good: bytes) -> None:
    path.write_bytes(gzip.compress(b"these are not voxels, however long the text goes on" * 100))


def empty(path: Path, good: bytes) -> None:
    path.write_bytes(b"")


def missing(path: Path, good: bytes) -> None:
    pass


def folder(path: Path, good: bytes) -> None:
    path.mkdir()


def image(data: np.ndarray, path: Path, size: float = 1.0) -> None:
    nib.save(nib.Nifti1Image(data, np.diag([size, size, size, 1])), path)


def all_zero(path: Path, good: bytes) -> None:
    image(np.zeros((8, 80, 80), np.int16), path)


def all_nan(path: Path, good: bytes) -> None:
    image(np.full((8, 80, 80), np.nan, np.float32), path)


def two_voxels(path: Path, good: bytes) -> None:
    image(np.array([1, 2], np.int16).reshape(2, 1, 1), path)


def no_spine(path: Path, good: bytes) -> None:
    image(
        np.random.default_rng(0).integers(0, 40, (8, 90, 90)).astype(np.int16) + 1000 * np.eye(90, dtype=np.int16), path
    )


BAD = [
    (truncated, 3, "unreadable", "the file ends after .* copy it again"),
    (text, 3, "unreadable", "is not a NIfTI image"),
    (empty, 3, "unreadable", "is empty"),
    (missing, 3, "unreadable", "no such file"),
    (folder, 3, "unreadable", "holds no MR series.* it is empty"),
    (all_zero, 3, "unreadable", "holds only zeros"),
    (all_nan, 3, "unreadable", "are no numbers"),
    (two_voxels, 3, "geometry", "cannot be labelled|from head to foot"),
    (no_spine, 4, "nothing-found", "no spine was found"),
]


@pytest.mark.parametrize(("make", "code", "kind", "words"), BAD, ids=[case[0].__name__ for case in BAD])
def test_a_bad_input_is_one_clear_line_and_stops_nothing_else(make, code, kind, words, run, scan, tmp_path):
    bad = tmp_path / "bad" / "sub-99_T2w.nii.gz"
    bad.parent.mkdir()
    make(bad, scan.read_bytes())
    before = names_in(bad.parent)

    alone = run(bad)
    assert alone.code == code
    assert alone.stdout == ""
    (line,) = alone.stderr.splitlines()
    assert line.startswith("lookonce: ")
    assert line.count(str(bad)) == 1
    assert len(line) < 300 + len(str(bad))

    both = run(bad, scan, "-o", tmp_path / "out", "--json")
    assert both.code == code
    error = both.results[0]["error"]
    assert both.results[0] == {"input": str(bad), "error": error}
    assert error["kind"] == kind
    assert re.search(words, error["message"])
    assert [disc["level"] for disc in both.results[1]["discs"]] == list(CERVICAL)
    assert names_in(bad.parent) == before
    assert names_in(tmp_path / "out") == outputs_of("sub-01_T2w")


def test_several_inputs_that_fail_in_one_way_keep_its_exit_code(run, scan, tmp_path):
    gone = [tmp_path / "one.nii.gz", tmp_path / "two.nii.gz"]
    done = run(*gone, scan)
    assert done.code == 3
    assert len(done.complaints) == 2
    assert "C2/C3" in done.stdout


def test_inputs_that_fail_in_different_ways_give_1_and_each_its_own_kind(run, scan, tmp_path):
    no_spine(tmp_path / "phantom.nii.gz", b"")
    done = run(tmp_path / "gone.nii.gz", tmp_path / "phantom.nii.gz", scan, "--json")
    assert done.code == 1
    assert [result.get("error", {}).get("kind") for result in done.results] == ["unreadable", "nothing-found", None]


def test_some_voxels_without_a_number_are_a_warning(run, phantom, tmp_path):
    data = phantom.image.data.astype(np.float32)
    data[0, :2, :2] = np.nan
    nib.save(nib.Nifti1Image(data, phantom.image.affine), tmp_path / "scan.nii.gz")
    done = run(tmp_path / "scan.nii.gz", "--json")
    assert done.code == 0
    assert "4 of" in done.results[0]["warnings"][0]


def test_an_unexpected_error_names_its_input_and_stops_nothing_else(run, phantom, tmp_path, monkeypatch):
    scans = [phantom.save(tmp_path / f"sub-0{number}.nii.gz") for number in (1, 2)]
    real = labeling.label

    def label(image, **options):
        if image.path == scans[0]:
            raise ZeroDivisionError("a bug")
        return real(image, **options)

    monkeypatch.setattr(labeling, "label", label)
    done = run(*scans, "--json")
    assert done.code == 1
    assert done.results[0]["error"]["kind"] == "error"
    assert "unexpected ZeroDivisionError (a bug); please report it" in done.complaints[0]
    assert "Traceback" in done.stderr
    assert len(done.results[1]["discs"]) == len(CERVICAL)


# Bad outputs.


def fill_the_disk(monkeypatch, at: str) -> None:
    """Let every file be written until the disk is full, when `at` is in its name."""
    real = os.fsync

    def fsync(descriptor: int) -> None:
        if at in os.readlink(f"/proc/self/fd/{descriptor}"):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        real(descriptor)

    monkeypatch.setattr(os, "fsync", fsync)


@pytest.mark.parametrize("ending", ENDINGS)
def test_a_full_disk_leaves_nothing_half_written_and_the_other_scan_done(ending, run, phantom, tmp_path, monkeypatch):
    scans = [phantom.save(tmp_path / name / f"{name}.nii.gz") for name in ("full", "free")]
    fill_the_disk(monkeypatch, f"full{ending}")
    done = run(*scans, "--json")
    assert done.code == 1
    assert done.results[0]["error"]["kind"] == "unwritable"
    (line,) = done.complaints
    assert "No space left on device" in line
    assert "free some space" in line
    assert names_in(tmp_path / "full") == {"full.nii.gz"}
    assert names_in(tmp_path / "free") == {"free.nii.gz"} | outputs_of("free")


def test_a_full_disk_keeps_the_results_of_before(run, scan, monkeypatch):
    assert run(scan).code == 0
    before = {path: path.read_bytes() for path in scan.parent.iterdir()}
    fill_the_disk(monkeypatch, "_discs.json")
    assert run(scan, "--overwrite").code == 1
    assert {path: path.read_bytes() for path in scan.parent.iterdir()} == before


def test_a_write_that_the_system_breaks_off_leaves_nothing(model, scan):
    """A real limit, in a process of its own: the first bytes of a file reach the disk, the rest does not."""
    done = subprocess.run(
        [*lookonce_command(), "label", "--model", str(model), str(scan), "-o", str(scan.parent / "out")],
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (100, 100)),
        capture_output=True,
        text=True,
        check=False,
        env=environment(),
        timeout=120,
    )
    assert done.returncode == 1
    (line,) = done.stderr.splitlines()
    assert line.startswith("lookonce: ")
    assert "cannot be written (File too large)" in line
    assert names_in(scan.parent / "out") == set()


def test_an_output_folder_below_a_file_cannot_be_written_to(run, scan, tmp_path):
    (tmp_path / "taken").touch()
    done = run(scan, "-o", tmp_path / "taken" / "out")
    assert done.code == 1
    (line,) = done.stderr.splitlines()
    assert str(tmp_path / "taken") in line
    assert "choose another folder" in line


@pytest.mark.parametrize("option", ["-o", "--qc"])
def test_an_output_folder_that_is_a_file_is_bad_usage(option, run, scan, tmp_path):
    (tmp_path / "taken").touch()
    done = run(scan, option, tmp_path / "taken")
    assert done.code == 2
    assert "is a file" in done.stderr
    assert names_in(scan.parent) == {scan.name}


def test_labels_stay_when_the_qc_page_cannot_be_written(run, scan, tmp_path):
    (tmp_path / "taken").touch()
    done = run(scan, "-o", tmp_path / "out", "--qc", tmp_path / "taken" / "qc")
    assert done.code == 1
    (line,) = done.stderr.splitlines()
    assert "its labels are written, but" in line
    assert names_in(tmp_path / "out") == outputs_of("sub-01_T2w")


# Bad calls and bad models.


@pytest.mark.parametrize(
    "options",
    [("--numbering", "sctt"), ("--first-level", 1), ("--first-level", 26), ("--first-level", "C2"), ("--volume", -1)],
)
def test_a_bad_option_is_bad_usage_and_touches_nothing(options, run, scan):
    done = run(scan, *options)
    assert done.code == 2
    assert options[0] in done.stderr
    assert names_in(scan.parent) == {scan.name}


def test_a_call_without_inputs_is_bad_usage(run):
    assert run().code == 2


def test_an_unknown_model_is_bad_usage(run, scan):
    done = run(scan, "--model", "disks")
    assert done.code == 2
    assert "no model is called 'disks'" in done.complaints[0]


def test_damaged_weights_are_told_before_anything_else(run, scan, tmp_path):
    path = write_blob_model(tmp_path / "damaged.onnx")
    path.write_bytes(path.read_bytes()[:-1])
    done = run(scan, "--model", path)
    assert done.code == 5
    (line,) = done.stderr.splitlines()
    assert "damaged.onnx: its sha256 is not the one in its card" in line
    assert names_in(scan.parent) == {scan.name}


# The whole process.


def lookonce_command() -> list[str]:
    return [sys.executable, "-m", "lookonce"]


def environment() -> dict[str, str]:
    """Environment in which a new process finds the sources under test."""
    source = str(Path(lookonce.__file__).parents[1])
    return os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, [source, os.environ.get("PYTHONPATH")]))}


def test_a_process_ends_with_the_exit_code(model, scan, tmp_path):
    command = [*lookonce_command(), "label", "--model", str(model), "--json"]
    done, failed = (
        subprocess.run([*command, path], capture_output=True, text=True, check=False, env=environment(), timeout=120)
        for path in (str(scan), str(tmp_path / "gone.nii.gz"))
    )
    assert done.returncode == 0, done.stderr
    assert len(json.loads(done.stdout)["results"][0]["discs"]) == len(CERVICAL)
    assert failed.returncode == 3
    assert json.loads(failed.stdout)["results"][0]["error"]["kind"] == "unreadable"
    assert failed.stderr.count("\n") == 1
