"""U-Net and its form guided by image gradients.

Azad et al., "Intervertebral Disc Labeling With Learning Shape Information, A Look Once Approach" (2022, arXiv
2204.02943), section 2.1: the gradient of the image tells where shapes are, and *shape attention* recalibrates the
encoder's feature pyramid by it. Without shape it is the paper's baseline.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from lookonce.models.network import LandmarkNetwork, LandmarkOutput

#: Channels of the shape features: they carry one thing, where edges are.
SHAPE_WIDTH = 8
#: Channel attention squeezes its features by this ratio.
SQUEEZE = 4


class UNet(LandmarkNetwork):
    """Encoder-decoder with skip connections, optionally with shape attention.

    Parameters
    ----------
    classes : int
        Output channels.
    widths : sequence of int
        Channels of the encoder's levels, finest first; each level halves the resolution.
    in_channels : int
    shape : bool
        Adds shape attention: without it the network is the paper's baseline.
    stem_stride : {1, 2}
        Stride of the first convolution, which the scores keep.

    Raises
    ------
    ValueError
        If there are fewer than two levels, a width is below `SQUEEZE`, or another value is impossible.
    """

    def __init__(
        self,
        classes: int = 11,
        *,
        widths: Sequence[int] = (32, 64, 128, 256, 512),
        in_channels: int = 1,
        shape: bool = False,
        stem_stride: int = 1,
    ) -> None:
        super().__init__()
        if len(widths) < 2 or min(widths) < SQUEEZE or min(classes, in_channels) < 1 or stem_stride not in (1, 2):
            raise ValueError(
                f"widths must be two or more of at least {SQUEEZE}, stem_stride 1 or 2, every other count at least 1"
            )
        self.in_channels = in_channels
        self.output_stride = stem_stride
        self.multiple = stem_stride * 2 ** (len(widths) - 1)
        self.stem = _convolution(in_channels, widths[0], 5, stride=stem_stride)
        inputs = [widths[0], *widths[:-1]]
        self.encoder = nn.ModuleList(ResidualBlock(before, width) for before, width in zip(inputs, widths, strict=True))
        self.shape_attention = ShapeAttention(widths, stem_stride) if shape else None
        self.rise = nn.ModuleList(nn.Conv2d(below, width, 1) for width, below in pairwise(widths))
        self.decoder = nn.ModuleList(ResidualBlock(2 * width, width) for width in widths[:-1])
        self.score = nn.Conv2d(widths[0], classes, 1)

    def forward(self, image: Tensor) -> LandmarkOutput:
        """Map images (B, in_channels, H, W) in 0..1 to scores (B, classes, H / stride, W / stride)."""
        x = self.stem(image)
        pyramid: list[Tensor] = []
        for block in self.encoder:
            x = block(F.max_pool2d(x, 2) if pyramid else x)
            pyramid.append(x)
        attention = None
        if self.shape_attention is not None:
            x, attention = self.shape_attention(image, pyramid)
        for rise, block, skip in reversed(list(zip(self.rise, self.decoder, pyramid, strict=False))):
            x = block(torch.cat([F.interpolate(rise(x), scale_factor=2, mode="nearest"), skip], dim=1))
        return LandmarkOutput([self.score(x)], attention)


class ResidualBlock(nn.Module):
    """Two 3x3 convolutions with batch norms around a shortcut."""

    def __init__(self, channels: int, width: int) -> None:
        super().__init__()
        self.first = _convolution(channels, width, 3)
        self.second = nn.Sequential(nn.Conv2d(width, width, 3, padding=1, bias=False), nn.BatchNorm2d(width))
        self.shortcut = nn.Identity() if channels == width else nn.Conv2d(channels, width, 1)

    def forward(self, x: Tensor) -> Tensor:
        """Map (B, channels, h, w) to (B, width, h, w)."""
        return F.relu(self.second(self.first(x)) + self.shortcut(x))


class ShapeAttention(nn.Module):
    """Shape attention over a feature pyramid (arXiv 2204.02943, section 2.1).

    Per level, the features times channel attention times the spatial attention that the shape features give, plus the
    features. The levels, weighted as learned, are summed at the coarsest.
    """

    def __init__(self, widths: Sequence[int], stem_stride: int) -> None:
        super().__init__()
        self.shape = nn.ModuleList(
            _convolution(1 if level == 0 else SHAPE_WIDTH, SHAPE_WIDTH, 3, stride=stem_stride if level == 0 else 1)
            for level in range(len(widths))
        )
        self.spatial = nn.ModuleList(nn.Conv2d(SHAPE_WIDTH, 1, 1) for _ in widths)
        self.channel = nn.ModuleList(
            nn.Sequential(nn.Conv2d(width, width // SQUEEZE, 1), nn.ReLU(), nn.Conv2d(width // SQUEEZE, width, 1))
            for width in widths
        )
        self.fuse = nn.ModuleList(nn.Conv2d(width, widths[-1], 1) for width in widths)
        self.level_weight = nn.Parameter(torch.zeros(len(widths)))

    def forward(self, image: Tensor, pyramid: Sequence[Tensor]) -> tuple[Tensor, Tensor]:
        """Map images (B, C, H, W) and their pyramid, finest first, to the fused features and the finest spatial map."""
        shape = gradient_magnitude(image)
        shares = self.level_weight.softmax(dim=0)
        maps: list[Tensor] = []
        fused: Tensor | float = 0.0
        for level, features in enumerate(pyramid):
            shape = self.shape[level](F.max_pool2d(shape, 2) if level else shape)
            maps.append(self.spatial[level](shape).sigmoid())
            channels = self.channel[level](features.mean(dim=(2, 3), keepdim=True)).sigmoid()
            recalibrated = features * channels * maps[level] + features
            coarse = F.avg_pool2d(recalibrated, 2 ** (len(pyramid) - 1 - level))
            fused = fused + shares[level] * self.fuse[level](coarse)
        return torch.as_tensor(fused), maps[0]


def gradient_magnitude(image: Tensor) -> Tensor:
    """Sobel magnitude of the mean over channels: (B, C, H, W) to (B, 1, H, W), borders repeated.

    Examples
    --------
    >>> ramp = torch.arange(5.0).expand(1, 1, 4, 5)
    >>> gradient_magnitude(ramp)[0, 0, 1].tolist()
    [0.5, 1.0, 1.0, 1.0, 0.5]
    """
    grey = F.pad(image.mean(dim=1, keepdim=True), (1, 1, 1, 1), mode="replicate")
    smooth, slope = image.new_tensor([0.25, 0.5, 0.25]), image.new_tensor([-0.5, 0.0, 0.5])
    across = F.conv2d(grey, torch.outer(smooth, slope)[None, None])
    down = F.conv2d(grey, torch.outer(slope, smooth)[None, None])
    # The small number keeps the gradient of the root finite where the image is flat.
    return (across.square() + down.square() + 1e-12).sqrt()


def _convolution(channels: int, width: int, size: int, *, stride: int = 1) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(channels, width, size, stride=stride, padding=size // 2, bias=False), nn.BatchNorm2d(width), nn.ReLU()
    )
