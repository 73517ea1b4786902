"""MCGU-Net: a U-Net whose skip connections are bidirectional ConvLSTMs.

Asadi-Aghbolaghi et al., "Multi-level Context Gating of Embedded Collective Knowledge for Medical Image Segmentation"
(2020, arXiv 2003.05056): squeeze-excitation recalibrates the features of every level, densely connected convolutions
end the encoder, and a ConvLSTM reads the encoder's and the decoder's features as a sequence of two, in both
directions, in place of a concatenation. The paper's text publishes no parameter count that we know of.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from lookonce.models.blocks import SqueezeExcitation, double_convolution
from lookonce.models.network import MaskNetwork, MaskOutput


class MCGUNet(MaskNetwork):
    """U-Net with squeeze-excitation, dense convolutions and bidirectional ConvLSTMs.

    Parameters
    ----------
    widths : sequence of int
        Channels of the encoder's levels, finest first; each level halves the resolution.
    dense_blocks : int
        Blocks of two convolutions at the coarsest level, each of which sees the outputs of all before it.
    in_channels : int

    Raises
    ------
    ValueError
        If there are fewer than two widths, one is odd or below 2, or another count is below 1.
    """

    size = None

    def __init__(
        self, widths: Sequence[int] = (64, 128, 256, 512), *, dense_blocks: int = 3, in_channels: int = 3
    ) -> None:
        super().__init__()
        if (
            len(widths) < 2
            or min(widths) < 2
            or any(width % 2 for width in widths)
            or min(dense_blocks, in_channels) < 1
        ):
            raise ValueError("widths must be two or more even numbers of at least 2, every other count at least 1")
        self.in_channels = in_channels
        self.multiple = 2 ** (len(widths) - 1)
        inputs = [in_channels, *widths[:-1]]
        self.encoder = nn.ModuleList(_level(before, width) for before, width in zip(inputs, widths[:-1], strict=False))
        self.bottom = DenseBlocks(inputs[-1], widths[-1], dense_blocks)
        self.rise = nn.ModuleList(
            nn.Sequential(nn.ConvTranspose2d(below, width, 2, stride=2), nn.BatchNorm2d(width), nn.ReLU())
            for width, below in pairwise(widths)
        )
        self.merge = nn.ModuleList(BidirectionalConvLSTM(width) for width in widths[:-1])
        self.decoder = nn.ModuleList(_level(width, width) for width in widths[:-1])
        self.mask = nn.Conv2d(widths[0], 1, 1)

    def forward(self, image: Tensor) -> MaskOutput:
        """Map pictures (B, in_channels, H, W) in 0..1 to the mask's logits (B, 1, H, W)."""
        x, skips = image, []
        for level in self.encoder:
            skips.append(level(x))
            x = F.max_pool2d(skips[-1], 2)
        x = self.bottom(x)
        for rise, merge, level, skip in reversed(list(zip(self.rise, self.merge, self.decoder, skips, strict=True))):
            x = level(merge(skip, rise(x)))
        return MaskOutput(self.mask(x))


class DenseBlocks(nn.Module):
    """Densely connected pairs of convolutions (paper, section III.B), the last block's output recalibrated."""

    def __init__(self, channels: int, width: int, count: int) -> None:
        super().__init__()
        inputs = [channels, *(number * width for number in range(1, count))]
        self.blocks = nn.ModuleList(double_convolution(before, width) for before in inputs)
        self.recalibrate = SqueezeExcitation(width)

    def forward(self, x: Tensor) -> Tensor:
        """Map (B, channels, h, w) to (B, width, h, w)."""
        outputs: list[Tensor] = []
        for block in self.blocks:
            outputs.append(block(torch.cat(outputs, dim=1) if outputs else x))
        return self.recalibrate(outputs[-1])


class BidirectionalConvLSTM(nn.Module):
    """Two maps as a sequence, read forwards and backwards (paper, section III.C); each direction has half the width."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.forwards = ConvLSTM(width, width // 2)
        self.backwards = ConvLSTM(width, width // 2)
        self.join = nn.Conv2d(width, width, 1)

    def forward(self, encoded: Tensor, decoded: Tensor) -> Tensor:
        """Map two (B, width, h, w) to one, between -1 and 1."""
        states = [self.forwards([encoded, decoded]), self.backwards([decoded, encoded])]
        return self.join(torch.cat(states, dim=1)).tanh()


class ConvLSTM(nn.Module):
    """Convolutional LSTM (Shi et al., arXiv 1506.04214, section 3.1).

    Its peepholes have one weight a channel: one a pixel, as in that paper, would tie the network to a size.
    """

    def __init__(self, channels: int, width: int) -> None:
        super().__init__()
        self.of_input = nn.Conv2d(channels, 4 * width, 3, padding=1)
        self.of_state = nn.Conv2d(width, 4 * width, 3, padding=1, bias=False)
        self.peepholes = nn.Parameter(0.1 * torch.randn(3, width, 1, 1))

    def forward(self, steps: Sequence[Tensor]) -> Tensor:
        """Map a sequence of (B, channels, h, w) to the last state (B, width, h, w)."""
        to_input, to_forget, to_output = self.peepholes
        state = cell = None
        for step in steps:
            gates = self.of_input(step) if state is None else self.of_input(step) + self.of_state(state)
            let_in, forget, new, let_out = gates.chunk(4, dim=1)
            if cell is None:  # all states begin at 0
                cell = let_in.sigmoid() * new.tanh()
            else:
                kept = (forget + to_forget * cell).sigmoid() * cell
                cell = kept + (let_in + to_input * cell).sigmoid() * new.tanh()
            state = (let_out + to_output * cell).sigmoid() * cell.tanh()
        assert state is not None
        return state


def _level(channels: int, width: int) -> nn.Sequential:
    return nn.Sequential(double_convolution(channels, width), SqueezeExcitation(width))
