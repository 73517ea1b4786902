"""The ResNets are those that weights for ImageNet are saved for."""

from __future__ import annotations

import pytest
import torch

from lookonce.models.resnet import ResNet

#: Parameters of the published networks without their classifiers, and some of their tensors.
KNOWN = [
    ({"blocks": (2, 2, 2, 2), "bottleneck": False}, 11_176_512, {"layer4.1.conv2.weight": (512, 512, 3, 3)}),
    ({"blocks": (3, 4, 6, 3), "bottleneck": False}, 21_284_672, {"layer2.0.downsample.0.weight": (128, 64, 1, 1)}),
    ({"blocks": (3, 4, 6, 3)}, 23_508_032, {"layer3.5.conv3.weight": (1024, 256, 1, 1), "layer1.0.bn3.bias": (256,)}),
    ({"blocks": (3, 4, 23, 3)}, 42_500_160, {"layer3.22.bn1.running_mean": (256,), "conv1.weight": (64, 3, 7, 7)}),
]


@pytest.mark.parametrize(("options", "parameters", "tensors"), KNOWN, ids=["18", "34", "50", "101"])
def test_tensors_are_called_shaped_and_counted_as_torchvision_s(options, parameters, tensors):
    with torch.device("meta"):
        network = ResNet(**options)
    assert sum(parameter.numel() for parameter in network.parameters()) == parameters
    state = network.state_dict()
    assert {name: tuple(state[name].shape) for name in tensors} == tensors


@pytest.mark.parametrize("bottleneck", [True, False])
def test_features_come_at_every_scale(bottleneck):
    network = ResNet((4, 6, 8, 10), (1, 2, 1, 1), bottleneck=bottleneck, in_channels=2).eval()
    with torch.no_grad():
        features = network(torch.rand(1, 2, 64, 96))
    sides = [(32, 48), (16, 24), (8, 12), (4, 6), (2, 3)]
    assert [tuple(one.shape[1:]) for one in features] == [
        (width, *side) for width, side in zip(network.channels, sides, strict=True)
    ]


@pytest.mark.parametrize("wrong", [{"widths": (4, 4, 4)}, {"blocks": (1, 1, 1, 0)}, {"in_channels": 0}])
def test_impossible_numbers_are_refused(wrong):
    with pytest.raises(ValueError, match="four numbers each, all at least 1"):
        ResNet(**wrong)
