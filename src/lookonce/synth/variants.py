"""Spines with another number of vertebrae, and the names that their discs go by.

The bodies keep the names that the painters know: a sixth lumbar vertebra is a second L2, a thirteenth thoracic one a
second T12, a missing one L2 or T7. `disc_levels` tells how a reader counts them.
"""

from dataclasses import dataclass, replace

import numpy as np

from lookonce.anatomy import Level
from lookonce.synth.curve import IndexArray
from lookonce.synth.morphometry import VERTEBRAE, VertebraSize


@dataclass(frozen=True)
class Variant:
    """A number of vertebrae other than 12 thoracic and 5 lumbar.

    Attributes
    ----------
    name : str
        As results give it.
    share : float
        Share of people; rounded from Carrino et al., Radiology 260 (2011) 196, who counted from C2 down.
    twice, without : str or None
        The body to draw twice, or to leave out.
    discs : tuple of Level
        The discs that take the place of T12/L1 or L5/S1.
    """

    name: str
    share: float
    twice: str | None = None
    without: str | None = None
    discs: tuple[Level, ...] = ()


VARIANTS = (
    Variant("6 lumbar vertebrae", 0.03, twice="L2", discs=(Level.L5_L6, Level.L6_S1)),
    Variant("4 lumbar vertebrae", 0.03, without="L2", discs=(Level.L4_S1,)),
    Variant("13 thoracic vertebrae", 0.02, twice="T12", discs=(Level.T12_T13, Level.T13_L1)),
    Variant("11 thoracic vertebrae", 0.02, without="T7", discs=(Level.T11_L1,)),
)


def draw_variant(rng: np.random.Generator) -> Variant | None:
    """Draw a variant, mostly none."""
    shares = [variant.share for variant in VARIANTS]
    index = int(rng.choice(len(VARIANTS) + 1, p=[*shares, 1 - sum(shares)]))
    return VARIANTS[index] if index < len(VARIANTS) else None


def vertebrae_of(variant: Variant | None) -> tuple[VertebraSize, ...]:
    """The bodies from C2 to the coccyx."""
    if variant is None:
        return VERTEBRAE
    rows = [row for row in VERTEBRAE if row.name != variant.without]
    names = [row.name for row in rows]
    if variant.twice is not None:
        at = names.index(variant.twice)
        rows.insert(at + 1, replace(rows[at], name=f"{variant.twice}b"))
    return tuple(rows)


def disc_levels(variant: Variant | None, *, counted_from: str) -> IndexArray:
    """Levels of all discs of a spine from C2/C3 to the one above the sacrum.

    Parameters
    ----------
    variant : Variant or None
    counted_from : {"both", "C2", "sacrum"}
        Who sees both ends sees the variant; who sees one end counts as if there were none.

    Returns
    -------
    (N,) integer array
        `Level` values from the head down.
    """
    regular = [int(level) for level in Level if Level.C2_C3 <= level <= Level.L5_S1]
    if variant is None:
        return np.array(regular)
    extra = (variant.twice is not None) - (variant.without is not None)
    count = len(regular) + extra
    if counted_from == "sacrum":
        return int(Level.L5_S1) - np.arange(count)[::-1]
    if counted_from == "C2":
        return int(Level.C2_C3) + np.arange(count)
    replaced = Level.L5_S1 if Level.L5_S1.nifti_value in {disc.nifti_value for disc in variant.discs} else Level.T12_L1
    # One fewer: the level above it does not exist either, as its lower vertebra is missing.
    gone = {replaced} if extra > 0 else {replaced, Level(replaced - 1)}
    named = [level for level in regular if level not in gone]
    at = sum(level < replaced for level in named)
    return np.array([*named[:at], *(int(disc) for disc in variant.discs), *named[at:]])
