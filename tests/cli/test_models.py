"""`lookonce models`."""

from __future__ import annotations

import json
import sys

import pytest
from tests.blobs import write_blob_model
from tests.shade_model import write_shade_model

from lookonce.cli.app import main
from lookonce.decode.certainty import Calibration
from lookonce.runtime import weights


@pytest.fixture
def run(monkeypatch, capsys, tmp_path):
    """Run `lookonce models` where the weights of the package are those in `tmp_path`."""

    def run(*arguments: str) -> tuple[int, str, str]:
        monkeypatch.setattr(weights, "_shipped", lambda: tmp_path)
        monkeypatch.setattr(sys, "argv", ["lookonce", "models", *arguments])
        with pytest.raises(SystemExit) as left:
            main()
        return int(left.value.code or 0), *capsys.readouterr()

    return run


def test_every_model_is_listed_with_its_checksum_and_card(run, tmp_path):
    write_blob_model(tmp_path / "blobs.onnx")
    code, stdout, _ = run()
    assert code == 0
    digest = weights.find_model("blobs").card.sha256
    assert f"sha256 {digest}" in stdout
    assert "data: painted" in stdout


def test_lists_and_figures_have_a_line_each_without_intervals(run, tmp_path):
    write_blob_model(tmp_path / "blobs.onnx")
    path = tmp_path / "blobs.json"
    card = json.loads(path.read_text())
    card["about"] = {
        "limits": ["adults", "no T13"],
        "metrics": {"IVD": {"scans": 3, "dtt_mm": [1.8, 1.5, 2.1]}},
        "size": {"weights": 5, "runs": [1, 2]},
        "odd": {"IVD": {"dtt_mm": [None, None, None], "names": []}},
        "seed": 3,
    }
    path.write_text(json.dumps(card))
    code, stdout, _ = run()
    assert code == 0
    lines = [line.strip() for line in stdout.splitlines()[1:]]
    assert lines == [
        "limits:",
        "- adults",
        "- no T13",
        "metrics:",
        "- IVD: scans 3, dtt_mm 1.8",
        "size:",
        "- weights: 5",
        "- runs: [1, 2]",
        "odd:",
        "- IVD: dtt_mm -, names []",
        "seed: 3",
    ]


def test_json_holds_the_whole_cards(run, tmp_path):
    write_blob_model(tmp_path / "blobs.onnx")
    code, stdout, _ = run("--json")
    assert code == 0
    (card,) = json.loads(stdout)["models"]
    assert card.pop("certainty") == Calibration().model_dump()  # what a card without one means
    assert card == json.loads((tmp_path / "blobs.json").read_text())


def test_a_segmentation_model_is_listed_with_its_licence_and_one_not_installed_is_said_to_be_so(run, tmp_path):
    write_shade_model(tmp_path / "skin.onnx", licence="CC-BY-NC-4.0")
    code, stdout, stderr = run()
    assert code == 0
    assert "    licence: CC-BY-NC-4.0" in stdout.splitlines()
    assert stderr == "cells: not installed\n"


def test_a_damaged_model_is_an_error(run, tmp_path):
    write_blob_model(tmp_path / "blobs.onnx").write_bytes(b"damaged")
    code, stdout, stderr = run()
    assert (code, stdout) == (5, "")
    assert "its sha256 is not the one in its card" in stderr


def test_an_installation_without_models_is_an_error(run):
    code, _, stderr = run()
    assert code == 5
    assert "install lookonce again" in stderr
