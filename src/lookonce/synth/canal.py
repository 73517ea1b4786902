"""Painting the spinal canal: epidural fat, thecal sac, cord and cauda equina; and beside it pedicles and foramina."""

from dataclasses import dataclass

import numpy as np

from lookonce.synth.curve import FloatArray
from lookonce.synth.geometry import Spine
from lookonce.synth.shapes import bar, rounded, side_scale
from lookonce.synth.sheet import Sheet
from lookonce.synth.tissues import Tissue


@dataclass(frozen=True)
class CanalLook:
    """What the canal of one person looks like.

    Attributes
    ----------
    dura : float
        Thickness of the dark line around the sac, mm.
    roots : float
        How many nerve roots fill the sac below the conus, about 0 to 1.
    waves : (3, 3) array
        Frequency across the sac, drift and phase of the strands of the cauda equina.
    flow : float
        Strength of dark flow in the fluid behind the cord, 0 to 1.
    """

    dura: float
    roots: float
    waves: FloatArray
    flow: float


def draw_canal_look(rng: np.random.Generator) -> CanalLook:
    """Draw the looks of a canal."""
    waves = np.stack([rng.uniform(8, 22, 3), rng.uniform(1, 4, 3), rng.uniform(0, 6.3, 3)], 1)
    flow = rng.uniform(0.1, 0.8) if rng.random() < 0.3 else 0.0
    return CanalLook(rng.uniform(0.05, 0.5), rng.uniform(0.2, 1.0), waves, flow)


def paint_canal(sheet: Sheet, spine: Spine, look: CanalLook) -> None:
    """Paint the canal on a sheet; beyond its side walls, the foramina and pedicles."""
    sheet = sheet.near(6, float(spine.profiles.canal.max()) + 6)
    if sheet.empty:
        return
    f32, node, profiles = np.float32, sheet.node, spine.profiles
    canal = profiles.canal.astype(f32)[node]
    half_width = profiles.canal_half_width.astype(f32)[node]
    behind = -(sheet.u + profiles.step_off.astype(f32)[node])
    beside = np.abs(sheet.v) - half_width + 3
    if beside.max() > 0:
        _paint_foramina(sheet, spine, behind, canal, beside)
    keep = side_scale(sheet.v, half_width)
    outside = np.where(keep > 0, f32(0), f32(20))
    until = np.minimum(spine.bottom("S5") - sheet.s, sheet.s + 3)
    wall = np.minimum(canal / 2 * keep - np.abs(behind - canal / 2) - outside, until)
    sheet.paint(wall + 0.3 + 0.2 * sheet.noise["coarse"], Tissue.LIGAMENT)
    sheet.paint(wall, Tissue.EPIDURAL_FAT, toward=Tissue.LIGAMENT, amount=np.clip(0.25 * sheet.noise["medium"], 0, 1))
    front, back = profiles.sac_front[node], profiles.sac_back[node]
    taper = np.clip((spine.sac_end - sheet.s) / 25, 0, 1) ** f32(0.6)
    reach = (back - front) / 2 * keep * taper
    sac = reach - np.abs(behind - (front + back) / 2) - outside - (taper <= 0) * np.float32(20)
    sac = np.minimum(sac, sheet.s + 2)
    sheet.paint(sac + look.dura, Tissue.LIGAMENT)
    sheet.paint(sac, Tissue.CSF)
    place = np.clip((behind - front) / np.maximum(back - front, 1), 0, 1)
    _paint_roots(sheet, spine, look, sac, place)
    cord = profiles.cord.astype(f32)[node]
    room = np.clip(back - front - cord, 0.3, 7)
    centre = front + cord / 2 + profiles.cord_position.astype(f32)[node] * room
    cord = np.minimum(cord, back - front - 0.6)
    across = side_scale(sheet.v, np.maximum(cord * 0.75, 0.5))
    core = cord / 2 * across - np.abs(behind - centre) - (across <= 0) * np.float32(20) - (cord <= 0.3) * np.float32(20)
    sheet.paint(np.minimum(core, sheet.s + 13), Tissue.CORD)


def _paint_roots(sheet: Sheet, spine: Spine, look: CanalLook, sac: FloatArray, place: FloatArray) -> None:
    """Strands of the cauda equina: densest behind, running along the sac; dark flow above the conus."""
    below = np.clip((sheet.s - spine.top("T11")) / 40, 0, 1)
    strands = np.zeros_like(place)
    for frequency, drift, phase in look.waves:
        strands += np.sin(np.float32(frequency) * place + np.float32(drift) * np.sin(sheet.s / 35 + np.float32(phase)))
    amount = np.clip((strands / 3 + 0.2 * sheet.noise["fine"] + 1.9 * place - 2.1 + look.roots), 0, 1) * below * 0.85
    sheet.paint(sac - 0.5, Tissue.CSF, toward=Tissue.NERVE, amount=amount)
    if look.flow > 0:
        patches = np.clip(sheet.noise["streak"] - 0.6, 0, 1) * look.flow * (1 - below)
        sheet.paint(sac - 0.8, Tissue.CSF, toward=Tissue.LIGAMENT, amount=patches)


def _paint_foramina(sheet: Sheet, spine: Spine, behind: FloatArray, canal: FloatArray, beside: FloatArray) -> None:
    """Where `beside` (mm) is positive: fat with the nerve root at each disc, the pedicle at a body's upper half."""
    f32, bodies = np.float32, spine.bodies
    body = spine.profiles.body_index[sheet.node]
    disc = spine.profiles.disc_index[sheet.node]
    spinal = np.minimum(np.minimum(sheet.s - spine.dens_height, spine.bottom("S3") - sheet.s), beside)
    aside = np.minimum(bodies.half_width.astype(f32)[body] + 6 - np.abs(sheet.v), spinal)
    hole = rounded(
        bar(behind, -1, canal + 2), 9 * spine.size - np.abs(sheet.s - spine.discs.centre.astype(f32)[disc] + 2), 6.0
    )
    sheet.paint(np.minimum(bar(behind, -2, canal + 6), aside), Tissue.MUSCLE, toward=Tissue.LIGAMENT, amount=0.4)
    lean = np.clip((spine.top("T3") - sheet.s) / 60, 0, 0.7) + 0.3 * sheet.noise["medium"]
    sheet.paint(np.minimum(hole, aside), Tissue.FAT, toward=Tissue.MUSCLE, amount=np.clip(lean, 0, 1))
    size = np.clip(bodies.depth_bottom.astype(f32)[body] * 0.11, 1.6, 3.6)
    root = size - np.hypot(sheet.s - spine.discs.centre.astype(f32)[disc] + 3 * spine.size, behind - canal * 0.45)
    sheet.paint(np.minimum(root, aside), Tissue.NERVE)
    height = (bodies.bottom - bodies.top).astype(f32)[body]
    level = sheet.s - bodies.top.astype(f32)[body]
    pedicle = np.minimum(bar(level, 0.06 * height, 0.56 * height), bar(behind, -4, canal + 2))
    pillar = 5.5 * spine.size - np.abs(behind - canal - 2 + 0.12 * (level - height / 2))
    bone = np.minimum(np.maximum(pedicle, pillar), aside - 2)
    sheet.paint(bone, Tissue.CORTEX)
    sheet.paint(bone - 1.0, Tissue.MARROW)
    joint = 0.9 - np.abs(level - height * 0.9 - 0.8 * (behind - canal))
    sheet.paint(np.minimum(np.minimum(joint, pillar + 1), aside - 2), Tissue.CORTEX)
