"""Painting the vertebral bodies, the discs and the dens."""

from dataclasses import dataclass

import numpy as np

from lookonce.synth.curve import FloatArray, IndexArray, Mask
from lookonce.synth.findings import paint_implants
from lookonce.synth.geometry import Spine, single_precision
from lookonce.synth.shapes import bar, ellipse, rounded, side_scale
from lookonce.synth.sheet import Sheet
from lookonce.synth.tissues import Tissue

CORTEX_OUTSIDE = 0.3
"""The dark border of a body lies mostly inside its outline, this much outside, mm."""
MARROW_FADE = 6.0


@dataclass(frozen=True)
class Marks:
    """Random findings of each body and the looks of the whole column.

    Attributes
    ----------
    cortex : float
        Mean thickness of the dark border, mm; it is uneven, and fades where it is thin.
    corner : float
        Radius of a body's corners, mm.
    mottle, gradient : float
        Unevenness of the fatty share of marrow, and how it changes towards the end plates.
    ligament : float
        Thickness of the longitudinal ligaments, mm.
    vein : (K,) array
        Length of the basivertebral vein's canal into the body as a share of its depth.
    vein_height : (K,) array
        Its height and brightness relative to a prominent one.
    plate_change : (K, 2) array
        Signed degenerative marrow change at the upper and lower end plate: positive fatty, negative oedema.
    marrow : (K,) array
        Share of fatty marrow, the sacrum's is larger.
    nucleus_centre, nucleus_length : (K,) arrays
        Middle and half length of the nucleus as shares of the disc's depth.
    nucleus_height : (K,) array
        Height of the nucleus as a share of the disc's; thin in the neck.
    cleft : (K,) array
        Strength of the dark line inside a nucleus.
    spot : (K, 4) array
        Haemangioma or fat island: arc length from the top, u, radius (mm; 0: none), share of fat.
    """

    cortex: float
    corner: float
    mottle: float
    gradient: float
    ligament: float
    vein: FloatArray
    vein_height: FloatArray
    plate_change: FloatArray
    marrow: FloatArray
    nucleus_centre: FloatArray
    nucleus_length: FloatArray
    nucleus_height: FloatArray
    cleft: FloatArray
    spot: FloatArray


def draw_marks(rng: np.random.Generator, spine: Spine) -> Marks:
    """Draw the findings of a spine.

    Parameters
    ----------
    rng : numpy.random.Generator
    spine : Spine

    Returns
    -------
    Marks
    """
    count = len(spine.names)
    wear = spine.discs.degeneration
    around = np.stack([np.concatenate([[0.0], wear[:-1]]), wear], 1)
    plate = (
        rng.choice([-1.0, 1.0], (count, 2), p=[0.35, 0.65])
        * (rng.random((count, 2)) < 0.3 * around**2)
        * rng.uniform(0.3, 1, (count, 2))
    )
    sacral = np.arange(count) >= spine.names.index("S1")
    spot = np.stack(
        [rng.uniform(4, 15, count), rng.uniform(6, 22, count), rng.uniform(2, 6, count), rng.uniform(0.3, 1, count)], 1
    )
    spot[rng.random(count) > 0.05, 2] = 0
    marks = Marks(
        cortex=rng.uniform(0.35, 1.1),
        corner=rng.uniform(1.5, 4.0),
        mottle=rng.uniform(0.08, 0.35),
        gradient=rng.uniform(-0.15, 0.2),
        ligament=rng.uniform(0.4, 1.2),
        vein=rng.uniform(0.1, 0.5) * rng.uniform(0.3, 1.3, count),
        vein_height=rng.uniform(0.1, 0.9) * rng.uniform(0.4, 1.3, count),
        plate_change=plate,
        marrow=np.clip(rng.beta(1, 3) + rng.normal(0, 0.06, count) + 0.15 * sacral, 0, 1),
        nucleus_centre=rng.normal(0.5, 0.04, count),
        nucleus_length=rng.uniform(0.32, 0.45) + rng.normal(0, 0.02, count),
        nucleus_height=np.interp(np.arange(count), [0, 6, 17], [0.5, 0.65, 0.95])
        * rng.uniform(0.75, 1.2)
        * rng.uniform(0.85, 1.15, count),
        cleft=np.clip(rng.uniform(-0.3, 0.8) + rng.normal(0, 0.15, count), 0, 1),
        spot=spot,
    )
    return single_precision(marks)


@dataclass(frozen=True)
class ColumnField:
    """Coordinates of the column at every pixel of a sheet; all (H, W) arrays, mm unless said otherwise.

    Attributes
    ----------
    body, disc : integer arrays
        The body the pixel is level with, and the nearest disc.
    u : array
        Distance from the posterior wall after listhesis.
    share : array
        u as a share of the depth, clipped to 0..1.
    wall : array
        Distance to the front and rear wall, positive between them.
    gap : array
        Signed distance along the spine from the nearest disc's plane.
    half : array
        Half height of the nearest disc.
    """

    body: IndexArray
    disc: IndexArray
    u: FloatArray
    share: FloatArray
    wall: FloatArray
    gap: FloatArray
    half: FloatArray


def column_field(sheet: Sheet, spine: Spine) -> ColumnField:
    """Measure every pixel against the column."""
    bodies, discs, profiles = spine.bodies, spine.discs, spine.profiles
    nodes, f32 = spine.curve.s, np.float32
    ends = np.stack([bodies.top, bodies.bottom], 1).ravel()
    depth_nodes = np.interp(nodes, ends, np.stack([bodies.depth_top, bodies.depth_bottom], 1).ravel())
    index = profiles.body_index
    part = np.clip((nodes - bodies.top[index]) / (bodies.bottom - bodies.top)[index], 0, 1)
    waist_nodes = 4 * part * (1 - part)
    disc = profiles.disc_index[sheet.node]
    depth = depth_nodes.astype(f32)[sheet.node]
    u = sheet.u + profiles.step_off.astype(f32)[sheet.node]
    share = np.clip(u / depth, 0, 1)
    ripple = 0.25 * sheet.noise["medium"] + 0.3 * sheet.noise["coarse"]
    keep = side_scale(sheet.v, np.interp(nodes, ends, np.repeat(bodies.half_width, 2)).astype(f32)[sheet.node], 3.0)
    front = (depth_nodes - waist_nodes * bodies.waist[index]).astype(f32)[sheet.node]
    rear = (0.35 * waist_nodes * bodies.waist[index]).astype(f32)[sheet.node]
    centre, reach = (front + rear) / 2, (front - rear) / 2
    wall = reach * keep - np.abs(u - centre) - (keep <= 0) * np.float32(50) + ripple * np.clip(u / 8, 0, 1)
    half = (
        discs.half_posterior.astype(f32)[disc] * (1 - share) * (1 - 2 * share)
        + discs.half_middle.astype(f32)[disc] * 4 * share * (1 - share)
        + discs.half_anterior.astype(f32)[disc] * share * (2 * share - 1)
    )
    half = half + _dents(spine, sheet, disc, u, depth) + 0.8 * ripple * np.clip(u / 6, 0, 1) * np.minimum(half / 4, 1)
    plane = discs.centre.astype(f32)[disc] + discs.slope.astype(f32)[disc] * (u - discs.depth.astype(f32)[disc] / 2)
    return ColumnField(index[sheet.node], disc, u, share, wall, sheet.s - plane, half)


def _dents(spine: Spine, sheet: Sheet, disc: IndexArray, u: FloatArray, depth: FloatArray) -> FloatArray:
    """What hollow end plates and Schmorl nodes add to the half height of each disc, mm."""
    dent = spine.findings.dent.astype(np.float32)[disc]
    if not dent[..., 0].any():
        return np.zeros_like(u)
    above = sheet.s < spine.discs.centre.astype(np.float32)[disc]
    side = np.where(dent[..., 3] > 0, above, ~above)
    return dent[..., 0] * side * np.exp(-(((u - dent[..., 1] * depth) / np.maximum(dent[..., 2], 1)) ** 2))


def paint_column(sheet: Sheet, spine: Spine, marks: Marks) -> None:
    """Paint ligaments, bodies, discs, dens and the front arch of C1 on a sheet."""
    sheet = sheet.near(float(spine.bodies.depth_bottom.max()) + 12, 10)
    if sheet.empty:
        return
    field = column_field(sheet, spine)
    below = sheet.s - spine.bodies.top[0]
    end = spine.bodies.bottom[-1] - sheet.s
    strip = np.minimum(field.wall, np.minimum(below, end) + 3)
    sheet.paint(strip + marks.ligament, Tissue.LIGAMENT)
    sacral = field.disc >= spine.names.index("S1")
    fused = sacral & (field.disc < spine.names.index("S5"))
    plate = np.abs(field.gap) - field.half
    lip = spine.discs.bulge_anterior[field.disc] * np.clip(1 - plate / 4, 0, 1) * np.clip(2 * field.share - 1, 0, 1)
    body = rounded(field.wall + lip, np.where(fused, np.float32(9), plate), marks.corner)
    body = np.minimum(body, np.minimum(below + 4, end))
    _paint_bodies(sheet, spine, marks, field, body, plate)
    _paint_discs(sheet, spine, marks, field, sacral)
    _paint_dens(sheet, spine, marks)
    middle = ((spine.bodies.top + spine.bodies.bottom) / 2).astype(np.float32)[field.body]
    inside = np.minimum(field.half - np.abs(field.gap), field.wall - 2)
    paint_implants(sheet, spine.findings, sheet.s - middle, field.body, field.disc, inside)


def _paint_bodies(
    sheet: Sheet, spine: Spine, marks: Marks, field: ColumnField, body: FloatArray, plate: FloatArray
) -> None:
    f32 = np.float32
    noise = sheet.noise
    uneven = np.clip(0.8 + 0.4 * noise["coarse"] + 0.4 * noise["medium"], 0.1, 2)
    marrow = body + CORTEX_OUTSIDE - marks.cortex * uneven
    islands = 0.6 * noise["medium"] + 0.5 * noise["coarse"] + 0.5 * noise["fine"]
    fatty = marks.marrow.astype(f32)[field.body] + marks.mottle * islands
    fatty = fatty + marks.gradient * np.clip(1 - plate / 8, 0, 1)
    sheet.paint(body + CORTEX_OUTSIDE, Tissue.CORTEX)
    sheet.paint(marrow, Tissue.MARROW, toward=Tissue.FATTY_MARROW, amount=np.clip(fatty, 0, 1))
    lower = (field.gap < 0).astype(np.intp)
    change = marks.plate_change.astype(f32)[field.body, lower]
    if change.any():
        spread = np.clip(1 - plate / MARROW_FADE + 0.4 * sheet.noise["coarse"], 0, 1) * np.abs(change)
        for sign, tissue in ((1, Tissue.FATTY_MARROW), (-1, Tissue.EDEMA)):
            here = np.where(change * sign > 0, marrow, f32(-9))
            sheet.paint(here, Tissue.MARROW, toward=tissue, amount=spread)
    top = spine.bodies.top.astype(f32)[field.body]
    middle = sheet.s - (top + spine.bodies.bottom.astype(f32)[field.body]) / 2
    length = (marks.vein * spine.bodies.depth_bottom).astype(f32)[field.body]
    wedge = (
        0.08 * (marks.vein_height * spine.bodies.depth_bottom).astype(f32)[field.body] - np.abs(middle)
    ) - 1.2 * np.clip(field.u / np.maximum(length, 1), 0, 2)
    amount = np.clip(marks.vein_height.astype(f32)[field.body] * 0.8 - 0.1 + 0.25 * sheet.noise["medium"], 0, 1)
    sheet.paint(
        np.minimum(np.minimum(wedge, field.u - 0.2), 8 - np.abs(sheet.v)),
        Tissue.MARROW,
        toward=Tissue.VEIN,
        amount=amount,
    )
    if marks.spot[:, 2].any():
        spot = marks.spot.astype(f32)[field.body]
        distance = spot[..., 2] - np.hypot(sheet.s - top - spot[..., 0], field.u - spot[..., 1])
        distance = np.where(spot[..., 2] > 0, np.minimum(distance, marrow), f32(-9))
        sheet.paint(distance, Tissue.MARROW, toward=Tissue.FATTY_MARROW, amount=spot[..., 3])


def _paint_discs(sheet: Sheet, spine: Spine, marks: Marks, field: ColumnField, sacral: Mask) -> None:
    f32, discs = np.float32, spine.discs
    height = field.half - np.abs(field.gap)
    relative = np.minimum((field.gap / field.half) ** 2, 1)
    depth = discs.depth.astype(f32)[field.disc]
    round_off = 0.3 * field.half * relative
    keep = side_scale(sheet.v, spine.bodies.half_width.astype(f32)[field.disc] + 1, 3.0)
    middle = (depth + discs.bulge_anterior.astype(f32)[field.disc] - discs.bulge.astype(f32)[field.disc]) / 2
    reach = (depth + discs.bulge_anterior.astype(f32)[field.disc] + discs.bulge.astype(f32)[field.disc]) / 2
    disc = np.minimum(height, reach * keep - np.abs(field.u - middle) - round_off)
    last = len(spine.names) - 1
    disc = np.where(field.disc < last, disc, f32(-9))
    sheet.paint(np.where(sacral, disc + 0.8, f32(-9)), Tissue.CORTEX)
    fusion = spine.findings.fusion.astype(f32)[field.disc]
    sheet.paint(disc, Tissue.ANNULUS, toward=Tissue.MARROW, amount=fusion)
    health = (1 - discs.degeneration).astype(f32)[field.disc]
    centre = marks.nucleus_centre.astype(f32)[field.disc] * depth
    across = (field.u - centre) / (marks.nucleus_length.astype(f32)[field.disc] * depth)
    thin = marks.nucleus_height.astype(f32)[field.disc]
    reach = np.sqrt(np.abs(across) ** 3 + relative / thin**2)
    cleft = (
        marks.cleft.astype(f32)[field.disc]
        * np.clip(1 - np.abs(field.gap) / 0.9, 0, 1)
        * np.clip(1.4 - 2 * np.abs(across), 0, 1)
    )
    amount = np.clip(health - 0.5 * cleft + 0.08 * sheet.noise["medium"], 0, 1) * np.clip((1.05 - reach) * 3, 0, 1)
    nucleus = np.minimum((1.05 - reach) * field.half, disc)
    sheet.paint(np.where(fusion > 0, f32(-9), nucleus), Tissue.ANNULUS, toward=Tissue.NUCLEUS, amount=amount)


def _paint_dens(sheet: Sheet, spine: Spine, marks: Marks) -> None:
    """The dens with its ligament behind and the arch (or lateral mass) of C1 before and beside it."""
    height, depth = spine.dens_height, spine.dens_depth
    near = sheet.s < height + 8
    if not near.any():
        return
    ligament = np.minimum(bar(sheet.u, -2.2, 0.6), bar(sheet.s, -3.0, height))
    sheet.paint(np.minimum(ligament, 9 - np.abs(sheet.v)), Tissue.LIGAMENT)
    keep = side_scale(sheet.v, 5.5)
    wide = depth / 2 * keep - np.abs(sheet.u - depth / 2) - (keep <= 0) * np.float32(20)
    dens = np.minimum(rounded(wide, sheet.s, depth * 0.42), height + 5 - sheet.s)
    sheet.paint(dens + CORTEX_OUTSIDE, Tissue.CORTEX)
    sheet.paint(dens + CORTEX_OUTSIDE - marks.cortex, Tissue.MARROW, toward=Tissue.FATTY_MARROW, amount=marks.marrow[0])
    scar = np.minimum(bar(sheet.u, 2, depth - 2), 0.5 - np.abs(sheet.s - height - 1))
    sheet.paint(np.minimum(scar, 5 - np.abs(sheet.v)), Tissue.MARROW, toward=Tissue.CORTEX, amount=0.6)
    bend = np.clip(sheet.v**2 / 30, 0, 14)
    arch = ellipse(
        sheet.u - (depth + 4.5) * (1 - bend / 20),
        sheet.s - height * 0.4,
        3.4 * spine.size + bend / 4,
        5.2 * spine.size + bend / 4,
    )
    sheet.paint(arch + CORTEX_OUTSIDE, Tissue.CORTEX)
    sheet.paint(arch + CORTEX_OUTSIDE - marks.cortex, Tissue.MARROW, toward=Tissue.FATTY_MARROW, amount=marks.marrow[0])
