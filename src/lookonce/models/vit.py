"""The transformer of TMUnet: patches of the picture, encoded by convolutions, look at each other.

Azad et al., "Contextual Attention Network: Transformer Meets U-Net" (2022, arXiv 2203.01932), after Dosovitskiy
et al. (arXiv 2010.11929).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional as F

#: Pixels along a patch's sides: each of the patch encoder's three stages halves them.
PATCH = 16


class PatchTransformer(nn.Module):
    """Patches to tokens of long-range context.

    Parameters
    ----------
    size : int
        Height and width of the pictures, a multiple of `PATCH`: places are learned.
    widths : three ints
        Channels of the patch encoder's stages; the last is the tokens'.
    depth, heads : int
        Blocks, and heads of their attention.
    late_scaling : bool
        Divide attention by the root of the tokens' width *after* the softmax, as the published code does.

    Raises
    ------
    ValueError
        If there are not three widths, the last is no multiple of `heads`, or a number is impossible.
    """

    def __init__(self, size: int, widths: Sequence[int], *, depth: int, heads: int, late_scaling: bool = False) -> None:
        super().__init__()
        if len(widths) != 3 or min(*widths, depth, heads) < 1 or widths[-1] % heads:
            raise ValueError("patch_widths must be three, the last a multiple of heads; every number at least 1")
        if size < PATCH or size % PATCH:
            raise ValueError(f"size must be a multiple of {PATCH}")
        self.grid = size // PATCH
        self.patches = nn.ModuleList(
            _double_convolution(before, width) for before, width in zip((3, *widths[:-1]), widths, strict=True)
        )
        self.class_token = nn.Parameter(torch.zeros(1, 1, widths[-1]))
        self.positions = nn.Parameter(torch.empty(self.grid**2 + 1, widths[-1]))
        nn.init.trunc_normal_(self.positions, std=0.02)
        self.blocks = nn.ModuleList(Block(widths[-1], heads, late_scaling=late_scaling) for _ in range(depth))

    def forward(self, image: Tensor) -> Tensor:
        """Map pictures (B, 3, size, size) to tokens (B, 1 + grid * grid, width): the class, then patches row by row."""
        batch = image.shape[0]
        x = image.reshape(batch, 3, self.grid, PATCH, self.grid, PATCH).permute(0, 2, 4, 1, 3, 5).flatten(0, 2)
        for stage in self.patches:
            x = F.max_pool2d(stage(x), 2)
        x = x.mean(dim=(2, 3)).reshape(batch, self.grid**2, -1)
        x = torch.cat([self.class_token.expand(batch, -1, -1), x], dim=1) + self.positions
        for block in self.blocks:
            x = block(x)
        return x


def moved_places(network: nn.Module, state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Weights of a network, with its learned places resampled to those of one for pictures of another size.

    Parameters
    ----------
    network : nn.Module
        The one that the weights are for; its `PatchTransformer`s say how many patches there are.
    state : mapping
        Weights by name; what does not belong to such places stays as it is.
    """
    moved = dict(state)
    for prefix, module in network.named_modules():
        name = f"{prefix}.positions"
        if isinstance(module, PatchTransformer) and name in moved:
            moved[name] = _on_grid(moved[name], module.grid)
    return moved


def _on_grid(positions: Tensor, grid: int) -> Tensor:
    """Places (1 + n * n, width), the class token's first, as (1 + grid * grid, width)."""
    before = round((len(positions) - 1) ** 0.5)
    if before == grid:
        return positions
    patches = positions[1:].reshape(1, before, before, -1).movedim(-1, 1)
    patches = F.interpolate(patches, size=(grid, grid), mode="bicubic", align_corners=False)
    return torch.cat([positions[:1], patches.flatten(2)[0].T])


class Block(nn.Module):
    """Attention and two linear layers, each with a layer norm before and a shortcut around."""

    def __init__(self, width: int, heads: int, *, late_scaling: bool) -> None:
        super().__init__()
        self.attention_norm = nn.LayerNorm(width)
        self.attention = Attention(width, heads, late_scaling=late_scaling)
        self.linear_norm = nn.LayerNorm(width)
        self.linear = nn.Sequential(nn.Linear(width, 4 * width), nn.GELU(), nn.Linear(4 * width, width))

    def forward(self, tokens: Tensor) -> Tensor:
        """Map (B, N, width) to the same shape."""
        tokens = tokens + self.attention(self.attention_norm(tokens))
        return tokens + self.linear(self.linear_norm(tokens))


class Attention(nn.Module):
    """Multi-head attention of tokens to each other.

    One linear layer gives queries, keys and values, interleaved as published: (head, dimension, which of the three).
    """

    def __init__(self, width: int, heads: int, *, late_scaling: bool) -> None:
        super().__init__()
        self.heads = heads
        self.late_scaling = late_scaling
        self.qkv = nn.Linear(width, 3 * width)
        self.projection = nn.Linear(width, width)

    def forward(self, tokens: Tensor) -> Tensor:
        """Map (B, N, width) to the same shape."""
        batch, count, width = tokens.shape
        qkv = self.qkv(tokens).reshape(batch, count, self.heads, width // self.heads, 3)
        queries, keys, values = qkv.permute(4, 0, 2, 1, 3)
        if self.late_scaling:
            seen = F.scaled_dot_product_attention(queries, keys, values, scale=1.0) / width**0.5
        else:
            seen = F.scaled_dot_product_attention(queries, keys, values)
        return self.projection(seen.transpose(1, 2).flatten(2))


def _double_convolution(channels: int, width: int) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(channels, width, 3, padding=1),
        nn.BatchNorm2d(width),
        nn.ReLU(),
        nn.Conv2d(width, width, 3, padding=1),
        nn.BatchNorm2d(width),
        nn.ReLU(),
    )
