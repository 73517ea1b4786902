"""FAT-Net: a ResNet and a transformer side by side, features adapted between levels, a lean decoder.

Wu et al., "FAT-Net: Feature adaptive transformers for automated skin lesion segmentation" (Medical Image Analysis 76,
2022, doi 10.1016/j.media.2021.102327): ResNet-34 and a tiny DeiT. A later comparison (PMC11236745, table 3) counts
27.43 M parameters. The adaptation's inner form is our reading of the text.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from lookonce.models.blocks import SqueezeExcitation, convolution
from lookonce.models.grid_transformer import GridTransformer
from lookonce.models.network import MaskNetwork, MaskOutput
from lookonce.models.resnet import ResNet
from lookonce.models.tmunet import normalised
from lookonce.models.vit import PATCH


class FATNet(MaskNetwork):
    """Dual encoder, convolutions and transformer, with feature adaptation.

    Parameters
    ----------
    size : int
        Height and width of the pictures, a multiple of 16: places are learned.
    widths, blocks : four ints
        The ResNet's stages.
    token_width, depth, heads : int
        The transformer.

    Raises
    ------
    ValueError
        If `size` is no multiple of 16, there are not four stages, `heads` does not divide `token_width`, or a count is
        impossible.
    """

    multiple = PATCH

    def __init__(
        self,
        *,
        size: int = 256,
        widths: Sequence[int] = (64, 128, 256, 512),
        blocks: Sequence[int] = (3, 4, 6, 3),
        token_width: int = 192,
        depth: int = 12,
        heads: int = 3,
    ) -> None:
        super().__init__()
        if size < PATCH or size % PATCH:
            raise ValueError(f"size must be a multiple of {PATCH}")
        self.size = size
        self.in_channels = 3
        self.encoder = ResNet(widths, blocks, bottleneck=False)
        self.embed = nn.Conv2d(self.in_channels, token_width, PATCH, stride=PATCH)
        self.transformer = GridTransformer(size // PATCH, token_width, depth=depth, heads=heads)
        both = widths[-1] + token_width
        self.fuse = nn.Sequential(SqueezeExcitation(both), convolution(both, widths[-1], 1))
        self.adapt = nn.ModuleList(FeatureAdaptation(fine, coarse) for fine, coarse in pairwise(widths))
        self.decoder = nn.ModuleList(_rise(coarse, fine) for fine, coarse in pairwise(widths))
        self.mask = nn.Sequential(convolution(widths[0], widths[0] // 2 or 1), nn.Conv2d(widths[0] // 2 or 1, 1, 1))

    def forward(self, image: Tensor) -> MaskOutput:
        """Map pictures (B, 3, size, size) in 0..1 to the mask's logits (B, 1, size, size)."""
        image = normalised(image)
        features = self._features(image)
        x = self.fuse(torch.cat([features[-1], self.transformer(self.embed(image))], dim=1))
        adapted = [adapt(fine, coarse) for adapt, (fine, coarse) in zip(self.adapt, pairwise(features), strict=True)]
        for rise, skip in reversed(list(zip(self.decoder, adapted, strict=True))):
            x = rise(x) + skip
        return MaskOutput(self.mask(_twice(x)))

    def _features(self, image: Tensor) -> list[Tensor]:
        """What the ResNet's stages say without its pooling, at H / 2, 4, 8 and 16: the last as fine as the tokens."""
        encoder = self.encoder
        x = F.relu(encoder.bn1(encoder.conv1(image)))
        features = []
        for stage in (encoder.layer1, encoder.layer2, encoder.layer3, encoder.layer4):
            x = stage(x)
            features.append(x)
        return features


class FeatureAdaptation(nn.Module):
    """A level's features, with what the next coarser level says of them: channels that help rise, background falls."""

    def __init__(self, channels: int, coarser: int) -> None:
        super().__init__()
        self.bring = convolution(coarser, channels, 1)
        self.join = nn.Sequential(convolution(channels, channels), SqueezeExcitation(channels))

    def forward(self, fine: Tensor, coarse: Tensor) -> Tensor:
        """Map (B, channels, h, w) and (B, coarser, h / 2, w / 2) to (B, channels, h, w)."""
        return fine + self.join(fine + _twice(self.bring(coarse)))


def _rise(channels: int, width: int) -> nn.Sequential:
    """A level of the memory-efficient decoder: few channels at twice the size."""
    narrow = max(channels // 4, 1)
    return nn.Sequential(
        convolution(channels, narrow, 1),
        nn.Upsample(scale_factor=2, mode="bilinear", align_corners=False),
        convolution(narrow, narrow),
        convolution(narrow, width, 1),
    )


def _twice(x: Tensor) -> Tensor:
    return F.interpolate(x, scale_factor=2, mode="bilinear", align_corners=False)
