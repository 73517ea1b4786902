"""Two weighted sums over the channels of one map, whose gradients need no second map of its size.

Left to autograd, each sum would write its own gradient of the map before the two are added; at a picture's full size
these are the largest tensors of a training step's last layers.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable


def mix_pixels(features: Tensor, shared: Tensor, bias: Tensor, own: Tensor) -> tuple[Tensor, Tensor]:
    """Weigh the channels of every pixel by weights for all pictures, and by weights of each picture's own.

    Parameters
    ----------
    features : (B, C, H, W)
    shared, bias : (K, C), (K,)
    own : (B, C)

    Returns
    -------
    (B, K, H, W), (B, 1, H, W)
        In channels-last memory.
    """
    # Autocast would compute in another precision than the backward pass, which it does not reach.
    with torch.autocast(features.device.type, enabled=False):
        weights = [tensor.to(features.dtype) for tensor in (shared, bias, own)]
        return _PixelMix.apply(features, *weights)  # type: ignore[no-untyped-call]  # torch gives it no types


class _PixelMix(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, features: Tensor, shared: Tensor, bias: Tensor, own: Tensor) -> tuple[Tensor, Tensor]:
        ctx.save_for_backward(features, shared, own)
        pixels = _pixels(features)
        of_all = torch.baddbmm(bias, pixels, shared.T.expand(len(pixels), -1, -1))
        of_each = torch.bmm(pixels, own[:, :, None])
        return _maps(of_all, features), _maps(of_each, features)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        features, shared, own = ctx.saved_tensors
        pixels, of_all, of_each = _pixels(features), _pixels(gradients[0]), _pixels(gradients[1])
        of_features = torch.bmm(of_all, shared.expand(len(pixels), -1, -1)).baddbmm_(of_each, own[:, None])
        of_shared = torch.bmm(of_all.transpose(1, 2), pixels).sum(dim=0)
        of_own = torch.bmm(of_each.transpose(1, 2), pixels)[:, 0]
        return _maps(of_features, features), of_shared, of_all.sum(dim=(0, 1)), of_own


def _pixels(maps: Tensor) -> Tensor:
    """Maps (B, C, H, W) as (B, H * W, C): no copy, whichever way they lie in memory."""
    return maps.permute(0, 2, 3, 1).flatten(1, 2)


def _maps(pixels: Tensor, like: Tensor) -> Tensor:
    return pixels.unflatten(1, like.shape[2:]).permute(0, 3, 1, 2)
