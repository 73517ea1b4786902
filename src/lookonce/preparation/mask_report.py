"""What became of every picture of a set with masks, for people and for programs."""

from __future__ import annotations

import csv
import io
from collections import Counter
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any, Literal

from lookonce.io.mask_sets import TABLE_FILE, Description
from lookonce.preparation.mask_splits import LISTS


@dataclass(frozen=True)
class PictureRow:
    """One line of the report.

    Attributes
    ----------
    name : str
    image, mask : str
        Paths within the prepared set; of a picture that failed, within the source.
    state : {"done", "failed"}
    split : str
        Its list.
    kin : str
        The first of its near-duplicates, or itself.
    height, width : int or None
    share_percent : float or None
        Of the picture that its mask covers.
    reason, remedy : str
        Why it failed, and what to do about it.
    """

    name: str
    image: str
    mask: str
    state: Literal["done", "failed"]
    split: str = ""
    kin: str = ""
    height: int | None = None
    width: int | None = None
    share_percent: float | None = None
    reason: str = ""
    remedy: str = ""


@dataclass(frozen=True)
class MaskPreparation:
    """A prepared set: where it is and what became of every picture."""

    out: Path
    about: Description
    rows: tuple[PictureRow, ...]

    @property
    def report(self) -> Path:
        """The report's file."""
        return self.out / TABLE_FILE

    @property
    def failed(self) -> list[PictureRow]:
        """Pictures that could not be prepared."""
        return [row for row in self.rows if row.state == "failed"]

    @property
    def lists(self) -> dict[str, int]:
        """Number of pictures by list."""
        counts = Counter(row.split for row in self.rows if row.state == "done")
        return {name: counts[name] for name in LISTS}

    @property
    def near_duplicates(self) -> int:
        """Number of pictures that are near-duplicates of one before them."""
        return sum(row.state == "done" and row.kin != row.name for row in self.rows)

    def to_csv(self) -> str:
        """One line a picture, with the fields of `PictureRow`."""
        text = io.StringIO()
        writer = csv.DictWriter(text, [field.name for field in fields(PictureRow)], lineterminator="\n")
        writer.writeheader()
        writer.writerows(asdict(row) for row in self.rows)
        return text.getvalue()

    def to_json(self) -> dict[str, Any]:
        """The summary, and every picture that is not done."""
        keys = ("name", "image", "mask", "reason", "remedy")
        return {
            "out": str(self.out),
            "report": str(self.report),
            "lists": self.lists,
            "sha256": self.about.lists,
            "near_duplicates": self.near_duplicates,
            "not_done": [{key: getattr(row, key) for key in keys} for row in self.failed],
        }
