"""Distances used by all painters: positive inside, mm, and only as exact as an anti-aliased border needs."""

import numpy as np

from lookonce.synth.curve import FloatArray


def rounded(first: FloatArray, second: FloatArray, radius: float) -> FloatArray:
    """Intersection of two half spaces with a rounded corner of the given radius."""
    low = np.minimum(first, second)
    corner = radius - np.hypot(np.maximum(radius - first, 0), np.maximum(radius - second, 0))
    return corner + np.maximum(low - radius, 0)


def ellipse(a: FloatArray, b: FloatArray, radius_a: FloatArray | float, radius_b: FloatArray | float) -> FloatArray:
    """Distance to the border of an axis-parallel ellipse at offsets a, b from its centre."""
    reach = np.sqrt((a * (1 / radius_a)) ** 2 + (b * (1 / radius_b)) ** 2)
    return (1 - reach) * np.minimum(radius_a, radius_b, dtype=np.float32)


def side_scale(v: FloatArray, half_width: FloatArray | float, power: float = 2.0) -> FloatArray:
    """How much of its mid-plane extent a (super)elliptic cross-section keeps at lateral offset v; 0 beyond it."""
    left = 1 - np.minimum(np.abs(v) / half_width, 1) ** power
    return left ** np.float32(1 / power)


def bar(value: FloatArray, low: FloatArray | float, high: FloatArray | float) -> FloatArray:
    """Distance to the nearer end of an interval."""
    return np.minimum(value - low, high - value)
