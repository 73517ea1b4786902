"""`lookonce attention` as a user calls it."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from tests.blobs import make_phantom, write_blob_model
from tests.shade_model import dark_discs, write_shade_model

from lookonce.runtime.masks import MaskSession


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


def test_a_photo_is_shown_with_what_its_network_has(run_command, tmp_path):
    Image.fromarray(dark_discs((60, 80), (30, 40, 15))[0]).save(tmp_path / "lesion.jpg")
    model = write_shade_model(tmp_path / "shade.onnx")
    call = ("attention", tmp_path / "lesion.jpg", "-o", tmp_path / "a.png", "--model", model)
    code, _, stderr = run_command(*call)
    assert code == 2  # this model has a mask alone
    assert "lesion.jpg: the model has no contextual attention" in stderr
    assert run_command(*call, "--volume", 0)[0] == 2


def test_the_contextual_attention_of_a_photo_is_drawn(run_command, tmp_path, monkeypatch):
    Image.fromarray(dark_discs((60, 80), (30, 40, 15))[0]).save(tmp_path / "lesion.jpg")
    model = write_shade_model(tmp_path / "shade.onnx")
    ran = MaskSession.__call__

    def with_regions(session, picture):
        return replace(ran(session, picture), regions=np.eye(4, dtype=np.float32))

    monkeypatch.setattr(MaskSession, "__call__", with_regions)
    out = tmp_path / "a.png"
    code, stdout, _ = run_command("attention", tmp_path / "lesion.jpg", "-o", out, "--model", model)
    assert (code, stdout) == (0, f"{out}\n")
    with Image.open(out) as picture:
        assert picture.width > 3 * picture.height
