"""The folder of a prepared data set: whose it is, what lies where, and what goes with the scans."""

from __future__ import annotations

import json
import logging
import os
from collections.abc import Collection, Iterator, Mapping
from pathlib import Path
from typing import Any

from lookonce import __version__
from lookonce.errors import UsageError
from lookonce.io.bids import LABEL_ENDINGS, LABELS_FOLDER
from lookonce.io.files import write_files
from lookonce.io.nifti import label_stem
from lookonce.io.spine_generic import SourceScan
from lookonce.preparation.report import REPORT_FILE, Preparation
from lookonce.preparation.splits import SHARES, split_of, subject_list

PICTURES_FOLDER = "pictures"
PROGRAM = {"Name": "LookOnce prepare", "Version": __version__}
_DESCRIPTION = "dataset_description.json"
#: What BIDS does not know; its validator passes over it.
_IGNORED = (f"{PICTURES_FOLDER}/", "*.txt", REPORT_FILE)
#: What a run writes for its scans, and the next one with --overwrite may take away.
_SCAN_FILES = (
    "sub-*/**/anat/sub-*_T[12]w.nii*",
    f"{LABELS_FOLDER.as_posix()}/sub-*/**/anat/sub-*_T[12]w_label-discs_dlabel.*",
    f"{PICTURES_FOLDER}/T[12]w/sub-*.npz",
)

_logger = logging.getLogger(__name__)


def check_folder(out: Path, source: Path, *, overwrite: bool) -> None:
    """Make sure that `out` may be written to: new, empty, or an earlier run's that is to be replaced.

    Raises
    ------
    UsageError
        If it is the source, a file, or holds anything else. What an earlier run that prepared nothing left is replaced
        without being asked.
    """
    if out.exists() and not out.is_dir():
        raise UsageError(f"{out}: is a file; name a folder to write to")
    if not out.exists() or not any(out.iterdir()):
        return
    if out.resolve() == source.resolve():
        raise UsageError(f"{out}: is the data set itself, which stays as it is; name another folder to write to")
    made_by = _description(out).get("GeneratedBy")
    entries = made_by if isinstance(made_by, list) else []
    if not any(isinstance(entry, dict) and entry.get("Name") == PROGRAM["Name"] for entry in entries):
        raise UsageError(f"{out}: holds files that `lookonce prepare` did not write; name an empty or a new folder")
    if not overwrite and any(_scan_files(out)):
        raise UsageError(f"{out}: holds a prepared data set; replace it with --overwrite or name another folder")


def scan_paths(out: Path, scan: SourceScan, image_name: str) -> dict[str, Path]:
    """Paths of the ``image``, ``labels``, ``sidecar`` and ``picture`` of one prepared scan."""
    labels = out / LABELS_FOLDER / scan.place / f"{scan.stem}{LABEL_ENDINGS[0]}"
    return {
        "image": out / scan.place / image_name,
        "labels": labels,
        "sidecar": labels.with_name(f"{label_stem(labels)}.json"),
        "picture": out / PICTURES_FOLDER / scan.contrast / f"{scan.stem}.npz",
    }


def write_description(out: Path, source: Path) -> None:
    """Write ``dataset_description.json``: the source's licence, authors and so on, and who made this out of it.

    It goes first, so that what an interrupted run leaves is known as its own.
    """
    about = _description(source)
    made_by = about.get("GeneratedBy")
    earlier = [entry for entry in made_by if entry != PROGRAM] if isinstance(made_by, list) else []
    record = {
        "Name": source.resolve().name,
        "BIDSVersion": "1.10.0",
        **about,
        "DatasetType": "raw",
        "GeneratedBy": [*earlier, PROGRAM],
    }
    write_files({out / _DESCRIPTION: _json(record), out / ".bidsignore": "\n".join([*_IGNORED, ""]).encode()})


def write_summary(result: Preparation, participants: Mapping[str, Mapping[str, str]]) -> None:
    """Write the report and, if any scan is done, the lists of subjects and ``participants.tsv`` with its column split.

    `participants` are the columns of the source by subject.
    """
    contents = {result.report: result.to_csv().encode()}
    subjects = sorted({row.subject for row in result.rows if row.state == "done"})
    if subjects:
        contents |= {result.out / f"{name}.txt": subject_list(name, subjects).encode() for name in SHARES}
        contents[result.out / "participants.tsv"] = _participants(subjects, participants).encode()
    write_files(contents)


def remove_stale(out: Path, written: Collection[Path]) -> None:
    """Remove the scans' files of an earlier run that this one has not written again, and folders left empty."""
    for path in list(_scan_files(out)):
        if path in written:
            continue
        path.unlink()
        for folder in path.relative_to(out).parents[:-1]:
            try:
                (out / folder).rmdir()
            except OSError:
                break  # something is left in it


def _scan_files(out: Path) -> Iterator[Path]:
    for pattern in _SCAN_FILES:
        yield from (path for path in out.glob(pattern) if os.path.islink(path) or path.is_file())


def _description(root: Path) -> dict[str, Any]:
    """The data set's own words about itself; empty where there are none that can be read."""
    path = root / _DESCRIPTION
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    except (OSError, ValueError) as error:
        _logger.warning("%s: cannot be read (%s); passed over", path, error)
        return {}
    return content if isinstance(content, dict) else {}


def _participants(subjects: list[str], table: Mapping[str, Mapping[str, str]]) -> str:
    columns = list(dict.fromkeys(column for row in table.values() for column in row if column != "split"))
    lines = ["\t".join(["participant_id", *columns, "split"])]
    for subject in subjects:
        row = table.get(subject, {})
        lines.append("\t".join([subject, *(row.get(column) or "n/a" for column in columns), split_of(subject)]))
    return "\n".join(lines) + "\n"


def _json(record: Mapping[str, Any]) -> bytes:
    return (json.dumps(record, indent=1, ensure_ascii=False) + "\n").encode()
