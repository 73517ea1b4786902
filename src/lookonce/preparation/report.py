"""What became of every scan of a data set, for people and for programs."""

from __future__ import annotations

import csv
import io
import os
from collections import Counter
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any, Literal

from lookonce.errors import LookOnceError
from lookonce.preparation.splits import SHARES

REPORT_FILE = "report.csv"
#: Remedy where an error names none.
_OTHERWISE = "mend the file, or list the scan in exclude.yml"


@dataclass(frozen=True)
class ScanRow:
    """One line of the report.

    Attributes
    ----------
    subject, session, contrast : str
    image : str
        Path within the data set.
    state : {"done", "excluded", "failed"}
    split : str
        List that its subject belongs to; empty unless the scan is done.
    discs : int or None
        Labels kept, without the top of C1.
    row_mm, column_mm : float or None
        True size of a pixel of the prepared picture, mm.
    reason, remedy : str
        Why it is not done and what to do about it; what is doubtful about one that is.
    """

    subject: str
    session: str
    contrast: str
    image: str
    state: Literal["done", "excluded", "failed"]
    split: str = ""
    discs: int | None = None
    row_mm: float | None = None
    column_mm: float | None = None
    reason: str = ""
    remedy: str = ""


@dataclass(frozen=True)
class Preparation:
    """A prepared data set: where it is and what became of every scan."""

    out: Path
    rows: tuple[ScanRow, ...]

    @property
    def report(self) -> Path:
        """The report's file."""
        return self.out / REPORT_FILE

    @property
    def failed(self) -> list[ScanRow]:
        """Scans that could not be prepared."""
        return [row for row in self.rows if row.state == "failed"]

    @property
    def scans(self) -> dict[str, int]:
        """Number of scans by state."""
        counts = Counter(row.state for row in self.rows)
        return {"done": counts["done"], "excluded": counts["excluded"], "failed": counts["failed"]}

    @property
    def subjects(self) -> dict[str, int]:
        """Number of prepared subjects by list."""
        members = {(row.split, row.subject) for row in self.rows if row.state == "done"}
        counts = Counter(split for split, _ in members)
        return {name: counts[name] for name in SHARES}

    def to_csv(self) -> str:
        """One line a scan, with the fields of `ScanRow`."""
        text = io.StringIO()
        writer = csv.DictWriter(text, [field.name for field in fields(ScanRow)], lineterminator="\n")
        writer.writeheader()
        writer.writerows(asdict(row) for row in self.rows)
        return text.getvalue()

    def to_json(self) -> dict[str, Any]:
        """The summary, and every scan that is not done."""
        keys = ("image", "state", "reason", "remedy")
        return {
            "out": str(self.out),
            "report": str(self.report),
            "scans": self.scans,
            "subjects": self.subjects,
            "not_done": [{key: getattr(row, key) for key in keys} for row in self.rows if row.state != "done"],
        }


def reason_and_remedy(error: LookOnceError, source: Path) -> tuple[str, str]:
    """An error's message in two, its paths within the data set: what LookOnce raises says ``what; what to do``."""
    text = str(error).replace(f"{source}{os.sep}", "")
    reason, separator, remedy = text.rpartition("; ")
    return (reason, remedy) if separator else (text, _OTHERWISE)
