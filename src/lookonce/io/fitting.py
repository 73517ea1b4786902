"""Pictures of any size to the one size that a network takes, and its maps back: the same way in training and in use."""

from __future__ import annotations

from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image

#: How a picture comes to another size: each side by itself, or both alike and centred.
Resize = Literal["stretch", "letterbox"]
Size = tuple[int, int]


class Box(NamedTuple):
    """Where the picture lies within the network's, in pixels of the latter."""

    top: int
    left: int
    height: int
    width: int


def fitted(picture: NDArray[np.uint8], size: Size, resize: Resize) -> NDArray[np.uint8]:
    """A picture (H, W) or (H, W, 3) as one of `size`; areas are averaged where it shrinks.

    What is left beside a centred picture has its median colour, as the ground of a smear; beside a mask it is 0.

    Examples
    --------
    >>> fitted(np.full((2, 4), 9, np.uint8), (4, 4), "letterbox")[:, 0].tolist()
    [0, 9, 9, 0]
    """
    box = fit_box((picture.shape[0], picture.shape[1]), size, resize)
    inside = np.asarray(Image.fromarray(picture).resize((box.width, box.height), Image.Resampling.BILINEAR))
    if (box.height, box.width) == tuple(size):
        return inside
    ground = np.median(inside, axis=(0, 1)) if picture.ndim == 3 else 0
    whole = np.full((*size, *picture.shape[2:]), ground, dtype=np.uint8)
    whole[box.top : box.top + box.height, box.left : box.left + box.width] = inside
    return whole


def unfitted(values: NDArray[np.float32], shape: Size, resize: Resize) -> NDArray[np.float32]:
    """A map (h, w) of a fitted picture at the size (H, W) that the picture had before."""
    box = fit_box(shape, (values.shape[0], values.shape[1]), resize)
    inside = values[box.top : box.top + box.height, box.left : box.left + box.width]
    picture = Image.fromarray(np.ascontiguousarray(inside, dtype=np.float32))
    return np.asarray(picture.resize((shape[1], shape[0]), Image.Resampling.BILINEAR))


def fit_box(shape: Size, size: Size, resize: Resize) -> Box:
    """Where a picture of `shape` lies in the fitted one.

    Examples
    --------
    >>> fit_box((600, 800), (128, 128), "letterbox")
    Box(top=16, left=0, height=96, width=128)
    """
    if resize == "stretch":
        return Box(0, 0, *size)
    scale = min(size[0] / shape[0], size[1] / shape[1])
    height, width = (max(1, round(side * scale)) for side in shape)
    return Box((size[0] - height) // 2, (size[1] - width) // 2, height, width)
