"""What a radiologist would report of a spine besides worn discs: dents, fusions, fractures, operations.

Shares of people are estimates for patients who are sent to a scanner, not for the population.
"""

from dataclasses import dataclass

import numpy as np

from lookonce.synth.curve import FloatArray, IndexArray, Mask
from lookonce.synth.shapes import bar
from lookonce.synth.sheet import Sheet
from lookonce.synth.tissues import Tissue

SCHMORL = 0.05
"""Share of end plates with a node; all end plates of a person are hollow to some degree."""
FUSED, FRACTURED, LAMINECTOMY, IMPLANT = 0.04, 0.06, 0.05, 0.04
"""Shares of people."""


@dataclass(frozen=True)
class Findings:
    """Findings of a spine with K bodies.

    Attributes
    ----------
    dent : (K, 4) array
        Of the disc below each body: depth (mm) into the neighbour, place as a share of the depth, radius (mm), and
        1 for the end plate above or 0 for the one below.
    fusion : (K,) array
        How far the disc below each body has turned into bone, 0 to 1.
    wedge : (K,) array
        Loss of anterior height of a fractured body at its upper end plate, mm.
    opened : (K,) boolean array
        Bodies whose spinous process and laminae were taken away.
    screws : (K,) boolean array
        Bodies with metal in them, which leaves a void.
    cage : (K,) boolean array
        Discs replaced by a cage.
    void : float
        Radius of the void around a screw, mm.
    lumpy, process_corner, process_fat : float
        Irregularity of the spinous processes (mm), radius of their corners (mm), share of fatty marrow in them.
    """

    dent: FloatArray
    fusion: FloatArray
    wedge: FloatArray
    opened: Mask
    screws: Mask
    cage: Mask
    void: float
    lumpy: float
    process_corner: float
    process_fat: float


def draw_findings(rng: np.random.Generator, names: list[str], size: float) -> Findings:
    """Draw the findings of a spine; `size` is the person's scale."""
    count, sacrum = len(names), names.index("S1")
    spinal = np.arange(count) < sacrum
    screws = _run(rng, count, sacrum, IMPLANT, longest=4)
    return Findings(
        dent=_draw_dents(rng, count, spinal, size),
        fusion=_run(rng, count, sacrum - 1, FUSED, longest=2) * rng.uniform(0.5, 1.0),
        wedge=np.where(_run(rng, count, sacrum, FRACTURED, longest=2), rng.uniform(2, 9, count), 0.0) * size,
        opened=_run(rng, count, sacrum, LAMINECTOMY, longest=3) | (screws & (rng.random() < 0.6)),
        screws=screws,
        cage=screws & np.append(screws[1:], False) & (rng.random(count) < 0.5),
        void=float(rng.uniform(3.5, 8.0)),
        lumpy=float(rng.uniform(0.6, 2.0)),
        process_corner=float(rng.uniform(2.5, 6.0)),
        process_fat=float(rng.uniform(0.1, 0.8)),
    )


def _run(rng: np.random.Generator, count: int, end: int, share: float, *, longest: int) -> Mask:
    """One run of neighbouring entries before `end`, in a share of people."""
    chosen = np.zeros(count, bool)
    if rng.random() < share:
        length = int(rng.integers(1, longest + 1))
        first = int(rng.integers(1, end - length + 1))
        chosen[first : first + length] = True
    return chosen


def _draw_dents(rng: np.random.Generator, count: int, spinal: Mask, size: float) -> FloatArray:
    """A Schmorl node here and there, elsewhere the gentle hollow of an end plate."""
    node = rng.random(count) < SCHMORL
    hollow = np.clip(rng.normal(0.2, 0.5) + rng.normal(0, 0.3, count), 0, 2)
    depth = np.where(node, rng.uniform(1.5, 5, count), hollow) * spinal * size
    radius = np.where(node, rng.uniform(2.5, 5, count), rng.uniform(6, 11, count)) * size
    return np.stack([depth, rng.uniform(0.35, 0.75, count), radius, rng.random(count) < 0.5], 1)


def paint_implants(
    sheet: Sheet, findings: Findings, level: FloatArray, body: IndexArray, disc: IndexArray, inside: FloatArray
) -> None:
    """Paint cages and the voids of screws.

    Parameters
    ----------
    sheet : Sheet
    findings : Findings
    level : (H, W) array
        Distance along the spine from the middle of the body, mm.
    body, disc : (H, W) integer arrays
        Which body and which disc each pixel belongs to.
    inside : (H, W) array
        Distance to the border of the disc, mm, positive inside.
    """
    if not findings.screws.any():
        return
    far = np.float32(-9)
    cage = np.where(findings.cage[disc], np.minimum(inside, 12 - np.abs(sheet.v)), far)
    sheet.paint(cage, Tissue.CORTEX)
    ripple = 1.2 * sheet.noise["medium"]
    # A screw runs forwards through each pedicle; its void reaches the mid-line where it is wide.
    aside = np.abs(np.abs(sheet.v) - 11)
    reach = findings.void - np.hypot(level + 2, np.maximum(aside - 4, 0)) + ripple
    void = np.minimum(reach, bar(sheet.u, -28, 22))
    sheet.paint(np.where(findings.screws[body], void, far), Tissue.AIR)
