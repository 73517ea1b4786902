"""Stacked hourglass and its multi-level attention form.

Azad, Rouhier, Cohen-Adad, "Stacked Hourglass Network with a Multi-level Attention Mechanism: Where to Look for
Intervertebral Disc Labeling" (MLMI 2021, arXiv 2108.06554), section 2. Parameter names are those of the published
checkpoints, so that a state dict loads as it is.
"""

from __future__ import annotations

from itertools import pairwise
from typing import cast

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from lookonce.models.network import LandmarkNetwork, LandmarkOutput


class Bottleneck(nn.Module):
    """Pre-activation bottleneck: three BN-ReLU-convolutions (1x1, 3x3, 1x1; widths w, w, 2w) around a shortcut."""

    expansion = 2

    def __init__(self, channels: int, width: int) -> None:
        super().__init__()
        self.bn1 = nn.BatchNorm2d(channels)
        self.conv1 = nn.Conv2d(channels, width, 1)
        self.bn2 = nn.BatchNorm2d(width)
        self.conv2 = nn.Conv2d(width, width, 3, padding=1)
        self.bn3 = nn.BatchNorm2d(width)
        self.conv3 = nn.Conv2d(width, width * self.expansion, 1)
        self.downsample = None
        if channels != width * self.expansion:
            self.downsample = nn.Sequential(nn.Conv2d(channels, width * self.expansion, 1))

    def forward(self, x: Tensor) -> Tensor:
        """Map (B, channels, h, w) to (B, 2 * width, h, w)."""
        y = self.conv1(F.relu(self.bn1(x)))
        y = self.conv2(F.relu(self.bn2(y)))
        y = self.conv3(F.relu(self.bn3(y)))
        return y + (x if self.downsample is None else self.downsample(x))


class Hourglass(nn.Module):
    """One hourglass: at each of `depth` scales a skip branch, a way down, a way up; the innermost has one more."""

    def __init__(self, depth: int, blocks: int, width: int) -> None:
        super().__init__()
        self.depth = depth
        self.hg = nn.ModuleList(
            nn.ModuleList(_blocks(2 * width, width, blocks) for _ in range(4 if scale == 0 else 3))
            for scale in range(depth)
        )

    def forward(self, x: Tensor) -> Tensor:
        """Map (B, 2 * width, h, w) to the same shape; h and w are multiples of ``2**depth``."""
        return self._at_scale(self.depth - 1, x)

    def _at_scale(self, scale: int, x: Tensor) -> Tensor:
        branches = cast(nn.ModuleList, self.hg[scale])
        skip = branches[0](x)
        low = branches[1](F.max_pool2d(x, 2, stride=2))
        low = self._at_scale(scale - 1, low) if scale > 0 else branches[3](low)
        low = branches[2](low)
        return skip + F.interpolate(low, scale_factor=2, mode="nearest")


class StackedHourglass(LandmarkNetwork):
    """Stacked hourglass network, optionally with the multi-level attention of the paper; every stack is supervised.

    Parameters
    ----------
    classes : int
        Output channels: one a level in the paper; other layouts are the recipe's business.
    stacks, blocks, depth : int
        Hourglasses, bottlenecks per branch, and scales per hourglass.
    features : int
        Channels inside the hourglasses (256 in the paper).
    in_channels : int
        3 in the paper: the grey image three times, scaled to 0..1.
    attention : bool
        Adds the multi-level attention.
    stem_pool : bool
        Pool once more after the strided first convolution, as published (stride 4); False keeps stride 2.
    upsample : bool
        Bring scores to the input's size bilinearly, as published; False leaves them at the stride.

    Raises
    ------
    ValueError
        If `features` is odd or below 4, or another count is below 1.
    """

    def __init__(
        self,
        classes: int = 11,
        *,
        stacks: int = 2,
        blocks: int = 1,
        depth: int = 4,
        features: int = 256,
        in_channels: int = 3,
        attention: bool = False,
        stem_pool: bool = True,
        upsample: bool = True,
    ) -> None:
        super().__init__()
        if features < 4 or features % 2 or min(classes, stacks, blocks, depth, in_channels) < 1:
            raise ValueError("features must be even and at least 4, every other count at least 1")
        width, stem = features // Bottleneck.expansion, features // 4
        self.in_channels = in_channels
        self.stem_pool = stem_pool
        self.upsample = upsample
        self.stride = 4 if stem_pool else 2
        self.output_stride = 1 if upsample else self.stride
        self.multiple = self.stride * 2**depth
        self.conv1 = nn.Conv2d(in_channels, stem, 7, stride=2, padding=3)
        self.bn1 = nn.BatchNorm2d(stem)
        self.layer1 = _blocks(stem, stem, blocks)
        self.layer2 = _blocks(stem * 2, width, blocks)
        self.layer3 = _blocks(features, width, blocks)
        self.hg = nn.ModuleList(Hourglass(depth, blocks, width) for _ in range(stacks))
        self.res = nn.ModuleList(_blocks(features, width, blocks) for _ in range(stacks))
        self.fc = nn.ModuleList(
            nn.Sequential(nn.Conv2d(features, features, 1), nn.BatchNorm2d(features), nn.ReLU()) for _ in range(stacks)
        )
        self.score: nn.ModuleList = nn.ModuleList(nn.Conv2d(features, classes, 1) for _ in range(stacks))
        self.fc_ = nn.ModuleList(nn.Conv2d(features, features, 1) for _ in range(stacks - 1))
        self.score_ = nn.ModuleList(nn.Conv2d(classes, features, 1) for _ in range(stacks - 1))
        self.attention = _attention(stacks * features) if attention else None

    def forward(self, image: Tensor) -> LandmarkOutput:
        """Map images (B, in_channels, H, W) in 0..1 to scores at full size (or at the stride, without `upsample`)."""
        x = F.relu(self.bn1(self.conv1(image)))
        x = self.layer1(x)
        if self.stem_pool:
            x = F.max_pool2d(x, 2, stride=2)
        x = self.layer3(self.layer2(x))
        scores, levels, weight = [], [], None
        last = len(self.hg) - 1
        for stack, hourglass in enumerate(self.hg):
            y = self.fc[stack](self.res[stack](hourglass(x)))
            levels.append(y)
            if stack == last and self.attention is not None:
                weight = self.attention(torch.cat(levels, dim=1))
                y = y * weight
            score = self.score[stack](y)
            scores.append(score)
            if stack < last:
                x = x + self.fc_[stack](y) + self.score_[stack](score)
        if self.upsample:
            scores = [_upsampled(score, self.stride) for score in scores]
        return LandmarkOutput(scores, weight)


def _blocks(channels: int, width: int, count: int) -> nn.Sequential:
    blocks = [Bottleneck(channels, width)]
    blocks += [Bottleneck(width * Bottleneck.expansion, width) for _ in range(count - 1)]
    return nn.Sequential(*blocks)


def _attention(channels: int) -> nn.Sequential:
    """Multi-level attention (paper, section 2.2): the stacks' features to one sigmoid map."""
    layers: list[nn.Module] = []
    widths = (channels, 128, 16, 8)
    for before, after in pairwise(widths):
        layers += [nn.Conv2d(before, after, 1, bias=False), nn.BatchNorm2d(after), nn.ReLU()]
    return nn.Sequential(*layers, nn.Conv2d(widths[-1], 1, 1, bias=False), nn.Sigmoid())


def _upsampled(score: Tensor, factor: int) -> Tensor:
    return F.interpolate(score, scale_factor=factor, mode="bilinear", align_corners=False)
