"""Augmentation of pictures with masks: one random affine map for both, then another look of the picture.

A picture and its mask are one array of four bytes a pixel, so that they are warped together.
"""

from __future__ import annotations

from typing import Annotated

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageFilter
from pydantic import BaseModel, ConfigDict, Field

from lookonce.geometry import FloatArray

#: Share of a side that is mirrored at the border, so that a turned picture has few black corners.
_MARGIN = 0.25
#: Red, green and blue as the eye weighs them.
_GREY = np.array([0.299, 0.587, 0.114])

Share = Annotated[float, Field(ge=0, le=1)]


class MaskAugmentation(BaseModel):
    """Ranges of the random changes; zeros switch a change off.

    `mirror`, `blur` and `noise_share` are shares of the pictures; `shift` is one of the side; `scale` and `stretch` (of
    one side against the other) are logarithms, as is `gamma`.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    mirror: Share = 0.5
    rotation_degrees: float = 180.0
    scale: float = 0.25
    stretch: float = 0.12
    shift: float = 0.1
    brightness: float = 0.12
    contrast: float = 0.2
    gamma: float = 0.25
    tint: float = 0.08
    saturation: float = 0.3
    blur: Share = 0.2
    noise_share: Share = 0.2
    noise: float = 0.03


def augmented(
    pixels: NDArray[np.uint8], ranges: MaskAugmentation, rng: np.random.Generator
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Change a picture and its mask, (H, W, 4), at random.

    Returns
    -------
    picture : (3, H, W) float array
        0..1.
    mask : (1, H, W) float array
        0 or 1.
    """
    warped = _warped(pixels, _random_map(ranges, rng))
    if rng.random() < ranges.blur:
        sharp = np.ascontiguousarray(warped[..., :3])
        warped[..., :3] = np.asarray(Image.fromarray(sharp).filter(ImageFilter.GaussianBlur(rng.uniform(0.4, 1.5))))
    picture, mask = separated(_recoloured(warped, ranges, rng))
    picture = _mixed(picture, ranges, rng)
    if rng.random() < ranges.noise_share:
        picture += rng.uniform(0, ranges.noise) * rng.standard_normal(picture.shape, dtype=np.float32)
    return np.clip(picture, 0, 1, out=picture), mask


def separated(pixels: NDArray[np.uint8]) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Picture (3, H, W) in 0..1 and mask (1, H, W) of 0 and 1, of pixels (H, W, 4)."""
    planes = np.ascontiguousarray(pixels.transpose(2, 0, 1))
    return planes[:3] * np.float32(1 / 255), (planes[3:] > 127).astype(np.float32)


def _random_map(ranges: MaskAugmentation, rng: np.random.Generator) -> tuple[FloatArray, FloatArray]:
    """Matrix (2, 2) from x, y of the result to those of the picture, about the middle, and shift in sides."""
    angle = np.deg2rad(rng.uniform(-1, 1) * ranges.rotation_degrees)
    rotation = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    stretch = rng.uniform(-0.5, 0.5) * ranges.stretch
    zoom = np.exp(rng.uniform(-1, 1) * ranges.scale) * np.diag(np.exp([stretch, -stretch]))
    mirror = np.diag([-1.0 if rng.random() < ranges.mirror else 1.0, 1.0])
    return rotation @ zoom @ mirror, rng.uniform(-1, 1, 2) * ranges.shift


def _warped(pixels: NDArray[np.uint8], placed: tuple[FloatArray, FloatArray]) -> NDArray[np.uint8]:
    """Resample by an affine map; beyond the border the picture is mirrored, and black farther out."""
    matrix, shift = placed
    sides = np.array([pixels.shape[1], pixels.shape[0]])
    margin = np.round(sides * _MARGIN).astype(int)
    mirrored = np.pad(pixels, ((margin[1],) * 2, (margin[0],) * 2, (0, 0)), mode="reflect")
    offset = sides / 2 + margin + shift * sides - matrix @ (sides / 2)
    terms = (*matrix[0], offset[0], *matrix[1], offset[1])
    # CMYK stands for any four bytes: Pillow would multiply the colours of RGBA by the mask.
    picture = Image.fromarray(mirrored, "CMYK")
    size = (int(sides[0]), int(sides[1]))
    return np.array(picture.transform(size, Image.Transform.AFFINE, terms, Image.Resampling.BILINEAR))


def _recoloured(pixels: NDArray[np.uint8], ranges: MaskAugmentation, rng: np.random.Generator) -> NDArray[np.uint8]:
    """Bend and scale the values of each colour by a table; the mask keeps its own."""
    values = (np.arange(256) / 255) ** np.exp(rng.uniform(-1, 1) * ranges.gamma)
    gain = np.exp(rng.uniform(-1, 1) * ranges.contrast + rng.uniform(-1, 1, 3) * ranges.tint)
    offset = rng.uniform(-1, 1) * ranges.brightness
    curves = (values - 0.5) * gain[:, None] + 0.5 + offset
    table = np.rint(np.clip(curves, 0, 1) * 255).astype(int)
    picture = Image.fromarray(pixels, "CMYK")
    return np.asarray(picture.point([*table.ravel().tolist(), *range(256)]))


def _mixed(picture: NDArray[np.float32], ranges: MaskAugmentation, rng: np.random.Generator) -> NDArray[np.float32]:
    """Make the colours (3, H, W) stronger or weaker."""
    strength = 1 + rng.uniform(-1, 1) * ranges.saturation
    mixture = strength * np.eye(3) + (1 - strength) * _GREY
    mixed = mixture.astype(np.float32) @ picture.reshape(3, -1)
    return np.asarray(mixed).reshape(picture.shape)
