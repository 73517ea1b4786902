"""Count-ception: a fully convolutional network whose every output counts the discs in a square around its place.

Cohen et al., "Count-ception: Counting by Fully Convolutional Redundant Counting" (ICCV Workshops 2017, arXiv
1703.08710), used for discs by Rouhier et al. (MIDL 2020, arXiv 2003.04387): what the disc papers compare with. Every
square that holds a disc counts it, so its place is in the middle of those squares.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from lookonce.models.network import LandmarkNetwork, LandmarkOutput

#: Pairs of the 1 x 1 and 3 x 3 widths of the blocks before and after the first large convolution, where the first
#: convolution has `BASE` channels.
BASE, BEFORE, AFTER = 64, ((16, 16), (16, 32)), ((112, 48), (64, 32), (40, 40), (32, 96))
#: Widths of the large convolutions, and of the two before the scores.
LARGE, LAST = (16, 32), (64, 64)


class Countception(LandmarkNetwork):
    """Redundant counting: every output is how many discs lie in the square around its place.

    The published network counts beyond the picture's borders too; this one's squares are centred at its pixels.

    Parameters
    ----------
    classes : int
        Output channels.
    in_channels : int
    features : int
        Channels of the first convolution; the others keep the published proportions to its 64.
    patch : int
        Side of the squares, pixels; published are 32.

    Raises
    ------
    ValueError
        If a count is below 1 or the squares are smaller than 8 pixels.
    """

    multiple = 1
    output_stride = 1

    def __init__(self, classes: int = 11, *, in_channels: int = 3, features: int = BASE, patch: int = 32) -> None:
        super().__init__()
        if min(classes, in_channels, features) < 1 or patch < 8:
            raise ValueError("every count must be at least 1, and patch at least 8")
        self.in_channels, self.patch = in_channels, patch

        def width(published: int) -> int:
            return max(1, published * features // BASE)

        # A first convolution of 3 pixels and these two together see one square.
        first_size = patch // 2 - 2
        second_size = patch - 1 - first_size
        channels = width(BASE)
        layers: list[nn.Module] = [_convolution(in_channels, channels, 3)]
        for blocks, large, size in ((BEFORE, LARGE[0], first_size), (AFTER, LARGE[1], second_size)):
            for pair in blocks:
                layers.append(TwoSizes(channels, width(pair[0]), width(pair[1])))
                channels = width(pair[0]) + width(pair[1])
            layers.append(_convolution(channels, width(large), size))
            channels = width(large)
        for last in LAST:
            layers.append(_convolution(channels, width(last), 1))
            channels = width(last)
        self.layers = nn.Sequential(*layers)
        self.score = nn.Conv2d(channels, classes, 1)

    def forward(self, image: Tensor) -> LandmarkOutput:
        """Map images (B, in_channels, H, W) in 0..1 to counts (B, classes, H, W)."""
        before = (self.patch - 1) // 2
        after = self.patch - 1 - before
        return LandmarkOutput([self.score(self.layers(F.pad(image, (before, after, before, after))))], None)


class TwoSizes(nn.Module):
    """Convolutions of 1 and of 3 pixels side by side."""

    def __init__(self, channels: int, narrow: int, wide: int) -> None:
        super().__init__()
        self.narrow = _convolution(channels, narrow, 1)
        self.wide = _convolution(channels, wide, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        """Map (B, channels, h, w) to (B, narrow + wide, h, w)."""
        return torch.cat([self.narrow(x), self.wide(x)], dim=1)


def _convolution(channels: int, width: int, size: int, *, padding: int = 0) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(channels, width, size, padding=padding, bias=False), nn.BatchNorm2d(width), nn.LeakyReLU(0.01)
    )
