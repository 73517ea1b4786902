"""A vision transformer over a map of features (Dosovitskiy et al., arXiv 2010.11929), without a class token."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from lookonce.models.vit import Block


class GridTransformer(nn.Module):
    """Every place of a square map looks at all others; places are learned.

    Parameters
    ----------
    grid : int
        Height and width of the maps.
    width, depth, heads : int
        Channels, blocks, and heads of their attention.

    Raises
    ------
    ValueError
        If `width` is no multiple of `heads`, or a number is below 1.
    """

    def __init__(self, grid: int, width: int, *, depth: int, heads: int) -> None:
        super().__init__()
        if min(grid, width, depth, heads) < 1 or width % heads:
            raise ValueError("token_width must be a multiple of heads, every number at least 1")
        self.positions = nn.Parameter(torch.empty(grid**2, width))
        nn.init.trunc_normal_(self.positions, std=0.02)
        self.blocks = nn.Sequential(*(Block(width, heads, late_scaling=False) for _ in range(depth)))
        self.norm = nn.LayerNorm(width)

    def forward(self, x: Tensor) -> Tensor:
        """Map (B, width, grid, grid) to the same shape."""
        tokens = self.norm(self.blocks(x.flatten(2).transpose(1, 2) + self.positions))
        return tokens.transpose(1, 2).unflatten(2, x.shape[2:])
