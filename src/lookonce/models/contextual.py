"""Contextual attention: what the transformer's tokens and the border of the object say of every pixel.

Azad et al., "Contextual Attention Network: Transformer Meets U-Net" (2022, arXiv 2203.01932). The published code lays
the tokens out on maps as large as the picture. They are constant within a patch, so everything made of them is computed
once a patch here; and the last 1x1 convolution is the sum over channels that it is, without maps for it to read. The
results are the same (`tests/models/test_contextual.py` holds both side by side) in a fraction of the memory.
"""

from __future__ import annotations

from typing import cast

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from lookonce.models.network import MaskOutput
from lookonce.models.pixel_mix import mix_pixels
from lookonce.models.vit import PATCH

#: Squeeze-and-excitation narrows the channels by this ratio, to no fewer than `LEAST_SQUEEZED`.
SQUEEZE, LEAST_SQUEEZED = 16, 4


class ContextualAttention(nn.Module):
    """Features at full size and tokens to a mask, its border, and the importance of each patch.

    The mask is a 1x1 convolution over two sets of maps: the features, recalibrated by squeeze-and-excitation, plus the
    border, times the patch's importance; and the global context that the tokens give.

    Parameters
    ----------
    width : int
        Channels of the features.
    token_width : int
        Numbers a token.
    published : bool
        As the published code has it: the patches show all tokens but the last, the class's first, and so the context of
        their left neighbour; and the weights of squeeze-and-excitation stand in place of the recalibrated features.
    """

    def __init__(self, width: int, token_width: int, *, published: bool = False) -> None:
        super().__init__()
        self.width = width
        self.published = published
        squeezed = max(LEAST_SQUEEZED, width // SQUEEZE)
        self.layout = nn.Sequential(nn.Conv2d(token_width, width, 1), nn.BatchNorm2d(width), nn.Sigmoid())
        self.boundary = nn.Sequential(
            nn.Conv2d(width, width // 2, 1),
            nn.BatchNorm2d(width // 2),
            nn.ReLU(inplace=True),
            nn.Conv2d(width // 2, 1, 1, bias=False),
        )
        self.excitation = nn.Sequential(
            nn.Linear(width, squeezed, bias=False), nn.ReLU(), nn.Linear(squeezed, width, bias=False), nn.Sigmoid()
        )
        self.out = nn.Conv2d(2 * width, 1, 1)

    def forward(self, features: Tensor, tokens: Tensor) -> MaskOutput:
        """Map features (B, width, H, W) and tokens (B, 1 + h * w, token_width), class first, to all three maps.

        H and W are `PATCH` times h and w.
        """
        grid = (features.shape[2] // PATCH, features.shape[3] // PATCH)
        shown = tokens[:, :-1] if self.published else tokens[:, 1:]
        regions = importance(shown).unflatten(1, grid)[:, None]
        context = self.layout(shown.transpose(1, 2).unflatten(2, grid))
        of_features, of_context = self.out.weight[:, : self.width], self.out.weight[:, self.width :]
        boundary, local = self._on_features(features, of_features.flatten())
        local = local + of_features.sum() * boundary.sigmoid()
        mask = _on_pixels(regions) * local + _on_pixels(F.conv2d(context, of_context, self.out.bias))
        return MaskOutput(mask, boundary, regions)

    def _on_features(self, features: Tensor, kernel: Tensor) -> tuple[Tensor, Tensor]:
        """The boundary, (B, 1, H, W), and what a kernel, (width,), makes of the recalibrated features.

        The latter is (B, 1, H, W), or as published (B, 1, 1, 1).
        """
        # Not `mean`, whose gradient is as large as the features.
        means = features.sum(dim=(2, 3)) / (features.shape[2] * features.shape[3])
        weights = self.excitation(means) * kernel
        if self.published:
            return self.boundary(features), weights.sum(dim=1)[:, None, None, None]
        if not self.training:
            local = torch.bmm(weights[:, None], features.flatten(2)).unflatten(2, features.shape[2:])
            return self.boundary(features), local
        first, last = cast(nn.Conv2d, self.boundary[0]), cast(nn.Conv2d, self.boundary[-1])
        hidden, local = mix_pixels(features, first.weight.flatten(1), cast(Tensor, first.bias), weights)
        # To one channel, channels last, a product is several times as quick as torch's convolution.
        return (self.boundary[1:-1](hidden).permute(0, 2, 3, 1) @ last.weight.flatten())[:, None], local


def importance(tokens: Tensor) -> Tensor:
    """Importance, 0..1, (B, N), of tokens (B, N, width): their mean through a sigmoid.

    Examples
    --------
    >>> importance(torch.tensor([[[-1.0, 1.0], [50.0, 60.0]]])).tolist()
    [[0.5, 1.0]]
    """
    return tokens.mean(dim=2).sigmoid()


def _on_pixels(patches: Tensor) -> Tensor:
    return F.interpolate(patches, scale_factor=float(PATCH), mode="nearest")
