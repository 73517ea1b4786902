"""DAGAN's generator and the discriminators that it is trained against."""

from __future__ import annotations

import pytest
import torch

from lookonce.models.dagan import DenseDilated, Discriminator


def test_a_dilated_convolution_sees_the_input_and_all_before_it():
    block = DenseDilated(4, 6, (1, 2, 4))
    assert [layer[0].in_channels for layer in block.convolutions] == [4, 10, 16]
    assert [layer[0].dilation for layer in block.convolutions] == [(1, 1), (2, 2), (4, 4)]
    assert block(torch.rand(2, 4, 8, 8)).shape == (2, 6, 8, 8)


@pytest.mark.parametrize("channels", [1, 4])
def test_a_discriminator_judges_every_patch_by_all_its_channels(channels):
    torch.manual_seed(0)
    judge = Discriminator(channels, (8, 8)).eval()
    maps = torch.rand(2, channels, 32, 48, requires_grad=True)
    verdict = judge(maps)
    assert verdict.shape == (2, 1, 8, 12)
    verdict[0, 0, 0, 0].backward()
    assert all(channel.any() for channel in maps.grad[0, :, :16, :16])
    assert not maps.grad[0, :, :, 32:].any()
    assert not maps.grad[1].any()
