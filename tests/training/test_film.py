"""What a run keeps for its film: what the network saw, at which epochs, and that keeping it changes nothing."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from safetensors.torch import load_file
from tests.tiny import tiny_recipe

from lookonce.io.snapshots import FOLDER, Snapshot, read_pictures, read_snapshots, write_snapshot
from lookonce.training import data as data_module
from lookonce.training import film
from lookonce.training.film import FilmRecorder, is_kept
from lookonce.training.run import RunData, load_run, train

#: Changes of the tiny recipe that make it one of each layout.
LAYOUTS = {
    "names": (),
    # Wide blobs, learned fast: the maps begin empty, and a few steps must show.
    "levels": (
        "target.kind=levels",
        "target.sigma_mm=30",
        "input.channels=3",
        "model.options.stem_stride=1",
        "optimizer.learning_rate=0.02",
    ),
}


@pytest.fixture(scope="module", autouse=True)
def few_validation_pictures():
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(data_module, "VALIDATION_PICTURES", 4)
        yield


@pytest.fixture(scope="module", params=LAYOUTS)
def run(request, tmp_path_factory) -> Path:
    out = tmp_path_factory.mktemp(request.param) / "run"
    train(tiny_recipe(*LAYOUTS[request.param]), data=None, out=out, progress=False)
    return out


def test_a_run_keeps_its_validation_pictures_and_their_true_discs(run):
    recipe, network = load_run(run)
    stream = RunData(recipe, None, run / "pictures", stride=network.output_stride).validation_stream()
    pictures = read_pictures(run)
    assert pictures.epochs == recipe.epochs
    assert pictures.images.shape == (4, *recipe.input.shape)
    for number, points in enumerate(pictures.points):
        sample = stream.sample(number)
        assert np.abs(pictures.images[number] / 255 - sample.image).max() <= 0.51 / 255
        inside = (np.abs(sample.points - 31.5) <= 31.5).all(axis=1)
        assert len(points) == inside.sum() > 0
        np.testing.assert_array_equal(points, sample.points[inside])


def test_the_last_snapshot_is_what_the_finished_network_sees(run):
    recipe, network = load_run(run)
    snapshots = read_snapshots(run)
    assert [snapshot.epoch for snapshot in snapshots] == [0, 1]
    grey = torch.from_numpy(read_pictures(run).images / np.float32(255))[:, None]
    with torch.no_grad():
        score = network(grey.expand(-1, recipe.input.channels, -1, -1)).scores[-1]
    heat = score[:, 0].sigmoid() if recipe.target.kind == "names" else score.amax(dim=1).clamp(0, 1)
    assert snapshots[-1].heat.shape == heat.shape
    # The picture is kept in 256 greys, so the answer to it is off by a little.
    assert np.abs(snapshots[-1].heat / 255 - heat.numpy()).max() < 0.02
    assert np.abs(snapshots[-1].heat.astype(int) - snapshots[0].heat).max() > 0


def test_the_losses_are_those_of_the_table(run):
    with (run / "metrics.csv").open(newline="") as file:
        losses = [float(row["val/total"]) for row in csv.DictReader(file) if row["val/total"]]
    assert [snapshot.loss for snapshot in read_snapshots(run)] == pytest.approx(losses)


def test_keeping_snapshots_changes_no_weight(tmp_path, monkeypatch):
    recipe = tiny_recipe("epochs=1")
    with_film = train(recipe, data=None, out=tmp_path / "with", progress=False)
    monkeypatch.setattr(FilmRecorder, "on_train_start", lambda *_: None)
    without = train(recipe, data=None, out=tmp_path / "without", progress=False)
    assert not (tmp_path / "without" / FOLDER).exists()
    first, second = load_file(with_film), load_file(without)
    assert all(torch.equal(first[name], second[name]) for name in first)


def test_a_new_run_forgets_another_s_snapshots_and_a_resumed_one_keeps_its_own(tmp_path):
    out = tmp_path / "run"
    write_snapshot(out, Snapshot(7, np.zeros((1, 2, 2), dtype=np.uint8), 1.0))
    train(tiny_recipe("epochs=1"), data=None, out=out, progress=False)
    assert [snapshot.epoch for snapshot in read_snapshots(out)] == [0]
    first = read_snapshots(out)[0]
    (out / "recipe.json").write_text(tiny_recipe("epochs=2").model_dump_json())
    write_snapshot(out, Snapshot(1, np.zeros((1, 2, 2), dtype=np.uint8), 1.0))  # as a killed run leaves it
    train(tiny_recipe("epochs=2"), data=None, out=out, resume=True, progress=False)
    kept = read_snapshots(out)
    assert [snapshot.epoch for snapshot in kept] == [0, 1]
    assert np.array_equal(kept[0].heat, first.heat)
    assert kept[1].heat.shape == first.heat.shape
    assert read_pictures(out).epochs == 2


@given(st.integers(1, 2000))
def test_few_epochs_are_kept_evenly_the_first_and_the_last_among_them(epochs):
    kept = [epoch for epoch in range(epochs) if is_kept(epoch, epochs)]
    assert kept[0] == 0
    assert kept[-1] == epochs - 1
    assert len(kept) <= film.MOST_SNAPSHOTS + 1
    assert len(set(np.diff(kept)[:-1])) <= 1
    assert len(kept) == epochs or epochs > film.MOST_SNAPSHOTS
