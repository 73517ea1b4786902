"""DeepLabv3+ with attention over channels, fields of view and scales.

Bozorgpour, Azad et al., "Multi-scale Regional Attention Deeplab3+: Multiple Myeloma Plasma Cells Segmentation in
Microscopic Images" (2021, arXiv 2105.06238), on Azad et al., "Attention Deeplabv3+: Multi-level Context Attention
Mechanism for Skin Lesion Segmentation" (ECCV Workshops 2020): Chen et al.'s DeepLabv3+ (arXiv 1802.02611) with its
modified aligned Xception, where attention weighs channels and the branches of the atrous pyramid, run at several
scales whose predictions a learned function joins. The published method cuts out single cells by their nuclei first;
here the network sees the picture as it is. Neither text publishes a parameter count that we know of.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from lookonce.models.blocks import SqueezeExcitation, convolution
from lookonce.models.network import MaskNetwork, MaskOutput

#: Channels of the atrous pyramid and the decoder, and of the encoder's early features in the decoder, as a share.
PYRAMID, EARLY_SHARE = 256, 48 / 256


class DeepLabAttention(MaskNetwork):
    """Attention DeepLabv3+ at several scales of the picture.

    Parameters
    ----------
    widths : sequence of five int
        Channels of Xception's stem, three strided blocks and end.
    middle : int
        Blocks of its middle flow.
    pyramid : int
        Channels of the atrous pyramid and the decoder.
    scales : sequence of float
        Sizes of the picture, as shares, at which the one network looks.
    in_channels : int

    Raises
    ------
    ValueError
        If there are not five widths, no scale in (0, 1], or a count is impossible.
    """

    multiple = 16
    size = None

    def __init__(
        self,
        widths: Sequence[int] = (64, 128, 256, 728, 2048),
        *,
        middle: int = 16,
        pyramid: int = PYRAMID,
        scales: Sequence[float] = (1.0, 0.75, 0.5),
        in_channels: int = 3,
    ) -> None:
        super().__init__()
        if len(widths) != 5 or min(*widths, in_channels) < 1 or middle < 0 or pyramid < 8:
            raise ValueError("widths must be five numbers of at least 1, middle at least 0, pyramid at least 8")
        if not scales or not all(0 < scale <= 1 for scale in scales):
            raise ValueError("scales must be shares of the picture's size above 0 and up to 1")
        self.in_channels = in_channels
        self.scales = tuple(scales)
        self.encoder = Xception(widths, middle, in_channels)
        self.pyramid = AttentivePyramid(widths[4], pyramid)
        early = max(round(pyramid * EARLY_SHARE), 1)
        self.early = nn.Sequential(convolution(widths[1], early, 1), SqueezeExcitation(early))
        self.decoder = nn.Sequential(
            convolution(pyramid + early, pyramid), convolution(pyramid, pyramid), nn.Conv2d(pyramid, 1, 1)
        )
        self.aggregate = nn.Conv2d(len(scales), 1, 3, padding=1)
        with torch.no_grad():  # the mean of the scales to begin with
            self.aggregate.weight.mul_(0.1)[:, :, 1, 1].add_(1 / len(scales))

    def forward(self, image: Tensor) -> MaskOutput:
        """Map pictures (B, in_channels, H, W) in 0..1 to the mask's logits (B, 1, H, W)."""
        size = (image.shape[2], image.shape[3])
        masks = []
        for scale in self.scales:
            seen = image if scale == 1 else _resized(image, (round(scale * size[0]), round(scale * size[1])))
            masks.append(_resized(self._mask(seen), size))
        return MaskOutput(self.aggregate(torch.cat(masks, dim=1)))

    def _mask(self, image: Tensor) -> Tensor:
        early, late = self.encoder(image)
        early = self.early(early)
        context = _resized(self.pyramid(late), (early.shape[2], early.shape[3]))
        return self.decoder(torch.cat([context, early], dim=1))


class Xception(nn.Module):
    """Modified aligned Xception (arXiv 1802.02611, figure 4), output stride 16."""

    def __init__(self, widths: Sequence[int], middle: int, in_channels: int) -> None:
        super().__init__()
        stem, first, second, third, end = widths
        self.stem = nn.Sequential(
            convolution(in_channels, max(stem // 2, 1), stride=2), convolution(max(stem // 2, 1), stem)
        )
        self.first = XceptionBlock(stem, (first, first, first), stride=2)
        self.entry = nn.Sequential(
            XceptionBlock(first, (second, second, second), stride=2),
            XceptionBlock(second, (third, third, third), stride=2),
        )
        self.middle = nn.Sequential(*(XceptionBlock(third, (third, third, third)) for _ in range(middle)))
        wide, wider = end // 2, 3 * end // 4
        self.exit = nn.Sequential(
            XceptionBlock(third, (third, wide, wide)),
            separable(wide, wider, dilation=2),
            separable(wider, wider, dilation=2),
            separable(wider, end, dilation=2),
        )

    def forward(self, image: Tensor) -> tuple[Tensor, Tensor]:
        """Map pictures to features (B, widths[1], H / 4, W / 4) and (B, widths[4], H / 16, W / 16)."""
        early = self.first(self.stem(image))
        return early, self.exit(self.middle(self.entry(early)))


class XceptionBlock(nn.Module):
    """Three separable convolutions, the last strided, around a shortcut."""

    def __init__(self, channels: int, widths: tuple[int, int, int], stride: int = 1) -> None:
        super().__init__()
        first, second, last = widths
        self.layers = nn.Sequential(
            separable(channels, first), separable(first, second), separable(second, last, stride=stride)
        )
        self.shortcut: nn.Module = nn.Identity()
        if stride > 1 or channels != last:
            self.shortcut = nn.Sequential(nn.Conv2d(channels, last, 1, stride=stride, bias=False), nn.BatchNorm2d(last))

    def forward(self, x: Tensor) -> Tensor:
        """Map (B, channels, h, w) to (B, widths[2], h / stride, w / stride), rounded up."""
        return self.layers(x) + self.shortcut(x)


class AttentivePyramid(nn.Module):
    """Atrous spatial pyramid whose branches are weighted: which field of view fits the object (ECCV W 2020, section 2).

    Each branch's channels are recalibrated first; a branch's weight comes from the mean of its features.
    """

    rates = (6, 12, 18)

    def __init__(self, channels: int, width: int) -> None:
        super().__init__()
        self.branches = nn.ModuleList(
            [convolution(channels, width, 1), *(separable(channels, width, dilation=rate) for rate in self.rates)]
        )
        # No batch norm behind the pooled branch: a batch of one picture has nothing to take statistics of.
        self.pooled = nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Conv2d(channels, width, 1), nn.ReLU())
        self.channel = nn.ModuleList(SqueezeExcitation(width) for _ in range(len(self.branches) + 1))
        self.view = nn.Linear(width, 1, bias=False)
        self.join = convolution(width, width, 1)

    def forward(self, x: Tensor) -> Tensor:
        """Map (B, channels, h, w) to (B, width, h, w)."""
        views = [branch(x) for branch in self.branches] + [self.pooled(x).expand(-1, -1, *x.shape[2:])]
        views = [attend(view) for attend, view in zip(self.channel, views, strict=True)]
        stacked = torch.stack(views, dim=1)
        shares = self.view(stacked.mean(dim=(3, 4))).softmax(dim=1)[..., None, None]
        return self.join((stacked * shares).sum(dim=1))


def separable(channels: int, width: int, *, stride: int = 1, dilation: int = 1) -> nn.Sequential:
    """Depthwise 3x3 and pointwise convolution, batch norm and ReLU after both."""
    return nn.Sequential(
        nn.Conv2d(channels, channels, 3, stride, dilation, dilation, groups=channels, bias=False),
        nn.BatchNorm2d(channels),
        nn.ReLU(),
        convolution(channels, width, 1),
    )


def _resized(x: Tensor, size: tuple[int, int]) -> Tensor:
    return F.interpolate(x, size=size, mode="bilinear", align_corners=False)
