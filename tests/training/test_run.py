"""Whole runs, tiny ones: what lands in the folder, a run that is killed and goes on, and two processes."""

from __future__ import annotations

import csv
import hashlib
import json
import signal
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file
from tests.tiny import start_python, tiny_recipe, write_recipe

from lookonce.errors import InputError, UsageError
from lookonce.training import data as data_module
from lookonce.training import run as run_module
from lookonce.training.recipe import load_recipe
from lookonce.training.run import train

#: Fewer validation pictures than usual: they cost time and change no weight.
FEW = 4

#: Trains until the second epoch's second step, says so, and waits to be killed.
STOPPING_SCRIPT = f"""
import signal, sys
from lookonce.cli.app import main
from lookonce.datasets.stream import PictureStream
from lookonce.training import data

data.VALIDATION_PICTURES = {FEW}
get, read = PictureStream.__getitem__, []

def get_until_the_second_epoch(self, index):
    read.append(index)
    if len(read) == 6 + {FEW} + 4:
        print("stopped", file=sys.__stdout__, flush=True)
        signal.pause()
    return get(self, index)

PictureStream.__getitem__ = get_until_the_second_epoch
main()
"""

#: Trains and writes down which samples each process saw.
RECORDING_SCRIPT = f"""
import os, sys
from pathlib import Path
from lookonce.cli.app import main
from lookonce.datasets.stream import PictureStream
from lookonce.training import data

data.VALIDATION_PICTURES = {FEW}
get = PictureStream.__getitem__
record = Path(sys.argv[0]).with_name("seen-" + os.environ.get("LOCAL_RANK", "0"))

def get_and_record(self, index):
    with record.open("a") as file:
        print(self.seed, self.start + index, file=file)
    return get(self, index)

PictureStream.__getitem__ = get_and_record
main()
"""


@pytest.fixture(scope="module", autouse=True)
def few_validation_pictures():
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(data_module, "VALIDATION_PICTURES", FEW)
        yield


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory) -> Path:
    """Folder of a finished run."""
    out = tmp_path_factory.mktemp("undisturbed") / "run"
    train(tiny_recipe(), data=None, out=out, progress=False)
    return out


def rows(out: Path) -> list[dict[str, str]]:
    with (out / "metrics.csv").open(newline="") as file:
        return list(csv.DictReader(file))


def test_a_run_leaves_its_weights_recipe_and_logs(undisturbed):
    found = {path.name for path in undisturbed.iterdir()}
    assert {"weights.safetensors", "last.ckpt", "recipe.json", "run.json", "metrics.csv"} <= found
    assert any(name.startswith("events.out.tfevents") for name in found)
    assert json.loads((undisturbed / "run.json").read_text())["steps"] == 6
    table = rows(undisturbed)
    for column in ("train/total", "train/disc", "train/name", "val/total"):
        assert [int(row["step"]) for row in table if row[column]] == [2, 5], column
    assert any(row["lr-AdamW"] for row in table)


def test_the_weights_that_are_kept_are_the_averaged_ones(undisturbed):
    state = torch.load(undisturbed / "last.ckpt", weights_only=True)["state_dict"]
    kept = load_file(undisturbed / "weights.safetensors")
    assert kept
    assert all(torch.equal(value, state[f"averaged.module.{name}"]) for name, value in kept.items())
    assert not all(torch.equal(value, state[f"network.{name}"]) for name, value in kept.items())
    assert state["averaged.n_averaged"] == 5  # every step but the last


def test_a_run_that_is_killed_and_resumed_equals_the_undisturbed_one_bit_for_bit(undisturbed, tmp_path):
    script = tmp_path / "stopping.py"
    script.write_text(STOPPING_SCRIPT)
    out = tmp_path / "run"
    process = start_python(script, "train", write_recipe(tmp_path / "recipe.json"), "--out", out, "--quiet")
    with process:
        stopped = process.stdout.readline().strip() == "stopped"
        process.kill()
        errors = process.stderr.read()
    assert stopped, errors
    assert process.returncode == -signal.SIGKILL
    assert (out / "last.ckpt").exists()
    assert not (out / "weights.safetensors").exists()

    train(tiny_recipe(), data=None, out=out, resume=True, progress=False)

    expected, found = (torch.load(folder / "last.ckpt", weights_only=True) for folder in (undisturbed, out))
    assert found["state_dict"].keys() == expected["state_dict"].keys()
    for name, value in expected["state_dict"].items():
        assert torch.equal(found["state_dict"][name], value), name
    kept, resumed = (load_file(folder / "weights.safetensors") for folder in (undisturbed, out))
    assert all(torch.equal(resumed[name], kept[name]) for name in kept)
    assert rows(out) == rows(undisturbed)


def test_two_processes_train_one_network_on_different_samples(tmp_path):
    script = tmp_path / "recording.py"
    script.write_text(RECORDING_SCRIPT)
    recipe = write_recipe(tmp_path / "recipe.json", "devices=2", "steps_per_epoch=2")
    process = start_python(script, "train", recipe, "--out", tmp_path / "run")
    try:
        printed, errors = process.communicate(timeout=900)
    finally:
        process.kill()  # its child ends with it
    assert process.returncode == 0, errors
    assert printed == f"{tmp_path / 'run' / 'weights.safetensors'}\n"  # once, and nothing else
    assert "Epoch 0" in errors
    assert "warn" not in errors.lower()
    assert "Tip" not in errors

    seen = [(tmp_path / f"seen-{rank}").read_text().splitlines() for rank in (0, 1)]
    samples = [{int(number) for seed, number in map(str.split, lines) if seed == "0"} for lines in seen]
    assert [len(numbers) for numbers in samples] == [8, 8]
    assert samples[0] | samples[1] == set(range(16))  # 2 epochs, 2 steps, 2 processes, 2 a batch: none twice
    assert json.loads((tmp_path / "run" / "run.json").read_text())["steps"] == 4
    assert [row["val/total"] for row in rows(tmp_path / "run")][-1]
    assert list((tmp_path / "run").glob("events.out.tfevents*"))
    assert all(value.isfinite().all() for value in load_file(tmp_path / "run" / "weights.safetensors").values())


def test_a_finished_run_is_not_overwritten_by_chance(undisturbed):
    before = (undisturbed / "weights.safetensors").read_bytes()
    with pytest.raises(UsageError, match="already holds a run; go on with --resume"):
        train(tiny_recipe(), data=None, out=undisturbed, progress=False)
    assert (undisturbed / "weights.safetensors").read_bytes() == before


def test_a_run_does_not_go_on_with_another_recipe(undisturbed):
    other = tiny_recipe("optimizer.learning_rate=1.0", "seed=9")
    with pytest.raises(UsageError, match=r"another recipe \(they differ in optimizer, seed\)"):
        train(other, data=None, out=undisturbed, resume=True, progress=False)


@pytest.mark.parametrize(
    ("source", "data", "error", "message"),
    [
        ("{kind: bids, path: cervical, weight: 1}", None, UsageError, "say where it is with --data DIR"),
        ("{kind: bids, path: cervical, weight: 1}", Path("."), InputError, "--data must hold cervical"),
        ("{kind: prepared, path: cervical, weight: 1}", Path("."), InputError, "--data must hold cervical"),
    ],
)
def test_missing_data_is_named_and_nothing_begun(tmp_path, source, data, error, message):
    recipe = tiny_recipe(f"data=[{source}]")
    with pytest.raises(error, match=message):
        train(recipe, data=None if data is None else tmp_path / data, out=tmp_path / "run", progress=False)
    assert not (tmp_path / "run" / "recipe.json").exists()


@pytest.mark.parametrize(
    ("wanted", "units", "gpu", "used"),
    [
        ("bf16-mixed", {"avx2": True, "avx512_bf16": False}, False, "32-true"),
        ("bf16-mixed", {"avx2": True}, True, "bf16-mixed"),
        ("bf16-mixed", {"amx_bf16": True}, False, "bf16-mixed"),
        ("bf16-mixed", {"neon": True, "bf16": True}, False, "bf16-mixed"),
        ("16-mixed", {}, False, "32-true"),
        ("16-mixed", {}, True, "16-mixed"),
        ("32-true", {}, False, "32-true"),
    ],
)
def test_bfloat16_is_used_only_where_it_is_not_emulated(monkeypatch, wanted, units, gpu, used):
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: units)
    monkeypatch.setattr(torch.accelerator, "is_available", lambda: gpu)
    assert run_module.usable_precision(wanted) == used


def test_a_run_starts_from_the_weights_of_another(undisturbed, tmp_path, monkeypatch):
    monkeypatch.setattr(data_module, "VALIDATION_PICTURES", 2)
    recipe = tiny_recipe("epochs=1", "steps_per_epoch=1", "optimizer.learning_rate=1e-12", "optimizer.weight_decay=0")
    weights = train(recipe, data=None, out=tmp_path / "second", start=undisturbed, progress=False)
    before, after = load_file(undisturbed / "weights.safetensors"), load_file(weights)
    changed = [name for name in before if before[name].is_floating_point() and "running" not in name]
    assert all(torch.allclose(before[name], after[name], atol=1e-6) for name in changed)
    record = json.loads((tmp_path / "second" / "run.json").read_text())
    assert record["started_from"] == hashlib.sha256((undisturbed / "weights.safetensors").read_bytes()).hexdigest()


def test_a_run_to_start_from_must_be_finished_and_of_the_same_network(undisturbed, tmp_path):
    with pytest.raises(InputError, match="not a finished training run"):
        train(tiny_recipe(), data=None, out=tmp_path / "run", start=tmp_path, progress=False)
    other = tiny_recipe("model.options={widths: [8, 24], stem_stride: 2}")
    with pytest.raises(UsageError, match="another network"):
        train(other, data=None, out=tmp_path / "run", start=undisturbed, progress=False)


def test_a_run_to_start_from_and_an_encoder_exclude_each_other(undisturbed, tmp_path):
    with pytest.raises(UsageError, match=r"a\.pth: the run to start from, .*, has an encoder already"):
        train(
            tiny_recipe(),
            data=None,
            out=tmp_path / "run",
            start=undisturbed,
            encoder=tmp_path / "a.pth",
            progress=False,
        )


POINTS = ("model.options={widths: [8, 12, 16], relation: 8}", "data=[{kind: synth, pool: 5, weight: 1}]", "epochs=2")


def points_recipe(*changes: str):
    return load_recipe("lookonce", [*POINTS, "batch_size=3", "steps_per_epoch=3", *changes])


def test_a_run_on_points_goes_on_exactly_where_it_stopped(tmp_path, monkeypatch):
    monkeypatch.setattr(data_module, "VALIDATION_BATCHES", 1)
    recipe = points_recipe()
    whole = load_file(train(recipe, data=None, out=tmp_path / "whole", progress=False))
    with monkeypatch.context() as patch:
        patch.setattr(run_module, "_trainer", half_as_long(run_module._trainer))
        train(recipe, data=None, out=tmp_path / "halves", progress=False)
    resumed = load_file(train(recipe, data=None, out=tmp_path / "halves", resume=True, progress=False))
    assert all(torch.equal(whole[name], resumed[name]) for name in whole)


def half_as_long(trainer):
    def build(*arguments, **options):
        built = trainer(*arguments, **options)
        built.fit_loop.max_epochs = 1
        return built

    return build


def test_points_are_not_learned_from_prepared_pictures(tmp_path):
    recipe = points_recipe("data=[{kind: prepared, path: x, weight: 1}]")
    with pytest.raises(UsageError, match="points are learned from labels in mm"):
        train(recipe, data=tmp_path, out=tmp_path / "run", progress=False)
