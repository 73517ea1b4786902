"""The loss of segmentation networks: mask, border and important regions (arXiv 2203.01932, section 2.3)."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

from lookonce.models.network import MaskOutput
from lookonce.training.recipe import MaskLossPart

#: Side of the square that the mask is dilated by; the border is what that adds to it.
RING = 7


def mask_loss(output: MaskOutput, mask: Tensor, weights: MaskLossPart) -> dict[str, Tensor]:
    """Loss of a batch, as a weighted mean of its parts.

    Parameters
    ----------
    output : MaskOutput
    mask : (B, 1, H, W) tensor
        0 and 1.
    weights : MaskLossPart
        Those of maps that the output lacks are shared out among the others, so that losses stay comparable.

    Returns
    -------
    dict
        `total` and its parts, scalars: `mask` and `boundary` (binary cross-entropy), `regions` (mean squared error)
        and `overlap` (1 - soft Dice), where they are asked for and given.
    """
    logits = output.mask.float()
    parts = {"mask": (weights.mask, F.binary_cross_entropy_with_logits(logits, mask))}
    if output.boundary is not None and weights.boundary:
        border = F.binary_cross_entropy_with_logits(output.boundary.float(), boundary_target(mask))
        parts["boundary"] = (weights.boundary, border)
    if output.regions is not None and weights.regions:
        regions = output.regions.float()
        parts["regions"] = (weights.regions, F.mse_loss(regions, region_target(mask, regions.shape[-2:])))
    if weights.dice:
        parts["overlap"] = (weights.dice, 1 - soft_dice(logits.sigmoid(), mask).mean())
    asked = weights.mask + weights.boundary + weights.regions + weights.dice
    given = sum(weight for weight, _ in parts.values())
    total = sum((weight * part for weight, part in parts.values()), logits.new_zeros(())) * (asked / given)
    return {"total": total, **{name: part.detach() for name, (_, part) in parts.items()}}


def boundary_target(mask: Tensor) -> Tensor:
    """The ring around the objects of masks (B, 1, H, W): what a dilation by `RING` x `RING` pixels adds to them."""
    return F.max_pool2d(mask, RING, stride=1, padding=RING // 2) - mask


def region_target(mask: Tensor, grid: torch.Size) -> Tensor:
    """Share of the objects in every patch of a grid (h, w), scaled so that a picture's largest is 1; (B, 1, h, w)."""
    share = F.adaptive_avg_pool2d(mask, (grid[0], grid[1]))
    return share / share.amax(dim=(2, 3), keepdim=True).clamp(min=1e-6)


def soft_dice(probability: Tensor, mask: Tensor) -> Tensor:
    """Dice of probabilities and masks, (B, 1, H, W), of each picture (B,); 1 where both are empty."""
    shared = (probability * mask).sum(dim=(1, 2, 3))
    both = probability.sum(dim=(1, 2, 3)) + mask.sum(dim=(1, 2, 3))
    return (2 * shared + 1) / (both + 1)


def mean_dice(logits: Tensor, mask: Tensor, threshold: float) -> Tensor:
    """Mean Dice of a batch's pictures, cut at a probability."""
    return soft_dice((logits.float().sigmoid() >= threshold).float(), mask).mean()
