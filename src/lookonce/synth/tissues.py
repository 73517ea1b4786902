"""Tissues and their magnetic resonance properties.

Relaxation times are rounded from Stanisz et al., MRM 54 (2005) 507-512 (cord, muscle, blood, cartilage, 1.5 and
3 T), de Bazelaire et al., Radiology 230 (2004) 652-659 (marrow, fat, liver, 1.5 and 3 T), Gold et al., AJR 183
(2004) 343-351 (muscle, fat, marrow, fluid) and Bojorquez et al., MRI 35 (2017) 69-80 (review, 3 T). Disc values
follow the range of published T2 maps (nucleus 80-160 ms healthy, 40-60 ms degenerated). Solid tissues without
signal at clinical echo times (cortex, ligament) carry token values. Everything is jittered before use, so second
digits do not matter.
"""

from dataclasses import dataclass
from enum import IntEnum

import numpy as np
from numpy.typing import NDArray


class Tissue(IntEnum):
    """What a point of the body is made of; the values are the labels of a tissue map."""

    AIR = 0
    LUNG = 1
    CORTEX = 2
    MARROW = 3
    FATTY_MARROW = 4
    ANNULUS = 5
    NUCLEUS = 6
    LIGAMENT = 7
    CSF = 8
    CORD = 9
    NERVE = 10
    EPIDURAL_FAT = 11
    FAT = 12
    SKIN = 13
    MUSCLE = 14
    VEIN = 15
    BLOOD = 16
    LIVER = 17
    ORGAN = 18
    BOWEL = 19
    FLUID = 20
    GREY_MATTER = 21
    WHITE_MATTER = 22
    MUCOSA = 23
    EDEMA = 24
    GRISTLE = 25


@dataclass(frozen=True)
class Properties:
    """Of one tissue; times in ms.

    Attributes
    ----------
    density : float
        Proton density relative to water.
    t1, t2 : tuple of float
        Relaxation times of the water part at 1.5 T and 3 T.
    t2_star : float
        Effective transverse decay in gradient echoes at 1.5 T.
    fat : float
        Share of the signal that comes from fat.
    texture : tuple of float
        Relative standard deviation of intensity at about 12, 4 and 1.5 mm.
    """

    density: float
    t1: tuple[float, float]
    t2: tuple[float, float]
    t2_star: float
    fat: float
    texture: tuple[float, float, float]


PROPERTIES: dict[Tissue, Properties] = {
    Tissue.AIR: Properties(0.0, (1000, 1000), (50, 50), 1, 0.0, (0, 0, 0)),
    Tissue.LUNG: Properties(0.12, (1200, 1300), (40, 40), 2, 0.0, (0.3, 0.5, 0.4)),
    Tissue.CORTEX: Properties(0.12, (500, 600), (12, 10), 2, 0.1, (0.1, 0.2, 0.2)),
    Tissue.MARROW: Properties(0.75, (700, 850), (52, 45), 14, 0.4, (0.06, 0.07, 0.06)),
    Tissue.FATTY_MARROW: Properties(0.8, (600, 700), (55, 50), 14, 0.75, (0.1, 0.12, 0.08)),
    Tissue.ANNULUS: Properties(0.5, (850, 950), (32, 28), 15, 0.0, (0.1, 0.12, 0.1)),
    Tissue.NUCLEUS: Properties(0.92, (1150, 1300), (115, 100), 45, 0.0, (0.08, 0.08, 0.05)),
    Tissue.LIGAMENT: Properties(0.28, (600, 700), (16, 14), 5, 0.05, (0.2, 0.25, 0.15)),
    Tissue.CSF: Properties(1.0, (4000, 4200), (1800, 1600), 300, 0.0, (0.05, 0.04, 0.02)),
    Tissue.CORD: Properties(0.82, (800, 950), (80, 75), 50, 0.0, (0.03, 0.03, 0.02)),
    Tissue.NERVE: Properties(0.8, (900, 1050), (95, 85), 45, 0.0, (0.08, 0.1, 0.05)),
    Tissue.EPIDURAL_FAT: Properties(0.95, (300, 380), (90, 85), 30, 0.93, (0.08, 0.1, 0.05)),
    Tissue.FAT: Properties(0.97, (290, 370), (95, 90), 35, 0.96, (0.06, 0.06, 0.03)),
    Tissue.SKIN: Properties(0.65, (750, 900), (40, 35), 12, 0.15, (0.1, 0.15, 0.1)),
    Tissue.MUSCLE: Properties(0.8, (950, 1350), (40, 34), 25, 0.04, (0.08, 0.1, 0.06)),
    Tissue.VEIN: Properties(0.9, (1200, 1500), (130, 90), 40, 0.1, (0.1, 0.1, 0.05)),
    Tissue.BLOOD: Properties(0.9, (1300, 1800), (200, 150), 60, 0.0, (0.2, 0.15, 0.05)),
    Tissue.LIVER: Properties(0.8, (580, 810), (48, 38), 22, 0.04, (0.06, 0.1, 0.05)),
    Tissue.ORGAN: Properties(0.85, (900, 1150), (70, 60), 35, 0.05, (0.15, 0.15, 0.06)),
    Tissue.BOWEL: Properties(0.75, (1000, 1300), (75, 65), 15, 0.05, (0.45, 0.4, 0.1)),
    Tissue.FLUID: Properties(1.0, (3200, 3600), (900, 800), 200, 0.0, (0.03, 0.02, 0.01)),
    Tissue.GREY_MATTER: Properties(0.86, (1120, 1500), (98, 90), 60, 0.0, (0.06, 0.06, 0.03)),
    Tissue.WHITE_MATTER: Properties(0.78, (720, 950), (78, 70), 50, 0.0, (0.05, 0.05, 0.03)),
    Tissue.MUCOSA: Properties(0.9, (1100, 1350), (90, 80), 30, 0.0, (0.2, 0.25, 0.1)),
    Tissue.EDEMA: Properties(0.9, (1100, 1300), (95, 85), 30, 0.15, (0.1, 0.1, 0.05)),
    Tissue.GRISTLE: Properties(0.6, (900, 1050), (38, 35), 15, 0.2, (0.25, 0.35, 0.2)),
}
"""Every tissue's properties; `GRISTLE` is the mixture of ligament and fat between spinous processes."""


def property_table(name: str) -> NDArray[np.float64]:
    """One property of all tissues, in the order of their labels.

    Parameters
    ----------
    name : str
        A field of `Properties`.

    Returns
    -------
    (T,) or (T, 2) or (T, 3) array
        Indexed by `Tissue` value.
    """
    return np.array([getattr(PROPERTIES[tissue], name) for tissue in Tissue], float)
