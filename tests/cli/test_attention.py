"""`lookonce attention` as a user calls it."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import pytest
from PIL import Image
from tests.blobs import make_phantom, write_blob_model


@pytest.fixture
def run(run_command, tmp_path):
    """Run the command with a model that finds painted blobs; its attention is the blobs."""
    model = write_blob_model(tmp_path / "blobs.onnx", first_level=3)
    return partial(run_command, "attention", "--model", model)


@pytest.fixture
def scan(tmp_path) -> Path:
    return make_phantom().save(tmp_path / "in" / "sub-01_T2w.nii.gz")


def test_a_picture_is_written_and_named(run, scan, tmp_path):
    out = tmp_path / "new" / "attention.png"
    code, stdout, stderr = run(scan, "-o", out)
    assert (code, stdout, stderr) == (0, f"{out}\n", "")
    with Image.open(out) as picture:
        assert picture.format == "PNG"
        assert picture.width > picture.height > 100


@pytest.mark.parametrize(
    ("scan_name", "out_name", "expected"),
    [("none.nii.gz", "a.png", 3), ("in/sub-01_T2w.nii.gz", "a.jpg", 2), ("in/sub-01_T2w.nii.gz", "in.png/a.png", 1)],
)
def test_what_cannot_be_done_is_said_in_one_line(run, scan, tmp_path, scan_name, out_name, expected):
    (tmp_path / "in.png").write_text("in the way")
    code, stdout, stderr = run(tmp_path / scan_name, "-o", tmp_path / out_name)
    assert (code, stdout) == (expected, "")
    assert stderr.count("\n") == 1
    assert stderr.startswith("lookonce: ")
