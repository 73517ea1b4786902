"""What lies around the spine: outline of the body, skin, fat, muscles, chest and great vessels.

A network takes only a rough sense of place from these parts. Outlines are functions of world z.
"""

from dataclasses import dataclass

import numpy as np
from scipy.ndimage import gaussian_filter1d

from lookonce.synth.curve import FloatArray
from lookonce.synth.geometry import Spine
from lookonce.synth.organs import Organs, draw_organs, paint_organs
from lookonce.synth.sheet import Sheet
from lookonce.synth.tissues import Tissue

Z_STEP = 2.0
OUTLINE_BLUR = 11.0
"""Smoothing of the outlines, steps of z: skin bridges the bends of the spine."""
BACK_MUSCLE = {"C2": 42.0, "C5": 44.0, "T1": 46.0, "T6": 42.0, "T12": 42.0, "L3": 46.0, "S1": 34.0, "S4": 24.0}
BACK_FAT = {"C2": 7.0, "C7": 9.0, "T3": 9.0, "T9": 6.0, "L1": 7.0, "L5": 15.0, "S2": 20.0, "S5": 18.0}
FRONT_DEPTH = {
    "C2": 78.0,
    "C5": 62.0,
    "T1": 56.0,
    "T3": 72.0,
    "T5": 98.0,
    "T9": 140.0,
    "L1": 140.0,
    "L5": 125.0,
    "S3": 140.0,
    "Co2": 150.0,
}
BELLY_DEPTH = {"T9": 0.0, "L1": 140.0, "L5": 125.0, "S3": 140.0, "Co2": 0.0}
FRONT_FAT = {"C2": 4.0, "T3": 8.0, "L1": 18.0, "S2": 22.0}
"""Mean distances at named levels, mm; the belly's part is what a fuller or flatter belly scales."""


@dataclass(frozen=True)
class Surroundings:
    """Outlines on a falling axis of world z, and organs; mm.

    Attributes
    ----------
    z : (Z,) array
        Rising.
    back, front : (Z,) arrays
        World y of the skin at the mid-line.
    front_fat : (Z,) array
        Thickness of the fat under the skin in front.
    muscle_back : (Z,) array
        World y of the posterior border of the vertebral muscles.
    hollow : (Z,) array
        Share of lung (rather than fat and vessels) before the spine.
    muscle_fat : float
        Fat in the muscles, 0 to 1.
    aorta : (2,) array
        Radius and world x of its centre.
    organs : Organs
    """

    z: FloatArray
    back: FloatArray
    front: FloatArray
    front_fat: FloatArray
    muscle_back: FloatArray
    hollow: FloatArray
    muscle_fat: float
    aorta: FloatArray
    organs: Organs


def draw_surroundings(rng: np.random.Generator, spine: Spine) -> Surroundings:
    """Draw the body around a spine."""
    curve = spine.curve
    order = np.argsort(curve.z, kind="stable")
    z = np.arange(curve.z.min() - 120, curve.z.max() + 40, Z_STEP)
    line = np.interp(z, curve.z[order], curve.y[order])
    s = np.interp(z, curve.z[order], curve.s[order])
    fatness = rng.gamma(1.8, 0.55)
    muscle_back, back = _draw_back(rng, spine, line, s, fatness)
    belly = rng.uniform(0.75, 1.5)
    depth = np.interp(s, *spine.along(FRONT_DEPTH)) + np.interp(s, *spine.along(BELLY_DEPTH)) * (belly - 1)
    front = gaussian_filter1d(line + depth * spine.size * rng.uniform(0.85, 1.15), 0.7 * OUTLINE_BLUR, mode="nearest")
    return Surroundings(
        z=z,
        back=back,
        front=front,
        front_fat=np.interp(s, *spine.along(FRONT_FAT)) * fatness * rng.uniform(0.5, 1.5) + 2,
        muscle_back=muscle_back,
        hollow=np.interp(s, *spine.along({"T2": 0.0, "T5": 0.8, "T10": 0.7, "T12": 0.0})),
        muscle_fat=float(np.clip(rng.beta(1.2, 3) + 0.1 * fatness, 0, 0.9)),
        aorta=np.array([rng.uniform(7, 12), rng.normal(-9, 7)], np.float32),
        organs=draw_organs(rng, spine),
    )


def _draw_back(
    rng: np.random.Generator, spine: Spine, line: FloatArray, s: FloatArray, fatness: float
) -> tuple[FloatArray, FloatArray]:
    """Back border of the muscles and the skin behind their fat, at heights where the line has these y and s."""
    canal = spine.profiles.canal[spine.curve.index(s)]
    muscle = np.interp(s, *spine.along(BACK_MUSCLE)) * spine.size * rng.uniform(0.85, 1.2) + canal * 0.5
    fat = np.interp(s, *spine.along(BACK_FAT)) * fatness * rng.uniform(0.6, 1.4) + 2.5
    fat += gaussian_filter1d(rng.normal(0, 8, len(s)), 12) * min(fatness, 2)
    fat = np.maximum(fat, 2)
    border = gaussian_filter1d(line - muscle, OUTLINE_BLUR, mode="nearest")
    return border, gaussian_filter1d(border - fat, OUTLINE_BLUR / 2, mode="nearest")


def paint_surroundings(sheet: Sheet, spine: Spine, around: Surroundings) -> None:
    """Paint skin, fat, muscles, chest and belly on a sheet; the spine itself comes later."""
    f32 = np.float32

    def at_rows(values: FloatArray) -> FloatArray:
        return np.interp(sheet.z, around.z, values).astype(f32)[:, None]

    ripple = 2.0 * sheet.noise["broad"]
    edge = 0.4 * sheet.noise["coarse"]
    back, front = at_rows(around.back) + edge, at_rows(around.front) + ripple
    body = np.minimum(sheet.y - back, front - sheet.y)
    sheet.paint(body, Tissue.SKIN)
    sheet.paint(body - 1.6, Tissue.FAT)
    septa = np.abs(sheet.noise["coarse"] + 0.5 * sheet.noise["streak"])
    sheet.paint(body - 3, Tissue.FAT, toward=Tissue.LIGAMENT, amount=np.clip(0.5 - 6 * septa, 0, 1) * 0.5)
    inner = np.minimum(sheet.y - at_rows(around.muscle_back) - ripple, front - at_rows(around.front_fat) - sheet.y)
    lines = sheet.noise["streak"] + 0.4 * sheet.noise["medium"]
    fatty = np.clip((lines - 1.4 + 2.2 * around.muscle_fat) * 0.9, 0, 1)
    sheet.paint(inner, Tissue.MUSCLE, toward=Tissue.FAT, amount=fatty)
    _paint_cavity(sheet, spine, around, inner, at_rows(around.hollow))
    paint_organs(sheet, around.organs)
    _paint_vessels(sheet, spine, around, inner)


def _paint_cavity(sheet: Sheet, spine: Spine, around: Surroundings, inner: FloatArray, hollow: FloatArray) -> None:
    """Fat with vessels before the spine; lungs, more of them away from the mid-line."""
    chest = sheet.s - spine.top("T1") - 0.35 * sheet.u + 10 * sheet.noise["broad"]
    ahead = sheet.u - 22 * spine.size
    cavity = np.minimum(np.minimum(ahead, inner - 9), chest)
    mixed = np.clip(0.25 + 0.45 * sheet.noise["broad"] + 0.35 * sheet.noise["coarse"], 0, 1)
    sheet.paint(cavity, Tissue.FAT, toward=Tissue.ORGAN, amount=mixed)
    aside = np.clip(np.abs(sheet.v) / 25, 0, 1)
    lung = np.minimum(cavity - 4, (hollow * (0.75 + 0.6 * aside) - 0.45) * 30 + 8 * sheet.noise["broad"])
    sheet.paint(lung, Tissue.LUNG)


def _paint_vessels(sheet: Sheet, spine: Spine, around: Surroundings, inner: FloatArray) -> None:
    """Aorta and vena cava before the spine from T4 to L4, a layer of fat behind them; presacral fat."""
    bodies = spine.bodies
    sheet = sheet.near(85, 2)
    if sheet.empty:
        return
    depth = np.interp(spine.curve.s, (bodies.top + bodies.bottom) / 2, bodies.depth_bottom).astype(np.float32)[
        sheet.node
    ]
    start, end = spine.top("T4"), spine.bottom("L4")
    trunk, middle = np.minimum(sheet.s - start, end - sheet.s), spine.top("T10")
    sheet.paint(
        np.minimum(np.minimum(sheet.u, depth + 7 - sheet.u), trunk + 6), Tissue.FAT, toward=Tissue.MUSCLE, amount=0.25
    )
    radius, x = around.aorta
    for centre_x, tissue_radius in ((x, radius), (x + 24, radius * 0.9)):
        drift = np.float32(0.16) * np.maximum(middle - sheet.s, 0)
        aside = (sheet.v - centre_x + drift) / tissue_radius
        keep = np.sqrt(np.maximum(1 - aside**2, 0)) * np.clip(trunk / 25 + 0.1 * sheet.noise["coarse"], 0, 1)
        ahead = sheet.u - depth - 4 - tissue_radius - 1.5 * sheet.noise["broad"]
        vessel = np.minimum(tissue_radius * keep - np.abs(ahead), trunk) - (keep <= 0.1) * np.float32(20)
        sheet.paint(vessel + 1.2, Tissue.LIGAMENT)
        sheet.paint(vessel, Tissue.BLOOD)
    sacral = np.minimum(sheet.s - spine.top("S1") - 8, spine.bottom(spine.names[-1]) + 6 - sheet.s)
    sheet.paint(np.minimum(np.minimum(sheet.u, depth + 11 - sheet.u), sacral), Tissue.FAT)
