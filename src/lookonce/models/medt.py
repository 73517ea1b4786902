"""Medical Transformer: gated axial attention, over the whole picture and over its patches.

Valanarasu et al., "Medical Transformer: Gated Axial-Attention for Medical Image Segmentation" (MICCAI 2021, arXiv
2102.10662). A global branch of two levels sees the picture, a local branch of five sees its 4 x 4 patches. The authors
count 1.60 M parameters in a later paper (arXiv 2203.04967, table 1). The text leaves the widths open: these make that
count.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from lookonce.models.blocks import convolution
from lookonce.models.network import MaskNetwork, MaskOutput

#: The local branch cuts each side of the picture into so many.
PATCHES = 4
#: Where the gates of positions start: on few pictures, positions should first earn their weight (section 2.2).
FIRST_GATE = 0.1


class MedT(MaskNetwork):
    """A global and a local U-shaped branch of gated axial attention.

    Parameters
    ----------
    size : int
        Height and width of the pictures, which positions are learned for.
    stem : int
        Channels of the stem, which halves the resolution.
    global_widths, local_widths : sequence of int
        Channels of the branches' levels; each after the first halves the resolution.
    heads : int
    in_channels : int

    Raises
    ------
    ValueError
        If `heads` does not divide half of every width, `size` does not go through all levels, or a count is below 1.
    """

    def __init__(
        self,
        *,
        size: int = 256,
        stem: int = 16,
        global_widths: Sequence[int] = (32, 64),
        local_widths: Sequence[int] = (32, 64, 128, 224, 256),
        heads: int = 8,
        in_channels: int = 3,
    ) -> None:
        super().__init__()
        widths = [*global_widths, *local_widths]
        if min(*widths, size, stem, heads, in_channels) < 1 or not (global_widths and local_widths):
            raise ValueError("every branch must have a width, every count must be at least 1")
        if any(width % (2 * heads) for width in widths):
            raise ValueError(f"widths must be multiples of {2 * heads}, two channels a head at least")
        self.multiple = 2 * max(PATCHES * 2 ** (len(local_widths) - 1), 2 ** (len(global_widths) - 1))
        if size % self.multiple:
            raise ValueError(f"size must be a multiple of {self.multiple} for these levels")
        self.size = size
        self.in_channels = in_channels
        self.global_stem, self.local_stem = _stem(in_channels, stem), _stem(in_channels, stem)
        self.global_branch = AxialUNet(stem, global_widths, size // 2, heads)
        self.local_branch = AxialUNet(stem, local_widths, size // 2 // PATCHES, heads)
        self.join = convolution(stem, stem)
        self.mask = nn.Conv2d(stem, 1, 1)

    def forward(self, image: Tensor) -> MaskOutput:
        """Map pictures (B, in_channels, size, size) in 0..1 to the mask's logits (B, 1, size, size)."""
        whole = self.global_branch(self.global_stem(image))
        pieces = self.local_branch(self.local_stem(split(image, PATCHES)))
        return MaskOutput(self.mask(_twice(self.join(whole + joined(pieces, PATCHES)))))


class AxialUNet(nn.Module):
    """Encoder of axial attention and decoder of convolutions with additive skips; (B, channels, size, size) to same."""

    def __init__(self, channels: int, widths: Sequence[int], size: int, heads: int) -> None:
        super().__init__()
        before = [channels, *widths[:-1]]
        # Pooling comes after the attention, so that each level attends at the resolution that it is given.
        self.encoder = nn.ModuleList(
            AxialBlock(channels, width, size // 2 ** max(level - 1, 0), heads, pool=level > 0)
            for level, (channels, width) in enumerate(zip(before, widths, strict=True))
        )
        self.decoder = nn.ModuleList(convolution(width, below) for below, width in pairwise(widths))
        self.last = convolution(widths[0], channels)

    def forward(self, x: Tensor) -> Tensor:
        """Map (B, channels, size, size) to the same shape."""
        skips: list[Tensor] = []
        for block in self.encoder:
            x = block(x)
            skips.append(x)
        for block, skip in reversed(list(zip(self.decoder, skips[:-1], strict=True))):
            x = _twice(block(x)) + skip
        return self.last(x)


class AxialBlock(nn.Module):
    """1x1 convolution, attention along the height, then the width, 1x1 convolution, around a shortcut (figure 2b)."""

    def __init__(self, channels: int, width: int, size: int, heads: int, *, pool: bool) -> None:
        super().__init__()
        inner = width // 2
        self.down = convolution(channels, inner, 1)
        self.height = GatedAxialAttention(inner, size, heads)
        self.width = GatedAxialAttention(inner, size, heads)
        self.up = nn.Sequential(nn.Conv2d(inner, width, 1, bias=False), nn.BatchNorm2d(width))
        self.shortcut = nn.Sequential(nn.Conv2d(channels, width, 1, bias=False), nn.BatchNorm2d(width))
        self.pool = pool

    def forward(self, x: Tensor) -> Tensor:
        """Map (B, channels, size, size) to (B, width, size, size), or half the size with `pool`."""
        y = self.height(self.down(x))
        y = self.width(y.transpose(2, 3)).transpose(2, 3)
        y = F.relu(self.up(F.relu(y)) + self.shortcut(x))
        return F.avg_pool2d(y, 2) if self.pool else y


class GatedAxialAttention(nn.Module):
    """Self-attention along one axis with gated relative positions (section 2.2, equation 3).

    The logit of two places is the product of query and key, plus gate times product of query and relative position,
    plus gate times product of key and relative position; values and their relative positions are gated too.
    """

    def __init__(self, channels: int, size: int, heads: int) -> None:
        super().__init__()
        self.heads, self.size = heads, size
        depth = channels // heads
        self.query = nn.Conv1d(channels, channels, 1, bias=False)
        self.key = nn.Conv1d(channels, channels, 1, bias=False)
        self.value = nn.Conv1d(channels, channels, 1, bias=False)
        self.positions = nn.Parameter(torch.randn(3, depth, 2 * size - 1) * depth**-0.5)
        self.gates = nn.Parameter(torch.tensor([FIRST_GATE, FIRST_GATE, 1.0, FIRST_GATE]))
        self.norm = nn.BatchNorm1d(channels)

    def forward(self, x: Tensor) -> Tensor:
        """Map (B, channels, size, w) to the same shape, each of the w columns attending to itself."""
        batch, channels, size, width = x.shape
        columns = x.permute(0, 3, 1, 2).reshape(batch * width, channels, size)
        query, key, value = (
            layer(columns).unflatten(1, (self.heads, -1)) for layer in (self.query, self.key, self.value)
        )
        of_query, of_key, of_value = self._relative()
        gate_query, gate_key, gate_value, gate_position = self.gates
        logits = torch.einsum("bgci,bgcj->bgij", query, key)
        logits = logits + gate_query * torch.einsum("bgci,cij->bgij", query, of_query)
        logits = logits + gate_key * torch.einsum("bgcj,cij->bgij", key, of_key)
        weights = (logits * query.shape[2] ** -0.5).softmax(dim=-1)
        seen = gate_value * torch.einsum("bgij,bgcj->bgci", weights, value)
        seen = seen + gate_position * torch.einsum("bgij,cij->bgci", weights, of_value)
        seen = self.norm(seen.flatten(1, 2))
        return seen.reshape(batch, width, channels, size).permute(0, 2, 3, 1)

    def _relative(self) -> Tensor:
        """Embeddings of query, key and value (3, depth, size, size) of the place j as seen from the place i."""
        place = torch.arange(self.size, device=self.positions.device)
        return self.positions[:, :, place[None, :] - place[:, None] + self.size - 1]


def split(image: Tensor, pieces: int) -> Tensor:
    """Cut (B, C, H, W) into patches (B * pieces * pieces, C, H / pieces, W / pieces), row by row."""
    batch, channels, height, width = image.shape
    grid = image.reshape(batch, channels, pieces, height // pieces, pieces, width // pieces)
    return grid.permute(0, 2, 4, 1, 3, 5).reshape(-1, channels, height // pieces, width // pieces)


def joined(patches: Tensor, pieces: int) -> Tensor:
    """Put the patches of `split` together again."""
    _, channels, height, width = patches.shape
    grid = patches.reshape(-1, pieces, pieces, channels, height, width)
    return grid.permute(0, 3, 1, 4, 2, 5).reshape(-1, channels, pieces * height, pieces * width)


def _stem(channels: int, width: int) -> nn.Sequential:
    """Three convolutions (section 2.3), the first strided."""
    return nn.Sequential(
        convolution(channels, 4 * width, stride=2), convolution(4 * width, 8 * width), convolution(8 * width, width)
    )


def _twice(x: Tensor) -> Tensor:
    return F.interpolate(x, scale_factor=2, mode="bilinear", align_corners=False)
