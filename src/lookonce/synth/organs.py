"""Organs before the spine: random ellipsoids hung on named vertebrae.

They need to be rich rather than right: bowel gas, vessels and the bladder must not pass for discs.
"""

from dataclasses import dataclass

import numpy as np

from lookonce.synth.curve import FloatArray, IndexArray
from lookonce.synth.geometry import Spine
from lookonce.synth.sheet import Sheet
from lookonce.synth.tissues import Tissue

CLEAR_OF_SPINE = 30.0
"""Organs end this far before the posterior walls of the bodies, mm."""
BOWEL_LEVELS = ("L1", "L2", "L3", "L4", "L5", "S1")
BOWEL_CONTENTS = {Tissue.AIR: 0.25, Tissue.BOWEL: 0.45, Tissue.ORGAN: 0.2, Tissue.FLUID: 0.1}


@dataclass(frozen=True)
class _Plan:
    """Mean place and size of an organ: mm before the named body's posterior wall, x, radii along x, y, z, wall."""

    level: str
    ahead: float
    x: float
    radius: tuple[float, float, float]
    tissue: Tissue
    wall: Tissue
    thickness: float


_PLANS = (
    _Plan("T8", 75, -15, (45, 32, 42), Tissue.BLOOD, Tissue.MUSCLE, 9),  # heart
    _Plan("T4", 48, 0, (16, 13, 18), Tissue.BLOOD, Tissue.LIGAMENT, 1.5),  # great vessels
    _Plan("T12", 88, 45, (75, 50, 55), Tissue.LIVER, Tissue.FAT, 1),
    _Plan("L1", 58, 0, (40, 14, 16), Tissue.ORGAN, Tissue.FAT, 2),  # pancreas
    _Plan("S3", 85, 0, (38, 28, 22), Tissue.FLUID, Tissue.MUSCLE, 3.5),  # bladder
    _Plan("S2", 52, 0, (25, 18, 26), Tissue.ORGAN, Tissue.MUSCLE, 3),  # uterus or sigmoid
    _Plan("S3", 26, 0, (14, 9, 17), Tissue.AIR, Tissue.MUSCLE, 2.5),  # rectum
    _Plan("S5", 26, 0, (14, 9, 17), Tissue.BOWEL, Tissue.MUSCLE, 2.5),
    _Plan("Co3", 115, 0, (12, 9, 18), Tissue.MARROW, Tissue.CORTEX, 1.2),  # pubic symphysis
)


@dataclass(frozen=True)
class Organs:
    """N ellipsoids; lengths in mm.

    Attributes
    ----------
    centre : (N, 3) array
        World x, y, z.
    radius : (N, 3) array
    tissue, wall : (N,) integer arrays
        Content and wall (`Tissue` values).
    thickness : (N,) array
        Of the wall, 0: none.
    """

    centre: FloatArray
    radius: FloatArray
    tissue: IndexArray
    wall: IndexArray
    thickness: FloatArray


def draw_organs(rng: np.random.Generator, spine: Spine) -> Organs:
    """Draw the organs of a person: the named ones near their places, bowel loops anywhere in the belly."""
    plans = [*_PLANS, *(_draw_loop(rng, spine) for _ in range(int(rng.integers(6, 16))))]
    count, size = len(plans), spine.size
    levels = np.array([spine.middle(plan.level) for plan in plans])
    centre = spine.curve.to_world(levels, np.zeros(count))
    centre[:, 0] += np.array([plan.x for plan in plans]) + rng.normal(0, 6, count)
    centre[:, 1] += size * np.array([plan.ahead for plan in plans]) * rng.uniform(0.75, 1.25, count)
    radius = size * np.array([plan.radius for plan in plans]) * rng.uniform(0.7, 1.3, (count, 3))
    return Organs(
        centre.astype(np.float32),
        radius.astype(np.float32),
        np.array([plan.tissue for plan in plans], int),
        np.array([plan.wall for plan in plans], int),
        size * np.array([plan.thickness for plan in plans]) * rng.uniform(0.7, 1.3, count),
    )


def _draw_loop(rng: np.random.Generator, spine: Spine) -> _Plan:
    content = Tissue(rng.choice(list(BOWEL_CONTENTS), p=list(BOWEL_CONTENTS.values())))
    width = rng.uniform(7, 18)
    radius = (width * rng.uniform(1, 2), width, width * rng.uniform(0.6, 1.6))
    level = str(rng.choice([level for level in BOWEL_LEVELS if level in spine.names]))
    return _Plan(level, rng.uniform(68, 125), rng.normal(0, 25), radius, content, Tissue.ORGAN, rng.uniform(0.8, 2.5))


def paint_organs(sheet: Sheet, organs: Organs) -> None:
    """Paint the organs that the sheet cuts; their borders wander with the sheet's noise."""
    for index in range(len(organs.tissue)):
        x, y, z = (float(value) for value in organs.centre[index])
        radius_x, radius_y, radius_z = (float(value) for value in organs.radius[index])
        left = 1 - ((sheet.x - x) / radius_x) ** 2
        if left <= 0.05:
            continue
        ry, rz = radius_y * left**0.5, radius_z * left**0.5
        part = sheet.crop(z + 1.5 * rz, z - 1.5 * rz, y + 1.5 * ry, y - 1.5 * ry)
        if part.empty:
            continue
        reach = np.sqrt(((part.y - y) / ry) ** 2 + ((part.z[:, None] - z) / rz) ** 2)
        shape = (1 - reach + 0.14 * part.noise["coarse"] + 0.1 * part.noise["broad"]) * min(ry, rz)
        shape = np.minimum(shape, part.u - CLEAR_OF_SPINE)
        if organs.thickness[index] > 0:
            part.paint(shape + float(organs.thickness[index]), Tissue(organs.wall[index]))
        part.paint(shape, Tissue(organs.tissue[index]))
