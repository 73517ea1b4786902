"""The look-once network: any number of points, in any order, anywhere and of any size."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from lookonce import models
from lookonce.errors import UsageError
from lookonce.models.lookonce import LookOnce

seeds = st.integers(0, 10_000)
counts = st.integers(1, 40)


@pytest.fixture(scope="module")
def network() -> LookOnce:
    """Random weights, with statistics as after some training."""
    torch.manual_seed(0)
    built = models.build("lookonce", widths=(16, 24, 48), relation=12)
    for _ in range(3):
        built(torch.rand(4, 15, 2))
    for parameter in built.parameters():
        parameter.data += 0.05 * torch.randn_like(parameter)
    return built.eval()


def some_points(seed: int, count: int) -> torch.Tensor:
    return torch.from_numpy(np.random.default_rng(seed).uniform(0, 256, (1, count, 2)).astype(np.float32))


@settings(deadline=None, max_examples=60)
@given(seed=seeds, count=counts)
def test_permuting_the_points_permutes_the_answers(network, seed, count):
    points = some_points(seed, count)
    order = torch.from_numpy(np.random.default_rng(seed + 1).permutation(count))
    with torch.no_grad():
        torch.testing.assert_close(network(points[:, order]), network(points)[:, order], atol=1e-5, rtol=1e-4)


@settings(deadline=None, max_examples=60)
@given(
    seed=seeds, count=st.integers(2, 40), scale=st.floats(0.05, 20), down=st.floats(-50, 50), side=st.floats(-50, 50)
)
def test_the_answers_do_not_depend_on_unit_and_place(network, seed, count, scale, down, side):
    points = some_points(seed, count)
    with torch.no_grad():
        moved = network(scale * (points + torch.tensor([down, side])))
        torch.testing.assert_close(moved, network(points), atol=2e-3, rtol=1e-3)


@settings(deadline=None, max_examples=30)
@given(seed=seeds, count=counts)
def test_a_set_s_answers_do_not_depend_on_the_batch_it_comes_in(network, seed, count):
    one, other = some_points(seed, count), some_points(seed + 1, count)
    with torch.no_grad():
        together = network(torch.cat([one, other]))
        torch.testing.assert_close(together[:1], network(one), atol=1e-5, rtol=1e-4)


def test_every_point_matters_to_every_other(network):
    points = some_points(0, 12)
    moved = points.clone()
    moved[0, 0] += torch.tensor([40.0, -30.0])
    with torch.no_grad():
        assert ((network(points) - network(moved)).abs() > 1e-6).all()


def test_gradients_reach_every_parameter_and_are_finite():
    torch.manual_seed(0)
    network = models.build("lookonce", widths=(8, 12, 16), relation=8).train()
    network(some_points(0, 10)).square().sum().backward()
    for name, parameter in network.named_parameters():
        assert parameter.grad is not None, name
        assert parameter.grad.isfinite().all(), name


def test_points_that_all_lie_on_one_place_are_answered(network):
    with torch.no_grad():
        assert network(torch.ones(1, 5, 2)).isfinite().all()


@pytest.mark.parametrize("wrong", [{"widths": (8, 8)}, {"widths": (8, 8, 0)}, {"relation": 0}, {"width": 3}], ids=str)
def test_impossible_options_are_a_usage_error(wrong):
    with pytest.raises(UsageError, match="model lookonce"):
        models.build("lookonce", **wrong)
