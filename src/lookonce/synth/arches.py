"""Painting what lies behind the canal: laminae, spinous processes, ligaments between them and back muscles."""

import numpy as np

from lookonce.synth.curve import FloatArray, IndexArray
from lookonce.synth.geometry import Spine
from lookonce.synth.shapes import ellipse, rounded
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
    yellow = np.minimum(2.0 - np.abs(behind - 0.5 - 0.15 * np.abs(offset)), end)
    sheet.paint(np.minimum(yellow, 14 - np.abs(sheet.v)), Tissue.LIGAMENT, toward=Tissue.GRISTLE, amount=0.4)
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
    lumpy = 1.2 * sheet.noise["coarse"]
    blade = rounded(
        half * (0.62 + 0.42 * along) - np.abs(offset) + lumpy * 0.4, np.minimum(length - behind, behind + 1.5), 3.0
    )
    aside = np.abs(sheet.v - bodies.process_aside.astype(f32)[index] * along)
    blade = np.minimum(blade, 4.2 - aside + 0.5 * lumpy)
    width = bodies.half_width.astype(f32)[index] * 0.75
    lamina = rounded(0.85 * half + 1.5 - np.abs(offset + 2), np.minimum(behind + 0.5, 6.0 * spine.size - behind), 2.5)
    lamina = np.minimum(lamina, width - np.abs(sheet.v))
    lamina = np.minimum(lamina, np.abs(sheet.v) - 1.5)
    bone = np.where(length > 1, np.maximum(blade, lamina), f32(-9))
    bone = np.minimum(bone, sheet.s - spine.dens_height)
    sheet.paint(bone + 0.5, Tissue.CORTEX)
    sheet.paint(
        bone + 0.5 - cortex,
        Tissue.MARROW,
        toward=Tissue.FATTY_MARROW,
        amount=np.clip(0.3 + 0.2 * sheet.noise["coarse"], 0, 1),
    )
