"""Blocks that the segmentation networks share."""

from __future__ import annotations

import pytest
import torch

from lookonce.models.blocks import SqueezeExcitation, convolution


@pytest.mark.parametrize("size", [1, 3, 5])
@pytest.mark.parametrize("dilation", [1, 2, 3])
def test_a_convolution_keeps_the_size(size, dilation):
    assert convolution(2, 3, size, dilation=dilation)(torch.rand(2, 2, 9, 8)).shape == (2, 3, 9, 8)


def test_squeeze_and_excitation_weighs_whole_channels():
    torch.manual_seed(0)
    x = torch.rand(2, 32, 4, 5) + 0.1
    with torch.no_grad():
        weights = SqueezeExcitation(32)(x) / x
    assert torch.allclose(weights, weights[..., :1, :1].expand_as(weights))
    assert 0 < weights.min() < weights.max() < 1
