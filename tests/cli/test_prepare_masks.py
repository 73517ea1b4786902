"""`lookonce prepare` for pictures with masks, and what it prints."""

from __future__ import annotations

import json

import numpy as np
import pytest
from PIL import Image
from tests.mask_sets import draw_case

from lookonce.io.mask_sets import read_mask_set


@pytest.fixture
def source(tmp_path):
    root = tmp_path / "source"
    for folder in ("images", "masks"):
        (root / folder).mkdir(parents=True)
    for name in "abcd":
        picture, mask = draw_case(np.random.default_rng(ord(name)))
        Image.fromarray(picture).save(root / "images" / f"{name}.png")
        Image.fromarray(mask.astype(np.uint8) * 255).save(root / "masks" / f"{name}_mask.png")
    (root / "masks/c_mask.png").unlink()
    return root


def test_failures_are_named_and_do_not_count_as_a_failed_command(run_command, source, tmp_path):
    out = tmp_path / "out"
    code, stdout, stderr = run_command("prepare", "image-mask", source, out, "--many", "--licence", "mine")
    assert (code, stdout) == (0, f"{out / 'report.csv'}\n")
    lines = stderr.splitlines()
    assert lines[0] == "[1/4] a"
    assert lines[-2].startswith("c: failed: there is no mask of c; copy it")
    assert lines[-1].startswith("Pictures: 2 train, 0 validation, 1 test, 1 failed.")
    about = read_mask_set(out).about
    assert (about.objects, about.licence) == ("many", "mine")


def test_the_summary_as_json(run_command, source, tmp_path):
    code, stdout, _ = run_command("prepare", "image-mask", source, tmp_path / "out", "--sizes", "1,1", "--json")
    summary = json.loads(stdout)
    assert code == 0
    assert summary["lists"] == {"train": 1, "validation": 1, "test": 1}
    assert [entry["name"] for entry in summary["not_done"]] == ["c"]
    assert set(summary["sha256"]) == {"train", "validation", "test"}


@pytest.mark.parametrize("sizes", ["80", "a,b", "0,3", "1,-2"])
def test_sizes_that_are_none_are_bad_usage(run_command, source, tmp_path, sizes):
    code, _, stderr = run_command("prepare", "image-mask", source, tmp_path / "out", f"--sizes={sizes}")
    assert code == 2
    assert "write two numbers, such as 80,20" in stderr


@pytest.mark.parametrize("kind", ["ph2", "isic2017", "isic2018", "segpc2021", "image-mask"])
def test_every_set_has_a_help_with_an_example(run_command, kind):
    code, stdout, _ = run_command("prepare", kind, "--help")
    assert code == 0
    assert f"Example: lookonce prepare {kind}" in stdout
