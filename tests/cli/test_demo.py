"""`lookonce demo`: what a newcomer sees first."""

from __future__ import annotations

import sys
from importlib import resources
from pathlib import Path

import pytest
from tests.blobs import make_phantom, write_blob_model

from lookonce.cli.app import main
from lookonce.io import nifti
from lookonce.io.bids import read_labels
from lookonce.io.nifti import read_image
from lookonce.runtime import weights

FILES = {
    "sub-simulated_T2w_label-discs_dlabel.nii.gz",
    "sub-simulated_T2w_label-discs_dlabel.json",
    "sub-simulated_T2w_discs.csv",
    "sub-simulated_T2w_discs.json",
    "qc",
}


@pytest.fixture
def run(monkeypatch, capsys, tmp_path):
    """Run `lookonce demo` in an empty folder; returns exit code, stdout and stderr."""

    def run(*arguments: str) -> tuple[int, str, str]:
        monkeypatch.chdir(tmp_path)
        monkeypatch.setattr(sys, "argv", ["lookonce", "demo", *arguments])
        with pytest.raises(SystemExit) as left:
            main()
        return int(left.value.code or 0), *capsys.readouterr()

    return run


def printed_page(stdout: str) -> Path:
    """The path that the last line says the QC page is at."""
    heading, _, path = stdout.splitlines()[-1].strip().partition("  ")
    assert heading == "QC page"
    return Path(path)


def test_the_bundled_scan_is_a_small_image_that_can_be_labelled():
    scan = resources.files("lookonce.examples") / "sub-simulated_T2w.nii.gz"
    with resources.as_file(scan) as path:
        assert read_image(path).warnings == []
        assert path.stat().st_size < 2e6


def test_the_demo_writes_its_files_and_says_where_the_page_is(run, monkeypatch, tmp_path):
    (tmp_path / "weights").mkdir()
    write_blob_model(tmp_path / "weights" / "discs.onnx", first_level=3)
    monkeypatch.setattr(weights, "_shipped", lambda: tmp_path / "weights")
    monkeypatch.setattr(nifti, "read_image", lambda *_, **__: make_phantom().image)
    for _ in range(2):  # a second call replaces what the first one left
        code, stdout, stderr = run()
        assert (code, stderr) == (0, "")
        assert "C2/C3" in stdout
        assert {path.name for path in (tmp_path / "lookonce-demo").iterdir()} == FILES
        assert "sub-simulated_T2w" in printed_page(stdout).read_text()


def test_the_demo_labels_the_bundled_scan(run, tmp_path):
    code, stdout, stderr = run("-o", "elsewhere")
    assert (code, stderr) == (0, "")
    assert "L4/L5" in stdout
    assert printed_page(stdout).is_file()
    labels = read_labels(tmp_path / "elsewhere" / "sub-simulated_T2w_label-discs_dlabel.nii.gz")
    assert len(labels) >= 4


def test_without_weights_the_demo_says_so(run, monkeypatch, tmp_path):
    monkeypatch.setattr(weights, "_shipped", lambda: tmp_path)
    code, stdout, stderr = run()
    assert (code, stdout) == (5, "")
    assert "install lookonce again" in stderr
