"""DAGAN: a dense dilated U-Net, trained against two discriminators.

Lei et al., "Skin lesion segmentation via generative adversarial networks with dual discriminators" (Medical Image
Analysis 64, 2020, doi 10.1016/j.media.2020.101716). The generator (UNet-SCDC) is a U-Net with densely connected dilated
convolutions; one discriminator judges a mask alone and so its border, the other a mask together with its picture.
`lookonce.training.adversarial` trains them. The abstract publishes no parameter count; widths are U-Net's.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from lookonce.models.blocks import convolution, double_convolution
from lookonce.models.network import MaskNetwork, MaskOutput


class DAGAN(MaskNetwork):
    """The generator of DAGAN: pictures in, masks out.

    Parameters
    ----------
    widths : sequence of int
        Channels of the encoder's levels, finest first; each level halves the resolution.
    dilations : sequence of int
        Rates of the densely connected convolutions at the coarsest level.
    in_channels : int

    Raises
    ------
    ValueError
        If there are fewer than two widths, no dilation, or a number is below 1.
    """

    size = None

    def __init__(
        self,
        widths: Sequence[int] = (64, 128, 256, 512),
        *,
        dilations: Sequence[int] = (1, 2, 4, 8),
        in_channels: int = 3,
    ) -> None:
        super().__init__()
        if len(widths) < 2 or not dilations or min(*widths, *dilations, in_channels) < 1:
            raise ValueError("there must be two or more widths and a dilation, every number at least 1")
        self.in_channels = in_channels
        self.multiple = 2 ** (len(widths) - 1)
        inputs = [in_channels, *widths[:-1]]
        self.encoder = nn.ModuleList(
            double_convolution(before, width) for before, width in zip(inputs, widths[:-1], strict=False)
        )
        self.bottom = DenseDilated(inputs[-1], widths[-1], dilations)
        self.rise = nn.ModuleList(nn.ConvTranspose2d(below, width, 2, stride=2) for width, below in pairwise(widths))
        self.decoder = nn.ModuleList(double_convolution(2 * width, width) for width in widths[:-1])
        self.mask = nn.Conv2d(widths[0], 1, 1)

    def forward(self, image: Tensor) -> MaskOutput:
        """Map pictures (B, in_channels, H, W) in 0..1 to the mask's logits (B, 1, H, W)."""
        x, skips = image, []
        for level in self.encoder:
            skips.append(level(x))
            x = F.max_pool2d(skips[-1], 2)
        x = self.bottom(x)
        for rise, level, skip in reversed(list(zip(self.rise, self.decoder, skips, strict=True))):
            x = level(torch.cat([skip, rise(x)], dim=1))
        return MaskOutput(self.mask(x))


class DenseDilated(nn.Module):
    """Dilated convolutions, each of which sees the input and the outputs of all before it; a 1x1 joins them all."""

    def __init__(self, channels: int, width: int, dilations: Sequence[int]) -> None:
        super().__init__()
        self.convolutions = nn.ModuleList(
            convolution(channels + number * width, width, dilation=dilation)
            for number, dilation in enumerate(dilations)
        )
        self.join = convolution(channels + len(dilations) * width, width, 1)

    def forward(self, x: Tensor) -> Tensor:
        """Map (B, channels, h, w) to (B, width, h, w)."""
        for layer in self.convolutions:
            x = torch.cat([x, layer(x)], dim=1)
        return self.join(x)


class Discriminator(nn.Sequential):
    """Whether each patch of maps (B, channels, H, W) looks real: logits (B, 1, h, w).

    Strided 4x4 convolutions with leaky ReLUs; batch norms after all but the first (Radford et al., arXiv 1511.06434).
    """

    def __init__(self, channels: int, widths: Sequence[int] = (64, 128, 256)) -> None:
        layers: list[nn.Module] = []
        for number, (before, width) in enumerate(pairwise([channels, *widths])):
            layers.append(nn.Conv2d(before, width, 4, stride=2, padding=1, bias=number == 0))
            layers += [nn.BatchNorm2d(width)] if number else []
            layers.append(nn.LeakyReLU(0.2))
        super().__init__(*layers, nn.Conv2d(widths[-1], 1, 3, padding=1))
