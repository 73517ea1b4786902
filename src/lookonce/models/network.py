"""What every landmark network offers: the sizes that it takes and gives, and scores with where it looked."""

from __future__ import annotations

from typing import NamedTuple

from torch import Tensor, nn


class LandmarkOutput(NamedTuple):
    """Scores that are each supervised, (B, classes, h, w), the best last; and the attention (B, 1, h, w) or None."""

    scores: list[Tensor]
    attention: Tensor | None


class LandmarkNetwork(nn.Module):
    """A network from pictures (B, in_channels, H, W) in 0..1 to a `LandmarkOutput`.

    Attributes
    ----------
    multiple : int
        Heights and widths of the input must be multiples of it.
    output_stride : int
        Input pixels per pixel of the scores.
    in_channels : int
        Channels of the input.
    """

    multiple: int
    output_stride: int
    in_channels: int
