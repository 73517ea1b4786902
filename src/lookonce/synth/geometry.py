"""A random spine: sizes, curvature, disc health and the points that are its truth.

`random_spine` draws everything that belongs to the vertebral column; what lies around it is in `surroundings`.
The anatomy is a function of spine coordinates (see `curve`), so one spine serves a single slab and a whole volume.
"""

from dataclasses import dataclass

import numpy as np

from lookonce.synth.curve import STEP, FloatArray, SpineCurve, integrate_line
from lookonce.synth.morphometry import (
    COCCYGEAL_BODIES,
    DENS_DEPTH,
    DENS_HEIGHT,
    FIRST_DISC_LEVEL,
    SACRAL_BODIES,
    SACRUM_TOP_DEPTH,
    VERTEBRAE,
    VertebraSize,
)

HEAD_ROOM = 130.0
"""The line goes on this far above the dens, so that the head has spine coordinates too, mm."""
TAIL_ROOM = 20.0
FORAMEN_MAGNUM = 17.0
"""How much wider than the canal of C2 the opening of the skull is, mm."""
NAMED_NEGATIVES = 3
"""Sacral remnants S1/S2, S2/S3 and S3/S4 are listed as look-alikes; lower ones are too small to be seen."""


@dataclass(frozen=True)
class Discs:
    """The disc below each of the K bodies; all lengths in mm, angles in radians.

    Attributes
    ----------
    centre : (K,) array
        Arc length of the disc's plane at the posterior wall.
    half_posterior, half_middle, half_anterior : (K,) arrays
        Half its height at the posterior edge, in the middle and at the anterior edge.
    depth : (K,) array
        Antero-posterior length.
    slope : (K,) array
        Tilt of its plane against the line: change of s per mm of u.
    bulge : (K,) array
        How far the posterior tip stands back behind the posterior wall.
    bulge_anterior : (K,) array
        The same in front.
    degeneration : (K,) array
        0 (bright nucleus) to 1 (dark and flat).
    """

    centre: FloatArray
    half_posterior: FloatArray
    half_middle: FloatArray
    half_anterior: FloatArray
    depth: FloatArray
    slope: FloatArray
    bulge: FloatArray
    bulge_anterior: FloatArray
    degeneration: FloatArray


@dataclass(frozen=True)
class Bodies:
    """The K vertebral bodies from C2 to the coccyx, millimetres.

    Attributes
    ----------
    top, bottom : (K,) arrays
        Arc length of the body's ends at the posterior wall.
    depth_top, depth_bottom : (K,) arrays
        Antero-posterior length at the two ends.
    half_width : (K,) array
        Half the left-right width.
    waist : (K,) array
        Concavity of the front wall at mid-height.
    process, process_half_height, process_slope : (K,) arrays
        Spinous process: length behind the canal, half height, descent per mm.
    process_aside : (K,) array
        Left-right offset of the process: many a mid-line slab misses some of them.
    """

    top: FloatArray
    bottom: FloatArray
    depth_top: FloatArray
    depth_bottom: FloatArray
    half_width: FloatArray
    waist: FloatArray
    process: FloatArray
    process_half_height: FloatArray
    process_slope: FloatArray
    process_aside: FloatArray


@dataclass(frozen=True)
class Profiles:
    """What changes smoothly along the line, sampled at the L nodes of the curve, millimetres.

    Attributes
    ----------
    step_off : (L,) array
        Backward slip of the bodies (listhesis): u is measured from -step_off.
    canal, canal_half_width : (L,) arrays
        Antero-posterior diameter and half width of the bony canal.
    front_gap, back_gap : (L,) arrays
        Epidural space before and behind the thecal sac.
    cord : (L,) array
        Diameter of the cord, 0 where there is none.
    cord_position : (L,) array
        0: the cord touches the front of the sac, 1: its back.
    disc_index, body_index : (L,) integer arrays
        The nearest disc; the body between two disc planes.
    """

    step_off: FloatArray
    canal: FloatArray
    canal_half_width: FloatArray
    front_gap: FloatArray
    back_gap: FloatArray
    cord: FloatArray
    cord_position: FloatArray
    disc_index: FloatArray
    body_index: FloatArray


@dataclass(frozen=True)
class Spine:
    """A whole random spine; see `truth_points` for its labels.

    Attributes
    ----------
    names : tuple of str
        The K bodies from C2 down.
    size : float
        Overall scale, 1 is the mean adult.
    dens_height, dens_depth : float
        Size of the dens, mm.
    sac_end : float
        Arc length at which the thecal sac ends, mm.
    """

    names: tuple[str, ...]
    size: float
    dens_height: float
    dens_depth: float
    sac_end: float
    curve: SpineCurve
    bodies: Bodies
    discs: Discs
    profiles: Profiles


def truth_points(spine: Spine) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Posterior tips of the discs and the places that only look like discs.

    Returns
    -------
    points : (25, 3) array
        World mm of the SCT levels 1 to 25; levels 1 and 2 sit behind the tip and the base of the dens.
    levels : (25,) integer array
    negatives : (M, 3) array
        World mm of the posterior ends of the sacral remnants.
    """
    discs, s_nodes = spine.discs, spine.curve.s
    tip_s = discs.centre + discs.slope * (-discs.bulge - discs.depth / 2)
    tip_u = -discs.bulge - np.interp(discs.centre, s_nodes, spine.profiles.step_off)
    tips = spine.curve.to_world(tip_s, tip_u)
    dens = spine.curve.to_world(np.array([0.0, spine.dens_height]), np.array([0.0, 0.0]))
    real = spine.names.index("S1")
    points = np.concatenate([dens, tips[:real]])
    levels = np.concatenate([[1, 2], FIRST_DISC_LEVEL + np.arange(real)])
    return points, levels, tips[real : real + NAMED_NEGATIVES]


def random_spine(rng: np.random.Generator, vertebrae: tuple[VertebraSize, ...] = VERTEBRAE) -> Spine:
    """Draw a spine.

    Parameters
    ----------
    rng : numpy.random.Generator
    vertebrae : tuple of VertebraSize
        Bodies from C2 down to the coccyx.

    Returns
    -------
    Spine
    """
    size = float(np.clip(rng.normal(1.0, 0.09), 0.76, 1.22))
    table = {field: np.array([getattr(row, field) for row in vertebrae]) for field in VertebraSize.__annotations__}
    wear = _degeneration(rng, len(vertebrae))
    dens = DENS_HEIGHT * size * rng.uniform(0.88, 1.12)
    height = table["height"] * size * _wobble(rng, len(vertebrae), 0.05, 0.035)
    disc_height = table["disc"] * size * _wobble(rng, len(vertebrae), 0.1, 0.08) * (1 - 0.45 * wear**2)
    top = dens + np.concatenate([[0.0], np.cumsum(height + disc_height)[:-1]])
    bodies = _draw_bodies(rng, table, size, top, height)
    discs = _draw_discs(rng, table, bodies, disc_height, wear)
    curve = _draw_curve(rng, table, bodies, discs)
    profiles = _draw_profiles(rng, table, size, curve, bodies, discs)
    sac_end = bodies.bottom[list(table["name"]).index("S2")] + rng.normal(0, 11) * size
    return Spine(tuple(table["name"]), size, dens, DENS_DEPTH * size * rng.uniform(0.9, 1.1), sac_end, curve, bodies, discs, profiles)


def _wobble(rng: np.random.Generator, count: int, shared: float, single: float) -> FloatArray:
    """Factors near 1: a common part that drifts along the spine and a part of each level's own."""
    drift = np.interp(np.arange(count), np.linspace(0, count, 4), rng.normal(0, shared, 4))
    return np.clip(1 + drift + rng.normal(0, single, count), 0.7, 1.3)


def _degeneration(rng: np.random.Generator, count: int) -> FloatArray:
    """Wear of each disc: the person's age, more in C5-C7 and L4-S1, and chance."""
    age = rng.beta(0.9, 1.1)
    loaded = np.zeros(count)
    loaded[[3, 4, 21, 22]] = (0.1, 0.1, 0.15, 0.2)
    wear = np.clip(age + loaded * rng.uniform(0, 1.5) + rng.normal(0, 0.17, count), 0, 1)
    return np.where(rng.random(count) < 0.06, rng.random(count), wear)


def _draw_bodies(rng: np.random.Generator, table: dict, size: float, top: FloatArray, height: FloatArray) -> Bodies:
    count = len(top)
    depth_bottom = table["depth"] * size * _wobble(rng, count, 0.05, 0.02)
    depth_top = np.concatenate([[depth_bottom[0] * 0.9], depth_bottom[:-1] * rng.normal(1, 0.015, count - 1)])
    depth_top[list(table["name"]).index("S1")] *= SACRUM_TOP_DEPTH / 34.5
    length = table["process"] * size * _wobble(rng, count, 0.1, 0.07)
    return Bodies(
        top=top,
        bottom=top + height,
        depth_top=depth_top,
        depth_bottom=depth_bottom,
        half_width=table["half_width"] * size,
        waist=depth_bottom * rng.uniform(0.03, 0.1) * rng.uniform(0.6, 1.4, count),
        process=length,
        process_half_height=table["process_half_height"] * size * _wobble(rng, count, 0.1, 0.1),
        process_slope=table["process_slope"] * rng.uniform(0.7, 1.2) + rng.normal(0, 0.05, count),
        process_aside=rng.normal(0, rng.uniform(0.3, 3.0), count),
    )


def _draw_discs(rng: np.random.Generator, table: dict, bodies: Bodies, height: FloatArray, wear: FloatArray) -> Discs:
    count = len(height)
    sacral = np.arange(count) >= count - SACRAL_BODIES - COCCYGEAL_BODIES
    half = height / 2
    lumbar = np.clip((np.arange(count) - 14) / 5, 0, 1)
    belly = np.where(sacral, 1.0, 1.14 + 0.2 * lumbar - (0.1 + 0.15 * lumbar) * wear + rng.normal(0, 0.06, count))
    bulge = np.abs(rng.normal(0.3, 0.35, count)) + wear * rng.gamma(1.2, 0.8, count)
    bulge += (rng.random(count) < 0.1) * wear * rng.uniform(0, 4, count)
    scale = bodies.depth_bottom / 30
    return Discs(
        centre=bodies.bottom + half,
        half_posterior=half * np.where(sacral, 0.9, 0.92),
        half_middle=half * belly,
        half_anterior=half * np.where(sacral, 0.8, 1.12),
        depth=bodies.depth_bottom * np.where(sacral, rng.uniform(0.45, 0.95, count), 0.99),
        slope=np.where(sacral, 0.0, rng.normal(0, 0.03, count)),
        bulge=np.where(sacral, -0.06 * bodies.depth_bottom, np.minimum(bulge * np.maximum(scale, 0.6), 5.5)),
        bulge_anterior=np.where(sacral, -0.05 * bodies.depth_bottom, rng.uniform(0, 1.5, count) + 1.5 * wear * scale),
        degeneration=np.where(sacral, rng.uniform(0.0, 1.0, count), wear),
    )


def _draw_curve(rng: np.random.Generator, table: dict, bodies: Bodies, discs: Discs) -> SpineCurve:
    """Direction of every body; between bodies it turns partly in the disc and partly along the bodies."""
    mean = np.asarray(table["angle"], float)
    region = np.repeat([0, 1, 2, 3], [6, 12, 5, SACRAL_BODIES + COCCYGEAL_BODIES])[: len(mean)]
    bend = np.array([rng.normal(1, 0.55), rng.normal(1, 0.35), rng.normal(1, 0.45), rng.normal(1, 0.2)])
    turns = np.diff(mean) * np.clip(bend, (-0.9, 0.2, -0.1, 0.5), (2.2, 1.8, 1.9, 1.5))[region[1:]]
    angle = np.concatenate([[0.0], np.cumsum(turns + rng.normal(0, 1.1, len(turns)))])
    angle += rng.normal(0, 4) - np.average(angle[:23] - mean[:23])
    centre = (bodies.top + bodies.bottom) / 2
    start, end = -HEAD_ROOM, bodies.bottom[-1] + TAIL_ROOM
    s = start + STEP * np.arange(int((end - start) / STEP))
    smooth = np.interp(s, centre, angle)
    edges = np.stack([discs.centre[:-1] - discs.half_middle[:-1] * 1.5, discs.centre[:-1] + discs.half_middle[:-1] * 1.5], 1)
    stepped = np.interp(s, edges.ravel(), np.stack([angle[:-1], angle[1:]], 1).ravel())
    share = rng.uniform(0.3, 0.8)
    direction = np.radians(share * smooth + (1 - share) * stepped)
    above = s < bodies.top[0]
    direction[above] += np.radians(rng.normal(-4, 4)) * np.clip((bodies.top[0] - s[above]) / 40, 0, 1)
    return integrate_line(direction, start, _draw_scoliosis(rng, s))


def _draw_scoliosis(rng: np.random.Generator, s: FloatArray) -> FloatArray:
    amplitude = rng.uniform(6, 22) if rng.random() < 0.1 else abs(rng.normal(0, 2.0))
    wave = amplitude * np.sin(2 * np.pi * s / rng.uniform(180, 420) + rng.uniform(0, 2 * np.pi))
    return wave + rng.normal(0, 0.012) * (s - 300)


def _draw_profiles(rng: np.random.Generator, table: dict, size: float, curve: SpineCurve, bodies: Bodies, discs: Discs) -> Profiles:
    s, middle = curve.s, (bodies.top + bodies.bottom) / 2

    def along(values: FloatArray) -> FloatArray:
        return np.interp(s, middle, np.asarray(values, float))

    slip = np.where(rng.random(len(middle)) < 0.03, rng.normal(0, 0.11, len(middle)) * bodies.depth_bottom, rng.normal(0, 0.3, len(middle)))
    slip[list(table["name"]).index("S1") :] = 0
    for upper in range(len(slip) - 2, -1, -1):  # what stands on a slipped body slips with it, and leans back into line
        slip[upper] += 0.75 * slip[upper + 1]
    narrow = rng.uniform(0.82, 1.18)
    canal = along(table["canal"]) * size * narrow + FORAMEN_MAGNUM * np.clip((2 - s) / 12, 0, 1)
    lumbar = np.clip((s - middle[18]) / 60, 0, 1)
    near_disc = np.interp(s, *_bumps(discs, bodies))
    fat = rng.uniform(0.3, 1.2) + lumbar * rng.uniform(0.5, 3.5)
    low = np.clip((s - middle[21]) / (middle[24] - middle[21]), 0, 1) ** 2
    return Profiles(
        step_off=np.interp(s, np.stack([bodies.top, bodies.bottom], 1).ravel(), np.repeat(slip, 2)),
        canal=canal,
        canal_half_width=along(table["canal_half_width"]) * size * narrow,
        front_gap=rng.uniform(0.6, 1.4) + low * rng.uniform(1, 6),
        back_gap=0.5 + fat * near_disc + 0.3 * fat,
        cord=_cord_profile(rng, s, along(table["cord"]), middle, size),
        cord_position=np.clip(np.interp(s, middle[[0, 5, 10, 17]], rng.uniform((0.25, 0.25, 0.1, 0.35), (0.6, 0.6, 0.5, 0.8))), 0, 1),
        disc_index=np.searchsorted(middle[1:], s).clip(0, len(middle) - 1),
        body_index=np.searchsorted(discs.centre, s).clip(0, len(middle) - 1),
    )


def _bumps(discs: Discs, bodies: Bodies) -> tuple[FloatArray, FloatArray]:
    """1 between two laminae, which is at the height of a disc and just below it; 0 behind the bodies."""
    nodes = np.stack([bodies.bottom - 5, discs.centre, discs.centre + 5, discs.centre + 10], 1).ravel()
    values = np.tile([0.0, 1.0, 1.0, 0.0], len(discs.centre))
    order = np.argsort(nodes, kind="stable")
    return nodes[order], values[order]


def _cord_profile(rng: np.random.Generator, s: FloatArray, diameter: FloatArray, middle: FloatArray, size: float) -> FloatArray:
    """Cord down to the conus, whose tip lies between T12 and L2 (mean L1)."""
    tip = rng.normal(middle[18] + 6, 11) * 1.0
    taper = np.clip((tip - s) / (28 * size), 0, 1) ** 0.7
    thick = np.where(s > middle[16], np.maximum(diameter, 7.8), diameter)
    medulla = 5.0 * np.clip(-s / 30, 0, 1)
    return (thick * rng.uniform(0.85, 1.12) * size + medulla) * taper
