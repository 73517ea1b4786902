"""What every registered network must do, and what `build` answers to a wrong name or option."""

from __future__ import annotations

import pytest
import torch
from tests.mask_networks import SMALL as MASK_NETWORKS
from torch import nn

from lookonce import models
from lookonce.errors import UsageError
from lookonce.models.registry import option_names

HOURGLASSES = ("attention-hourglass", "disc-net", "hourglass")
UNETS = ("shape-unet", "unet")
COUNTING = ("countception",)
SMALL = {
    **{name: {"classes": 3, "features": 16, "depth": 1} for name in HOURGLASSES},
    **{name: {"classes": 3, "widths": [8, 16]} for name in UNETS},
    **{name: {"classes": 3, "features": 8, "patch": 8} for name in COUNTING},
}
#: What each kind of network must take besides.
OPTIONS = {
    HOURGLASSES: [
        {"stacks": 1},
        {"stacks": 3},
        {"blocks": 2},
        {"depth": 2},
        {"classes": 27},
        {"features": 24},
        {"in_channels": 2},
        {"stem_pool": False, "upsample": True},
        {"stem_pool": True, "upsample": False},
    ],
    UNETS: [{"widths": [4, 6, 8]}, {"classes": 27}, {"in_channels": 3}, {"stem_stride": 2}],
    COUNTING: [{"features": 16}, {"features": 1}, {"patch": 9}, {"patch": 32}, {"classes": 27}, {"in_channels": 1}],
}
WRONG = {
    HOURGLASSES: [{"features": 17}, {"stacks": 0}, {"depth": -1}, {"features": "many"}],
    UNETS: [{"widths": [8]}, {"widths": [8, 1]}, {"widths": 3}, {"stem_stride": 3}, {"in_channels": 0}],
    COUNTING: [{"patch": 7}, {"features": 0}, {"in_channels": 0}, {"patch": "wide"}],
}

every_model = pytest.mark.parametrize("name", [*HOURGLASSES, *UNETS, *COUNTING])


def each_with(choices):
    """Every model with every one of the choices for its kind."""
    pairs = [(name, choice) for kind, of_kind in choices.items() for name in kind for choice in of_kind]
    return pytest.mark.parametrize(("name", "options"), pairs, ids=str)


def small(name: str, **options) -> nn.Module:
    torch.manual_seed(0)
    return models.build(name, **{**SMALL[name], **options})


def pictures(network: nn.Module, count: int = 2) -> torch.Tensor:
    generator = torch.Generator().manual_seed(1)
    return torch.rand(count, network.in_channels, 4 * network.multiple, 3 * network.multiple, generator=generator)


@each_with(OPTIONS)
def test_scores_have_the_shape_that_the_options_ask_for(name, options):
    network = small(name, **options).eval()
    image = pictures(network)
    with torch.no_grad():
        scores, attention = network(image)
    height, width = image.shape[2] // network.output_stride, image.shape[3] // network.output_stride
    assert len(scores) == (options.get("stacks", 2) if name in HOURGLASSES else 1)
    assert {tuple(score.shape) for score in scores} == {(2, options.get("classes", 3), height, width)}
    if attention is not None:
        stride = network.stride if name in HOURGLASSES else network.output_stride
        assert attention.shape == (2, 1, image.shape[2] // stride, image.shape[3] // stride)


@every_model
def test_gradients_reach_every_parameter(name):
    network = small(name).train()
    scores, _ = network(pictures(network))
    sum(score.square().sum() for score in scores).backward()
    for parameter_name, parameter in network.named_parameters():
        assert parameter.grad is not None, parameter_name
        assert parameter.grad.isfinite().all(), parameter_name
        # A bias in front of a batch norm has no effect, by construction; a kernel always has.
        assert parameter.grad.any() or parameter_name.endswith("bias"), parameter_name


@every_model
def test_evaluation_is_deterministic(name):
    network = small(name).eval()
    image = pictures(network)
    with torch.no_grad():
        first, second = network(image), network(image)
    assert all(torch.equal(a, b) for a, b in zip(first.scores, second.scores, strict=True))


@every_model
def test_a_picture_s_scores_do_not_depend_on_the_batch_it_comes_in(name):
    network = small(name).eval()
    image = pictures(network, count=3)
    with torch.no_grad():
        together = network(image).scores[-1]
        alone = torch.cat([network(single[None]).scores[-1] for single in image])
    torch.testing.assert_close(together, alone, rtol=1e-4, atol=1e-5)


@every_model
def test_attention_lies_between_0_and_1_where_there_is_one(name):
    network = small(name).eval()
    with torch.no_grad():
        attention = network(pictures(network)).attention
    assert (attention is None) == (name in {"hourglass", "unet", *COUNTING})
    if attention is not None:
        assert 0 <= float(attention.min()) < float(attention.max()) <= 1


@every_model
def test_the_same_seed_builds_the_same_network(name):
    first, second = small(name).state_dict(), small(name).state_dict()
    assert all(torch.equal(first[key], second[key]) for key in first)


def test_every_network_is_tested_here_or_among_those_for_masks():
    assert {*HOURGLASSES, *UNETS, *COUNTING, "lookonce", *MASK_NETWORKS} == set(models.names())


def test_an_unknown_name_is_answered_with_the_names_there_are():
    with pytest.raises(UsageError, match=r"'hourglas'.*attention-hourglass, countception, dagan.* hourglass, lookonce"):
        models.build("hourglas")


@every_model
def test_an_unknown_option_is_answered_with_the_options_there_are(name):
    with pytest.raises(UsageError, match=rf"{name} has no option 'wide'.*classes") as raised:
        models.build(name, wide=3)
    assert all(option in str(raised.value) for option in option_names(name))


@every_model
def test_what_a_name_pins_is_no_option(name):
    pinned = "shape" if name in UNETS else "attention"
    with pytest.raises(UsageError, match=f"no option '{pinned}'"):
        models.build(name, **{pinned: True})


@each_with(WRONG)
def test_an_impossible_value_is_a_usage_error_that_names_the_model(name, options):
    with pytest.raises(UsageError, match=f"model {name}: "):
        models.build(name, **options)
