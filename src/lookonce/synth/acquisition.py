"""From anatomy to a measured picture: field of view, coil sensitivity, blur, noise, scaling."""

from dataclasses import dataclass

import numpy as np
from scipy.ndimage import gaussian_filter

from lookonce.synth.artefacts import Artefacts, draw_artefacts, draw_noise, spoil
from lookonce.synth.curve import FloatArray
from lookonce.synth.geometry import Spine
from lookonce.synth.surroundings import Surroundings
from lookonce.synth.texture import smooth_noise

FIELDS_OF_VIEW = ("cervical", "thoracic", "lumbar", "whole", "spine-generic")
#: Shares of the first four among random views; the fifth is one protocol, for comparing with the papers.
_RANDOM_SHARES = (0.34, 0.16, 0.4, 0.1)
_ENDS = {
    # first and last body of the view, and how far its borders wander, mm
    "cervical": ("C2", "T4", 55.0, 45.0),
    "thoracic": ("T1", "T12", 50.0, 50.0),
    "lumbar": ("T12", "S2", 60.0, 55.0),
    "whole": ("C3", "L4", 60.0, 70.0),
}
_CENTRE_OF_HEAD = 35.0
#: Height of the sagittal views of the Spine Generic protocol, from the brain to T4, and the range of their widths, mm.
_GENERIC_HEIGHT, _GENERIC_WIDTHS = 256.0, (200.0, 256.0)


@dataclass(frozen=True)
class View:
    """A rectangle in the sagittal plane, world mm; `name` is one of `FIELDS_OF_VIEW`."""

    name: str
    top: float
    bottom: float
    front: float
    back: float

    def axes(self, spacing: float) -> tuple[FloatArray, FloatArray]:
        """Columns (world y) and rows (world z), both falling, mm."""
        columns = max(8, round((self.front - self.back) / spacing))
        rows = max(8, round((self.top - self.bottom) / spacing))
        return self.front - spacing * np.arange(columns), self.top - spacing * np.arange(rows)


def draw_view(rng: np.random.Generator, spine: Spine, around: Surroundings, name: str) -> View:
    """Draw where the scanner looks.

    Parameters
    ----------
    rng : numpy.random.Generator
    spine, around : Spine, Surroundings
    name : str
        One of `FIELDS_OF_VIEW` or "random".

    Returns
    -------
    View

    Raises
    ------
    ValueError
        If the name is unknown.
    """
    if name == "random":
        name = str(rng.choice(FIELDS_OF_VIEW[: len(_RANDOM_SHARES)], p=_RANDOM_SHARES))
    if name == "spine-generic":
        return _draw_generic(rng, spine, around)
    if name not in _ENDS:
        raise ValueError(f"field_of_view={name!r} is not one of {', '.join(FIELDS_OF_VIEW)}, random")
    first, last, slack_top, slack_bottom = _ENDS[name]
    s_top, s_bottom = spine.top(first), spine.bottom(last)
    if name == "cervical":
        s_top -= _CENTRE_OF_HEAD
    ends = spine.curve.to_world(np.array([s_top, s_bottom]), np.zeros(2))
    top, bottom = ends[0, 2] + rng.uniform(-0.8, 1) * slack_top, ends[1, 2] - rng.uniform(-0.8, 1) * slack_bottom
    if name != "whole" and rng.random() < 0.2:
        middle, height = rng.uniform(bottom, top), rng.uniform(90, 180)
        top, bottom = middle + height / 2, middle - height / 2
    return _draw_sides(rng, spine, around, name, top, bottom)


def _draw_generic(rng: np.random.Generator, spine: Spine, around: Surroundings) -> View:
    """The sagittal view of the Spine Generic protocol: brain to T4, all in the middle of the neck."""
    ends = spine.curve.to_world(np.array([spine.top("C2"), spine.bottom("T4")]), np.zeros(2))
    # A long neck would push the brain out.
    bottom = max(ends[1, 2] - rng.uniform(5, 40), ends[0, 2] + _CENTRE_OF_HEAD - _GENERIC_HEIGHT)
    top = bottom + _GENERIC_HEIGHT
    skin = np.interp(np.linspace(bottom, top, 32), around.z, around.back)
    back = skin.min() - rng.uniform(0, 35)
    return View("spine-generic", float(top), float(bottom), float(back + rng.uniform(*_GENERIC_WIDTHS)), float(back))


def _draw_sides(
    rng: np.random.Generator, spine: Spine, around: Surroundings, name: str, top: float, bottom: float
) -> View:
    """Front and back borders: mostly from the air behind the skin to somewhere before the spine."""
    inside = (spine.curve.z < top) & (spine.curve.z > bottom)
    line = spine.curve.y[inside]
    skin = np.interp(np.linspace(bottom, top, 32), around.z, around.back)
    back = skin.min() - (rng.uniform(-15, 45) if rng.random() < 0.9 else rng.uniform(40, 110))
    if rng.random() < 0.2:
        back = line.min() - rng.uniform(25, 60)
    ahead = rng.uniform(45, 110) if rng.random() < 0.6 else rng.uniform(100, 230)
    front = line.max() + ahead * (0.75 if name == "thoracic" else 1.0)
    return View(name, float(top), float(bottom), float(front), float(back))


@dataclass(frozen=True)
class Measurement:
    """How a picture is degraded; drawn once per scan so that all slices agree.

    Attributes
    ----------
    sensitivity : (H, W) float32 array
        Coil sensitivity.
    blur : (2,) tuple
        Standard deviation along rows and columns, pixels.
    noise : float
        Standard deviation of complex noise relative to the 90th percentile of the picture.
    margins : tuple of int
        Zero-filled pixels at the top, bottom, front and back.
    sharpening : float
        Strength of the edge enhancement that consoles apply, 0: none.
    gamma : float
        Exponent applied to the scaled picture (vendors' windowing), 1: none.
    clipped : float
        Percentile above which exports clip intensities.
    artefacts : Artefacts
    """

    sensitivity: FloatArray
    blur: tuple[float, float]
    noise: float
    margins: tuple[int, int, int, int]
    sharpening: float
    gamma: float
    clipped: float
    artefacts: Artefacts


def draw_measurement(
    rng: np.random.Generator, spine: Spine, around: Surroundings, y: FloatArray, z: FloatArray
) -> Measurement:
    """Draw the degradation for a grid of columns y and rows z (mm)."""
    spacing = float(z[0] - z[1])
    shape = (len(z), len(y))
    low, high = np.sort(rng.uniform(0, 1.0, 2))
    margins = [0, 0, 0, 0]
    if rng.random() < 0.12:
        side = int(rng.integers(0, 4))
        margins[side] = int(rng.uniform(2, 0.15 * shape[side // 2]))
    return Measurement(
        sensitivity=_draw_sensitivity(rng, around, y, z),
        blur=(float(low / spacing), float(rng.choice([low, high]) / spacing)),
        noise=float(np.exp(rng.uniform(np.log(0.008), np.log(0.08)))),
        margins=(margins[0], margins[1], margins[2], margins[3]),
        sharpening=float(rng.uniform(0.2, 1.2)) if rng.random() < 0.35 else 0.0,
        gamma=float(np.exp(rng.normal(0, 0.15))) if rng.random() < 0.5 else 1.0,
        clipped=float(rng.uniform(97, 99.5)) if rng.random() < 0.2 else 99.5,
        artefacts=draw_artefacts(rng, spine, y, z),
    )


def _draw_sensitivity(rng: np.random.Generator, around: Surroundings, y: FloatArray, z: FloatArray) -> FloatArray:
    """A posterior surface coil that fades forwards and at its ends, and a gentle random drift."""
    spacing = float(z[0] - z[1])
    skin = np.interp(z, around.z, around.back).astype(np.float32)[:, None]
    depth = np.maximum(y.astype(np.float32)[None, :] - skin, 0)
    reach = np.exp(rng.uniform(np.log(60), np.log(500)))
    sharp = rng.uniform(1.0, 2.2)
    coil = 1 / (1 + (depth / np.float32(reach)) ** np.float32(sharp))
    centre, half = rng.uniform(z[-1], z[0]), (z[0] - z[-1]) * rng.uniform(0.45, 1.6)
    ends = np.exp(-(np.abs((z - centre) / half) ** 4)).astype(np.float32)[:, None]
    drift = smooth_noise(rng, (len(z), len(y)), (90 / spacing, 90 / spacing))
    return coil * (0.15 + 0.85 * ends) * np.exp(np.float32(rng.uniform(0.02, 0.3)) * drift)


def measure(rng: np.random.Generator, image: FloatArray, measurement: Measurement) -> FloatArray:
    """Degrade a picture of ideal signals.

    Parameters
    ----------
    rng : numpy.random.Generator
        For the noise.
    image : (H, W) array
        Ideal signals, brightest tissue about 1.
    measurement : Measurement

    Returns
    -------
    (H, W) float32 array
        Magnitude with Rician noise; not yet scaled.
    """
    picture = spoil(image, measurement.artefacts) * measurement.sensitivity
    if max(measurement.blur) > 0.2:
        picture = gaussian_filter(picture, measurement.blur, truncate=3.0)
    bright = np.percentile(picture.ravel()[::7], 90)
    noise = draw_noise(rng, measurement.artefacts) * np.float32(measurement.noise * bright)
    picture = np.hypot(picture + noise[0], noise[1])
    if measurement.sharpening > 0:
        soft = gaussian_filter(picture, 1.0, truncate=2.0)
        picture = np.maximum(picture + np.float32(measurement.sharpening) * (picture - soft), 0)
    top, bottom, front, back = measurement.margins
    picture[:top] = 0
    picture[len(picture) - bottom :] = 0
    picture[:, :front] = 0
    picture[:, picture.shape[1] - back :] = 0
    return picture


def scale_robustly(image: FloatArray, gamma: float = 1.0, clipped: float = 99.5) -> FloatArray:
    """Map the 0.5 and `clipped` percentiles to 0 and 1, clip, apply an exponent; float32 of the same shape."""
    sample = image.ravel()[:: max(1, image.size // 40000)]
    low, high = np.percentile(sample, (0.5, clipped))
    scaled = np.clip((image - low) / max(high - low, 1e-6), 0, 1)
    return (scaled if gamma == 1.0 else scaled ** np.float32(gamma)).astype(np.float32)
