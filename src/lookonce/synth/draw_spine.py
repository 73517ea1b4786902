"""Drawing a random spine: sizes, wear, curvature, canal.

Everything that belongs to the vertebral column is drawn here, level by level with a part that neighbours share.
"""

import numpy as np
from scipy.ndimage import gaussian_filter1d

from lookonce.anatomy import USUAL_COUNT, VertebraCount
from lookonce.synth.curve import STEP, FloatArray, Mask, SpineCurve, integrate_line
from lookonce.synth.findings import Findings, draw_findings
from lookonce.synth.geometry import Bodies, Discs, Profiles, Spine, single_precision
from lookonce.synth.morphometry import (
    COCCYGEAL_BODIES,
    DENS_DEPTH,
    DENS_HEIGHT,
    SACRAL_BODIES,
    SACRUM_TOP_DEPTH,
    VertebraSize,
)
from lookonce.synth.variants import vertebrae_of

HEAD_ROOM = 130.0
"""The line goes on this far above the dens, so that the head has spine coordinates too, mm."""
TAIL_ROOM = 20.0
WORN_FIRST = ("C5", "C6", "L4", "L5")
"""Bodies above the discs that degenerate first."""
PROMINENT_REMNANT = 0.3
"""Share of people whose S1/S2 remnant looks like a disc: high, as deep as the sacrum, bright inside. An estimate."""
CORD_POSITION = ((0.25, 0.25, 0.1, 0.35), (0.6, 0.6, 0.5, 0.8))
"""Least and most backward place of the cord in the sac at C2, C7, T5 and T12: it takes the short way in every bend."""


def random_spine(rng: np.random.Generator, count: VertebraCount = USUAL_COUNT) -> Spine:
    """Draw a spine.

    Parameters
    ----------
    rng : numpy.random.Generator
    count : VertebraCount

    Returns
    -------
    Spine
    """
    vertebrae = vertebrae_of(count)
    size = float(np.clip(rng.normal(1.03, 0.09), 0.78, 1.25))
    table = {
        field: np.array([getattr(row, field) for row in vertebrae])
        for field in VertebraSize.__annotations__
        if field != "name"
    }
    names = [row.name for row in vertebrae]
    wear = _degeneration(rng, names)
    findings = draw_findings(rng, names, size)
    dens = DENS_HEIGHT * size * rng.uniform(0.88, 1.12)
    height = table["height"] * size * _wobble(rng, len(vertebrae), 0.05, 0.035)
    disc_height = table["disc"] * size * _wobble(rng, len(vertebrae), 0.1, 0.08) * (1 - 0.45 * wear**2)
    prominent = _prominent_remnants(rng, names)
    disc_height[prominent] *= rng.uniform(1.3, 2.2)
    top = dens + np.concatenate([[0.0], np.cumsum(height + disc_height)[:-1]])
    bodies = _draw_bodies(rng, names, table, size, top, height, findings)
    discs = _draw_discs(rng, names, bodies, disc_height, wear, prominent, findings)
    curve = _draw_curve(rng, names, table, bodies, discs, findings)
    profiles = _draw_profiles(rng, names, table, size, dens, curve, bodies, discs)
    sac_end = float(bodies.bottom[names.index("S2")] + rng.normal(0, 11) * size)
    depth = DENS_DEPTH * size * rng.uniform(0.9, 1.1)
    parts = (single_precision(bodies), single_precision(discs), single_precision(profiles))
    return Spine(tuple(names), count, size, dens, depth, sac_end, curve, *parts, single_precision(findings))


def _wobble(rng: np.random.Generator, count: int, shared: float, single: float) -> FloatArray:
    """Factors near 1: a common part that drifts along the spine and a part of each level's own."""
    drift = np.interp(np.arange(count), np.linspace(0, count, 4), rng.normal(0, shared, 4))
    return np.clip(1 + drift + rng.normal(0, single, count), 0.7, 1.3)


def _degeneration(rng: np.random.Generator, names: list[str]) -> FloatArray:
    """Wear of each disc: the person's age, more in C5-C7 and L4-S1, and chance."""
    count = len(names)
    age = rng.beta(0.9, 1.1)
    loaded = np.zeros(count)
    loaded[[names.index(name) for name in WORN_FIRST]] = (0.1, 0.1, 0.15, 0.2)
    wear = np.clip(age + loaded * rng.uniform(0, 1.5) + rng.normal(0, 0.17, count), 0, 1)
    return np.where(rng.random(count) < 0.06, rng.random(count), wear)


def _prominent_remnants(rng: np.random.Generator, names: list[str]) -> Mask:
    """Which discs are sacral remnants that could be taken for a disc: that of S1/S2, in some people."""
    return (np.array(names) == "S1") & (rng.random() < PROMINENT_REMNANT)


def _draw_bodies(
    rng: np.random.Generator,
    names: list[str],
    table: dict,
    size: float,
    top: FloatArray,
    height: FloatArray,
    findings: Findings,
) -> Bodies:
    count = len(top)
    depth_bottom = table["depth"] * size * _wobble(rng, count, 0.05, 0.02)
    depth_top = np.concatenate([[depth_bottom[0] * 0.9], depth_bottom[:-1] * rng.normal(1, 0.015, count - 1)])
    depth_top[names.index("S1")] *= SACRUM_TOP_DEPTH / 34.5
    length = table["process"] * size * _wobble(rng, count, 0.1, 0.07)
    return Bodies(
        top=top,
        bottom=top + height,
        depth_top=depth_top,
        depth_bottom=depth_bottom,
        half_width=table["half_width"] * size,
        waist=depth_bottom * rng.uniform(0.04, 0.13) * rng.uniform(0.6, 1.4, count),
        process=np.where(findings.opened, 0.0, length),
        process_half_height=table["process_half_height"] * size * _wobble(rng, count, 0.1, 0.1),
        process_slope=table["process_slope"] * rng.uniform(0.7, 1.2) + rng.normal(0, 0.05, count),
        process_aside=rng.normal(0, rng.uniform(0.3, 3.0), count),
    )


def _draw_discs(
    rng: np.random.Generator,
    names: list[str],
    bodies: Bodies,
    height: FloatArray,
    wear: FloatArray,
    prominent: Mask,
    findings: Findings,
) -> Discs:
    count = len(height)
    sacral = np.arange(count) >= count - SACRAL_BODIES - COCCYGEAL_BODIES
    reach = np.where(prominent, rng.uniform(0.8, 1.0, count), rng.uniform(0.45, 0.95, count))
    half = height / 2
    lumbar = np.clip((np.arange(count) - names.index("T10")) / 5, 0, 1)
    belly = np.where(sacral, 1.0, 1.1 + 0.15 * lumbar - (0.1 + 0.15 * lumbar) * wear + rng.normal(0, 0.06, count))
    bulge = np.abs(rng.normal(0.3, 0.35, count)) + wear * rng.gamma(1.2, 0.8, count)
    bulge += (rng.random(count) < 0.1) * wear * rng.uniform(0, 4, count)
    scale = bodies.depth_bottom / 30
    # A fractured body lost height in front of its upper end plate: the disc above it sinks into it there.
    sunk = np.append(findings.wedge[1:], 0.0) / 2
    return Discs(
        centre=bodies.bottom + half,
        half_posterior=half * np.where(sacral, 0.9, 0.92),
        half_middle=half * belly,
        half_anterior=half * np.where(sacral, 0.8, 1.12) + sunk,
        depth=bodies.depth_bottom * np.where(sacral, reach, 0.99),
        slope=np.where(sacral, 0.0, rng.normal(0, 0.03, count)) + sunk / bodies.depth_bottom,
        bulge=np.where(sacral, -0.06 * bodies.depth_bottom, np.minimum(bulge * np.maximum(scale, 0.6), 5.5)),
        bulge_anterior=np.where(sacral, -0.05 * bodies.depth_bottom, rng.uniform(0, 1.5, count) + 1.5 * wear * scale),
        degeneration=np.where(sacral, rng.uniform(0.0, np.where(prominent, 0.5, 1.0)), wear),
    )


def _draw_curve(
    rng: np.random.Generator, names: list[str], table: dict, bodies: Bodies, discs: Discs, findings: Findings
) -> SpineCurve:
    """Direction of every body; between bodies it turns partly in the disc and partly along the bodies."""
    mean = np.asarray(table["angle"], float)
    region = np.array(["CTLS".index("S" if name.startswith("Co") else name[0]) for name in names])
    bend = np.array([rng.normal(1, 0.55), rng.normal(1, 0.35), rng.normal(1, 0.45), rng.normal(1, 0.2)])
    turns = np.diff(mean) * np.clip(bend, (-0.9, 0.2, -0.1, 0.5), (2.2, 1.8, 1.9, 1.5))[region[1:]]
    turns -= np.degrees(findings.wedge / bodies.depth_bottom)[1:]
    angle = np.concatenate([[0.0], np.cumsum(turns + rng.normal(0, 1.1, len(turns)))])
    angle += rng.normal(0, 4) - np.mean((angle - mean)[region < 3])
    centre = (bodies.top + bodies.bottom) / 2
    start, end = -HEAD_ROOM, bodies.bottom[-1] + TAIL_ROOM
    s = start + STEP * np.arange(int((end - start) / STEP))
    smooth = np.interp(s, centre, angle)
    edges = np.stack(
        [discs.centre[:-1] - discs.half_middle[:-1] * 1.5, discs.centre[:-1] + discs.half_middle[:-1] * 1.5], 1
    )
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


def _draw_profiles(
    rng: np.random.Generator,
    names: list[str],
    table: dict,
    size: float,
    dens: float,
    curve: SpineCurve,
    bodies: Bodies,
    discs: Discs,
) -> Profiles:
    s, middle = curve.s, (bodies.top + bodies.bottom) / 2
    at = dict(zip(names, middle, strict=True))

    def along(values: FloatArray) -> FloatArray:
        return np.interp(s, middle, np.asarray(values, float))

    slip = _draw_slip(rng, bodies, names.index("S1"))
    narrow = rng.uniform(0.82, 1.18)
    canal = along(table["canal"]) * size * narrow
    lumbar = np.clip((s - at["L1"]) / 60, 0, 1)
    near_disc = np.interp(s, *_bumps(discs, bodies))
    fat = rng.uniform(0.3, 1.2) + lumbar * rng.uniform(1.0, 6.0)
    low = np.clip((s - at["L4"]) / (at["S2"] - at["L4"]), 0, 1) ** 2
    front = _sac_front(s, dens, rng.uniform(0.6, 1.4) + low * rng.uniform(1, 6), discs)
    ripple = gaussian_filter1d(rng.normal(0, 1, len(s)), 4 / STEP) * rng.uniform(0.5, 3.0)
    back = canal - (0.5 + fat * near_disc * _wobble(rng, len(s), 0.3, 0) + 0.3 * fat) + ripple
    return Profiles(
        step_off=np.interp(s, np.stack([bodies.top, bodies.bottom], 1).ravel(), np.repeat(slip, 2)),
        canal=canal,
        canal_half_width=along(table["canal_half_width"]) * size * narrow,
        sac_front=front,
        sac_back=np.maximum(back, front + 0.5),
        cord=_cord_profile(rng, s, along(table["cord"]), at, size),
        cord_position=np.interp(s, [at[name] for name in ("C2", "C7", "T5", "T12")], rng.uniform(*CORD_POSITION)),
        disc_index=np.searchsorted(middle[1:], s).clip(0, len(middle) - 1),
        body_index=np.searchsorted(discs.centre, s).clip(0, len(middle) - 1),
    )


def _draw_slip(rng: np.random.Generator, bodies: Bodies, sacrum: int) -> FloatArray:
    """Backward slip of every body, mm: rarely a listhesis; what stands on it slips too and leans back into line."""
    count = len(bodies.top)
    large = rng.normal(0, 0.11, count) * bodies.depth_bottom
    slip = np.where(rng.random(count) < 0.03, large, rng.normal(0, 0.3, count))
    slip[sacrum:] = 0
    for upper in range(count - 2, -1, -1):
        slip[upper] += 0.75 * slip[upper + 1]
    return slip


def _sac_front(s: FloatArray, dens: float, gap: FloatArray, discs: Discs) -> FloatArray:
    """Front of the sac behind the posterior wall: ligaments of the dens, epidural space, dents by discs."""
    front = gap + (3.0 - gap) * np.clip((dens + 8 - s) / 12, 0, 1)
    spread = discs.half_middle + 1.5
    dent = (discs.bulge + 0.7) * np.exp(-(((s[:, None] - discs.centre) / spread) ** 2) / 2)
    return np.maximum(front, dent.max(1))


def _bumps(discs: Discs, bodies: Bodies) -> tuple[FloatArray, FloatArray]:
    """1 between two laminae, which is at the height of a disc and just below it; 0 behind the bodies."""
    nodes = np.stack([bodies.bottom - 5, discs.centre, discs.centre + 5, discs.centre + 10], 1).ravel()
    values = np.tile([0.0, 1.0, 1.0, 0.0], len(discs.centre))
    order = np.argsort(nodes, kind="stable")
    return nodes[order], values[order]


def _cord_profile(rng: np.random.Generator, s: FloatArray, diameter: FloatArray, at: dict, size: float) -> FloatArray:
    """Cord down to the conus, whose tip lies between T12 and L2 (mean L1)."""
    tip = rng.normal(at["L1"] + 6, 11)
    taper = np.clip((tip - s) / (28 * size), 0, 1) ** 0.7
    thick = np.where(s > at["T11"], np.maximum(diameter, 7.8), diameter)
    medulla = 5.0 * np.clip(-s / 30, 0, 1)
    return (thick * rng.uniform(0.85, 1.12) * size + medulla) * taper
