"""TransUNet's hybrid encoder."""

from __future__ import annotations

import torch

from lookonce import models
from lookonce.models.resnet import ResNet


def test_the_hybrid_has_the_blocks_of_resnet_50_in_three_stages_by_torchvision_s_names():
    with torch.device("meta"):
        encoder = models.build("transunet").encoder
    names = {name.split(".")[0] for name in encoder.state_dict()}
    assert names == {"conv1", "bn1", "layer1", "layer2", "layer3"}
    assert [len(getattr(encoder, f"layer{stage}")) for stage in (1, 2, 3)] == [3, 4, 9]
    assert encoder.layer1[0].conv1.weight.shape == (64, 64, 1, 1)


def test_weights_of_resnet_50_fill_all_but_the_three_blocks_beyond_it():
    with torch.device("meta"):
        ours, resnet = (set(part.state_dict()) for part in (models.build("transunet").encoder, ResNet()))
    assert {name[:8] for name in ours - resnet} == {"layer3.6", "layer3.7", "layer3.8"}
    assert {name[:6] for name in resnet - ours} == {"layer4"}


def test_every_sixteen_pixels_have_a_place():
    with torch.device("meta"):
        assert models.build("transunet").transformer.positions.shape == (16 * 16, 768)
        assert models.build("transunet", size=224).transformer.positions.shape == (14 * 14, 768)
