"""Running a study: the scans that are not done yet, then what they say together."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from lookonce.cohort.dataset import write_dataset_files
from lookonce.cohort.engines import Engine, WorkerLostError
from lookonce.cohort.manifest import (
    MANIFEST,
    RECORDS,
    Job,
    Record,
    Stamp,
    Standing,
    contrast_of,
    read_record,
    survey,
    write_manifest,
    write_record,
)
from lookonce.cohort.plan import Session, Study
from lookonce.cohort.sessions import QC_FOLDER, label_session
from lookonce.cohort.table import write_table
from lookonce.errors import LookOnceError, OutputError, UsageError
from lookonce.io.bids import Scan
from lookonce.io.files import remove_leftovers
from lookonce.report.card import card_file
from lookonce.report.locking import folder_lock
from lookonce.report.qc import rebuild_page
from lookonce.runtime.weights import find_model

#: When so many scans in a row cannot be written, no other can either.
MOST_UNWRITABLE = 10
#: How often the manifest is brought up to date while the work goes on.
MANIFEST_SECONDS = 30.0


@dataclass(frozen=True)
class Progress:
    """What is reported when a scan is done.

    Attributes
    ----------
    done, total : int
        Scans of this run.
    scan : Scan
    record : Record
    seconds_left : float
        As long as the rest takes if it goes on like this.
    """

    done: int
    total: int
    scan: Scan
    record: Record
    seconds_left: float


def make_job(
    bids_dir: Path,
    out_dir: Path,
    *,
    model: str,
    suffixes: tuple[str, ...],
    threads: int = 1,
    retry_failed: bool = False,
    markups: bool = False,
) -> Job:
    """What to do to every session of a study.

    Raises
    ------
    UsageError, WeightsError
        If OUT_DIR is BIDS_DIR, or the model cannot be found.
    """
    # Not resolved: links, as git-annex makes them, keep the names that people gave them.
    bids_dir, out_dir = (Path(os.path.abspath(path)) for path in (bids_dir, out_dir))
    if os.path.realpath(bids_dir) == os.path.realpath(out_dir):
        raise UsageError(
            f"{out_dir}: is the data set itself; write to another folder, such as derivatives/lookonce in it"
        )
    found = find_model(model)
    name = os.path.abspath(model) if model.endswith(".onnx") else model
    # What the sidecars tell is the same for every way to run the study.
    call = f"lookonce cohort BIDS_DIR OUT_DIR participant --suffix {' '.join(suffixes)} --model {Path(model).name}"
    return Job(bids_dir, out_dir, name, found.card.sha256, threads, retry_failed, markups, call)


def label_study(
    job: Job, study: Study, engine: Engine, *, whole: Study, report: Callable[[Progress], None] = lambda _: None
) -> dict[Scan, Standing]:
    """Label the scans of a study that are not done, and return how far each of its scans is then.

    Parameters
    ----------
    job : Job
    study : Study
        What this run works on.
    engine : Engine
    whole : Study
        What the manifest tells of.
    report : function, optional
        Is called after every scan.

    Raises
    ------
    OutputError
        If OUT_DIR cannot be written to; what is done stays done, and the same call continues.
    WeightsError, UsageError
        If the model cannot be used.
    """
    _prepare(job)
    todo = survey(job, study).open_sessions
    total = sum(len(session.scans) for session in todo)
    done, started = 0, time.monotonic()
    told = started
    unwritable: dict[Scan, Standing] = {}
    in_a_row = 0
    for records in _worked_on(job, todo, engine):
        for scan, record in records.items():
            done += 1
            report(Progress(done, total, scan, record, (time.monotonic() - started) / done * (total - done)))
            in_a_row = in_a_row + 1 if record.kind == OutputError.kind else 0
            if in_a_row:
                unwritable[scan] = Standing.of(record)
            if in_a_row >= MOST_UNWRITABLE:
                raise OutputError(f"{in_a_row} scans in a row could not be written; the last: {record.message}")
        if time.monotonic() - told >= MANIFEST_SECONDS:
            told = time.monotonic()
            write_manifest(job.out_dir, survey(job, whole).standings)
    found = survey(job, whole).standings | unwritable
    write_manifest(job.out_dir, found)
    return {scan: found[scan] for scan in sorted([*study.scans, *study.excluded])}


def summarise_study(job: Job, study: Study, *, whole: Study) -> dict[str, Path]:
    """Write the manifest, the group table and the QC page of a study; returns their paths.

    Parameters
    ----------
    job : Job
    study : Study
        What the table and the page tell of.
    whole : Study
        What the manifest tells of.

    Raises
    ------
    OutputError
        If one of them cannot be written.
    InputError
        If a result that is there cannot be read.
    """
    _prepare(job)
    found = survey(job, study).standings
    shown = {scan: standing for scan, standing in found.items() if standing.state not in ("pending", "excluded")}
    return {
        "manifest": write_manifest(job.out_dir, survey(job, whole).standings),
        "table": write_table(job, found),
        "qc": rebuild_page(job.out_dir / QC_FOLDER, {card_file(scan.stem, scan.file.as_posix()) for scan in shown}),
    }


def entry(scan: Scan, standing: Standing) -> dict[str, object]:
    """How far a scan is, ready for JSON."""
    record: dict[str, object] = {
        "scan": scan.file.as_posix(),
        "subject": scan.subject,
        "session": scan.session or None,
        "contrast": contrast_of(scan),
        "state": standing.state,
        "flags": list(standing.flags),
    }
    if standing.state == "failed":
        return record | {"error": {"kind": standing.kind, "message": standing.reason}}
    return record | ({"reason": standing.reason} if standing.reason else {})


def exit_code(standings: Iterable[Standing]) -> int:
    """Exit code of a run by its failures: that of their kind where all are of one, else 1; 0 without any."""
    kinds = {standing.kind for standing in standings if standing.state == "failed"}
    if len(kinds) == 1:
        return {error.kind: error.exit_code for error in _errors()}.get(kinds.pop(), 1)
    return 1 if kinds else 0


def _errors() -> Iterator[type[LookOnceError]]:
    families = [LookOnceError]
    while families:
        family = families.pop()
        yield family
        families += family.__subclasses__()


def _prepare(job: Job) -> None:
    """Make OUT_DIR a data set, and remove what a killed run left half written beside it."""
    records = job.out_dir / RECORDS
    try:
        records.mkdir(parents=True, exist_ok=True)
        with folder_lock(records):
            for name in ("dataset_description", ".bidsignore", "README", Path(MANIFEST).stem, "group_discs"):
                remove_leftovers(job.out_dir, name)
            write_dataset_files(job.out_dir, job.bids_dir)
    except OSError as error:
        raise OutputError(
            f"{job.out_dir}: cannot be written ({error.strerror or error}); free space or choose another folder"
        ) from None


def _worked_on(job: Job, todo: Iterable[Session], engine: Engine) -> Iterator[dict[Scan, Record]]:
    """Records of each session as it is done; where workers die over one, the scan to blame is found and left out."""
    lost = []
    for session, outcome in engine(partial(label_session, job=job), todo):
        if not isinstance(outcome, WorkerLostError):
            yield outcome
        elif len(session.scans) == 1:
            yield _lost(job, session, outcome)
        else:
            lost.append(session)
    alone = [Session((scan,)) for session in lost for scan in session.scans]
    for session, outcome in engine(partial(label_session, job=job), alone):
        if isinstance(outcome, WorkerLostError):
            _lost(job, session, outcome)
    # Those that have failed now are not tried again, whatever was asked for.
    job = replace(job, retry_failed=False)
    for session, outcome in engine(partial(label_session, job=job), lost):
        yield _lost(job, session, outcome) if isinstance(outcome, WorkerLostError) else outcome


def _lost(job: Job, session: Session, error: WorkerLostError) -> dict[Scan, Record]:
    """Records of a session whose worker died again and again; scans that are done stay so."""
    records = {}
    for scan, standing in survey(job, Study((session,), {})).standings.items():
        known = read_record(job, scan)
        if known is None or standing.state in ("pending", "failed"):
            message = f"{scan.file.as_posix()}: {error}"
            stamp = Stamp.of(job.bids_dir / scan.file)
            known = Record(key=job.key, state="failed", stamp=stamp, kind=error.kind, message=message)
            write_record(job, scan, known)
        records[scan] = known
    return records
