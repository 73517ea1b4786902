"""`lookonce film` as a user calls it."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image
from tests.blobs import make_phantom, write_blob_model

from lookonce.io.snapshots import FilmPictures, Snapshot, write_pictures, write_snapshot


@pytest.fixture
def run(run_command):
    return run_command


@pytest.fixture
def trained(tmp_path):
    """Folder of a run with a film of two epochs."""
    folder = tmp_path / "run"
    pictures = FilmPictures(np.full((2, 32, 24), 90, dtype=np.uint8), (np.ones((1, 2)), np.ones((0, 2))), 2)
    write_pictures(folder, pictures)
    for epoch in range(2):
        write_snapshot(folder, Snapshot(epoch, np.full((2, 16, 12), 200 * epoch, dtype=np.uint8), 2.0 - epoch))
    (folder / "recipe.json").write_text("{}")
    return folder


@pytest.fixture
def scans(tmp_path, run):
    """Folder of two scans that `lookonce label` labelled."""
    model = write_blob_model(tmp_path / "blobs.onnx", first_level=3)
    paths = [make_phantom().save(tmp_path / "scans" / f"sub-0{number}_T2w.nii.gz") for number in (1, 2)]
    assert run("label", *paths, "--model", model, "--json")[0] == 0
    return tmp_path / "scans"


def size_and_frames(path) -> tuple[int, int]:
    with Image.open(path) as picture:
        return picture.width, picture.n_frames


def test_a_run_is_filmed(run, trained, tmp_path):
    out = tmp_path / "new" / "learning.gif"
    assert run("film", trained, "-o", out, "--width", 320, "--fps", 2) == (0, f"{out}\n", "")
    assert size_and_frames(out) == (320, 2)


def test_labelled_scans_are_filmed_and_a_bad_one_is_named(run, scans, tmp_path):
    out = tmp_path / "scans.gif"
    assert run("film", scans, "-o", out) == (0, f"{out}\n", "")
    assert size_and_frames(out) == (480, 2)
    (scans / "sub-01_T2w.nii.gz").write_bytes(b"")
    code, stdout, stderr = run("film", scans, "-o", out)
    assert (code, stdout) == (3, f"{out}\n")
    assert stderr.startswith(f"lookonce: {scans / 'sub-01_T2w.nii.gz'}: is empty")
    assert stderr.count("\n") == 1
    assert size_and_frames(out) == (480, 1)


@pytest.mark.parametrize(
    ("source", "options", "expected", "message"),
    [
        ("none", ["-o", "a.gif"], 3, "no such folder"),
        ("empty", ["-o", "a.gif"], 3, "neither a training run"),
        ("run", ["-o", "a.webm"], 2, "must end in .gif or .mp4"),
        ("run", ["-o", "a.gif", "--width", "7"], 2, "not between 160 and 3840"),
        ("run", ["-o", "a.gif", "--fps", "-1"], 2, "not above 0"),
        ("run", ["-o", "run/recipe.json/a.gif"], 1, "cannot be written"),
    ],
)
def test_what_cannot_be_done_is_one_line_and_its_exit_code(
    run, trained, tmp_path, monkeypatch, source, options, expected, message
):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "empty").mkdir()
    code, stdout, stderr = run("film", source, *options)
    assert (code, stdout) == (expected, "")
    assert stderr.startswith("lookonce: ")
    assert message in stderr
    assert stderr.count("\n") == 1
