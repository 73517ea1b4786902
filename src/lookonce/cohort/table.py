"""The group table: a row for every disc of a study."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from lookonce.cohort.manifest import RECORDS, Job, Standing, contrast_of, read_record, tsv
from lookonce.errors import InputError
from lookonce.io.bids import Scan
from lookonce.io.files import write_files
from lookonce.report.locking import folder_lock

TABLE = "group_discs.tsv"
#: Columns and what they hold, as the table's own sidecar tells it.
COLUMNS: dict[str, dict[str, str]] = {
    "scan": {"Description": "Name of the scan without its ending"},
    "subject": {"Description": "Subject id"},
    "session": {"Description": "Session id"},
    "contrast": {"Description": "T1w, T2w, or unknown"},
    "level": {"Description": "SCT value of the disc; n/a for the discs of a T13 or an L6"},
    "name": {"Description": "Name of the disc, such as C2/C3"},
    "x": {"Description": "World coordinate of the disc's posterior tip, to the right", "Units": "mm"},
    "y": {"Description": "World coordinate of the disc's posterior tip, to the front", "Units": "mm"},
    "z": {"Description": "World coordinate of the disc's posterior tip, to the head", "Units": "mm"},
    "confidence": {"Description": "Probability that the disc is there and bears the right name; n/a if placed by hand"},
    "shift_probability": {
        "Description": "Probability that the numbering of the whole scan is off by one level or more; n/a if by hand"
    },
    "flags": {
        "Description": "uncertain: check the numbering; disagrees: another scan of the session names a disc at the "
        "same place differently; station: numbered by another scan of the session; variant: unusual number of "
        "vertebrae; manual: labels placed by hand"
    },
}


def write_table(job: Job, standings: Mapping[Scan, Standing]) -> Path:
    """Write the group table and its sidecar, and return the table's path.

    Raises
    ------
    InputError
        If a result that is there cannot be read.
    OutputError
        If the table cannot be written.
    """
    path = job.out_dir / TABLE
    rows = (row for scan, standing in standings.items() for row in _rows(job, scan, standing))
    columns = json.dumps(COLUMNS, indent=1) + "\n"
    content = tsv(COLUMNS, rows)
    with folder_lock(job.out_dir / RECORDS):  # see `write_manifest`
        write_files({path: content, path.with_suffix(".json"): columns.encode()})
    return path


def _rows(job: Job, scan: Scan, standing: Standing) -> Iterator[list[str]]:
    about = [scan.stem, scan.subject, scan.session, contrast_of(scan)]
    if standing.state == "done":
        result = _read_result(job.outputs(scan)["result"])
        shifted = f"{1 - float(result['level_shift'].get('0', 0.0)):.6f}"
        discs = [(disc, f"{disc['confidence']:.4f}") for disc in result["discs"]]
    elif standing.state == "manual":
        record = read_record(job, scan)
        shifted = ""
        discs = [(disc, "") for disc in (record.alone.discs if record and record.alone else [])]
    else:
        return
    for disc, confidence in discs:
        level = "" if disc["level"] is None else str(disc["level"])
        point = [f"{value:.3f}" for value in disc["world_mm"]]
        yield [*about, level, disc["name"], *point, confidence, shifted, ";".join(standing.flags)]


def _read_result(path: Path) -> dict[str, Any]:
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise InputError(f"{path}: cannot be read ({error}); delete it and label its scan again") from None
