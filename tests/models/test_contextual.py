"""Contextual attention a patch at a time is the one on maps of the picture's size."""

from __future__ import annotations

import copy

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.full_maps import on_full_maps

from lookonce.models.contextual import ContextualAttention


def head(seed: int = 0, width: int = 8, token_width: int = 12, *, published: bool = False) -> ContextualAttention:
    """One in double precision, with statistics and weights as after some training."""
    torch.manual_seed(seed)
    context = ContextualAttention(width, token_width, published=published).double()
    for name, value in context.state_dict().items():
        if name.endswith("running_var"):
            value.uniform_(0.5, 2)
        elif value.is_floating_point():
            value.normal_(0, 0.5)
    return context


def inputs(batch: int, grid: tuple[int, int], width: int = 8, token_width: int = 12) -> tuple[torch.Tensor, ...]:
    features = torch.randn(batch, width, 16 * grid[0], 16 * grid[1], dtype=torch.float64)
    tokens = torch.randn(batch, 1 + grid[0] * grid[1], token_width, dtype=torch.float64)
    return features.requires_grad_(), tokens.requires_grad_()


@given(
    seed=st.integers(0, 999),
    batch=st.integers(1, 3),
    grid=st.tuples(st.integers(1, 3), st.integers(2, 3)),
    sizes=st.tuples(st.integers(2, 20), st.integers(1, 9)),
    published=st.booleans(),
    training=st.booleans(),
)
@settings(max_examples=40)
def test_maps_and_gradients_are_those_of_the_full_map_form(seed, batch, grid, sizes, published, training):
    ours = head(seed, *sizes, published=published).train(training)
    theirs = copy.deepcopy(ours)
    results = []
    for context, form in ((ours, ContextualAttention.forward), (theirs, on_full_maps)):
        torch.manual_seed(seed)
        given_ = inputs(batch, grid, *sizes)
        maps = form(context, *given_)
        sum((number + 1) * value.sin().sum() for number, value in enumerate(maps)).backward()
        # Published, the features reach the mask through the weights of squeeze-and-excitation and the boundary alone.
        results.append([*maps, *(value.grad for value in (*given_, *context.parameters()))])
    for one, other in zip(*results, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-9, atol=1e-7)


def test_running_statistics_follow_the_same_values():
    ours, theirs = head().train(), head().train()
    features, tokens = inputs(4, (4, 4))
    ours(features, tokens)
    on_full_maps(theirs, features, tokens)
    torch.testing.assert_close(ours.layout[1].running_mean, theirs.layout[1].running_mean)
    # Bessel's correction knows 64 patches, not 16384 pixels, which are no more observations than the patches are.
    torch.testing.assert_close(ours.layout[1].running_var, theirs.layout[1].running_var, rtol=0.02, atol=0)


@pytest.mark.parametrize("published", [False, True])
def test_a_patch_shows_its_own_token_and_as_published_its_left_neighbour_s(published):
    context = head(published=published).eval()
    features, tokens = inputs(1, (2, 3))
    changed = tokens.detach().clone()
    changed[0, 1 + 3] += 1  # the first patch of the second row
    with torch.no_grad():
        differs = (context(features, tokens).mask - context(features, changed).mask).abs() > 1e-9
    row, column = (1, 1) if published else (1, 0)
    expected = torch.zeros(1, 1, 32, 48, dtype=torch.bool)
    expected[..., 16 * row : 16 * row + 16, 16 * column : 16 * column + 16] = True
    assert torch.equal(differs, expected)


def test_as_published_the_mask_sees_features_through_their_means_and_the_boundary_alone():
    context = head(published=True).eval()
    torch.nn.init.zeros_(context.boundary[-1].weight)
    features, tokens = inputs(1, (2, 2))
    with torch.no_grad():
        torch.testing.assert_close(context(features, tokens).mask, context(features.flip(2), tokens).mask)
