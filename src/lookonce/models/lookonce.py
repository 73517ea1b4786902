"""The look-once network: which of many points are discs, in one pass.

Azad et al., "Intervertebral Disc Labeling With Learning Shape Information, A Look Once Approach" (2022, arXiv
2204.02943), section 2.2: a point network with an input transform and a relational branch. The published relation layer
takes exactly 20 points in a fixed order; this one takes any number, and permuting the points permutes the answers.
"""

from __future__ import annotations

from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn import functional as F


class LookOnce(nn.Module):
    """Points in, a logit per point out: positive for a disc.

    Parameters
    ----------
    widths : (int, int, int)
        Widths of the shared perceptron; the last is the width of the set's descriptor.
    relation : int
        Width of the description of one point's relation to another.

    Raises
    ------
    ValueError
        If there are not three widths, or one is below 1.
    """

    def __init__(self, widths: tuple[int, int, int] = (64, 128, 1024), relation: int = 64) -> None:
        super().__init__()
        if len(widths) != 3 or min(*widths, relation) < 1:
            raise ValueError("widths must be three numbers of at least 1, relation one")
        local, middle, whole = widths
        self.transform = InputTransform((local, middle, 2 * middle))
        self.points = _shared(2, local)
        self.set = _shared(local, middle, whole)
        self.relation = Relation(relation, local)
        self.of_point = nn.Linear(local, 4 * local)
        self.of_set = nn.Linear(whole, 4 * local, bias=False)
        self.classify = nn.Sequential(
            nn.LayerNorm(4 * local), nn.ReLU(), *_shared(4 * local, local), nn.Linear(local, 1)
        )

    def forward(self, points: Tensor) -> Tensor:
        """Map points (B, N, 2), in any unit, to logits (B, N)."""
        placed = standardized(points)
        x = self.points(placed @ self.transform(placed))
        descriptor = self.set(x).amax(dim=1, keepdim=True)
        x = x * self.relation(placed)
        # A linear layer on the concatenation of point and set, without making it: its two parts add up.
        return self.classify(self.of_point(x) + self.of_set(descriptor)).squeeze(-1)


class InputTransform(nn.Module):
    """A 2 x 2 matrix for the whole set, near the identity, that turns and stretches it (PointNet's T-Net)."""

    def __init__(self, widths: tuple[int, int, int]) -> None:
        super().__init__()
        self.points = _shared(2, *widths)
        last = nn.Linear(widths[0], 4)
        nn.init.zeros_(last.weight)
        nn.init.zeros_(last.bias)
        self.matrix = nn.Sequential(nn.Linear(widths[-1], widths[0]), nn.ReLU(), last)

    def forward(self, points: Tensor) -> Tensor:
        """Map points (B, N, 2) to matrices (B, 2, 2)."""
        change = self.matrix(self.points(points).amax(dim=1)).reshape(-1, 2, 2)
        return change + torch.eye(2, dtype=points.dtype, device=points.device)


class Relation(nn.Module):
    """How a point lies to all others, as factors on its features.

    Each pair's offset and distance are described alone; the mean and maximum over the other points give the factors.
    """

    def __init__(self, width: int, features: int) -> None:
        super().__init__()
        self.pair = nn.Sequential(nn.Linear(3, width // 2), nn.ReLU(), nn.Linear(width // 2, width), nn.ReLU())
        self.factor = nn.Sequential(nn.Linear(2 * width, features), nn.ReLU(), nn.Linear(features, features))

    def forward(self, points: Tensor) -> Tensor:
        """Map points (B, N, 2) to factors (B, N, features), 0 to 2."""
        count = points.shape[1]
        down, right = (axis[:, None] - axis[:, :, None] for axis in points.unbind(dim=-1))
        # The small number keeps the gradient of the root finite where a point meets itself.
        distance = (down.square() + right.square() + 1e-8).sqrt()
        # Pairs lie along the last axis, of which there are many: in ONNX Runtime that is faster than features along it.
        pairs = torch.stack([down, right, distance], dim=1).flatten(start_dim=2)
        for layer in self.pair:
            pairs = _along_pairs(layer, pairs) if isinstance(layer, nn.Linear) else layer(pairs)
        pairs = pairs.unflatten(2, (count, count))
        seen = torch.cat([pairs.mean(dim=-1), pairs.amax(dim=-1)], dim=1).transpose(1, 2)
        return 2 * self.factor(seen).sigmoid()


def _along_pairs(layer: nn.Linear, pairs: Tensor) -> Tensor:
    """A linear layer over the first of two axes (B, features, pairs)."""
    return F.conv1d(pairs, layer.weight[:, :, None], layer.bias)


def standardized(points: Tensor) -> Tensor:
    """Points (B, N, 2) about their mean, in units of their spread: nothing but the points themselves is needed."""
    centred = points - points.mean(dim=1, keepdim=True)
    spread = centred.square().sum(dim=2, keepdim=True).mean(dim=1, keepdim=True).sqrt()
    return centred / spread.clamp(min=1e-6)


def _shared(*widths: int) -> nn.Sequential:
    """The same perceptron for every point.

    Each point is normalized by itself: all sets of a batch have one size and kind, so that a batch norm learns from
    figures that no set shows alone.
    """
    layers: list[nn.Module] = []
    for before, after in pairwise(widths):
        layers += [nn.Linear(before, after), nn.LayerNorm(after), nn.ReLU()]
    return nn.Sequential(*layers)
