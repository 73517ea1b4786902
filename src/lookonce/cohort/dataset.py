"""What makes OUT_DIR a BIDS data set of derivatives."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

from lookonce import __version__
from lookonce.cohort.manifest import RECORDS
from lookonce.errors import OutputError
from lookonce.io.files import write_files

_DESCRIPTION = "dataset_description.json"
#: What BIDS has no word for: label volumes with their sidecars, tables of discs, the page, the records.
_IGNORED = (
    "**/*_dlabel.*",
    "**/*_discs.*",
    "group_discs.*",
    "manifest.tsv",
    "qc",
    RECORDS,
    "**/.*.part",
)
_README = """# Disc labels by LookOnce

Names and places of the intervertebral discs of a study's spine MRI scans, written by `lookonce cohort`.

Of each scan, in the folder that it has in the data set:

- `*_label-discs_dlabel.nii.gz`: one voxel a disc, at its posterior tip, on the grid of the scan. The value is the level
  as the Spinal Cord Toolbox counts: 3 = C2/C3, 8 = C7/T1, 20 = T12/L1, 25 = L5/S1.
- `*_label-discs_dlabel.json`: what made it (program, model and its checksum, checksum of the scan), and how sure the
  numbering is.
- `*_discs.csv`, `*_discs.json`: the discs in world mm, and the full result.

Of the study:

- `group_discs.tsv`: every disc, a row each; `group_discs.json` explains the columns.
- `manifest.tsv`: how far each scan is, and why it failed if it did.
- `qc/index.html`: a page to check the labels with, the least certain scan first.

Labels corrected by hand stay when their sidecar says `"GeneratedBy": [{"Name": "Manual"}]`.

The labels are for research; check them before you rely on them.
"""


def write_dataset_files(out_dir: Path, bids_dir: Path) -> None:
    """Write ``dataset_description.json``, ``.bidsignore`` and ``README.md``; what others put there stays.

    Raises
    ------
    OutputError
        If one cannot be written, or a description that is there is no JSON object.
    """
    contents = {
        out_dir / _DESCRIPTION: (json.dumps(_described(out_dir, bids_dir), indent=2) + "\n").encode(),
        out_dir / ".bidsignore": _with_lines(out_dir / ".bidsignore").encode(),
    }
    if not any(out_dir.glob("README*")):
        contents[out_dir / "README.md"] = _README.encode()
    write_files(contents)


def _described(out_dir: Path, bids_dir: Path) -> dict[str, Any]:
    path = out_dir / _DESCRIPTION
    try:
        there = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
    except (OSError, ValueError) as error:
        raise OutputError(f"{path}: cannot be read ({error}); mend it or choose another OUT_DIR") from None
    if not isinstance(there, dict):
        raise OutputError(f"{path}: is no JSON object; mend it or choose another OUT_DIR")
    made_by = there.get("GeneratedBy")
    others = [entry for entry in made_by if entry.get("Name") != "LookOnce"] if isinstance(made_by, list) else []
    links = there.get("DatasetLinks")
    return {
        "Name": f"Disc labels of {bids_dir.name}",
        "BIDSVersion": "1.10.0",
        **there,
        "DatasetType": "derivative",
        "GeneratedBy": [*others, {"Name": "LookOnce", "Version": __version__, "Description": "lookonce cohort"}],
        "DatasetLinks": {**(links if isinstance(links, dict) else {}), "raw": _link(bids_dir, out_dir)},
    }


def _link(bids_dir: Path, out_dir: Path) -> str:
    """Where the scans are, seen from the labels, so that both may move together."""
    try:
        return Path(os.path.relpath(bids_dir, out_dir)).as_posix()
    except ValueError:  # another drive of Windows
        return bids_dir.as_uri()


def _with_lines(path: Path) -> str:
    """What the file holds, and below it what it lacks."""
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except FileNotFoundError:
        lines = []
    except (OSError, ValueError) as error:
        raise OutputError(f"{path}: cannot be read ({error}); mend it or choose another OUT_DIR") from None
    return "\n".join([*lines, *(line for line in _IGNORED if line not in lines)]) + "\n"
