"""The loss of masks: its targets, and how its parts add up."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy import ndimage

from lookonce.models.network import MaskOutput
from lookonce.training.mask_losses import boundary_target, mask_loss, mean_dice, region_target, soft_dice
from lookonce.training.recipe import MaskLossPart

GRID = torch.Size([4, 4])


@pytest.fixture
def mask() -> torch.Tensor:
    generator = torch.Generator().manual_seed(0)
    coarse = torch.rand(3, 1, 8, 8, generator=generator) > 0.7
    return coarse.float().repeat_interleave(4, dim=2).repeat_interleave(4, dim=3)


def test_the_border_is_what_a_dilation_by_seven_adds(mask):
    for ring, one in zip(boundary_target(mask)[:, 0], mask[:, 0].numpy() > 0, strict=True):
        dilated = ndimage.binary_dilation(one, structure=np.ones((7, 7)))
        np.testing.assert_array_equal(ring.numpy() > 0, dilated & ~one)


def test_the_most_covered_patch_of_a_picture_counts_as_one():
    mask = torch.zeros(2, 1, 16, 16)
    mask[0, 0, :4, :2] = 1  # half of a patch, the only one
    mask[0, 0, 4:8, :1] = 1  # a quarter of the one below
    found = region_target(mask, GRID)
    assert found.shape == (2, 1, 4, 4)
    assert found[0, 0, :2, 0].tolist() == [1.0, 0.5]
    assert found[0].sum() == 1.5
    assert found[1].sum() == 0


def output_of(mask: torch.Tensor, *, maps: bool = True, sure: float = 20.0) -> MaskOutput:
    """What a network says that is as right as it can be."""
    logits = (2 * mask - 1) * sure
    if not maps:
        return MaskOutput(logits)
    return MaskOutput(logits, (2 * boundary_target(mask) - 1) * sure, region_target(mask, GRID))


@pytest.mark.parametrize("maps", [True, False])
def test_a_perfect_answer_costs_nothing(mask, maps):
    parts = mask_loss(output_of(mask, maps=maps), mask, MaskLossPart(dice=0.5))
    assert set(parts) == {"total", "mask", "overlap"} | ({"boundary", "regions"} if maps else set())
    assert parts["total"] < 1e-6


def test_parts_are_weighted_as_published(mask):
    output = MaskOutput(torch.randn_like(mask), torch.randn_like(mask), torch.rand(3, 1, 4, 4))
    parts = mask_loss(output, mask, MaskLossPart())
    torch.testing.assert_close(parts["total"], 0.7 * parts["mask"] + 0.1 * parts["regions"] + 0.2 * parts["boundary"])


def test_what_a_network_does_not_say_is_shared_out_among_the_others(mask):
    logits = torch.randn_like(mask)
    parts = mask_loss(MaskOutput(logits), mask, MaskLossPart())
    torch.testing.assert_close(parts["total"], parts["mask"])
    with_dice = mask_loss(MaskOutput(logits), mask, MaskLossPart(dice=0.3))
    expected = 1.3 * (0.7 * with_dice["mask"] + 0.3 * with_dice["overlap"])
    torch.testing.assert_close(with_dice["total"], expected)


def test_dice_is_of_each_picture_and_one_where_both_are_empty(mask):
    empty = torch.zeros_like(mask)
    torch.testing.assert_close(soft_dice(mask, mask), torch.ones(3))
    torch.testing.assert_close(soft_dice(empty, empty), torch.ones(3))
    assert soft_dice(1 - mask, mask).max() < 0.02
    assert mean_dice(10 * mask - 5, mask, 0.5) == 1
