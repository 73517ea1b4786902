"""Training against discriminators: who learns from what, and whole runs."""

from __future__ import annotations

import csv

import pytest
import torch
from safetensors.torch import load_file
from tests.mask_model import mask_recipe, tiny_masks
from tests.mask_sets import write_set

from lookonce.training import run as run_module
from lookonce.training.adversarial import AdversarialTraining
from lookonce.training.module import MaskTraining
from lookonce.training.recipe import MaskRecipe, load_recipe
from lookonce.training.run import train

__all__ = ["tiny_masks"]

pytestmark = pytest.mark.usefixtures("tiny_masks")

MODEL = {"name": "dagan", "options": {"widths": [4, 8], "dilations": [1, 2]}}


def recipe(**changes: object) -> MaskRecipe:
    return mask_recipe(**{"model": MODEL, "loss": {"adversarial": 0.5}, **changes})


def batch() -> dict[str, torch.Tensor]:
    generator = torch.Generator().manual_seed(0)
    image = torch.rand(2, 3, 32, 32, generator=generator)
    return {"image": image, "mask": (image[:, :1] > 0.5).float()}


@pytest.fixture
def training() -> AdversarialTraining:
    torch.manual_seed(0)
    return AdversarialTraining(recipe()).train()


def test_the_network_alone_learns_to_deceive_and_the_discriminators_alone_to_judge(training):
    found = training.network(batch()["image"]).mask.sigmoid()
    deceiving, judging = training.contest(found, batch())
    network, judges = list(training.network.parameters()), list(training.judges.parameters())
    for part, learning, others in ((deceiving, network, judges), (judging, judges, network)):
        gradients = torch.autograd.grad(part, [*learning, *others], retain_graph=True, allow_unused=True)
        assert all(gradient is not None for gradient in gradients[: len(learning)])
        assert all(gradient is None for gradient in gradients[len(learning) :])


def test_the_optimizer_moves_the_network_and_the_discriminators_but_no_average():
    module = AdversarialTraining(recipe(optimizer={"learning_rate": 0.01, "average_decay": 0.9}))
    moved = {id(p) for group in module.configure_optimizers()["optimizer"].param_groups for p in group["params"]}
    assert moved == {id(p) for part in (module.network, module.judges) for p in part.parameters()}


def test_true_masks_deceive_better_than_noise_once_the_discriminators_have_learned(training):
    optimizer = torch.optim.Adam(training.judges.parameters(), lr=1e-3)
    noise = torch.rand(2, 1, 32, 32, generator=torch.Generator().manual_seed(1))
    for _ in range(30):
        optimizer.zero_grad()
        training.contest(noise, batch())[1].backward()
        optimizer.step()
    training.eval()
    with torch.no_grad():
        assert training.contest(batch()["mask"], batch())[0] < 0.5 * training.contest(noise, batch())[0]


def test_validation_is_that_of_every_network_that_segments(training):
    plain = MaskTraining(recipe(loss={}))
    plain.network.load_state_dict(training.network.state_dict())
    with torch.no_grad():
        ours, theirs = (each.eval().loss_parts(each.network, batch()) for each in (training, plain))
    assert ours == theirs


def test_a_run_keeps_the_network_alone_and_goes_on_exactly_where_it_stopped(tmp_path, monkeypatch):
    data = write_set(tmp_path / "set")
    whole = load_file(train(recipe(), data=data, out=tmp_path / "whole", progress=False))
    assert not any("judges" in name for name in whole)
    built = run_module._trainer

    def half_as_long(*arguments, **options):
        trainer = built(*arguments, **options)
        trainer.fit_loop.max_epochs = 1
        return trainer

    with monkeypatch.context() as patch:
        patch.setattr(run_module, "_trainer", half_as_long)
        train(recipe(), data=data, out=tmp_path / "halves", progress=False)
    resumed = load_file(train(recipe(), data=data, out=tmp_path / "halves", resume=True, progress=False))
    assert all(torch.equal(whole[name], resumed[name]) for name in whole)
    with (tmp_path / "whole" / "metrics.csv").open(newline="") as file:
        assert {"train/deceiving", "train/judging", "val/dice"} <= set(next(csv.reader(file)))


def test_only_the_recipe_of_dagan_trains_against_discriminators():
    recipes = {name: load_recipe(name) for name in ("skin-dagan", "skin-mask-unet", "skin-tmunet-baseline")}
    assert [name for name, found in recipes.items() if found.loss.adversarial] == ["skin-dagan"]
