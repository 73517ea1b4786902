"""Smooth random fields: the texture inside tissues and the unevenness of organs."""

from dataclasses import dataclass

import numpy as np

from lookonce.synth.curve import FloatArray, IndexArray

FIELD_SIZES = {
    "broad": (30.0, 30.0),
    "coarse": (12.0, 12.0),
    "medium": (4.5, 4.5),
    "fine": (1.8, 1.8),
    "streak": (26.0, 3.2),
}
"""Correlation lengths (along z, along y) of the fields every sheet carries, mm."""


def smooth_noise(rng: np.random.Generator, shape: tuple[int, int], scale: tuple[float, float]) -> FloatArray:
    """Draw a smooth field of about zero mean and unit variance.

    Parameters
    ----------
    rng : numpy.random.Generator
    shape : tuple of int
        Rows and columns H, W.
    scale : tuple of float
        Correlation length along rows and columns, pixels.

    Returns
    -------
    (H, W) float32 array
    """
    rows, columns = (_spline(count, max(size, 1.0), rng.random()) for count, size in zip(shape, scale, strict=True))
    lattice = rng.standard_normal((rows[0][-1] + 3, columns[0][-1] + 3), dtype=np.float32)
    return np.ascontiguousarray(_refine(_refine(lattice, *rows).T, *columns).T)


def _spline(count: int, size: float, phase: float) -> tuple[IndexArray, FloatArray]:
    """First node and (count, 3) quadratic B-spline weights; of unit norm, so that white noise keeps its variance."""
    position = np.arange(count) / size + phase
    base = position.astype(int)
    t = position - base
    weights = np.stack([(1 - t) ** 2 / 2, 0.75 - (t - 0.5) ** 2, t**2 / 2], 1)
    return base, (weights / np.linalg.norm(weights, axis=1, keepdims=True)).astype(np.float32)


def _refine(lattice: FloatArray, base: IndexArray, weights: FloatArray) -> FloatArray:
    """Interpolate the rows; by hand, as a threaded matrix product is slower here and rounds as its threads please."""
    fine = weights[:, 0, None] * lattice[base]
    fine += weights[:, 1, None] * lattice[base + 1]
    fine += weights[:, 2, None] * lattice[base + 2]
    return fine


@dataclass(frozen=True)
class TextureBlock:
    """Fields that vary over a stack of sagittal planes.

    Attributes
    ----------
    pairs : dict of str to (field, field)
        Two independent (H, W) fields per name of `FIELD_SIZES`.
    """

    pairs: dict[str, tuple[FloatArray, FloatArray]]

    def at(self, x: float) -> dict[str, FloatArray]:
        """Fields of the plane at world x (mm): the pairs turn into each other over about a correlation length."""
        planes = {}
        for name, (first, second) in self.pairs.items():
            turn = x / (1.2 * FIELD_SIZES[name][1])
            planes[name] = np.float32(np.cos(turn)) * first + np.float32(np.sin(turn)) * second
        return planes


def draw_textures(rng: np.random.Generator, shape: tuple[int, int], pixel: float) -> TextureBlock:
    """Draw the fields of one scan.

    Parameters
    ----------
    rng : numpy.random.Generator
    shape : tuple of int
        Rows and columns H, W of the planes.
    pixel : float
        Pixel size, mm.

    Returns
    -------
    TextureBlock
    """

    def pair(size: tuple[float, float]) -> tuple[FloatArray, FloatArray]:
        scale = (size[0] / pixel, size[1] / pixel)
        return smooth_noise(rng, shape, scale), smooth_noise(rng, shape, scale)

    return TextureBlock({name: pair(size) for name, size in FIELD_SIZES.items()})
