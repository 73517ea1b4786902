"""Recipes: the shipped ones are sound, and a wrong field is named."""

from __future__ import annotations

import json

import pytest
import torch
import yaml

from lookonce.errors import UsageError
from lookonce.io.lists import read_subjects
from lookonce.models import names as model_names
from lookonce.models.lookonce import LookOnce
from lookonce.training.module import build_mask_network, build_network, build_point_network
from lookonce.training.recipe import MaskRecipe, PointRecipe, load_recipe, recipe_names

#: How recipes for pictures with masks are called.
MASKS = ("skin", "cells")

every_recipe = pytest.mark.parametrize("name", recipe_names())
every_disc_recipe = pytest.mark.parametrize("name", [name for name in recipe_names() if name.startswith("discs")])
every_mask_recipe = pytest.mark.parametrize("name", [name for name in recipe_names() if name.startswith(MASKS)])


def test_the_default_and_the_papers_forms_are_shipped():
    papers = {"discs-hourglass", "discs-attention-hourglass", "discs-unet", "discs-shape-unet", "lookonce"}
    assert {"discs"} | papers <= set(recipe_names())


@every_disc_recipe
def test_a_shipped_recipe_is_sound(name):
    recipe = load_recipe(name)
    network = build_network(recipe).eval()
    image = torch.zeros(1, recipe.input.channels, network.multiple, network.multiple)
    with torch.no_grad():
        assert network(image).scores[-1].shape[1] == recipe.target.classes
    assert all(read_subjects(part.subjects) for part in recipe.data if part.subjects)


@every_mask_recipe
def test_a_shipped_recipe_for_masks_is_sound(name):
    recipe = load_recipe(name)
    assert isinstance(recipe, MaskRecipe)
    if recipe.model.name not in model_names():
        pytest.skip(f"no model is called {recipe.model.name} yet")
    build_mask_network(recipe)


# The form that is shipped has a training of its own.
@pytest.mark.parametrize("name", [n for n in recipe_names() if n.startswith("skin-") and n != "skin-tmunet-small"])
def test_a_peer_differs_from_tmunet_in_its_network_alone(name):
    theirs, ours = (
        load_recipe(recipe).model_dump(exclude={"description", "model"}) for recipe in (name, "skin-tmunet")
    )
    theirs["loss"]["adversarial"] = 0.0  # DAGAN's own
    assert theirs == ours


@every_recipe
def test_a_recipe_comes_back_from_its_record(name, tmp_path):
    recipe = load_recipe(name)
    record = tmp_path / "recipe.json"
    record.write_text(recipe.model_dump_json(indent=1))
    assert load_recipe(str(record)) == recipe


@pytest.mark.parametrize("name", ["discs", "lookonce"])
def test_no_held_out_subject_is_trained_on(name):
    trained = [read_subjects(part.subjects) for part in load_recipe(name).data if part.subjects]
    assert len(trained) == 2
    assert not frozenset().union(*trained) & read_subjects("unseen")


@pytest.mark.parametrize(
    ("change", "place", "value"),
    [
        ("optimizer.learning_rate=1e-4", "optimizer.learning_rate", 1e-4),
        ("optimizer.learning_rate=1.5E-3", "optimizer.learning_rate", 1.5e-3),
        ("input.shape=[64, 96]", "input.shape", (64, 96)),
        ("model.options.stem_stride=1", "model.options", {"widths": [32, 48, 96, 192, 256], "stem_stride": 1}),
        ("optimizer.clip_norm=null", "optimizer.clip_norm", None),
        ("data.0.pool=7", "data.0.pool", 7),
        ("description=a=b", "description", "a=b"),
        ("seed=5", "seed", 5),
    ],
)
def test_a_field_is_set_from_the_command_line(change, place, value):
    found = load_recipe("discs", [change])
    for part in place.split("."):
        found = found[int(part)] if part.isdigit() else getattr(found, part)
    assert found == value
    assert type(found) is type(value)


def test_later_changes_win_and_others_stay():
    recipe = load_recipe("discs", ["epochs=3", "epochs=4", "target.sigma_mm=5"])
    assert (recipe.epochs, recipe.target.sigma_mm) == (4, 5.0)
    assert recipe.model_copy(update={"epochs": 40}).optimizer == load_recipe("discs").optimizer


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ("epoch=3", "epoch: Extra inputs"),
        ("optimizer.rate=1", "optimizer.rate"),
        ("optimizer.learning_rate=fast", "optimizer.learning_rate"),
        ("input.channels=2", "input.channels"),
        ("data=[]", "data"),
        ("data.0.kind=web", "data.0.kind"),
        ("batch_size=0", "batch_size"),
        ("target.kind=boxes", "target.kind"),
        ("augmentation.rotation=3", "augmentation.rotation"),
    ],
)
def test_a_wrong_field_is_named(change, named):
    with pytest.raises(UsageError, match=f"recipe discs: {named}"):
        load_recipe("discs", [change])


@pytest.mark.parametrize("change", ["epochs", "data.9.pool=1", "data.first.pool=1", "epochs.x=1", "data=[1"])
def test_a_change_that_cannot_be_made_is_shown(change):
    with pytest.raises(UsageError, match="--set ") as raised:
        load_recipe("discs", [change])
    assert change in str(raised.value)
    assert "\n" not in str(raised.value)


def test_an_unknown_recipe_is_answered_with_those_there_are(tmp_path):
    with pytest.raises(UsageError, match="discs-attention-hourglass, discs-countception, discs-ends"):
        load_recipe(str(tmp_path / "mine.yaml"))


@pytest.mark.parametrize("text", ["", "- 1\n", "a: [", "just words"])
def test_a_file_that_is_no_recipe_says_so(tmp_path, text):
    path = tmp_path / "mine.yaml"
    path.write_text(text)
    with pytest.raises(UsageError, match=r"mine\.yaml: "):
        load_recipe(str(path))


def test_a_recipe_of_one_s_own_is_read(tmp_path):
    path = tmp_path / "mine.yaml"
    path.write_text(yaml.safe_dump(json.loads(load_recipe("discs").model_dump_json()) | {"epochs": 7}))
    assert load_recipe(str(path)).epochs == 7


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ("model.name=resnet", "no model is called 'resnet'"),
        ("model.name=lookonce", "no option"),
        ("model.options.width=3", "no option 'width'"),
        ("input.shape=[192, 100]", "192 x 100: this network takes multiples of 32"),
    ],
)
def test_a_network_that_cannot_be_built_is_a_usage_error(change, message):
    with pytest.raises(UsageError, match=message):
        build_network(load_recipe("discs", [change]))


def test_a_recipe_for_points_is_read_as_one():
    recipe = load_recipe("lookonce", ["noise.points=30"])
    assert isinstance(recipe, PointRecipe)
    assert recipe.noise.points == 30
    assert isinstance(build_point_network(recipe), LookOnce)
    with pytest.raises(UsageError, match="does not take points"):
        build_point_network(load_recipe("lookonce", ["model={name: unet}"]))
    with pytest.raises(UsageError, match=r"noise\.point: Extra inputs"):
        load_recipe("lookonce", ["noise.point=3"])
