"""Which scans of a BIDS data set a study takes, and which of them belong to one session."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from itertools import groupby
from pathlib import Path

from lookonce.errors import UsageError
from lookonce.io.bids import Scan, scans_in
from lookonce.io.exclusions import Exclusions

#: Suffixes whose contrast is known; other suffixes may be asked for by name.
CONTRASTS = ("T1w", "T2w")


@dataclass(frozen=True, order=True)
class Session:
    """The scans of one visit of one subject, which are numbered with each other in view.

    Attributes
    ----------
    scans : tuple of Scan
        In the order of their names; one at least.
    """

    scans: tuple[Scan, ...]

    @property
    def name(self) -> str:
        """Subject and session id, such as ``sub-01_ses-2``."""
        first = self.scans[0]
        return "_".join(part for part in (first.subject, first.session) if part)


@dataclass(frozen=True)
class Selection:
    """Which scans make the study.

    Attributes
    ----------
    suffixes : tuple of str
        BIDS suffixes, such as ``T2w``.
    entities : mapping of str to collection of str
        Values that an entity may have, by its key: ``{"acq": ("sag",)}``. An empty value stands for scans without it.
    exclusions : Exclusions
    """

    suffixes: tuple[str, ...] = CONTRASTS
    entities: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    exclusions: Exclusions = field(default_factory=Exclusions)

    def takes(self, scan: Scan) -> bool:
        """Whether the names of a scan's entities are those asked for."""
        return all(scan.entities.get(key, "") in values for key, values in self.entities.items())


@dataclass(frozen=True)
class Study:
    """The scans that a selection leaves of a data set.

    Attributes
    ----------
    sessions : tuple of Session
    excluded : dict of Scan to str
        Scans that the exclusion list leaves out, and what it says of them.
    """

    sessions: tuple[Session, ...]
    excluded: dict[Scan, str]

    @property
    def scans(self) -> list[Scan]:
        """All scans of the sessions, in their order."""
        return [scan for session in self.sessions for scan in session.scans]

    def part(self, participants: Iterable[str] = (), sessions: Iterable[str] = ()) -> Study:
        """The study of some participants and sessions alone; the prefixes ``sub-`` and ``ses-`` may be left out.

        Raises
        ------
        UsageError
            If the data set has no scan of one of them.
        """
        wanted = {
            "sub": frozenset(name.removeprefix("sub-") for name in participants),
            "ses": frozenset(name.removeprefix("ses-") for name in sessions),
        }
        everything = [*self.scans, *self.excluded]
        for key, names in wanted.items():
            known = {scan.entities.get(key, "") for scan in everything}
            if unknown := sorted(names - known):
                there = ", ".join(sorted(known - {""})[:12]) or "none"
                raise UsageError(f"no scan of {key}-{unknown[0]} in the study; there are: {there}")

        def belongs(scan: Scan) -> bool:
            return all(not names or scan.entities.get(key, "") in names for key, names in wanted.items())

        return Study(
            tuple(session for session in self.sessions if belongs(session.scans[0])),
            {scan: reason for scan, reason in self.excluded.items() if belongs(scan)},
        )


def find_study(bids_dir: str | Path, selection: Selection) -> Study:
    """Find the scans of a study.

    Raises
    ------
    InputError
        If there is no such folder, or no image with one of the suffixes in it.
    UsageError
        If no image has the entities asked for.
    """
    found = scans_in(bids_dir, selection.suffixes)
    taken = [scan for scan in found if selection.takes(scan)]
    if not taken:
        filters = " ".join(f"{key}={'|'.join(values)}" for key, values in selection.entities.items())
        raise UsageError(f"{bids_dir}: none of its {len(found)} scans has {filters}; see --entity")
    reasons = {scan: selection.exclusions.reason(scan.stem) for scan in taken}
    kept = [scan for scan in taken if reasons[scan] is None]
    visits = groupby(sorted(kept), key=lambda scan: (scan.subject, scan.session))
    return Study(
        tuple(Session(tuple(scans)) for _, scans in visits),
        {scan: reason for scan, reason in reasons.items() if reason is not None},
    )
