"""FAT-Net's two encoders meet at one resolution."""

from __future__ import annotations

import torch

from lookonce import models
from lookonce.models.fatnet import FeatureAdaptation


def test_the_encoder_is_resnet_34_by_torchvision_s_names():
    with torch.device("meta"):
        encoder = models.build("fatnet").encoder
    assert [len(getattr(encoder, f"layer{stage}")) for stage in (1, 2, 3, 4)] == [3, 4, 6, 3]
    assert encoder.state_dict()["layer4.2.conv2.weight"].shape == (512, 512, 3, 3)


def test_tokens_see_the_whole_picture():
    torch.manual_seed(0)
    options = {"widths": [4, 8, 8, 12], "blocks": [1, 1, 1, 1], "token_width": 12, "depth": 1, "heads": 2}
    network = models.build("fatnet", size=128, **options).eval()
    image = torch.rand(1, 3, 128, 128, requires_grad=True)
    network(image).mask[0, 0, 0, 0].backward()
    assert image.grad[..., -16:, -16:].any()


def test_adaptation_brings_the_coarser_level_to_the_finer():
    torch.manual_seed(0)
    adapt = FeatureAdaptation(6, 10).eval()
    fine, coarse = torch.rand(1, 6, 8, 8), torch.rand(1, 10, 4, 4)
    with torch.no_grad():
        assert adapt(fine, coarse).shape == fine.shape
        assert not torch.allclose(adapt(fine, coarse), adapt(fine, coarse.flip(1)))
