"""Painting what lies behind the canal: laminae, spinous processes, ligaments between them and back muscles."""

import numpy as np

from lookonce.synth.curve import FloatArray, IndexArray
from lookonce.synth.geometry import Spine
from lookonce.synth.shapes import bar, ellipse, rounded
from lookonce.synth.sheet import Sheet
from lookonce.synth.tissues import Tissue


def paint_arches(sheet: Sheet, spine: Spine, fattiness: float, cortex: float) -> None:
    """Paint arches and the tissue between them on a sheet; the canal is painted over it later.

    Parameters
    ----------
    sheet : Sheet
    spine : Spine
    fattiness : float
        0: firm muscles and ligaments; 1: everything between the processes is fatty.
    cortex : float
        Thickness of the dark border of bone, mm.
    """
    sheet = sheet.near(2, 75)
    if sheet.empty:
        return
    f32, bodies, profiles = np.float32, spine.bodies, spine.profiles
    nodes = spine.curve.s
    middle = (bodies.top + bodies.bottom) / 2
    behind = -sheet.u - profiles.canal.astype(f32)[sheet.node]
    slope = np.interp(nodes, middle, bodies.process_slope).astype(f32)[sheet.node]
    level = sheet.s - slope * np.clip(behind, 0, 40)
    root = bodies.bottom - 0.18 * (bodies.bottom - bodies.top)
    between = np.searchsorted((root[1:] + root[:-1]) / 2, nodes)
    index = between[spine.curve.index(level)]
    offset = level - root.astype(f32)[index]
    length = bodies.process.astype(f32)[index]
    _paint_gaps(
        sheet, spine, behind, offset, np.interp(nodes, middle, bodies.process).astype(f32)[sheet.node], fattiness
    )
    _paint_processes(sheet, spine, behind, offset, length, index, cortex)
    near_top = sheet.s < spine.dens_height + 6
    if near_top.any():
        arch = ellipse(behind - 3.5, sheet.s - 0.45 * spine.dens_height, 4.0 * spine.size, 4.6 * spine.size)
        sheet.paint(arch + 0.3, Tissue.CORTEX)
        sheet.paint(arch + 0.3 - cortex, Tissue.MARROW)


def _paint_gaps(
    sheet: Sheet, spine: Spine, behind: FloatArray, offset: FloatArray, reach: FloatArray, fattiness: float
) -> None:
    """Interspinous ligaments and fat near the mid-line, the yellow ligament, the supraspinous ligament."""
    end = np.minimum(sheet.s - 4, spine.bottom("S5") - sheet.s)
    thin = np.minimum(5.5 - np.abs(sheet.v) + sheet.noise["coarse"], end)
    gap = np.minimum(np.minimum(behind + 3, reach + 1 - behind), thin)
    mottled = np.clip(fattiness + 0.35 * sheet.noise["medium"] + 0.25 * sheet.noise["streak"], 0, 1)
    sheet.paint(gap, Tissue.GRISTLE, toward=Tissue.FAT, amount=mottled)
    # The two yellow ligaments leave a cleft of fat at the mid-line.
    yellow = np.minimum(1.7 - np.abs(behind - 1.5 - 0.15 * np.abs(offset)), end)
    yellow = np.minimum(yellow, bar(np.abs(sheet.v), 1.5 + sheet.noise["coarse"], 14))
    sheet.paint(yellow, Tissue.LIGAMENT, toward=Tissue.GRISTLE, amount=0.4)
    top = np.minimum(0.7 - np.abs(behind - reach - 1.2), thin)
    sheet.paint(np.minimum(top, spine.bottom("S3") - sheet.s), Tissue.LIGAMENT)


def _paint_processes(
    sheet: Sheet,
    spine: Spine,
    behind: FloatArray,
    offset: FloatArray,
    length: FloatArray,
    index: IndexArray,
    cortex: float,
) -> None:
    """A blade at the mid-line that grows towards its end, a lamina beside it."""
    f32, bodies = np.float32, spine.bodies
    half = bodies.process_half_height.astype(f32)[index]
    along = np.clip(behind / np.maximum(length, 1), 0, 1)
    lumpy = spine.findings.lumpy * (sheet.noise["coarse"] + 0.5 * sheet.noise["medium"])
    swelling = 0.55 + 0.6 * np.sin(np.float32(2.4) * along) ** 2
    blade = rounded(
        half * swelling - np.abs(offset) + lumpy * 0.5,
        np.minimum(length - behind + 0.7 * lumpy, behind + 1.5 + 0.5 * lumpy),
        spine.findings.process_corner,
    )
    aside = np.abs(sheet.v - bodies.process_aside.astype(f32)[index] * along)
    blade = np.minimum(blade, 4.2 - aside + 0.5 * lumpy)
    width = bodies.half_width.astype(f32)[index] * 0.75
    # Laminae overlap like shingles: each runs backwards on its way down.
    slant = offset + 3 - 0.7 * (behind - 2)
    lamina = rounded(0.6 * half + 1 - np.abs(slant) + 0.5 * lumpy, bar(behind, -0.5, 7.0 * spine.size), 2.5)
    lamina = np.minimum(lamina, width - np.abs(sheet.v))
    lamina = np.minimum(lamina, np.abs(sheet.v) - 3.5)
    bone = np.where(length > 1, np.maximum(blade, lamina), f32(-9))
    bone = np.minimum(bone, sheet.s - spine.dens_height)
    uneven = np.clip(0.7 + 0.5 * sheet.noise["coarse"] + 0.5 * sheet.noise["medium"], 0.05, 2)
    islands = 0.25 * sheet.noise["coarse"] + 0.25 * sheet.noise["medium"]
    sheet.paint(bone + 0.4, Tissue.CORTEX)
    sheet.paint(
        bone + 0.4 - cortex * uneven,
        Tissue.MARROW,
        toward=Tissue.FATTY_MARROW,
        amount=np.clip(spine.findings.process_fat + islands, 0, 1),
    )
