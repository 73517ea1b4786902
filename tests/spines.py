"""Candidates along a straight spine, with whatever names a network may give them."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from lookonce.anatomy import ADULT_SPACING, VertebraCount
from lookonce.decode.chain_scores import FIRST, LAST
from lookonce.decode.heatmaps import Candidates

CLASSES = LAST + 1
FLAT = np.full(CLASSES, -np.log(CLASSES))


def candidates_at(points, probability=0.9, evidence: NDArray | None = None) -> Candidates:
    """Candidates at world points (N, 3) in mm, with flat evidence unless given."""
    world = np.asarray(points, dtype=np.float64).reshape(-1, 3)
    heights = np.broadcast_to(np.asarray(probability, dtype=np.float64), len(world)).copy()
    evidence = np.tile(FLAT, (len(world), 1)) if evidence is None else evidence
    return Candidates(slab=world.copy(), world_mm=world, probability=heights, evidence=evidence)


def spine(levels, stature: float = 1.0) -> NDArray:
    """World points (N, 3) of the discs of some SCT levels of a straight, upright spine, C1/C2 at the origin."""
    heights = [-stature * ADULT_SPACING.between(FIRST, level) if level > FIRST else 0.0 for level in levels]
    return np.column_stack([np.zeros(len(heights)), np.zeros(len(heights)), heights])


def says(level: int, share: float = 0.9) -> NDArray:
    """Evidence, (CLASSES,) log-probabilities, of a network that takes a place for this disc."""
    names = np.full(CLASSES, (1 - share) / (CLASSES - 1))
    names[level] = share
    return np.log(names)


def named(levels, told: dict[int, int]) -> NDArray:
    """Evidence (N, CLASSES): flat but at the positions in `told`, where the network names a level."""
    evidence = np.tile(FLAT, (len(levels), 1))
    for position, level in told.items():
        evidence[position] = says(level)
    return evidence


def counted_spine(count: VertebraCount, stature: float = 1.0, share: float = 0.6) -> Candidates:
    """All discs of a spine below C1/C2, called as one who expects the usual number calls them.

    The upper ones are counted from C2, those from T10/T11 on from the sacrum.
    """
    down = stature * np.cumsum(ADULT_SPACING.steps(count))
    total, upper = len(down), 16
    names = [FIRST + 1 + place for place in range(upper)] + [LAST - place for place in range(total - upper)][::-1]
    points = np.column_stack([np.zeros((total, 2)), -down])
    return candidates_at(points, evidence=np.array([says(name, share) for name in names]))
