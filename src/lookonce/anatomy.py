"""Levels of the spine: their names, their numbers in other tools, and how far apart neighbours lie.

A level names an intervertebral disc (the first two name the top of C1 and the C1/C2 joint). Numbers follow the Spinal
Cord Toolbox (SCT): the number n is the disc *above* vertebra n, with vertebra 1 = C1, 8 = T1, 20 = L1.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum
from functools import cached_property


class Level(IntEnum):
    """A disc level by its SCT value; members above 100 exist in numeric variants and have no SCT value.

    Examples
    --------
    >>> Level(3).label, Level.from_label("L5/S1").sct, Level.T13_L1.sct
    ('C2/C3', 25, None)
    """

    C1_TOP = 1
    C1_C2 = 2
    C2_C3 = 3
    C3_C4 = 4
    C4_C5 = 5
    C5_C6 = 6
    C6_C7 = 7
    C7_T1 = 8
    T1_T2 = 9
    T2_T3 = 10
    T3_T4 = 11
    T4_T5 = 12
    T5_T6 = 13
    T6_T7 = 14
    T7_T8 = 15
    T8_T9 = 16
    T9_T10 = 17
    T10_T11 = 18
    T11_T12 = 19
    T12_L1 = 20
    L1_L2 = 21
    L2_L3 = 22
    L3_L4 = 23
    L4_L5 = 24
    L5_S1 = 25
    T12_T13 = 101
    T13_L1 = 102
    L5_L6 = 103
    L6_S1 = 104
    L4_S1 = 105
    T11_L1 = 106

    @property
    def label(self) -> str:
        """Name as it is printed, such as ``C2/C3``."""
        return "C1 top" if self is Level.C1_TOP else self.name.replace("_", "/")

    @property
    def sct(self) -> int | None:
        """Value in SCT label files, or None for the discs of a T13 or an L6."""
        return int(self) if self <= Level.L5_S1 else None

    @property
    def nifti_value(self) -> int:
        """Value written to a label volume: the SCT value, or in a numeric variant that of the neighbour it touches.

        The disc below T12 and the disc above L1 are both 20, the disc below L5 and the disc above S1 both 25, so in a
        spine with T13 or L6 two voxels share one value, and in one of 11 thoracic or 4 lumbar vertebrae one value (19
        or 24) is left out; whoever writes the file warns.
        """
        return _NEIGHBOURS.get(self, int(self))

    @property
    def spineps(self) -> int | None:
        """Value in SPINEPS masks: 100 plus the vertebra above the disc (T13 = 28, L6 = 25); None above C2/C3."""
        variants = {
            Level.T12_T13: 119,
            Level.T13_L1: 128,
            Level.L5_L6: 124,
            Level.L6_S1: 125,
            Level.L4_S1: 123,
            Level.T11_L1: 118,
        }
        return variants.get(self, 99 + self if self >= Level.C2_C3 else None)

    @property
    def totalspineseg(self) -> int | None:
        """Value in TotalSpineSeg masks, or None where that numbering has no such disc."""
        if Level.C2_C3 <= self <= Level.C6_C7:
            return 60 + self
        if Level.C7_T1 <= self <= Level.T11_T12:
            return 63 + self
        if Level.T12_L1 <= self <= Level.L4_L5:
            return 71 + self
        return 100 if self is Level.L5_S1 else None

    @classmethod
    def from_label(cls, label: str) -> Level:
        """Level of a printed name; raises ValueError with the name when there is none."""
        for level in cls:
            if level.label == label:
                return level
        raise ValueError(f"no disc level is called {label!r}; names look like C2/C3, T12/L1 or L5/S1")

    @classmethod
    def from_number(cls, number: float, numbering: str = "sct") -> Level:
        """Level of a number in one of `NUMBERINGS`.

        Label files hold floats such as 5.9999, so the number is rounded, never truncated.

        Raises
        ------
        ValueError
            If the numbering is unknown or has no disc of that number.

        Examples
        --------
        >>> Level.from_number(5.9999).label, Level.from_number(100, "totalspineseg").label
        ('C5/C6', 'L5/S1')
        """
        if numbering not in NUMBERINGS:
            raise ValueError(f"numbering {numbering!r} is not one of {', '.join(NUMBERINGS)}")
        wanted = round(float(number))
        for level in cls:
            if getattr(level, numbering) == wanted:
                return level
        raise ValueError(f"{number:g} is no disc in the {numbering} numbering")


_NEIGHBOURS = {
    Level.T12_T13: 20,
    Level.T13_L1: 20,
    Level.L5_L6: 25,
    Level.L6_S1: 25,
    Level.L4_S1: 25,
    Level.T11_L1: 20,
}

NUMBERINGS = ("sct", "totalspineseg", "spineps")

#: Levels of the usual spine (7 cervical, 12 thoracic, 5 lumbar vertebrae), top to bottom.
REGULAR_LEVELS = tuple(Level(value) for value in range(1, 26))


@dataclass(frozen=True)
class VertebraCount:
    """How many thoracic and lumbar vertebrae a spine has; 12 and 5, or one more or less of either.

    Examples
    --------
    >>> VertebraCount().name, VertebraCount(lumbar=6).name
    (None, '6 lumbar vertebrae')
    >>> [level.label for level in VertebraCount(lumbar=4).levels[-2:]]
    ['L3/L4', 'L4/S1']
    """

    thoracic: int = 12
    lumbar: int = 5

    @property
    def extra(self) -> int:
        """Discs more (or less) than usual between C2 and the sacrum."""
        return self.thoracic + self.lumbar - 17

    @property
    def name(self) -> str | None:
        """In words what is unusual, or None."""
        if self.thoracic != 12:
            return f"{self.thoracic} thoracic vertebrae"
        return None if self.lumbar == 5 else f"{self.lumbar} lumbar vertebrae"

    @cached_property
    def levels(self) -> tuple[Level, ...]:
        """The levels from C1/C2 to the disc above the sacrum."""
        thoracic = {11: (Level.T11_L1,), 12: (Level.T11_T12, Level.T12_L1)}
        thoracic[13] = (Level.T11_T12, Level.T12_T13, Level.T13_L1)
        lumbar = {4: (Level.L4_S1,), 5: (Level.L4_L5, Level.L5_S1)}
        lumbar[6] = (Level.L4_L5, Level.L5_L6, Level.L6_S1)
        upper = (level for level in Level if Level.C1_C2 <= level <= Level.T10_T11)
        middle = (Level.L1_L2, Level.L2_L3, Level.L3_L4)
        return (*upper, *thoracic[self.thoracic], *middle, *lumbar[self.lumbar])


USUAL_COUNT = VertebraCount()
#: Numeric variants and their shares of people: an unusual total was found in 8.2 % of 147 (Carrino et al., Radiology
#: 259 (2011) 196-202); how they divide is an estimate.
VARIANT_SHARES = {
    VertebraCount(lumbar=6): 0.025,
    VertebraCount(lumbar=4): 0.025,
    VertebraCount(thoracic=13): 0.015,
    VertebraCount(thoracic=11): 0.015,
}
#: The discs above a sacrum.
ABOVE_SACRUM = (Level.L5_S1, Level.L6_S1, Level.L4_S1)


@dataclass(frozen=True)
class SpacingPrior:
    """Distances between the posterior tips of neighbouring discs, in mm.

    A body's stature scales the whole spine (`stature_spread`, one factor a person) and each vertebra differs on its
    own (`own_spread`); both are standard deviations relative to the mean.
    """

    mean: tuple[float, ...]
    stature_spread: float
    own_spread: float

    def between(self, upper: int, lower: int) -> float:
        """Mean distance along the spine from level `upper` to level `lower` (SCT values, upper < lower), in mm."""
        return self._cumulative[lower - 1] - self._cumulative[upper - 1]

    def steps(self, count: VertebraCount) -> tuple[float, ...]:
        """Distances between the neighbouring levels of `count`, from C1/C2 down, in mm."""
        upper, thoracic, lumbar = self.mean[1:7], list(self.mean[7:19]), list(self.mean[19:])
        # One more is as high as its neighbours at the end of its region, one less is missing in the middle of it.
        for steps, more, at in ((thoracic, count.thoracic - 12, -2), (lumbar, count.lumbar - 5, 1)):
            steps[at : at + 1] = [steps[at]] * (1 + more)
        return (*upper, *thoracic, *lumbar)

    @cached_property
    def _cumulative(self) -> tuple[float, ...]:
        total = [0.0]
        for step in self.mean:
            total.append(total[-1] + step)
        return tuple(total)


#: Entry i is the distance from SCT level i + 1 to i + 2. Posterior body height plus disc height of dry and cadaver
#: spines (Panjabi et al., Spine 1991 cervical, 1991 thoracic, 1992 lumbar; Gilad and Nissan, Spine 1986), rounded to
#: 0.5 mm: the tips of lordotic discs are closer than their centres, which those tables do not tell, so the lumbar
#: figures follow the posterior heights.
ADULT_SPACING = SpacingPrior(
    mean=(
        *(14.0, 16.5, 18.5, 17.5, 16.5, 17.0, 18.0),  # C1 top to C7/T1
        *(21.0, 21.5, 22.5, 23.0, 24.0, 25.0, 26.0, 26.5, 27.5, 28.0, 30.0, 31.5),  # C7/T1 to T12/L1
        *(34.0, 35.0, 35.0, 34.0, 31.0),  # T12/L1 to L5/S1
    ),
    stature_spread=0.08,
    own_spread=0.07,
)
