"""Whole runs on pictures with masks, tiny ones: they learn, go on, start from others and leave what export needs."""

from __future__ import annotations

import csv
import json

import pytest
import torch
from safetensors.torch import load_file
from tests.mask_model import mask_recipe, tiny_masks
from tests.mask_sets import write_set

from lookonce.errors import InputError, UsageError
from lookonce.runtime.looks import Look
from lookonce.training import run as run_module
from lookonce.training.mask_data import MaskRunData
from lookonce.training.module import build_mask_network
from lookonce.training.recipe import MaskRecipe, load_recipe
from lookonce.training.run import load_run, train

__all__ = ["tiny_masks"]

pytestmark = pytest.mark.usefixtures("tiny_masks")


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    return write_set(tmp_path_factory.mktemp("data") / "drawn")


def test_a_run_learns_what_a_dark_ellipse_is(data, tmp_path):
    recipe = mask_recipe(epochs=2, steps_per_epoch=60)
    train(recipe, data=data, out=tmp_path / "run", progress=False)
    with (tmp_path / "run" / "metrics.csv").open(newline="") as file:
        found = [float(row["val/dice"]) for row in csv.DictReader(file) if row["val/dice"]]
    assert len(found) == 2
    assert found[-1] > 0.9
    _, network = load_run(tmp_path / "run")
    assert not network.training


def test_the_record_says_what_export_must_know(data, tmp_path):
    train(mask_recipe(epochs=1, steps_per_epoch=1), data=data, out=tmp_path / "run", progress=False)
    record = json.loads((tmp_path / "run" / "run.json").read_text())
    assert record["objects"] == "one"
    assert record["data"] == [{"name": "drawn", "licence": "CC0", "list": None}]
    assert Look.model_validate(record["look"]).limit > 0


def test_a_run_goes_on_exactly_where_it_stopped(data, tmp_path, monkeypatch):
    recipe = mask_recipe(optimizer={"learning_rate": 0.01, "average_decay": 0.9})
    whole = load_file(train(recipe, data=data, out=tmp_path / "whole", progress=False))
    built = run_module._trainer

    def half_as_long(*arguments, **options):
        trainer = built(*arguments, **options)
        trainer.fit_loop.max_epochs = 1
        return trainer

    with monkeypatch.context() as patch:
        patch.setattr(run_module, "_trainer", half_as_long)
        train(recipe, data=data, out=tmp_path / "halves", progress=False)
    resumed = load_file(train(recipe, data=data, out=tmp_path / "halves", resume=True, progress=False))
    assert all(torch.equal(whole[name], resumed[name]) for name in whole)


def test_a_run_starts_from_the_weights_of_another(data, tmp_path):
    first = load_file(train(mask_recipe(epochs=1), data=data, out=tmp_path / "first", progress=False))
    still = mask_recipe(epochs=1, optimizer={"learning_rate": 1e-12})
    second = load_file(train(still, data=data, out=tmp_path / "second", start=tmp_path / "first", progress=False))
    torch.testing.assert_close(first["last.weight"], second["last.weight"])


def test_tmunet_starts_from_one_of_another_size(data, tmp_path):
    def of_size(size: int, learning_rate: float) -> MaskRecipe:
        model = {"name": "tmunet-small", "options": {"size": size, "blocks": [1, 1, 1, 1]}}
        shape = {"size": [size, size]}
        return mask_recipe(
            model=model, input=shape, epochs=1, steps_per_epoch=1, optimizer={"learning_rate": learning_rate}
        )

    first = load_file(train(of_size(32, 0.01), data=data, out=tmp_path / "first", progress=False))
    start = tmp_path / "first"
    second = load_file(train(of_size(64, 1e-12), data=data, out=tmp_path / "second", start=start, progress=False))
    assert second["transformer.positions"].shape[0] == 1 + 16
    kept = [name for name in first if name != "transformer.positions" and "running" not in name and "num_" not in name]
    for name in kept:
        torch.testing.assert_close(first[name], second[name])


def test_several_sets_below_one_folder_are_mixed(tmp_path):
    for name in ("one", "two"):
        write_set(tmp_path / name, train=3, seed=len(name))
    recipe = mask_recipe(data=[{"path": "one"}, {"path": "two", "weight": 2}])
    found = MaskRunData(recipe, tmp_path, tmp_path / "cache")
    assert [len(store) for store in found.stores] == [3, 3]
    assert [entry["name"] for entry in found.facts()["data"]] == ["drawn", "drawn"]


def test_a_set_may_be_all_for_training(tmp_path):
    data = write_set(tmp_path / "set", validation=0, test=0)
    weights = train(mask_recipe(epochs=1), data=data, out=tmp_path / "run", progress=False)
    assert weights.exists()


def test_no_picture_is_validated_on_that_is_trained_on(data, tmp_path):
    found = MaskRunData(mask_recipe(data=[{"split": "validation"}]), data, tmp_path / "cache")
    assert found.validation == []


def test_only_the_pictures_of_a_list_are_trained_on(data, tmp_path):
    (tmp_path / "mine.txt").write_text("case-001\ncase-004\ncase-009\n")  # the last is one to test
    part = {"subjects": str(tmp_path / "mine.txt")}
    found = MaskRunData(mask_recipe(data=[part]), data, tmp_path / "cache")
    assert [len(store) for store in found.stores] == [2]


@pytest.mark.parametrize(
    ("part", "error", "message"),
    [
        ({"path": "elsewhere"}, InputError, "elsewhere: no such folder"),
        ({"path": "images"}, InputError, "no prepared masks .*masks.json is missing"),
        ({"split": "toast"}, UsageError, "no picture of the list toast"),
    ],
)
def test_missing_data_is_named(data, tmp_path, part, error, message):
    with pytest.raises(error, match=message):
        MaskRunData(mask_recipe(data=[part]), data, tmp_path / "cache")
    with pytest.raises(UsageError, match="say where it is with --data DIR"):
        MaskRunData(mask_recipe(), None, tmp_path / "cache")


def test_one_object_and_many_are_not_mixed(tmp_path):
    write_set(tmp_path / "skin")
    write_set(tmp_path / "cells", objects="many")
    recipe = mask_recipe(data=[{"path": "skin"}, {"path": "cells"}])
    with pytest.raises(UsageError, match="one object a picture and some many"):
        MaskRunData(recipe, tmp_path, tmp_path / "cache")


def test_a_damaged_set_is_named(tmp_path):
    data = write_set(tmp_path / "set")
    (data / "masks.json").write_text("{}")
    with pytest.raises(InputError, match="is damaged"):
        MaskRunData(mask_recipe(), data, tmp_path / "cache")


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"model": {"name": "unet"}, "input": {"size": [32, 32]}}, "does not segment"),
        ({"input": {"size": [36, 32]}}, "36 x 32: this network takes multiples of 8"),
        ({"model": {"name": "tiny-masks", "options": {"size": 64}}}, "takes 64 x 64 pixels"),
    ],
)
def test_a_network_that_does_not_fit_is_a_usage_error(changes, message):
    with pytest.raises(UsageError, match=message):
        build_mask_network(mask_recipe(**changes))


def test_a_shipped_recipe_for_masks_is_read_as_one():
    recipe = load_recipe("skin-tmunet-small", ["loss.dice=0"])
    assert isinstance(recipe, MaskRecipe)
    assert recipe.input.size == (128, 128)
    with pytest.raises(UsageError, match=r"loss\.mask"):
        load_recipe("skin-tmunet-small", ["loss.mask=0"])
