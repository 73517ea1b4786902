"""What goes wrong between a body and its picture: motion, truncation, fold-over, saturation, uneven noise.

Each acts as it does in a scanner: on the object before the coil, in k-space, or on the noise. Nothing here moves a
disc: ghosts and folds add to the picture, and the true one stays where it is.
"""

from dataclasses import dataclass

import numpy as np
from scipy.ndimage import gaussian_filter

from lookonce.synth.curve import FloatArray
from lookonce.synth.geometry import Spine
from lookonce.synth.texture import smooth_noise

FACE_MM = 45.0
"""Defacing removes what lies this far before the dens and up."""


@dataclass(frozen=True)
class Artefacts:
    """How a picture is spoilt; drawn once per scan. A share of 0 switches an artefact off.

    Attributes
    ----------
    kept : (H, W) float32 array
        Share of the object's signal that saturation bands and defacing leave.
    ghost : tuple of (axis, pixels, strength)
        Copies of moving tissue along the phase-encoding axis.
    moving : (H, W) float32 array
        How much each pixel moves: swallowing and breathing in front, pulsation in the canal.
    resolution : (2,) tuple
        Share of k-space measured along rows and columns; the rest is zero-filled, which rings at borders (Gibbs).
    folded : tuple of (axis, pixels)
        How much of the far border folds over onto the near one.
    fat_shift : tuple of (axis, pixels)
        Displacement of fat against water along the frequency-encoding axis.
    noise_size : float
        Standard deviation of the blur that zero-filling and filters leave on the noise, pixels.
    noise_map : (H, W) float32 array
        Relative noise, higher where parallel imaging unfolds.
    """

    kept: FloatArray
    ghost: tuple[int, int, float]
    moving: FloatArray
    resolution: tuple[float, float]
    folded: tuple[int, int]
    fat_shift: tuple[int, int]
    noise_size: float
    noise_map: FloatArray


def draw_artefacts(rng: np.random.Generator, spine: Spine, y: FloatArray, z: FloatArray) -> Artefacts:
    """Draw the artefacts of a scan on a grid of columns y and rows z (mm)."""
    spacing, shape = float(z[0] - z[1]), (len(z), len(y))
    phase = int(rng.random() < 0.35)
    line = np.interp(z[::-1], spine.curve.z[::-1], spine.curve.y[::-1])[::-1].astype(np.float32)[:, None]
    ahead = y.astype(np.float32)[None, :] - line
    ghosting = rng.random() < 0.4
    hump = np.exp(-(((np.arange(shape[1 - phase]) / shape[1 - phase] - rng.uniform(0.3, 0.7)) / 0.25) ** 2))
    uneven = 1 + rng.uniform(0, 1.5) * (rng.random() < 0.4) * (hump[:, None] if phase else hump[None, :])
    return Artefacts(
        kept=_draw_kept(rng, spine, ahead, y, z),
        ghost=(phase, int(rng.uniform(6, 60) / spacing), float(rng.uniform(0.02, 0.14)) if ghosting else 0.0),
        moving=_draw_moving(rng, ahead, shape, spacing),
        resolution=tuple(rng.uniform(0.45, 0.95, 2).tolist()) if rng.random() < 0.4 else (1.0, 1.0),
        folded=(phase, int(rng.uniform(0.02, 0.12) * shape[phase]) if rng.random() < 0.1 else 0),
        fat_shift=(1 - phase, int(rng.choice([-1, 1]) * rng.integers(1, 3)) if rng.random() < 0.45 else 0),
        noise_size=float(rng.uniform(0.3, 1.0)) if rng.random() < 0.6 else 0.0,
        noise_map=np.broadcast_to(uneven, shape).astype(np.float32),
    )


def shift_fat(image: FloatArray, fat: FloatArray, artefacts: Artefacts) -> FloatArray:
    """Displace the part of the signal that comes from fat.

    Parameters
    ----------
    image : (H, W) array
        Ideal signals.
    fat : (H, W) array
        Share of each pixel's signal that comes from fat.
    artefacts : Artefacts
    """
    axis, pixels = artefacts.fat_shift
    if not pixels:
        return image
    part = image * fat
    return image - part + np.roll(part, pixels, axis=axis)


def spoil(image: FloatArray, artefacts: Artefacts) -> FloatArray:
    """The object with everything but noise: saturated, moving, folded over, truncated; float32, not negative."""
    picture: FloatArray = image * artefacts.kept
    axis, pixels, strength = artefacts.ghost
    if strength:
        wandering = picture * artefacts.moving
        picture = picture + sum(
            strength / order * np.roll(wandering, sign * order * pixels, axis=axis)
            for order in (1, 2)
            for sign in (-1, 1)
        )
    axis, pixels = artefacts.folded
    if pixels:
        picture = picture.copy()
        near, far = np.moveaxis(picture, axis, 0)[:pixels], np.moveaxis(picture, axis, 0)[-pixels:]
        near += 0.8 * far
    if min(artefacts.resolution) < 1:
        picture = _truncated(picture, artefacts.resolution)
    return picture.astype(np.float32)


def draw_noise(rng: np.random.Generator, artefacts: Artefacts) -> FloatArray:
    """Complex noise of unit variance a channel before the noise map, (2, H, W) float32."""
    noise: FloatArray = rng.standard_normal((2, *artefacts.noise_map.shape), dtype=np.float32)
    if artefacts.noise_size > 0:
        noise = np.stack([gaussian_filter(part, artefacts.noise_size, truncate=3.0) for part in noise])
        noise /= max(float(noise.std()), 1e-6)
    return noise * artefacts.noise_map


def _truncated(picture: FloatArray, kept: tuple[float, float]) -> FloatArray:
    """Keep the centre of k-space alone."""
    k_space = np.fft.rfft2(picture)
    rows = np.abs(np.fft.fftfreq(picture.shape[0])) <= kept[0] / 2
    columns = np.fft.rfftfreq(picture.shape[1]) <= kept[1] / 2
    return np.abs(np.fft.irfft2(k_space * rows[:, None] * columns[None, :], s=picture.shape))


def _draw_kept(rng: np.random.Generator, spine: Spine, ahead: FloatArray, y: FloatArray, z: FloatArray) -> FloatArray:
    """A slanted band before the spine (as most spine protocols have), at times one across the top; a cut-off face."""
    kept: FloatArray = np.ones((len(z), len(y)), np.float32)
    if rng.random() < 0.45:
        lean = (z - z.mean())[:, None] * rng.normal(0, 0.12)
        edge = y[None, :] - np.mean(y[None, :] - ahead) - rng.uniform(42, 80) - lean
        kept *= 1 - rng.uniform(0.4, 0.95) / (1 + np.exp(-np.clip(edge / rng.uniform(1.5, 5), -30, 30)))
    if rng.random() < 0.06:
        edge = (z - z[0] + rng.uniform(10, 50))[:, None]
        kept = kept * (1 - rng.uniform(0.5, 0.95) / (1 + np.exp(-np.clip(edge / 3, -30, 30))))
    if rng.random() < 0.15:
        slant = rng.uniform(-0.6, 0.2)
        height = z[:, None] + rng.uniform(-10, 35)
        kept = np.where((y[None, :] - FACE_MM - slant * height > 0) & (height > 0), 0, kept)
    return kept.astype(np.float32)


def _draw_moving(rng: np.random.Generator, ahead: FloatArray, shape: tuple[int, int], spacing: float) -> FloatArray:
    """Tissue before the spine moves with breath and swallowing, the fluid in the canal with the heart."""
    front = np.clip((ahead - 35) / 25, 0, 1)
    canal = np.exp(-(((ahead + 8) / 6) ** 2)) * rng.uniform(0, 1)
    uneven = 1 + 0.4 * smooth_noise(rng, shape, (30 / spacing, 30 / spacing))
    return (np.maximum(front, canal) * np.clip(uneven, 0.2, 2)).astype(np.float32)
