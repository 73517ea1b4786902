"""The Lightning module alone: running average, schedule, optimizers."""

from __future__ import annotations

import pytest
import torch
from tests.tiny import tiny_recipe

from lookonce.errors import UsageError
from lookonce.models.resnet import ResNet
from lookonce.training.module import DiscTraining


def set_all(module: DiscTraining, value: float) -> None:
    with torch.no_grad():
        for parameter in module.network.parameters():
            parameter.fill_(value)


def test_averaged_weights_start_with_the_first_step_and_then_follow_slowly(monkeypatch):
    module = DiscTraining(tiny_recipe("optimizer.average_decay=0.9"))
    monkeypatch.setattr(DiscTraining, "global_step", 0)
    set_all(module, 7.0)
    module.on_before_zero_grad(None)  # before the first step there is nothing to average
    assert not any((parameter == 7.0).all() for parameter in module.result.parameters())
    monkeypatch.setattr(DiscTraining, "global_step", 1)
    for value in (1.0, 2.0, 4.0):
        set_all(module, value)
        module.on_before_zero_grad(None)
    expected = 0.9 * (0.9 * 1 + 0.1 * 2) + 0.1 * 4
    for parameter in module.result.parameters():
        torch.testing.assert_close(parameter, torch.full_like(parameter, expected))


@pytest.mark.parametrize("name", ["hourglass", "attention-hourglass", "unet", "shape-unet"])
def test_maps_of_levels_are_empty_before_training(name):
    options = "widths: [8, 8, 8, 8, 8]" if "unet" in name else "features: 8, stacks: 2"
    module = DiscTraining(tiny_recipe(f"model={{name: {name}, options: {{{options}}}}}", "target={kind: levels}"))
    for network in (module.network, module.result):
        scores = network.eval()(torch.rand(1, 1, 64, 64)).scores
        assert all(score.shape[1] == 11 and not score.any() for score in scores)


def test_maps_with_names_are_not():
    scores = DiscTraining(tiny_recipe()).network.eval()(torch.rand(1, 1, 64, 64)).scores
    assert all(score.any() for score in scores)


def test_the_average_has_no_gradients_for_several_processes_to_wait_for():
    module = DiscTraining(tiny_recipe())
    trained = {name.split(".")[0] for name, parameter in module.named_parameters() if parameter.requires_grad}
    assert trained == {"network"}


def test_imagenet_weights_go_into_the_network_and_its_average(tmp_path):
    torch.manual_seed(0)
    weights = ResNet((4, 4, 4, 4), (1, 1, 1, 1)).state_dict()
    torch.save(weights, tmp_path / "a.pth")
    module = DiscTraining(tiny_recipe("optimizer.average_decay=0.9"))
    with pytest.raises(UsageError, match=r"a\.pth: the network has no ResNet"):
        module.start_encoder(tmp_path / "a.pth")
    for network in (module.network, module.result):
        network.encoder = ResNet((4, 4, 4, 4), (1, 1, 1, 1))
    module.start_encoder(tmp_path / "a.pth")
    for network in (module.network, module.result):
        found = network.encoder.state_dict()
        assert all(torch.equal(found[name], weights[name]) for name in weights)


def test_without_an_average_the_network_itself_is_kept():
    module = DiscTraining(tiny_recipe("optimizer.average_decay=null"))
    assert module.result is module.network


def rates(*changes: str) -> list[float]:
    recipe = tiny_recipe("epochs=10", "steps_per_epoch=10", "optimizer.learning_rate=1.0", *changes)
    plan = DiscTraining(recipe).configure_optimizers()
    optimizer, schedule = plan["optimizer"], plan["lr_scheduler"]["scheduler"]
    found = []
    for _ in range(recipe.steps):
        found.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        schedule.step()
    return found


def test_the_cosine_schedule_warms_up_and_ends_near_nothing():
    found = rates("optimizer.warmup_steps=5")
    assert found[:4] == sorted(found[:4])
    assert found[0] == pytest.approx(0.2)
    assert found[5:] == sorted(found[5:], reverse=True)
    assert found[50] == pytest.approx(0.5)
    assert found[-1] < 1e-3


def test_the_paper_s_schedule_falls_tenfold_at_its_milestones():
    found = rates("optimizer.schedule=milestones", "optimizer.milestones=[0.5, 0.75]", "optimizer.warmup_steps=0")
    assert found == pytest.approx([1.0] * 50 + [0.1] * 25 + [0.01] * 25)


@pytest.mark.parametrize(("name", "kind"), [("adamw", torch.optim.AdamW), ("rmsprop", torch.optim.RMSprop)])
def test_the_recipe_names_the_optimizer(name, kind):
    module = DiscTraining(tiny_recipe(f"optimizer.name={name}", "optimizer.weight_decay=0.25"))
    optimizer = module.configure_optimizers()["optimizer"]
    assert type(optimizer) is kind
    assert optimizer.param_groups[0]["weight_decay"] == 0.25
    assert sum(len(group["params"]) for group in optimizer.param_groups) == len(list(module.network.parameters()))
