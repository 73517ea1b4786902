"""A spine: sizes of bodies and discs along its line, and the points that are its truth.

The anatomy is a function of spine coordinates (see `curve`), so one spine serves a single slab and a whole volume.
`draw_spine` draws one at random; what lies around it is in `surroundings`.
"""

from dataclasses import dataclass, fields, replace
from typing import TYPE_CHECKING, TypeVar

import numpy as np

from lookonce.anatomy import VertebraCount
from lookonce.synth.curve import FloatArray, IndexArray, SpineCurve
from lookonce.synth.findings import Findings
from lookonce.synth.variants import disc_levels

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

Parts = TypeVar("Parts", bound="DataclassInstance")

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
    sac_front, sac_back : (L,) arrays
        Front and back of the thecal sac, measured backwards from the posterior wall; discs that stand back dent it.
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
    sac_front: FloatArray
    sac_back: FloatArray
    cord: FloatArray
    cord_position: FloatArray
    disc_index: IndexArray
    body_index: IndexArray


@dataclass(frozen=True)
class Spine:
    """A whole random spine; see `truth_points` for its labels.

    Attributes
    ----------
    names : tuple of str
        The K bodies from C2 down, as `variants` names them.
    count : VertebraCount
    size : float
        Overall scale, 1 is the mean adult.
    dens_height, dens_depth : float
        Size of the dens, mm.
    sac_end : float
        Arc length at which the thecal sac ends, mm.
    """

    names: tuple[str, ...]
    count: VertebraCount
    size: float
    dens_height: float
    dens_depth: float
    sac_end: float
    curve: SpineCurve
    bodies: Bodies
    discs: Discs
    profiles: Profiles
    findings: Findings

    def top(self, name: str) -> float:
        """Arc length of the upper end of a body, mm."""
        return float(self.bodies.top[self.names.index(name)])

    def bottom(self, name: str) -> float:
        """Arc length of the lower end of a body, mm."""
        return float(self.bodies.bottom[self.names.index(name)])

    def middle(self, name: str) -> float:
        """Arc length of the middle of a body, mm."""
        return (self.top(name) + self.bottom(name)) / 2

    def along(self, values: dict[str, float]) -> tuple[list[float], list[float]]:
        """Arc lengths of the named bodies' middles and the values given for them, ready for `numpy.interp`."""
        return [self.middle(name) for name in values], list(values.values())


def truth_points(spine: Spine, *, counted_from: str = "both") -> tuple[FloatArray, IndexArray, FloatArray]:
    """Posterior tips of the discs and the places that only look like discs.

    Parameters
    ----------
    spine : Spine
    counted_from : {"both", "C2", "sacrum"}
        See `variants.disc_levels`.

    Returns
    -------
    points : (N, 3) array
        World mm of the N levels, 25 unless the spine is a numeric variant; the first two sit behind the tip and the
        base of the dens.
    levels : (N,) integer array
        `Level` values.
    negatives : (M, 3) array
        World mm of the posterior ends of the sacral remnants.
    """
    discs, s_nodes = spine.discs, spine.curve.s
    tip_s = discs.centre + discs.slope * (-discs.bulge - discs.depth / 2)
    tip_u = -discs.bulge - np.interp(tip_s, s_nodes, spine.profiles.step_off)
    tips = spine.curve.to_world(tip_s, tip_u)
    dens = spine.curve.to_world(np.array([0.0, spine.dens_height]), np.array([0.0, 0.0]))
    real = spine.names.index("S1")
    points = np.concatenate([dens, tips[:real]])
    levels = np.concatenate([[1, 2], disc_levels(spine.count, counted_from=counted_from)])
    return points, levels, tips[real : real + NAMED_NEGATIVES]


def single_precision(parts: Parts) -> Parts:
    """A copy of a data class whose floating arrays are float32: painting in double precision takes twice as long."""
    values = {field.name: getattr(parts, field.name) for field in fields(parts)}
    changed = {
        name: value.astype(np.float32) for name, value in values.items() if getattr(value, "dtype", None) == np.float64
    }
    return replace(parts, **changed)
