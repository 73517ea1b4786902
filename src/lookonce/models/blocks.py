"""Blocks that the segmentation networks share: convolutions with batch norm, and channel recalibration."""

from __future__ import annotations

from torch import Tensor, nn

#: Fewer channels than this in a bottleneck are soon all cut off by its ReLU.
LEAST_SQUEEZED = 8


def convolution(channels: int, width: int, size: int = 3, *, stride: int = 1, dilation: int = 1) -> nn.Sequential:
    """Convolution, batch norm and ReLU; (B, channels, h, w) to (B, width, h / stride, w / stride) for odd sizes."""
    padding = dilation * (size - 1) // 2
    return nn.Sequential(
        nn.Conv2d(channels, width, size, stride=stride, padding=padding, dilation=dilation, bias=False),
        nn.BatchNorm2d(width),
        nn.ReLU(),
    )


def double_convolution(channels: int, width: int) -> nn.Sequential:
    """A level of a U-Net: two 3x3 convolutions with batch norms, (B, channels, h, w) to (B, width, h, w)."""
    return nn.Sequential(convolution(channels, width), convolution(width, width))


class SqueezeExcitation(nn.Module):
    """Channels weighted by what a bottleneck makes of their means (Hu et al., arXiv 1709.01507, section 3)."""

    def __init__(self, channels: int, ratio: int = 16) -> None:
        super().__init__()
        squeezed = max(channels // ratio, LEAST_SQUEEZED)
        self.weight = nn.Sequential(
            nn.AdaptiveAvgPool2d(1),
            nn.Conv2d(channels, squeezed, 1),
            nn.ReLU(),
            nn.Conv2d(squeezed, channels, 1),
            nn.Sigmoid(),
        )

    def forward(self, x: Tensor, seen: Tensor | None = None) -> Tensor:
        """Map (B, channels, h, w) to the same shape, by the means of what is `seen`, or of `x` itself."""
        return x * self.weight(x if seen is None else seen)
