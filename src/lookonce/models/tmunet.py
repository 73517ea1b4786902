"""TMUnet: a ResNet U-Net whose mask is weighed by contextual attention, and its baseline without it.

Azad et al., "Contextual Attention Network: Transformer Meets U-Net" (2022, arXiv 2203.01932).
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from lookonce.models.contextual import ContextualAttention
from lookonce.models.network import MaskNetwork, MaskOutput
from lookonce.models.resnet import ResNet
from lookonce.models.vit import PatchTransformer

#: Mean and standard deviation of red, green and blue in ImageNet, 0..1, on which weights for ResNets count.
IMAGENET_MEAN, IMAGENET_STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
#: Largest of the values that the published network sees.
PUBLISHED_RANGE = 255.0


class TMUnet(MaskNetwork):
    """A U-Net for what is near, a transformer for what is far, and contextual attention to join them.

    Parameters
    ----------
    size : int
        Height and width of the pictures, a multiple of 32.
    widths, blocks, bottleneck
        The ResNet (see `ResNet`); the paper's is ResNet-50.
    decoder : five ints
        Channels of the way up, coarsest first.
    patch_widths : three ints
        Channels of the patch encoder's stages; the last is the tokens'.
    depth, heads : int
        Blocks of the transformer, and heads of their attention.
    published : bool
        Compute what the published code does where it departs from the paper, for its checkpoints: pictures stretched
        to 0..255 each, attention divided after the softmax, and what `ContextualAttention` tells. Otherwise pictures
        are normalised by ImageNet's statistics.

    Raises
    ------
    ValueError
        If a value is impossible.
    """

    def __init__(
        self,
        *,
        size: int = 256,
        widths: Sequence[int] = (64, 128, 256, 512),
        blocks: Sequence[int] = (3, 4, 6, 3),
        bottleneck: bool = True,
        decoder: Sequence[int] = (1024, 512, 256, 128, 64),
        patch_widths: Sequence[int] = (128, 256, 512),
        depth: int = 4,
        heads: int = 8,
        published: bool = False,
    ) -> None:
        super().__init__()
        if size < ResNetUnet.multiple or size % ResNetUnet.multiple:
            raise ValueError(f"size must be a multiple of {ResNetUnet.multiple}")
        self.multiple = ResNetUnet.multiple
        self.size = size
        self.in_channels = 3
        self.published = published
        self.unet = ResNetUnet(widths, blocks, bottleneck=bottleneck, decoder=decoder)
        self.transformer = PatchTransformer(size, patch_widths, depth=depth, heads=heads, late_scaling=published)
        self.context = ContextualAttention(decoder[-1], patch_widths[-1], published=published)

    def forward(self, image: Tensor) -> MaskOutput:
        """Map pictures (B, 3, size, size) in 0..1 to mask and boundary of their size, and regions on the patches."""
        return self.maps(_stretched(image) if self.published else normalised(image))

    def maps(self, scaled: Tensor) -> MaskOutput:
        """The same for pictures that are scaled as the network wants them."""
        return self.context(self.unet(scaled), self.transformer(scaled))


class TMUnetBaseline(MaskNetwork):
    """TMUnet without contextual attention, the baseline of the paper's tables: the U-Net and a 1x1 convolution.

    Parameters
    ----------
    widths, blocks, bottleneck, decoder
        As in `TMUnet`.
    """

    def __init__(
        self,
        *,
        widths: Sequence[int] = (64, 128, 256, 512),
        blocks: Sequence[int] = (3, 4, 6, 3),
        bottleneck: bool = True,
        decoder: Sequence[int] = (1024, 512, 256, 128, 64),
    ) -> None:
        super().__init__()
        self.multiple = ResNetUnet.multiple
        self.size = None
        self.in_channels = 3
        self.unet = ResNetUnet(widths, blocks, bottleneck=bottleneck, decoder=decoder)
        self.out = nn.Conv2d(decoder[-1], 1, 1)

    def forward(self, image: Tensor) -> MaskOutput:
        """Map pictures (B, 3, H, W) in 0..1, H and W multiples of 32, to masks (B, 1, H, W)."""
        return MaskOutput(self.out(self.unet(normalised(image))))


class ResNetUnet(nn.Module):
    """A U-Net over a ResNet, from a scaled picture to features of its size.

    On the way up it joins the stages, the stem, and last the picture itself.
    """

    #: Heights and widths must be multiples of it.
    multiple = 32

    def __init__(
        self, widths: Sequence[int], blocks: Sequence[int], *, bottleneck: bool, decoder: Sequence[int]
    ) -> None:
        super().__init__()
        if len(decoder) != 5 or min(decoder) < 2:
            raise ValueError("decoder must be five widths of at least 2")
        self.encoder = ResNet(widths, blocks, bottleneck=bottleneck)
        deepest = self.encoder.channels[-1]
        self.bridge = nn.Sequential(_Convolution(deepest, deepest), _Convolution(deepest, deepest))
        skips = (*self.encoder.channels[-2::-1], 3)
        below = (deepest, *decoder[:-1])
        self.up = nn.ModuleList(_Up(*channels) for channels in zip(below, skips, decoder, strict=True))

    def forward(self, image: Tensor) -> Tensor:
        """Map (B, 3, H, W) to (B, decoder[-1], H, W)."""
        features: list[Tensor] = [image, *self.encoder(image)]
        x = self.bridge(features.pop())
        for up, skip in zip(self.up, reversed(features), strict=True):
            x = up(x, skip)
        return x


def normalised(image: Tensor) -> Tensor:
    """Pictures (B, 3, H, W) in 0..1 in standard deviations from ImageNet's mean."""
    mean, std = image.new_tensor(IMAGENET_MEAN), image.new_tensor(IMAGENET_STD)
    return (image - mean[:, None, None]) / std[:, None, None]


def _stretched(image: Tensor) -> Tensor:
    """Pictures (B, 3, H, W), each from its darkest to its brightest value on 0..255."""
    low, high = image.amin(dim=(1, 2, 3), keepdim=True), image.amax(dim=(1, 2, 3), keepdim=True)
    # A picture of one colour has no range to divide by.
    return (image - low) * (PUBLISHED_RANGE / (high - low).clamp_min(torch.finfo(image.dtype).eps))


class _Convolution(nn.Module):
    """A 3x3 convolution, batch norm, ReLU."""

    def __init__(self, channels: int, width: int) -> None:
        super().__init__()
        self.conv = nn.Conv2d(channels, width, 3, padding=1)
        self.bn = nn.BatchNorm2d(width)

    def forward(self, x: Tensor) -> Tensor:
        return F.relu(self.bn(self.conv(x)))


class _Up(nn.Module):
    """Twice the size, joined with what the encoder saw there."""

    def __init__(self, channels: int, skip: int, width: int) -> None:
        super().__init__()
        self.upsample = nn.ConvTranspose2d(channels, width, 2, stride=2)
        self.first = _Convolution(width + skip, width)
        self.second = _Convolution(width, width)

    def forward(self, x: Tensor, skip: Tensor) -> Tensor:
        return self.second(self.first(torch.cat([self.upsample(x), skip], dim=1)))
