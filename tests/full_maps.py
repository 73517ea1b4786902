"""Contextual attention as the paper draws it: every map as large as the picture. What ours must equal, and undercut."""

from __future__ import annotations

import torch
from torch import Tensor

from lookonce.models.contextual import ContextualAttention, importance
from lookonce.models.network import MaskOutput
from lookonce.models.vit import PATCH


def on_full_maps(context: ContextualAttention, features: Tensor, tokens: Tensor) -> MaskOutput:
    """What `context` gives for features (B, C, H, W) and tokens, computed on maps of H x W throughout."""
    grid = (features.shape[2] // PATCH, features.shape[3] // PATCH)
    shown = tokens[:, :-1] if context.published else tokens[:, 1:]
    regions = importance(shown).unflatten(1, grid)[:, None]
    laid_out = context.layout(_on_pixels(shown.transpose(1, 2).unflatten(2, grid)))
    boundary = context.boundary(features)
    weights = context.excitation(features.mean(dim=(2, 3)))[:, :, None, None].expand_as(features)
    recalibrated = weights if context.published else features * weights
    local = (recalibrated + boundary.sigmoid()) * _on_pixels(regions)
    return MaskOutput(context.out(torch.cat([local, laid_out], dim=1)), boundary, regions)


def _on_pixels(patches: Tensor) -> Tensor:
    return patches.repeat_interleave(PATCH, dim=2).repeat_interleave(PATCH, dim=3)
