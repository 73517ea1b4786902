"""What the scans of one session say of each other's numbering.

Scans of different contrast that show the same discs are numbered on their own: where they then name a disc differently,
one of them is a level off, and both are flagged. Scans of one contrast are stations of one spine: where their discs
coincide, or one begins where the other ends, the surest numbers those that are not sure.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from itertools import combinations, groupby, pairwise
from typing import Any

import numpy as np
from pydantic import BaseModel, ConfigDict

from lookonce.anatomy import ADULT_SPACING, Level
from lookonce.decode.evidence import SAME_DISC_MM, levels_by_localizer
from lookonce.io.bids import Scan
from lookonce.labeling import LabelResult
from lookonce.landmarks import Disc, DiscLabels

#: The scans' common plane: slices of a spine are turned out of it by a few degrees.
ACROSS = np.array([1.0, 0.0, 0.0])
#: A station whose first disc lies this many levels below the last one of another, as far as distances tell, adjoins it.
MOST_LEVELS_APART = 2
#: By how much the way between two stations may differ from what their own spacing says, relative to it: two standard
#: deviations of a single vertebra's height and a little for the point's error.
SPACING_TOLERANCE = 0.2
#: Least share of that way that runs from head to feet; a neighbour that lies elsewhere is no neighbour.
LEAST_DOWN = 0.75


class Alone(BaseModel):
    """What one scan shows on its own.

    Attributes
    ----------
    discs : list of dict
        As `DiscLabels.to_records` gives them.
    level_shift : dict of int to float
    uncertain : bool
    placed : bool
        Whether the header says where the scan is in the scanner; else it cannot be compared with others.
    by_hand : bool
        Whether a person placed the labels.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    discs: list[dict[str, Any]]
    level_shift: dict[int, float]
    uncertain: bool
    placed: bool = True
    by_hand: bool = False

    @property
    def labels(self) -> DiscLabels:
        """The discs with a place in the regular numbering, which alone can be compared."""
        return DiscLabels(disc for disc in DiscLabels.from_records(self.discs) if disc.level.sct is not None)

    @property
    def trust(self) -> tuple[bool, bool, float]:
        """Sort key: the scan that numbers the others comes last."""
        return self.by_hand, not self.uncertain, self.level_shift.get(0, 0.0)


class Verdict(BaseModel):
    """What the other scans of its session say of a scan.

    Attributes
    ----------
    station : str
        The scan that numbers this one; empty where it is numbered on its own.
    localizer : Alone or None
        The discs of this scan with the levels and the doubts of that one.
    disagrees : list of str
        One sentence for every scan that names a disc differently.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    station: str = ""
    localizer: Alone | None = None
    disagrees: list[str] = []

    def as_localizer(self) -> LabelResult | None:
        """The localizer as labelling takes it."""
        if self.localizer is None:
            return None
        return LabelResult(self.localizer.labels, self.localizer.level_shift, self.localizer.uncertain)


def number_together(seen: Mapping[Scan, Alone]) -> dict[Scan, Verdict]:
    """Verdicts on the scans of one session, from what each shows alone; their order does not matter."""
    placed = {scan: seen[scan] for scan in sorted(seen) if seen[scan].placed and len(seen[scan].labels)}
    stations: dict[Scan, tuple[Scan, Alone]] = {}
    for _, group in groupby(sorted(placed, key=lambda scan: scan.suffix), key=lambda scan: scan.suffix):
        stations |= _stations({scan: placed[scan] for scan in group})
    named = {scan: stations[scan][1].labels if scan in stations else placed[scan].labels for scan in placed}
    complaints: dict[Scan, list[str]] = {scan: [] for scan in seen}
    for one, other in combinations(named, 2):
        differing = _differing(named[one], named[other])
        if differing is not None:
            complaints[one].append(_complaint(other, *differing))
            complaints[other].append(_complaint(one, *differing[::-1]))
    return {
        scan: Verdict(
            station=stations[scan][0].stem if scan in stations else "",
            localizer=stations[scan][1] if scan in stations else None,
            disagrees=complaints[scan],
        )
        for scan in seen
    }


def _stations(group: Mapping[Scan, Alone]) -> dict[Scan, tuple[Scan, Alone]]:
    """Scans that another one numbers, with it and with their discs as it names them."""
    numbered: dict[Scan, tuple[Scan, Alone]] = {}
    # Of two that are equally sure, the first by name numbers the other.
    waiting = sorted(sorted(group), key=lambda scan: group[scan].trust, reverse=True)
    while waiting:
        guide = waiting[0]
        offsets = _offsets(guide, waiting, group)
        waiting = [scan for scan in waiting if scan not in offsets]
        for scan, offset in offsets.items():
            own, other = group[scan], group[guide]
            # Who is sure of itself keeps its numbering; where it differs, both are flagged.
            if own.uncertain and not own.by_hand and (offset or not other.uncertain):
                discs = DiscLabels(_renamed(own.labels, offset)).to_records()
                told = Alone(discs=discs, level_shift=other.level_shift, uncertain=other.uncertain)
                numbered[scan] = (guide, told)
    return numbered


def _offsets(guide: Scan, scans: Sequence[Scan], group: Mapping[Scan, Alone]) -> dict[Scan, int]:
    """How many levels to add to each scan that hangs together with the guide, directly or through others."""
    offsets = {guide: 0}
    named = {guide: group[guide].labels}  # as the guide names them
    links = (_overlap, _adjoining)  # a scan is reached by its neighbour's place only where no common discs reach it
    while True:
        reached = next(
            (
                (scan, step)
                for link in links
                for known in named.values()
                for scan in scans
                if scan not in offsets
                if (step := link(known, group[scan].labels)) is not None
            ),
            None,
        )
        if reached is None:
            return offsets
        scan, step = reached
        offsets[scan] = step
        renamed = DiscLabels(_renamed(group[scan].labels, step))
        if len(renamed):
            named[scan] = renamed


def _overlap(one: DiscLabels, other: DiscLabels) -> int | None:
    """Levels to add to `other` so that the discs that it shares with `one` have the same names; None without such."""
    steps = Counter(there - here for there, here in _shared(one, other))
    return min(steps, key=lambda step: (-steps[step], abs(step), step)) if steps else None


def _adjoining(one: DiscLabels, other: DiscLabels) -> int | None:
    """Levels to add to `other` so that it goes on where `one` ends; None where it lies elsewhere."""
    is_below = one.points[:, 2].mean() > other.points[:, 2].mean()
    upper, lower = (one, other) if is_below else (other, one)
    last, first = list(upper)[-1], next(iter(lower))
    way = np.subtract(last.world_mm, first.world_mm)
    way[0] = 0.0  # right-left neither scan may know it well
    length = float(np.linalg.norm(way))
    apart = 0
    if length > SAME_DISC_MM:
        if way[2] < LEAST_DOWN * length:
            return None
        # By the names of `one` alone: those of the other may be wrong, and vertebrae grow on the way down.
        stature = float(np.median([*_stature(one), 1.0]))
        level = last.level if is_below else first.level
        spans = {
            count: (level, level + count) if is_below else (level - count, level)
            for count in range(1, MOST_LEVELS_APART + 1)
        }
        fitting = [
            count
            for count, (above, below) in spans.items()
            if above >= Level.C1_C2 and below <= Level.L5_S1
            if abs(length / (stature * ADULT_SPACING.between(above, below)) - 1) <= SPACING_TOLERANCE
        ]
        if len(fitting) != 1:
            return None
        apart = fitting[0]
    return int(last.level + apart - first.level) if is_below else int(first.level - apart - last.level)


def _stature(labels: DiscLabels) -> Iterator[float]:
    """Distance of neighbouring discs relative to an adult's mean."""
    discs = list(labels)
    for upper, lower in pairwise(discs):
        if lower.level == upper.level + 1:
            length = np.linalg.norm(np.subtract(upper.world_mm, lower.world_mm))
            yield float(length) / ADULT_SPACING.between(upper.level, lower.level)


def _shared(one: DiscLabels, other: DiscLabels) -> list[tuple[int, int]]:
    """Levels in `one` and in `other` of the discs that both show; empty for a single one."""
    known = levels_by_localizer(other.points, one, ACROSS)
    return [(int(there), int(here)) for there, here in zip(known, other.levels, strict=True) if there]


def _differing(one: DiscLabels, other: DiscLabels) -> tuple[Level, Level] | None:
    """The uppermost disc that both show and name differently, by its name in either."""
    for there, here in _shared(one, other):
        if there != here:
            return Level(there), Level(here)
    return None


def _complaint(other: Scan, here: Level, there: Level) -> str:
    return (
        f"disagrees with {other.stem} of the same session, where {here.label} is {there.label}: one of the two is a "
        "level off, or the patient moved between them; check both"
    )


def _renamed(labels: DiscLabels, step: int) -> Iterator[Disc]:
    for disc in labels:
        value = disc.level + step
        if Level.C1_C2 <= value <= Level.L5_S1:
            yield Disc(Level(value), disc.world_mm, disc.confidence)
