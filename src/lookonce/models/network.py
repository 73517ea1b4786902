"""What every network offers: the sizes that it takes and gives, and what it says of a picture."""

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
    score : nn.Module
        The last layer, or those of every stack of scores.
    """

    multiple: int
    output_stride: int
    in_channels: int
    score: nn.Module


class MaskOutput(NamedTuple):
    """What a segmentation network says of pictures, as logits where not said otherwise.

    Attributes
    ----------
    mask : (B, 1, H, W)
        The object.
    boundary : (B, 1, H, W) or None
        Its border.
    regions : (B, 1, h, w) or None
        The contextual attention on the grid of patches, 0..1.
    """

    mask: Tensor
    boundary: Tensor | None = None
    regions: Tensor | None = None


class MaskNetwork(nn.Module):
    """A network from pictures (B, in_channels, H, W) in 0..1 to a `MaskOutput`.

    Attributes
    ----------
    multiple : int
        Heights and widths of the input must be multiples of it.
    size : int or None
        The one height and width that it takes, or None where any multiple does.
    in_channels : int
        Channels of the input.
    """

    multiple: int
    size: int | None
    in_channels: int
