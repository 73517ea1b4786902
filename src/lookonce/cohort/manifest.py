"""How far each scan of a study is: one small record a scan, written when its files are, and the table of them all.

A record says what a result was made of (the scan's content, the model, the program, the other scans of its session), so
that whatever changed is done again and nothing else.
"""

from __future__ import annotations

import csv
import hashlib
import io
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, ValidationError

from lookonce import __version__
from lookonce.cohort.agreement import Alone, Verdict
from lookonce.cohort.plan import CONTRASTS, Session, Study
from lookonce.errors import OutputError
from lookonce.io.bids import Scan
from lookonce.io.files import write_files
from lookonce.report.locking import folder_lock
from lookonce.results import output_paths, placed_by_hand

#: Folder of the records in OUT_DIR.
RECORDS = ".lookonce"
MANIFEST = "manifest.tsv"
MANIFEST_COLUMNS = ("scan", "subject", "session", "contrast", "state", "flags", "kind", "message")
#: Raise it when records of before no longer say enough.
FORMAT = 1
#: Kinds of failures that lie in the surroundings, not in the scan: tried again in every run.
PASSING = ("unwritable",)

State = Literal["done", "failed", "manual", "pending", "excluded"]


class Stamp(BaseModel):
    """What tells without reading a file that it is as it was."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    size: int
    mtime_ns: int
    ctime_ns: int

    @classmethod
    def of(cls, path: Path) -> Stamp | None:
        """The stamp of a file; None where it cannot be looked at."""
        try:
            found = path.stat()
        except OSError:
            return None
        return cls(size=found.st_size, mtime_ns=found.st_mtime_ns, ctime_ns=found.st_ctime_ns)


class Record(BaseModel):
    """What is known of a scan that was worked on.

    Attributes
    ----------
    key : str
        Stands for the program and the model.
    state : {"done", "failed", "manual"}
    stamp : Stamp or None
        Of the scan's file; None where there was none.
    sha256 : str
        Of the scan's file, or of the label file placed by hand; empty where it could not be read.
    company : str
        Stands for the scans of its session that it was numbered with.
    alone, verdict
        Its numbering on its own, and what the others say of it.
    flags : list of str
    kind, message : str
        Of a failure.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    key: str
    state: Literal["done", "failed", "manual"]
    stamp: Stamp | None = None
    sha256: str = ""
    company: str = ""
    alone: Alone | None = None
    verdict: Verdict = Verdict()
    flags: list[str] = []
    kind: str = ""
    message: str = ""


@dataclass(frozen=True)
class Job:
    """What a run does to every session; the same for all who work on it.

    Attributes
    ----------
    bids_dir, out_dir : Path
        Absolute, and the same for every worker.
    model : str
        Name of a shipped model, or the absolute path of an ``.onnx`` file.
    sha256 : str
        Its checksum.
    threads : int
        Threads inside the network.
    retry_failed : bool
        Work on scans that failed before, too.
    markups : bool
        Write 3D Slicer's markups of every scan, too.
    command : str
        The call, for the sidecars, without what does not change the results.
    """

    bids_dir: Path
    out_dir: Path
    model: str
    sha256: str
    threads: int = 1
    retry_failed: bool = False
    markups: bool = False
    command: str = "lookonce cohort BIDS_DIR OUT_DIR participant"

    @property
    def key(self) -> str:
        """Stands for all that a result depends on besides its scan and session."""
        return f"{FORMAT} {__version__} {self.sha256}"

    def tries_again(self, record: Record) -> bool:
        """Whether a scan that failed is worked on although nothing has changed."""
        return record.state == "failed" and (self.retry_failed or record.kind in PASSING)

    def record_path(self, scan: Scan) -> Path:
        """Where a scan's record is."""
        return self.out_dir / RECORDS / scan.place / f"{scan.stem}.json"

    def outputs(self, scan: Scan) -> dict[str, Path]:
        """Paths of a scan's results."""
        return output_paths(self.out_dir / scan.place, scan.stem, markups=self.markups)


@dataclass(frozen=True)
class Standing:
    """How far a scan is.

    Attributes
    ----------
    state : str
    reason : str
        Why it is pending or excluded, or why it failed.
    kind : str
        Of a failure.
    flags : list of str
    """

    state: State
    reason: str = ""
    kind: str = ""
    flags: tuple[str, ...] = ()

    @classmethod
    def of(cls, record: Record) -> Standing:
        """What a record says."""
        return cls(record.state, record.message, record.kind, tuple(record.flags))


def read_record(job: Job, scan: Scan) -> Record | None:
    """The record of a scan, or None where there is none or it is damaged: the scan is then done again."""
    try:
        return Record.model_validate_json(job.record_path(scan).read_bytes())
    except (OSError, ValidationError):
        return None


def write_record(job: Job, scan: Scan, record: Record) -> None:
    """Write a scan's record; it comes last, after the files that it vouches for."""
    # Not pydantic's own JSON: it ends in an error where a file's name is no text.
    text = json.dumps(record.model_dump(), indent=1, ensure_ascii=False)
    write_files({job.record_path(scan): (text + "\n").encode(errors="replace")})


def _current(job: Job, scan: Scan) -> tuple[Record | None, str]:
    """The record of a scan where nothing it rests on has changed, else why the scan must be worked on."""
    record = read_record(job, scan)
    labels = job.outputs(scan)["labels"]
    try:
        by_hand = placed_by_hand(labels)
    except OutputError as error:
        return None, str(error)
    if record is None:
        return None, "labels placed by hand" if by_hand else "new"
    if by_hand != (record.state == "manual") and not (by_hand and record.state == "failed"):
        return None, "labels placed by hand" if by_hand else "labels are no longer those placed by hand"
    if record.key != job.key:
        return None, "made by another model or version"
    if record.stamp != Stamp.of(labels if by_hand else job.bids_dir / scan.file):
        return None, "the file has changed"
    if record.state == "done" and not all(path.exists() for path in job.outputs(scan).values()):
        return None, "its results are not there"
    return record, ""


def company_of(records: Mapping[Scan, Record]) -> str:
    """Stands for the contents of some scans that are numbered together."""
    marks = [(scan.stem, record.sha256) for scan, record in sorted(records.items())]
    return hashlib.sha256(json.dumps(marks).encode()).hexdigest()[:16]


@dataclass(frozen=True)
class Survey:
    """How far a study is.

    Attributes
    ----------
    standings : dict of Scan to Standing
        Of every scan, in the order of their names.
    open_sessions : list of Session
        Those in which there is something to do.
    """

    standings: dict[Scan, Standing]
    open_sessions: list[Session]


def survey(job: Job, study: Study) -> Survey:
    """How far every scan of a study is, judged by the records and without reading any scan."""
    found = {scan: Standing("excluded", reason) for scan, reason in study.excluded.items()}
    open_sessions = []
    for session in study.sessions:
        current = {scan: _current(job, scan) for scan in session.scans}
        records = {scan: record for scan, (record, _) in current.items() if record is not None}
        company = company_of(records)
        if len(records) < len(current) or any(
            record.company != company or job.tries_again(record) for record in records.values()
        ):
            open_sessions.append(session)
        for scan, (record, reason) in current.items():
            found[scan] = Standing.of(record) if record else Standing("pending", reason)
    return Survey(dict(sorted(found.items())), open_sessions)


def contrast_of(scan: Scan) -> str:
    """Contrast of a scan where its suffix tells it, else ``unknown``."""
    return scan.suffix if scan.suffix in CONTRASTS else "unknown"


def write_manifest(out_dir: Path, found: Mapping[Scan, Standing]) -> Path:
    """Write the table that tells how far each scan is, and return its path.

    Raises
    ------
    OutputError
        If it cannot be written.
    """
    rows = (
        (
            scan.stem,
            scan.subject,
            scan.session,
            contrast_of(scan),
            standing.state,
            ";".join(standing.flags),
            standing.kind,
            standing.reason,
        )
        for scan, standing in found.items()
    )
    path = out_dir / MANIFEST
    # Other calls remove, under this lock, what they take for leftovers of killed ones.
    with folder_lock(out_dir / RECORDS):
        write_files({path: tsv(MANIFEST_COLUMNS, rows)})
    return path


def tsv(columns: Iterable[str], rows: Iterable[Iterable[str]]) -> bytes:
    """A BIDS table: tabs between cells, ``n/a`` where there is nothing to say."""
    text = io.StringIO()
    writer = csv.writer(text, delimiter="\t", lineterminator="\n", quoting=csv.QUOTE_NONE, quotechar=None)
    writer.writerow(columns)
    for row in rows:
        writer.writerow([" ".join(cell.split()) or "n/a" for cell in row])
    return text.getvalue().encode(errors="backslashreplace")  # a file's name need not be text
