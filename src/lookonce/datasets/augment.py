"""Augmentation: one random similarity with crop for picture and points together, then random intensities."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import torch
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict
from torch.nn import functional as F

from lookonce.anatomy import Level
from lookonce.datasets.samples import SlabSample

#: C2 is 40 mm high, and S1 with S2 50.
BEYOND_AN_END_MM = (4.0, 50.0)


class Augmentation(BaseModel):
    """Ranges of the random changes; zeros switch a change off.

    `anywhere` is the share of pictures cut around a place near any disc, so that the spine ends at any level; the
    others are cut near their middle, `shift_mm` (standard deviation) off it. `remap` is the share of pictures whose
    grey values are bent by a random curve; the others are raised to a power, `gamma` the standard deviation of its
    logarithm. `contrast` is the same of a factor after all else: a bright artefact in a real scan leaves the rest dark.
    `label_noise_mm` is the standard deviation by which labels are off, along rows and columns. `shorten` is the share
    of pictures of which only a part is left, `shortest_mm` to `longest_mm` high and anywhere, as in scans that show a
    few discs and neither C2 nor the sacrum. `cut_ends` is the share of the others that the border cuts in C2, or in the
    sacrum, where they show it: S1/S2 passes for L5/S1 where little of the sacrum is in view.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    anywhere: float = 0.5
    shift_mm: float = 18.0
    rotation_degrees: float = 12.0
    scale: float = 0.18
    shear: float = 0.08
    mirror: float = 0.0
    remap: float = 0.5
    gamma: float = 0.3
    contrast: float = 0.12
    bias: float = 0.6
    noise: float = 0.06
    blur: float = 0.4
    erase: float = 0.15
    label_noise_mm: float = 0.0
    shorten: float = 0.0
    shortest_mm: float = 50.0
    longest_mm: float = 190.0
    cut_ends: float = 0.0


@dataclass(frozen=True)
class _Map:
    """Maps row, column of the crop to row, column of the picture: ``picture = matrix @ crop + shift``."""

    matrix: NDArray[np.float64]
    shift: NDArray[np.float64]


def augmented(
    sample: SlabSample, shape: tuple[int, int], spacing: float, ranges: Augmentation, rng: np.random.Generator
) -> SlabSample:
    """Cut a random crop of `shape` pixels of `spacing` mm out of a picture and change its look.

    Returns
    -------
    SlabSample
        With image (H, W) = `shape`, and points in pixels of the crop, also those that fell outside.
    """
    placed = _random_map(sample, shape, spacing, ranges, rng)
    crop = warped(sample, placed.matrix, placed.shift, shape, spacing)
    if rng.random() < ranges.shorten:
        crop = _shortened(crop, rng.uniform(ranges.shortest_mm, ranges.longest_mm), rng)
    elif ranges.cut_ends and rng.random() < ranges.cut_ends:
        crop = _cut_beyond_an_end(crop, rng)
    if ranges.label_noise_mm:
        crop = replace(crop, points=crop.points + rng.normal(0, ranges.label_noise_mm / spacing, crop.points.shape))
    return replace(crop, image=_changed_look(crop.image, ranges, rng))


def centred(sample: SlabSample, shape: tuple[int, int], spacing: float) -> SlabSample:
    """Cut the middle of a picture without any random change."""
    matrix = np.eye(2) * spacing / sample.spacing
    middle = (np.array(sample.image.shape) - 1) / 2
    return warped(sample, matrix, middle - matrix @ ((np.array(shape) - 1) / 2), shape, spacing)


def warped(
    sample: SlabSample, matrix: NDArray[np.float64], shift: NDArray[np.float64], shape: tuple[int, int], spacing: float
) -> SlabSample:
    """Resample picture and points by one affine map from crop to picture pixels; zeros outside the picture."""
    height, width = sample.image.shape
    rows, columns = np.mgrid[: shape[0], : shape[1]]
    source_rows = matrix[0, 0] * rows + matrix[0, 1] * columns + shift[0]
    source_columns = matrix[1, 0] * rows + matrix[1, 1] * columns + shift[1]
    grid = np.stack([(2 * source_columns + 1) / width - 1, (2 * source_rows + 1) / height - 1], axis=-1)
    image = F.grid_sample(
        torch.from_numpy(np.asarray(sample.image, dtype=np.float32))[None, None],
        torch.from_numpy(grid.astype(np.float32))[None],
        align_corners=False,
        padding_mode="zeros",
    )[0, 0].numpy()
    inverse = np.linalg.inv(matrix)
    return replace(
        sample,
        image=image,
        spacing=spacing,
        points=(sample.points.reshape(-1, 2) - shift) @ inverse.T,
        negatives=(sample.negatives.reshape(-1, 2) - shift) @ inverse.T,
    )


def _random_map(
    sample: SlabSample, shape: tuple[int, int], spacing: float, ranges: Augmentation, rng: np.random.Generator
) -> _Map:
    angle = np.deg2rad(rng.uniform(-1, 1) * ranges.rotation_degrees)
    rotation = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    zoom = np.exp(rng.uniform(-1, 1) * ranges.scale) * np.diag(np.exp(rng.uniform(-0.5, 0.5, 2) * ranges.scale))
    shear = np.array([[1, rng.uniform(-1, 1) * ranges.shear], [0, 1]])
    matrix = rotation @ zoom @ shear * (spacing / sample.spacing)
    if rng.random() < ranges.mirror:
        matrix = matrix @ np.diag([1.0, -1.0])
    size = np.array(sample.image.shape)
    if rng.random() >= ranges.anywhere or len(sample.points) == 0:
        centre = (size - 1) / 2 + rng.normal(0, ranges.shift_mm, 2) / sample.spacing
    else:
        centre = sample.points[rng.integers(len(sample.points))] + rng.normal(0, 30, 2) / sample.spacing
    return _Map(matrix, centre - matrix @ ((np.array(shape) - 1) / 2))


def _shortened(crop: SlabSample, height_mm: float, rng: np.random.Generator) -> SlabSample:
    """Blacken all rows but a band that holds one of the points; what lies outside is not in the picture."""
    rows = len(crop.image)
    height = height_mm / crop.spacing
    seen = crop.points[(crop.points[:, 0] >= 0) & (crop.points[:, 0] < rows), 0]
    middle = rng.choice(seen) if len(seen) else rows / 2
    first = round(middle - rng.uniform(0.05, 0.95) * height)
    return _only_rows(crop, first, first + round(height))


def _cut_beyond_an_end(crop: SlabSample, rng: np.random.Generator) -> SlabSample:
    """Blacken the rows above or below a place up to `BEYOND_AN_END_MM` beyond C2/C3 or L5/S1, where one is in view."""
    rows = len(crop.image)
    ends = np.isin(crop.levels, (Level.C2_C3, Level.L5_S1)) & (crop.points[:, 0] >= 0) & (crop.points[:, 0] < rows)
    if not ends.any():
        return crop
    end = rng.choice(np.flatnonzero(ends))
    beyond = rng.uniform(*BEYOND_AN_END_MM) / crop.spacing
    if crop.levels[end] == Level.C2_C3:
        return _only_rows(crop, round(crop.points[end, 0] - beyond), rows)
    return _only_rows(crop, 0, round(crop.points[end, 0] + beyond))


def _only_rows(crop: SlabSample, first: int, last: int) -> SlabSample:
    """A picture of which only the rows from `first` on to before `last` are left, and what lies in them."""
    image = np.zeros_like(crop.image)
    image[max(first, 0) : max(last, 0)] = crop.image[max(first, 0) : max(last, 0)]
    kept = (crop.points[:, 0] >= first) & (crop.points[:, 0] < last)
    false = (crop.negatives[:, 0] >= first) & (crop.negatives[:, 0] < last)
    return replace(
        crop,
        image=image,
        points=crop.points[kept],
        levels=crop.levels[kept],
        lateral=crop.lateral[kept],
        negatives=crop.negatives[false],
    )


def _changed_look(image: NDArray[np.float32], ranges: Augmentation, rng: np.random.Generator) -> NDArray[np.float32]:
    inside = image > 0
    if rng.random() < ranges.blur:
        image = _blurred(image, rng.uniform(0.3, 1.1))
    # Powers and factors are plain floats: a float64 scalar of numpy makes the picture float64, at half the speed.
    if rng.random() < ranges.remap:
        image = _remapped(image, rng)
    elif ranges.gamma:
        image = image ** float(np.exp(rng.normal(0, ranges.gamma)))
    if rng.random() < ranges.bias:
        image = image * _smooth_field(image.shape, rng)
    if rng.random() < ranges.erase:
        image = _with_band_cut(image, rng)
    if ranges.noise:
        image = image + rng.uniform(0, ranges.noise) * rng.standard_normal(image.shape, dtype=np.float32)
    # Some thousands of pixels tell the range as well as all.
    values = image[inside]
    low, high = np.percentile(values[:: 1 + len(values) // 8192], (0.5, 99.5)) if len(values) else (0.0, 1.0)
    gain = float(np.exp(rng.normal(0, ranges.contrast)) / max(high - low, 1e-3))
    return np.where(inside, np.clip((image - float(low)) * gain, 0, 1), 0).astype(np.float32)


def _remapped(image: NDArray[np.float32], rng: np.random.Generator) -> NDArray[np.float32]:
    """A random curve of grey values: bends most often, turns contrast around sometimes."""
    knots = np.linspace(0, 1, 6)
    values = np.cumsum(np.append(0, rng.uniform(0.05, 1, 5)))
    values = values / values[-1]
    kind = rng.random()
    if kind < 0.25:
        values[1:] = rng.permutation(rng.uniform(0.1, 1, 5))
    elif kind < 0.35:
        values[1:] = values[1:][::-1]
    return np.interp(image, knots, values).astype(np.float32)


def _smooth_field(shape: tuple[int, ...], rng: np.random.Generator) -> NDArray[np.float32]:
    coarse = torch.from_numpy(rng.normal(0, 0.5, (1, 1, 3, 3)).astype(np.float32))
    field = F.interpolate(coarse, size=tuple(shape), mode="bicubic", align_corners=True)[0, 0].numpy()
    return np.exp(field)


def _blurred(image: NDArray[np.float32], sigma: float) -> NDArray[np.float32]:
    taps = np.exp(-0.5 * (np.arange(-3, 4) / sigma) ** 2)
    kernel = torch.from_numpy((taps / taps.sum()).astype(np.float32))
    picture = torch.from_numpy(np.ascontiguousarray(image, dtype=np.float32))[None, None]
    picture = F.conv2d(F.pad(picture, (3, 3, 0, 0), mode="replicate"), kernel.view(1, 1, 1, 7))
    return F.conv2d(F.pad(picture, (0, 0, 3, 3), mode="replicate"), kernel.view(1, 1, 7, 1))[0, 0].numpy()


def _with_band_cut(image: NDArray[np.float32], rng: np.random.Generator) -> NDArray[np.float32]:
    """Darken a margin or a slanted band in front of the spine, as saturation bands and cropped exports do."""
    rows, columns = np.mgrid[: image.shape[0], : image.shape[1]]
    side = rng.choice(["front", "top", "bottom"])
    depth = rng.uniform(0.05, 0.3 if side == "front" else 0.15)
    slope = rng.normal(0, 0.15)
    position = {"front": columns + slope * rows, "top": rows + slope * columns, "bottom": -rows + slope * columns}[side]
    limit = np.quantile(position, depth)
    return np.where(position < limit, image * rng.choice([0.0, 0.15]), image).astype(np.float32)
