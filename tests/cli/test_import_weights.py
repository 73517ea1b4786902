"""`lookonce import-weights` as a user calls it."""

from __future__ import annotations

import hashlib
import json
from functools import partial

import pytest

torch = pytest.importorskip("torch")

from tests.checkpoints import SMALL, random_state, save_checkpoint, save_tmunet, tiny_tmunet_state  # noqa: E402  # they need torch


@pytest.fixture
def run(run_command):
    return partial(run_command, "import-weights")


@pytest.fixture
def checkpoint(tmp_path):
    return save_checkpoint(tmp_path / "a.pth.tar", random_state())


def sha256(path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def test_the_network_is_told_in_words(run, checkpoint, tmp_path):
    out = tmp_path / "new" / "weights.safetensors"
    code, stdout, stderr = run(checkpoint, "-o", out)
    assert (code, stderr) == (0, "")
    lines = [line.strip() for line in stdout.splitlines()]
    assert lines[0].startswith("attention-hourglass  ")
    assert {"stacks: 2", "blocks: 1", "depth: 1", "features: 8", "classes: 3", "input channels: 3"} <= set(lines)
    assert f"source: a.pth.tar  sha256 {sha256(checkpoint)}" in lines
    assert f"written: {out}  sha256 {sha256(out)}" in lines


def test_json_says_the_same(run, checkpoint, tmp_path):
    out = tmp_path / "weights.safetensors"
    code, stdout, _ = run(checkpoint, "-o", out, "--json")
    record = json.loads(stdout)
    assert code == 0
    assert record.pop("parameters") > 1000
    assert record == {
        "model": "attention-hourglass",
        "options": {**SMALL, "in_channels": 3},
        "source": {"file": "a.pth.tar", "sha256": sha256(checkpoint)},
        "output": str(out),
        "sha256": sha256(out),
    }


def test_a_tmunet_is_told_in_words(run, tmp_path):
    checkpoint = save_tmunet(tmp_path / "t.pth", tiny_tmunet_state())
    code, stdout, _ = run(checkpoint, "-o", tmp_path / "weights.safetensors")
    assert code == 0
    assert stdout.startswith("tmunet  ")
    assert "    published: True\n" in stdout


@pytest.mark.parametrize(
    ("spoil", "out", "expected"),
    [
        (lambda path: path.unlink(), "w.safetensors", 5),
        (lambda path: path.write_bytes(path.read_bytes()[:-500]), "w.safetensors", 5),
        (lambda path: save_checkpoint(path, {"a": torch.ones(1)}), "w.safetensors", 5),
        (lambda path: None, "w.pth", 2),
        (lambda path: None, "a.pth.tar/w.safetensors", 1),
    ],
    ids=["missing", "truncated", "other", "name", "unwritable"],
)
def test_what_cannot_be_done_is_one_line_and_its_exit_code(run, checkpoint, tmp_path, spoil, out, expected):
    spoil(checkpoint)
    code, stdout, stderr = run(checkpoint, "-o", tmp_path / out)
    assert (code, stdout) == (expected, "")
    assert stderr.count("\n") == 1
    assert stderr.startswith(f"lookonce: {tmp_path}")
    assert not (tmp_path / out).exists()
