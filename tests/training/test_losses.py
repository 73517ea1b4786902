"""Losses: they fall on what they can learn, and what is unknown or invisible does not touch them."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
import torch
from tests.tiny import tiny_recipe
from torch.utils.data import DataLoader

from lookonce.datasets.sources import SimulatedSource
from lookonce.datasets.stream import PictureStream
from lookonce.datasets.targets import LAST_DISC_LEVEL
from lookonce.training.losses import counts_loss, levels_loss, names_loss
from lookonce.training.module import DiscTraining, build_network

LOSSES = {"names": names_loss, "levels": levels_loss, "counts": counts_loss}
#: Changes of the tiny recipe that make it one of each layout.
LAYOUTS = {
    "names": (),
    "levels": ("target.kind=levels", "target.sigma_mm=15", "model.options.stem_stride=1"),
    "counts": (
        "target.kind=levels",
        "target.blob=square",
        "target.square_mm=24",
        "model={name: countception, options: {features: 16, patch: 8}}",
    ),
}


@pytest.mark.parametrize("layout", LOSSES)
def test_the_loss_falls_on_a_batch_that_is_seen_again_and_again(layout):
    recipe = tiny_recipe(*LAYOUTS[layout])
    torch.manual_seed(0)
    network = build_network(recipe).train()
    stream = PictureStream(
        [(SimulatedSource(4, seed=0), 1.0)],
        shape=recipe.input.shape,
        spacing=3.0,
        stride=network.output_stride,
        channels=1,
        target=recipe.target,
        augmentation=None,
        seed=0,
        start=0,
        length=4,
    )
    batch = next(iter(DataLoader(stream, batch_size=4)))
    optimizer = torch.optim.AdamW(network.parameters(), lr=5e-3)
    course = []
    for _ in range(40):
        parts = LOSSES[layout](network(batch["image"]).scores, batch)
        optimizer.zero_grad()
        parts["total"].backward()
        optimizer.step()
        course.append({name: float(value.detach()) for name, value in parts.items()})
    for name, first in course[0].items():
        assert course[-1][name] < 0.75 * first, name


def test_counts_are_learned_by_squared_error_until_a_share_of_the_run_is_over():
    training = DiscTraining(tiny_recipe(*LAYOUTS["counts"], "target.squared_until=0.5", "epochs=4"))
    shape = (2, training.recipe.target.levels, *training.recipe.input.shape)
    batch = {"image": torch.rand(2, 1, *shape[2:]), "heat": torch.rand(shape), "visible": torch.ones(shape[:2])}
    training.network.eval()
    for epoch, loss in ((0, levels_loss), (1, levels_loss), (2, counts_loss), (3, counts_loss)):
        training._trainer = SimpleNamespace(current_epoch=epoch)
        with torch.inference_mode():
            expected = loss(training.network(batch["image"]).scores, batch)
            torch.testing.assert_close(training.loss_parts(training.network, batch), expected)


def names_batch(size: int = 6) -> dict[str, torch.Tensor]:
    """One disc, level 5, in the middle; the right column is unknown."""
    heat, name, known = (
        torch.zeros(1, size, size),
        torch.zeros(1, size, size, dtype=torch.long),
        torch.ones(1, size, size),
    )
    heat[0, 2, 2], name[0, 2, 2], known[0, :, -1] = 1.0, 5, 0
    return {"heat": heat, "name": name, "known": known}


def names_scores(size: int = 6, *, disc: float = 0.0) -> torch.Tensor:
    score = torch.zeros(1, 2 + LAST_DISC_LEVEL, size, size)
    score[:, 0] = disc
    return score


def test_what_the_network_says_where_the_truth_is_unknown_costs_nothing():
    batch, calm = names_batch(), names_scores()
    wild = calm.clone()
    wild[:, :, :, -1] = 20 * torch.randn(wild.shape[:3], generator=torch.Generator().manual_seed(0))
    expected, found = names_loss([calm], batch), names_loss([wild], batch)
    for part in expected:
        torch.testing.assert_close(found[part], expected[part])


def test_a_false_disc_is_asked_for_the_name_no_disc_and_background_is_not():
    batch = names_batch()
    alarm = names_scores(disc=-20.0)
    alarm[0, 0, 4, 4] = 20.0
    alarm.requires_grad_()
    names_loss([alarm], batch)["name"].backward()
    asked = alarm.grad[0, 1:].abs().sum(dim=0) > 1e-6
    assert {tuple(place) for place in asked.nonzero().tolist()} == {(2, 2), (4, 4)}
    assert alarm.grad[0, 1, 4, 4] < 0  # towards class 0, "no disc"
    assert alarm.grad[0, 1 + 5, 2, 2] < 0  # towards level 5


def test_the_right_answer_costs_less_than_silence_and_silence_less_than_a_wrong_name():
    batch = names_batch()
    right = names_scores(disc=-9.0)
    right[0, 0, 2, 2], right[0, 1 + 5, 2, 2] = 9.0, 9.0
    wrong = right.clone()
    wrong[0, 1 + 5, 2, 2], wrong[0, 1 + 6, 2, 2] = 0.0, 9.0
    silent = names_scores(disc=-9.0)
    total = [float(names_loss([score], batch)["total"]) for score in (right, wrong, silent)]
    assert total[0] < min(total[1:])
    assert names_loss([silent], batch)["name"] < names_loss([wrong], batch)["name"]


@pytest.mark.parametrize("of_levels", [levels_loss, counts_loss])
def test_invisible_levels_neither_cost_nor_teach_anything(of_levels):
    generator = torch.Generator().manual_seed(0)
    heat = torch.rand(2, 4, 5, 5, generator=generator)
    visible = torch.tensor([[1.0, 0, 1, 1], [1, 1, 0, 0]])
    score = torch.rand(2, 4, 5, 5, generator=generator, requires_grad=True)
    loss = of_levels([score], {"heat": heat, "visible": visible})["total"]
    loss.backward()
    taught = score.grad.abs().sum(dim=(2, 3)) > 0
    assert torch.equal(taught, visible > 0)
    wild = torch.where(visible[:, :, None, None] > 0, score.detach(), 1e3)
    torch.testing.assert_close(of_levels([wild], {"heat": heat, "visible": visible})["total"], loss.detach())


@pytest.mark.parametrize("layout", LOSSES)
def test_every_stack_is_supervised(layout):
    scores = [names_scores().requires_grad_() for _ in range(3)]
    batch = names_batch()
    if layout != "names":
        batch = {"heat": torch.rand(scores[0].shape), "visible": torch.ones(scores[0].shape[:2])}
    LOSSES[layout](scores, batch)["total"].backward()
    assert all(score.grad.any() for score in scores)
