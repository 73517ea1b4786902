"""What a numbering is counted from: the vertebrae that look like no other, or what the user brings along."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from lookonce.anatomy import ABOVE_SACRUM, Level
from lookonce.geometry import FloatArray
from lookonce.landmarks import DiscLabels

#: Height of C2 without the dens, and of S1: with less of them in view, C2/C3 and L5/S1 look like any disc (and S1/S2
#: like L5/S1).
ANCHOR_VIEW_MM = 25.0
#: A disc of a localizer and a candidate this close in the sagittal plane are the same disc: half the distance of the
#: closest neighbours. Right-left neither scan may know it well, least of all a scout of a few thick slices.
SAME_DISC_MM = 8.0
SAME_DISC_ACROSS_MM = 25.0
#: Fewer shared discs than this do not tie two scans together.
FEWEST_SHARED = 2


@dataclass(frozen=True)
class Evidence:
    """What settles which disc is which.

    Attributes
    ----------
    anchors : tuple of Level
        Those of C2/C3 and L5/S1 (or whatever disc lies above the sacrum) that are in view with the whole vertebra that
        tells them from their neighbours.
    cut : tuple of Level
        Those that are in view with less of it.
    first_level : bool
        The user named the topmost disc.
    localizer : bool
        Another scan of the session numbers this one.
    """

    anchors: tuple[Level, ...] = ()
    cut: tuple[Level, ...] = ()
    first_level: bool = False
    localizer: bool = False

    def describe(self, levels: Sequence[int]) -> str:
        """What the levels are counted from, in words.

        Examples
        --------
        >>> Evidence((Level.C2_C3,)).describe([3, 4, 5])
        'C2'
        """
        if self.first_level:
            return "the first level that was given"
        if self.localizer:
            return "the localizer"
        if len(self.anchors) == 2:
            return "C2 and the sacrum, both in view"
        if Level.L5_S1 in self.anchors:
            return "the sacrum, given 12 thoracic and 5 lumbar vertebrae (other counts cannot be excluded)"
        if Level.C2_C3 in self.anchors:
            lumbar = max(levels) >= Level.T12_L1
            return "C2" + (", given 12 thoracic vertebrae (other counts cannot be excluded)" if lumbar else "")
        if self.cut:
            part = "sacrum" if Level.L5_S1 in self.cut else "axis (C2)"
            return f"what the border leaves of the {part}, and the look of the discs (other counts cannot be excluded)"
        return "the look of the discs alone, with neither C2 nor the sacrum in view (other counts cannot be excluded)"


def anchors_in_view(
    levels: Sequence[int], above_mm: FloatArray, below_mm: FloatArray
) -> tuple[tuple[Level, ...], tuple[Level, ...]]:
    """Anchors whose vertebra is wholly in the picture, and those whose vertebra is cut off.

    Parameters
    ----------
    levels : (N,) sequence
        SCT values of the discs.
    above_mm, below_mm : (N,) arrays
        Height of picture above and below each disc.
    """
    named = np.asarray(levels)
    heights = {Level.C2_C3: above_mm[named == Level.C2_C3], Level.L5_S1: below_mm[np.isin(named, ABOVE_SACRUM)]}
    whole = tuple(level for level, height in heights.items() if (height >= ANCHOR_VIEW_MM).any())
    return whole, tuple(level for level, height in heights.items() if len(height) and level not in whole)


def levels_by_localizer(points: FloatArray, localizer: DiscLabels, normal: FloatArray) -> np.ndarray:
    """SCT value of every point that lies on a disc of the localizer, 0 for the others.

    Parameters
    ----------
    points : (N, 3) array
        World coordinates of candidates, or of another scan's discs, mm.
    localizer : DiscLabels
        Of a scan in the same world coordinates.
    normal : (3,) array
        Unit normal of the sagittal plane, world.

    Returns
    -------
    (N,) int array
        All zeros when fewer than `FEWEST_SHARED` discs are shared. Of several points near one disc the nearest
        has its level.
    """
    known = np.zeros(len(points), dtype=int)
    discs = [disc for disc in localizer if disc.level.sct is not None]
    if not discs or not len(points):
        return known
    offsets = points[:, None] - np.array([disc.world_mm for disc in discs])
    across = offsets @ normal
    gaps = np.linalg.norm(offsets - across[..., None] * normal, axis=2)
    gaps[np.abs(across) > SAME_DISC_ACROSS_MM] = np.inf
    for column, disc in enumerate(discs):
        nearest = int(gaps[:, column].argmin())
        if gaps[nearest, column] <= SAME_DISC_MM and gaps[nearest].argmin() == column:
            known[nearest] = disc.level
    return known if np.count_nonzero(known) >= FEWEST_SHARED else np.zeros_like(known)
