"""Labelling the scans of one session: what a worker of any engine does.

All of a session is done under a lock and each scan's record is written after its files, so a worker may be killed at
any point, and two may be given the same session.
"""

from __future__ import annotations

import hashlib
import os
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np

from lookonce.cohort.agreement import Alone, Verdict, number_together
from lookonce.cohort.manifest import PASSING, RECORDS, Job, Record, Stamp, company_of, read_record, write_record
from lookonce.cohort.plan import Session
from lookonce.cohort.remedies import for_study
from lookonce.errors import LookOnceError, OutputError, UsageError, WeightsError, about
from lookonce.io.bids import Scan, read_labels
from lookonce.io.files import remove_leftovers
from lookonce.io.nifti import SpineImage, read_image
from lookonce.labeling import LabelResult, label
from lookonce.landmarks import DiscLabels
from lookonce.report.locking import folder_lock
from lookonce.report.qc import write_card
from lookonce.results import placed_by_hand, write_result
from lookonce.runtime.session import DiscSession
from lookonce.runtime.weights import find_model

QC_FOLDER = "qc"
#: Longer than any session takes; the lock's holder is alive, for the system frees the lock of a killed process.
PATIENCE_SECONDS = 3600.0


@dataclass(frozen=True)
class _Look:
    """A scan's labels on its own, and its grid without the voxels, which would fill memory."""

    result: LabelResult
    grid: SpineImage


def label_session(session: Session, job: Job) -> dict[Scan, Record]:
    """Label those scans of a session that are not done, number all of them together, and write what has changed.

    Returns
    -------
    dict of Scan to Record
        How each scan ended. A scan that cannot be labelled is recorded as failed and stops no other.

    Raises
    ------
    WeightsError, UsageError
        If the model cannot be used, which is no scan's fault.
    """
    folder = job.out_dir / RECORDS / session.scans[0].place
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with folder_lock(folder, patience=PATIENCE_SECONDS):
            return _label(session, job)
    except OutputError as error:
        message = str(error)
    except OSError as error:
        message = f"{folder}: cannot be written ({error.strerror or error}); free space or choose another folder"
    # Not even a record can be written; the next run finds none and tries again.
    return {scan: Record(key=job.key, state="failed", kind=OutputError.kind, message=message) for scan in session.scans}


def _label(session: Session, job: Job) -> dict[Scan, Record]:
    for scan in session.scans:
        for place in (job.out_dir / scan.place, job.record_path(scan).parent, job.out_dir / QC_FOLDER / "cards"):
            remove_leftovers(place, scan.stem)
    before = {scan: read_record(job, scan) for scan in session.scans}
    looks: dict[Scan, _Look] = {}
    records = {scan: _known(scan, before[scan], job) or _look_at(scan, job, looks) for scan in session.scans}
    company = company_of(records)
    verdicts = number_together({scan: record.alone for scan, record in records.items() if record.alone})
    for scan, record in records.items():
        verdict = verdicts.get(scan, Verdict())
        record = record.model_copy(update={"company": company, "verdict": verdict})
        earlier = before[scan]
        is_as_it_was = earlier is not None and (earlier.state, earlier.verdict) == (record.state, verdict)
        if scan in looks or record.state == "manual" or not is_as_it_was:
            # While the files change, no record vouches for them.
            job.record_path(scan).unlink(missing_ok=True)
            earlier, record = None, _finish(scan, record, looks.get(scan), job)
        if record != earlier:
            write_record(job, scan, record)
        records[scan] = record
    return records


def _known(scan: Scan, record: Record | None, job: Job) -> Record | None:
    """What is known of a scan without looking at it again; None where it must be looked at."""
    labels = job.outputs(scan)["labels"]
    try:
        if placed_by_hand(labels):
            return _by_hand(labels, job)
    except LookOnceError as error:
        return Record(key=job.key, state="failed", stamp=Stamp.of(labels), kind=error.kind, message=str(error))
    if record is None or record.key != job.key or record.state == "manual" or job.tries_again(record):
        return None
    if record.state == "done" and not all(path.exists() for path in job.outputs(scan).values()):
        return None
    stamp = Stamp.of(job.bids_dir / scan.file)
    if stamp == record.stamp:
        return record
    # A copy or a touched file has another stamp and the same content.
    return record.model_copy(update={"stamp": stamp}) if record.sha256 == _sha256(job.bids_dir / scan.file) else None


def _by_hand(labels: Path, job: Job) -> Record:
    placed = read_labels(labels).without_c1_top()
    return Record(
        key=job.key,
        state="manual",
        stamp=Stamp.of(labels),
        sha256=_sha256(labels),
        alone=Alone(discs=placed.to_records(), level_shift={0: 1.0}, uncertain=False, by_hand=True),
    )


def _look_at(scan: Scan, job: Job, looks: dict[Scan, _Look]) -> Record:
    """Label a scan on its own; what it gives is put with the other `looks`, and its record returned."""
    path = job.bids_dir / scan.file
    stamp, sha256 = Stamp.of(path), _sha256(path)
    found = _attempt(scan, job, None)
    if isinstance(found, LookOnceError):
        return Record(key=job.key, state="failed", stamp=stamp, sha256=sha256, kind=found.kind, message=str(found))
    looks[scan] = found
    alone = Alone(
        discs=found.result.labels.to_records(),
        level_shift=found.result.level_shift,
        uncertain=found.result.uncertain,
        placed=_placed(found.grid),
    )
    return Record(key=job.key, state="done", stamp=stamp, sha256=sha256, alone=alone)


def _attempt(scan: Scan, job: Job, localizer: LabelResult | None) -> _Look | LookOnceError:
    """Label a scan, or say why that cannot be done in one line that names it."""
    path = job.bids_dir / scan.file
    session = _session(job.model, job.threads)
    if session.identity["sha256"] != job.sha256:
        raise WeightsError(f"{job.model}: is not the same model for this worker; install the same version everywhere")
    try:
        image = read_image(path)
        result = label(image, model=session, localizer=localizer)
    except (UsageError, WeightsError):
        raise
    except Exception as error:  # one bad scan never stops the others
        if not isinstance(error, LookOnceError):
            error = LookOnceError(
                f"an unexpected {type(error).__name__} ({error}); see where with `lookonce label`, and please report it"
            )
        return _relative(about(path, error), job)
    empty = np.broadcast_to(np.zeros((), dtype=np.uint8), image.data.shape)
    return _Look(result, replace(image, data=empty))


@lru_cache(maxsize=1)
def _session(model: str, threads: int) -> DiscSession:
    """One loaded model a process."""
    return DiscSession(find_model(model), threads=threads)


def _relative(error: LookOnceError, job: Job) -> LookOnceError:
    """The same error with the scan's path within the data set, as the tables name it, and a remedy for a study."""
    return type(error)(for_study(str(error).replace(f"{job.bids_dir}{os.sep}", "")))


def _finish(scan: Scan, record: Record, look: _Look | None, job: Job) -> Record:
    """Write a scan's files as the session numbers it."""
    if record.state == "manual":
        record = record.model_copy(update={"flags": ["manual", *_session_flags(record.verdict)]})
        labels = DiscLabels.from_records(record.alone.discs if record.alone else [])
        result = LabelResult(labels, {0: 1.0}, False, "labels placed by hand", warnings=record.verdict.disagrees)
        return _written(scan, record, result, None, job)
    if record.state == "done" and (look is None or record.verdict.localizer is not None):
        again = _attempt(scan, job, record.verdict.as_localizer())
        if isinstance(again, LookOnceError):
            record = record.model_copy(update={"state": "failed", "kind": again.kind, "message": str(again)})
        else:
            look = again
    if record.state == "failed" or look is None:
        return _written(scan, record, LabelResult(DiscLabels(), {}, True, warnings=[record.message]), None, job)
    result = _as_numbered(look.result, record.verdict)
    found = {"uncertain": result.uncertain, "variant": result.variant is not None}
    flags = [*(flag for flag, is_so in found.items() if is_so), *_session_flags(record.verdict)]
    return _written(scan, record.model_copy(update={"flags": flags}), result, look.grid, job)


def _session_flags(verdict: Verdict) -> list[str]:
    return ["disagrees"] * bool(verdict.disagrees) + ["station"] * (verdict.localizer is not None)


def _as_numbered(result: LabelResult, verdict: Verdict) -> LabelResult:
    """A result with what the session says of it."""
    return replace(
        result,
        uncertain=result.uncertain or bool(verdict.disagrees),
        counted_from=f"{verdict.station} of the same session" if verdict.localizer else result.counted_from,
        warnings=[*verdict.disagrees, *map(for_study, result.warnings)],
    )


def _written(scan: Scan, record: Record, result: LabelResult, grid: SpineImage | None, job: Job) -> Record:
    """Write the files of a result (its card alone without a grid); the record of a failure where that fails."""
    try:
        if grid is not None:
            if not job.markups:
                _every_output(scan, job)["markups"].unlink(missing_ok=True)  # of an earlier content
            write_result(
                grid,
                result,
                job.out_dir / scan.place,
                scan.stem,
                markups=job.markups,
                overwrite=True,
                command=job.command,
                provenance=_provenance(scan, record),
            )
        elif record.state == "failed" and record.kind not in PASSING:
            _remove_outputs(_every_output(scan, job))
        # Without the time, which is no property of the scan: the page is the same however often a run was interrupted.
        shown = replace(result, seconds=0.0)
        write_card(job.out_dir / QC_FOLDER, name=scan.stem, source=scan.file.as_posix(), result=shown)
    except (OutputError, OSError) as error:
        return record.model_copy(update={"state": "failed", "kind": OutputError.kind, "message": str(error)})
    return record


def _every_output(scan: Scan, job: Job) -> dict[str, Path]:
    """Paths of what any run may have written of a scan."""
    return replace(job, markups=True).outputs(scan)


def _remove_outputs(outputs: dict[str, Path]) -> None:
    """Remove what is there of an earlier content of a file that failed now: it would pass for labels of the present."""
    try:
        if placed_by_hand(outputs["labels"]):
            return
    except OutputError:
        return
    for path in outputs.values():
        path.unlink(missing_ok=True)


def _provenance(scan: Scan, record: Record) -> dict[str, Any]:
    return {"Sources": [f"bids:raw:{scan.file.as_posix()}"], "InputSHA256": record.sha256}


def _placed(image: SpineImage) -> bool:
    """Whether a header says where the image is; if not, its place is made up from its size."""
    return image.header is None or any(int(image.header[f"{form}_code"]) > 0 for form in ("sform", "qform"))


def _sha256(path: Path) -> str:
    """Checksum of a file; empty where it cannot be read, or is a pipe, which would block."""
    if not path.is_file():
        return ""
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError:
        return ""
