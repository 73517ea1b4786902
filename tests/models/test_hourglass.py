"""The published forms, held to the golden vectors; and what only the hourglass has."""

from __future__ import annotations

import json

import numpy as np
import pytest
import torch
from tests.golden import golden_tensor

from lookonce import models
from lookonce.models.hourglass import StackedHourglass

#: Golden name of each published form and ours.
PUBLISHED = {"hourglass": "hourglass", "attention_hourglass": "attention-hourglass"}


@pytest.mark.parametrize("form", PUBLISHED)
def test_tensors_are_called_and_shaped_as_published(golden, form):
    truth = json.loads((golden / "hourglass.json").read_text())[form]
    network = models.build(PUBLISHED[form], classes=truth["num_classes"])
    ours = {name: list(tensor.shape) for name, tensor in network.state_dict().items()}
    assert ours == dict(truth["tensors"])
    assert sum(parameter.numel() for parameter in network.parameters()) == truth["parameters"]


@pytest.mark.parametrize("form", PUBLISHED)
def test_scores_of_every_stack_are_the_published_ones(golden, form):
    network = models.build(PUBLISHED[form]).eval()
    state = network.state_dict()
    network.load_state_dict({name: golden_tensor(name, tuple(value.shape)) for name, value in state.items()})
    with np.load(golden / f"{form}.npz") as stored:
        truth = dict(stored)
    image = torch.from_numpy(truth["input"]).float().expand(1, 3, -1, -1)
    with torch.inference_mode():
        scores = network(image).scores
    assert len(scores) == 2
    for stack, score in enumerate(scores):
        expected = truth[f"stack{stack}"]
        assert np.abs(score[0, :, ::4, ::4].numpy() - expected).max() <= 1e-4 * expected.std()


def test_attention_scales_the_features_of_the_last_stack_only():
    torch.manual_seed(0)
    network = StackedHourglass(3, features=16, depth=1, attention=True).eval()
    image = torch.rand(1, 3, 32, 32)
    with torch.no_grad():
        before = network(image)
        network.attention[-2].weight.zero_()  # the sigmoid of nothing is a half, everywhere
        after = network(image)
    torch.testing.assert_close(after.attention, torch.full_like(after.attention, 0.5))
    torch.testing.assert_close(after.scores[0], before.scores[0])
    assert not torch.allclose(after.scores[1], before.scores[1])


@pytest.mark.parametrize("stem_pool", [True, False])
def test_the_smallest_input_that_it_names_is_one_that_it_takes(stem_pool):
    network = StackedHourglass(2, features=8, depth=2, stem_pool=stem_pool).eval()
    image = torch.rand(1, 3, network.multiple, 3 * network.multiple)
    with torch.no_grad():
        assert network(image).scores[-1].shape == (1, 2, network.multiple, 3 * network.multiple)
