"""Labelling works with the core alone: no torch, nor anything else that only the extras bring."""

from __future__ import annotations

import importlib.util
import json
import os
import subprocess
import sys
import venv
from pathlib import Path

import pytest
from PIL import Image
from tests.blobs import CERVICAL, make_phantom, write_blob_model
from tests.shade_model import dark_discs, write_shade_model

import lookonce

ROOT = Path(__file__).parents[1]
#: What the core must do without, by the names under which Python imports it.
EXTRAS = (
    *("torch", "lightning", "pytorch_lightning", "tensorboard", "safetensors", "onnx", "onnxscript"),
    *("scipy", "pydicom", "highdicom", "gdcm", "pylibjpeg", "matplotlib", "imageio"),
    *("fastapi", "uvicorn", "prometheus_client", "dask", "distributed"),
)
LARGEST_INSTALL_BYTES = 420e6

#: Run before the command: every extra is missing, whatever is installed.
_WITHOUT_EXTRAS = f"""
import sys
class Missing:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in {EXTRAS!r}:
            raise ModuleNotFoundError(f"No module named {{name!r}}", name=name)
sys.meta_path.insert(0, Missing())
from lookonce.cli.app import main
sys.argv = ["lookonce", *sys.argv[1:]]
main()
"""


def bare_environment() -> dict[str, str]:
    """This process's environment without what would let a new one see more than its own packages."""
    return {name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "VIRTUAL_ENV"))}


def run(command: list[str], folder: Path, **variables: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command,
        cwd=folder,
        env=bare_environment() | variables,
        capture_output=True,
        text=True,
        check=False,
        timeout=600,
    )


def test_labelling_imports_nothing_that_only_an_extra_brings(tmp_path):
    model = write_blob_model(tmp_path / "blobs.onnx", first_level=3)
    scan = make_phantom().save(tmp_path / "scan.nii.gz")
    source = str(Path(lookonce.__file__).parents[1])
    without_extras = [sys.executable, "-c", _WITHOUT_EXTRAS]
    label = ["label", str(scan), "--model", str(model), "--qc", "qc", "--json"]
    done = run([*without_extras, *label], tmp_path, PYTHONPATH=source)
    assert done.returncode == 0, done.stderr
    assert [disc["level"] for disc in json.loads(done.stdout)["results"][0]["discs"]] == list(CERVICAL)
    assert (tmp_path / "qc" / "index.html").is_file()
    training = run([*without_extras, "recipes"], tmp_path, PYTHONPATH=source)
    assert training.returncode == 1
    assert "pip install 'lookonce[train]'" in training.stderr


def test_segmenting_imports_nothing_that_only_an_extra_brings(tmp_path):
    model = write_shade_model(tmp_path / "cells.onnx", objects="many")
    Image.fromarray(dark_discs((80, 100), (40, 30, 14), (40, 54, 14))[0]).save(tmp_path / "smear.png")
    source = str(Path(lookonce.__file__).parents[1])
    segment = ["segment", "smear.png", "--model", str(model), "--json"]
    done = run([sys.executable, "-c", _WITHOUT_EXTRAS, *segment], tmp_path, PYTHONPATH=source)
    assert done.returncode == 0, done.stderr
    assert len(json.loads(done.stdout)["results"][0]["objects"]) == 2


def test_the_names_of_the_extras_are_right():
    """A misspelt name above would prove nothing; some of them are installed wherever the tests run."""
    assert importlib.util.find_spec("onnx") is not None
    assert importlib.util.find_spec("torch") is not None


@pytest.mark.slow
def test_a_bare_install_labels_the_bundled_scan(tmp_path):
    venv.create(tmp_path / "venv", with_pip=True)
    scripts = tmp_path / "venv" / ("Scripts" if os.name == "nt" else "bin")
    installed = run([str(scripts / "python"), "-m", "pip", "install", "--quiet", str(ROOT)], tmp_path)
    assert installed.returncode == 0, installed.stderr

    find = "import importlib.util as u, json, sys; print(json.dumps([n for n in sys.argv[1:] if u.find_spec(n)]))"
    assert json.loads(run([str(scripts / "python"), "-c", find, *EXTRAS], tmp_path).stdout) == []
    size = sum(path.stat().st_size for path in (tmp_path / "venv").rglob("*") if path.is_file())
    assert size < LARGEST_INSTALL_BYTES

    where = "from importlib import resources; print(resources.files('lookonce.examples') / 'sub-simulated_T2w.nii.gz')"
    scan = run([str(scripts / "python"), "-c", where], tmp_path).stdout.strip()
    labelled = run([str(scripts / "lookonce"), "label", scan, "-o", "out", "--json"], tmp_path)
    assert labelled.returncode == 0, labelled.stderr
    (result,) = json.loads(labelled.stdout)["results"]
    assert len(result["discs"]) >= 4
    assert all((tmp_path / path).is_file() for path in result["outputs"].values())
