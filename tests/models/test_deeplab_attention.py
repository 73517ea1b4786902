"""Attention DeepLabv3+: strides, scales and fields of view."""

from __future__ import annotations

import pytest
import torch

from lookonce import models
from lookonce.models.deeplab_attention import AttentivePyramid, Xception

TINY = {"widths": [8, 8, 8, 12, 16], "middle": 0, "pyramid": 16}


@pytest.mark.parametrize("size", [(64, 96), (48, 60), (33, 50)])
def test_the_encoder_gives_a_fourth_and_a_sixteenth_of_the_resolution(size):
    early, late = Xception(TINY["widths"], 0, 3).eval()(torch.rand(1, 3, *size))
    assert early.shape == (1, 8, *(-(-side // 4) for side in size))
    assert late.shape == (1, 16, *(-(-side // 16) for side in size))


def test_the_mask_begins_near_the_mean_over_the_scales():
    torch.manual_seed(0)
    network = models.build("deeplab-attention", **TINY, scales=[1.0, 0.5]).eval()
    share = network.aggregate.weight[0, :, 1, 1]
    torch.testing.assert_close(share, torch.tensor([0.5, 0.5]), atol=0.05, rtol=0)


def test_every_scale_has_its_say():
    torch.manual_seed(0)
    network = models.build("deeplab-attention", **TINY, scales=[1.0, 0.5]).eval()
    image = torch.rand(1, 3, 32, 32)
    with torch.no_grad():
        before = network(image).mask
        for scale in (0, 1):
            network.aggregate.weight[:, scale] += 1
            after = network(image).mask
            assert not torch.allclose(before, after)
            before = after


def test_one_picture_alone_can_be_trained_on():
    pyramid = AttentivePyramid(4, 8).train()
    assert pyramid(torch.rand(1, 4, 3, 3)).isfinite().all()
