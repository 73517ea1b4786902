"""Spines with another number of vertebrae.

The bodies keep the names that the painters know: a sixth lumbar vertebra is a second L2, a thirteenth thoracic one a
second T12, a missing one L2 or T7. `disc_levels` tells how a reader counts their discs.
"""

from dataclasses import replace

import numpy as np

from lookonce.anatomy import USUAL_COUNT, VARIANT_SHARES, Level, VertebraCount
from lookonce.synth.curve import IndexArray
from lookonce.synth.morphometry import VERTEBRAE, VertebraSize


def draw_count(rng: np.random.Generator) -> VertebraCount:
    """Draw a number of vertebrae, mostly the usual one."""
    shares = list(VARIANT_SHARES.values())
    counts = [*VARIANT_SHARES, USUAL_COUNT]
    return counts[int(rng.choice(len(counts), p=[*shares, 1 - sum(shares)]))]


def vertebrae_of(count: VertebraCount) -> tuple[VertebraSize, ...]:
    """The bodies from C2 to the coccyx."""
    rows = list(VERTEBRAE)
    names = [row.name for row in rows]
    for more, twice, without in ((count.lumbar - 5, "L2", "L2"), (count.thoracic - 12, "T12", "T7")):
        if more > 0:
            at = names.index(twice)
            rows.insert(at + 1, replace(rows[at], name=f"{twice}b"))
        elif more < 0:
            del rows[names.index(without)]
    return tuple(rows)


def disc_levels(count: VertebraCount, *, counted_from: str) -> IndexArray:
    """Levels of all discs of a spine from C2/C3 to the one above the sacrum.

    Parameters
    ----------
    count : VertebraCount
    counted_from : {"both", "C2", "sacrum"}
        Who sees both ends sees the variant; who sees one end counts as if there were none.

    Returns
    -------
    (N,) integer array
        `Level` values from the head down.
    """
    levels = np.array(count.levels[1:], dtype=int)
    if counted_from == "sacrum":
        return int(Level.L5_S1) - np.arange(len(levels))[::-1]
    return int(Level.C2_C3) + np.arange(len(levels)) if counted_from == "C2" else levels
