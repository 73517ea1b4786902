"""FRCU-Net: a U-Net that recalibrates the frequencies of its deepest features.

Azad et al., "Deep Frequency Re-calibration U-Net for Medical Image Segmentation" (ICCV Workshops 2021,
doi 10.1109/ICCVW54120.2021.00366): a Laplacian pyramid splits the bottleneck into frequency bands, channel attention
weighs the channels of each band, and the bands are joined by their impact: texture is in the high ones, shape in the
low ones. The paper publishes no parameter count that we know of.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from lookonce.models.blocks import SqueezeExcitation, convolution, double_convolution
from lookonce.models.network import MaskNetwork, MaskOutput

#: Width of the first Gaussian in pixels of the bottleneck; every further one is twice as wide, as in a pyramid.
FIRST_SIGMA = 0.5


class FRCUNet(MaskNetwork):
    """U-Net with frequency recalibration of its bottleneck.

    Parameters
    ----------
    widths : sequence of int
        Channels of the encoder's levels, finest first; each level halves the resolution.
    bands : int
        Frequency bands of the bottleneck, the lowest included.
    in_channels : int

    Raises
    ------
    ValueError
        If there are fewer than two widths or bands, or a count is below 1.
    """

    size = None

    def __init__(
        self, widths: Sequence[int] = (64, 128, 256, 512, 1024), *, bands: int = 4, in_channels: int = 3
    ) -> None:
        super().__init__()
        if min(len(widths), bands) < 2 or min(*widths, in_channels) < 1:
            raise ValueError("there must be two or more widths and bands, every width and count at least 1")
        self.in_channels = in_channels
        self.multiple = 2 ** (len(widths) - 1)
        inputs = [in_channels, *widths[:-1]]
        self.encoder = nn.ModuleList(
            double_convolution(before, width) for before, width in zip(inputs, widths, strict=True)
        )
        self.recalibrate = FrequencyRecalibration(widths[-1], bands)
        self.rise = nn.ModuleList(nn.ConvTranspose2d(below, width, 2, stride=2) for width, below in pairwise(widths))
        self.decoder = nn.ModuleList(double_convolution(2 * width, width) for width in widths[:-1])
        self.mask = nn.Conv2d(widths[0], 1, 1)

    def forward(self, image: Tensor) -> MaskOutput:
        """Map pictures (B, in_channels, H, W) in 0..1 to the mask's logits (B, 1, H, W)."""
        x = image
        pyramid: list[Tensor] = []
        for level in self.encoder:
            x = level(F.max_pool2d(x, 2) if pyramid else x)
            pyramid.append(x)
        x = self.recalibrate(x)
        for rise, level, skip in reversed(list(zip(self.rise, self.decoder, pyramid[:-1], strict=True))):
            x = level(torch.cat([skip, rise(x)], dim=1))
        return MaskOutput(self.mask(x))


class FrequencyRecalibration(nn.Module):
    """Frequency bands, their channels weighted by channel attention, joined by weights that the features decide."""

    def __init__(self, channels: int, bands: int) -> None:
        super().__init__()
        self.bands = bands
        self.channel = nn.ModuleList(SqueezeExcitation(channels) for _ in range(bands))
        self.impact = nn.Linear(channels, 1, bias=False)
        self.join = convolution(channels, channels, 1)

    def forward(self, x: Tensor) -> Tensor:
        """Map (B, channels, h, w) to the same shape."""
        # A band's mean is all but 0, save the lowest's: its strength tells what it brings.
        split = frequency_bands(x, self.bands)
        bands = [attend(band, band.abs()) for attend, band in zip(self.channel, split, strict=True)]
        strengths = torch.stack([band.abs().mean(dim=(2, 3)) for band in bands], dim=1)
        shares = self.impact(strengths).softmax(dim=1)[..., None, None]
        joined = (torch.stack(bands, dim=1) * shares).sum(dim=1)
        return x + self.join(joined)


def frequency_bands(x: Tensor, count: int) -> list[Tensor]:
    """Split maps (B, C, h, w) into `count` bands of the same shape that add up to them, highest frequencies first.

    The bands are the levels of a Laplacian pyramid without its subsampling: differences of Gaussians.

    Examples
    --------
    >>> flat = torch.ones(1, 1, 4, 4)
    >>> [round(float(band.abs().max()), 6) for band in frequency_bands(flat, 3)]
    [0.0, 0.0, 1.0]
    """
    smooth = [x, *(blurred(x, FIRST_SIGMA * 2**level) for level in range(count - 1))]
    return [*(fine - coarse for fine, coarse in pairwise(smooth)), smooth[-1]]


def blurred(x: Tensor, sigma: float) -> Tensor:
    """Gaussian blur of maps (B, C, h, w), borders repeated; `sigma` in pixels."""
    reach = math.ceil(2 * sigma)
    offsets = torch.arange(-reach, reach + 1, dtype=x.dtype, device=x.device)
    kernel = torch.exp(-0.5 * (offsets / sigma).square())
    kernel = (kernel / kernel.sum()).expand(x.shape[1], 1, -1)
    padded = F.pad(x, (reach, reach, reach, reach), mode="replicate")
    across = F.conv2d(padded, kernel[:, :, None, :], groups=x.shape[1])
    return F.conv2d(across, kernel[:, :, :, None], groups=x.shape[1])
