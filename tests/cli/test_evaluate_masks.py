"""`lookonce evaluate` on pictures with masks: the same options, a table of its own."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from tests.mask_sets import write_set
from tests.shade_model import write_shade_model


@pytest.fixture
def data(tmp_path) -> Path:
    return write_set(tmp_path / "drawn")


@pytest.fixture
def model(tmp_path) -> Path:
    return write_shade_model(tmp_path / "shade.onnx")


def test_a_prepared_set_of_masks_is_recognised(run_command, data, model, tmp_path):
    code, stdout, stderr = run_command(
        "evaluate", model, "--data", data, "--split", "test", "--csv", tmp_path / "cases.csv"
    )
    assert code == 0
    for word in ("Dice", "IoU", "sensitivity", "HD95", "all pixels", "each picture", "strict protocol"):
        assert word in stdout
    assert "[2/2] case-009" in stderr
    assert len((tmp_path / "cases.csv").read_text().splitlines()) == 3


def test_the_table_as_json(run_command, data, model):
    code, stdout, _ = run_command("evaluate", model, "--data", data, "--protocol", "paper", "--json")
    result = json.loads(stdout)
    assert code == 0
    assert result["protocol"] == "paper"
    assert result["rows"][0]["data"] == "drawn"
    assert 0.9 < result["rows"][0]["pooled"]["dice"]["value"] <= 1
    assert len(result["cases"]) == 10


def test_a_missing_mask_is_named(run_command, data, tmp_path):
    (tmp_path / "found").mkdir()
    code, _, stderr = run_command("evaluate", tmp_path / "found", "--data", data, "--split", "validation")
    assert code == 0
    assert "drawn case-006: counted as empty: no case-006.png" in stderr


@pytest.mark.parametrize("option", [("--by", "sex"), ("--change", "noise=0.1"), ("--decoder", "skeleton")])
def test_options_for_discs_are_refused(run_command, data, model, option):
    code, _, stderr = run_command("evaluate", model, "--data", data, *option)
    assert code == 2
    assert "are for discs" in stderr


def test_sets_of_discs_and_of_masks_are_not_mixed(run_command, data, model, tmp_path):
    code, _, stderr = run_command("evaluate", model, "--data", data, "--data", tmp_path)
    assert code == 3
    assert "no prepared masks" in stderr
