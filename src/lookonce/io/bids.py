"""Scans and their disc labels in a BIDS data set such as Spine Generic."""

from __future__ import annotations

import csv
import io
import json
import logging
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from lookonce.errors import InputError
from lookonce.io.markups import MARKUPS_ENDING, read_markups
from lookonce.io.nifti import label_stem, read_volume
from lookonce.landmarks import DiscLabels

LABELS_FOLDER = Path("derivatives", "labels")
#: Endings of label files, the preferred first; the second is that of older Spine Generic releases.
LABEL_ENDINGS = ("_label-discs_dlabel.nii.gz", "_labels-disc-manual.nii.gz")

IMAGE_ENDINGS = (".nii.gz", ".nii")

_logger = logging.getLogger(__name__)


@dataclass(frozen=True, order=True)
class Scan:
    """An anatomical image of a data set.

    Attributes
    ----------
    file : Path
        Within the data set, such as ``sub-01/ses-2/anat/sub-01_ses-2_acq-sag_T2w.nii.gz``.
    """

    file: Path

    @property
    def place(self) -> Path:
        """Its folder within the data set."""
        return self.file.parent

    @property
    def stem(self) -> str:
        """Its name without ending, such as ``sub-01_T2w``."""
        return label_stem(self.file)

    @property
    def subject(self) -> str:
        """Subject id, such as ``sub-01``."""
        return self.file.parts[0]

    @property
    def session(self) -> str:
        """Session id, such as ``ses-2``; empty where the data set has none."""
        return self.file.parts[1] if len(self.file.parts) == 4 else ""

    @property
    def suffix(self) -> str:
        """Contrast by its BIDS suffix, such as ``T2w``."""
        return self.stem.rpartition("_")[2]

    @property
    def entities(self) -> dict[str, str]:
        """What else its name says, by key.

        Examples
        --------
        >>> Scan(Path("sub-01/anat/sub-01_acq-sag_T2w.nii.gz")).entities
        {'sub': '01', 'acq': 'sag'}
        """
        pairs = (part.partition("-") for part in self.stem.split("_")[:-1])
        return {key: value for key, _, value in pairs}


def scans_in(root: str | Path, suffixes: Sequence[str]) -> list[Scan]:
    """Find every image with one of the suffixes, in the order of their names.

    Raises
    ------
    InputError
        If there is no such folder, or no such image in it.
    """
    root = Path(root)
    if not root.is_dir():
        raise InputError(f"{root}: no such folder; give the one that holds sub-*")
    found = files_by_scan(root, IMAGE_ENDINGS, suffixes)
    if not found:
        wanted = " or ".join(f"sub-*/anat/sub-*_{suffix}.nii.gz" for suffix in suffixes)
        raise InputError(f"{root}: holds no scan; expected {wanted}")
    return sorted(Scan(path.relative_to(root)) for path in found.values())


def files_by_scan(root: Path, endings: Sequence[str], suffixes: Sequence[str]) -> dict[tuple[Path, str], Path]:
    """Files called after a scan, by the scan's place and stem; links that lead nowhere count.

    Where a scan has files of several endings, that of the first counts.
    """
    found: dict[tuple[Path, str], Path] = {}
    for ending in endings:
        for folder in ("sub-*/anat", "sub-*/ses-*/anat"):
            for path in root.glob(f"{folder}/sub-*{ending}"):
                stem = path.name.removesuffix(ending)
                if stem.endswith(tuple(f"_{suffix}" for suffix in suffixes)) and os.path.lexists(path):
                    found.setdefault((path.parent.relative_to(root), label_stem(stem)), path)
    return found


@dataclass(frozen=True)
class LabelledScan:
    """One scan of a data set and the file with its disc labels.

    Attributes
    ----------
    subject, session : str, str or None
        With their prefixes, such as ``sub-01`` and ``ses-2``.
    suffix : str
        Contrast by its BIDS suffix, such as ``T2w``.
    image, labels : Path
    annotated : (int, int) or None
        First and last SCT level that were looked for; outside them the truth is unknown. None where nothing is said.
    """

    subject: str
    session: str | None
    suffix: str
    image: Path
    labels: Path
    annotated: tuple[int, int] | None = None


def labelled_scans(root: str | Path) -> list[LabelledScan]:
    """Find every scan with disc labels below ``derivatives/labels``, in the order of their names.

    Labels whose scan is not in the data set are logged and passed over; a scan that is there as a git-annex link alone
    is listed, and reading it says how to fetch it.

    Raises
    ------
    InputError
        If the data set has no labels, or a sidecar is damaged.
    """
    root = Path(root)
    folder = root / LABELS_FOLDER
    if not folder.is_dir():
        raise InputError(f"{root}: no labels here; expected them in {LABELS_FOLDER}/sub-*/anat")
    found: dict[tuple[Path, str], Path] = {}
    for ending in LABEL_ENDINGS:
        for session in ("", "ses-*/"):
            for path in folder.glob(f"sub-*/{session}anat/sub-*{ending}"):
                found.setdefault((path.parent.relative_to(folder), path.name.removesuffix(ending)), path)
    scans = []
    for (place, stem), labels in sorted(found.items()):
        image = _image(root / place, stem)
        if image is None:
            _logger.warning("%s: labels without their scan %s; passed over", labels, root / place / f"{stem}.nii.gz")
            continue
        session_name = place.parts[1] if len(place.parts) == 3 else None
        scans.append(
            LabelledScan(place.parts[0], session_name, stem.rsplit("_", 1)[-1], image, labels, annotated_levels(labels))
        )
    return scans


def read_labels(path: str | Path, *, numbering: str = "sct") -> DiscLabels:
    """Read a label file: one value a disc, rounded, as points in RAS+ world mm of the file's own affine.

    The variant that a sidecar names decides what the disc above a sacrum, or above L1, is called. Markups of 3D Slicer
    (``.mrk.json``) are read, too: they name their discs.

    Raises
    ------
    InputError
        If the file cannot be read or is no NIfTI image, or its sidecar is no JSON object.
    """
    if Path(path).name.endswith(MARKUPS_ENDING):
        return read_markups(path)
    image = read_volume(path)
    labels = DiscLabels.from_volume(image.data, affine=image.affine, numbering=numbering)
    variant = read_sidecar(path).get("Variant")
    return labels.recounted(variant) if isinstance(variant, str) else labels


def read_sidecar(path: str | Path) -> dict[str, object]:
    """JSON object beside a NIfTI file, or an empty one where there is no such file.

    Raises
    ------
    InputError
        If it is no JSON object.
    """
    path = Path(path)
    sidecar = path.with_name(label_stem(path) + ".json")
    try:
        content = json.loads(sidecar.read_text(encoding="utf-8"))
    except (FileNotFoundError, NotADirectoryError):
        return {}
    except (OSError, ValueError) as error:
        raise InputError(f"{sidecar}: cannot be read as JSON ({error}); mend or remove it") from None
    if not isinstance(content, dict):
        raise InputError(f"{sidecar}: is no JSON object; mend or remove it")
    return content


def annotated_levels(labels: Path) -> tuple[int, int] | None:
    """First and last SCT level that the sidecar of a label file says were looked for; None where it says nothing.

    Raises
    ------
    InputError
        If the sidecar is damaged.
    """
    given = read_sidecar(labels).get("AnnotatedLevels")
    if given is None:
        return None
    if isinstance(given, list) and len(given) == 2 and all(isinstance(level, int) for level in given):
        first, last = given
        if first <= last:
            return first, last
    raise InputError(f"{labels}: its sidecar's AnnotatedLevels is {given!r}; it should be [first, last] in SCT values")


def read_participants(root: str | Path) -> dict[str, dict[str, str]]:
    """Columns of ``participants.tsv`` by subject (``sub-01``); empty where a data set has no such file.

    Raises
    ------
    InputError
        If it is no table with a column ``participant_id``.
    """
    path = Path(root) / "participants.tsv"
    try:
        text = path.read_text(encoding="utf-8-sig")
    except FileNotFoundError:
        return {}
    except (OSError, ValueError) as error:
        raise InputError(f"{path}: cannot be read ({error}); mend it") from None
    reader = csv.DictReader(io.StringIO(text), delimiter="\t", quoting=csv.QUOTE_NONE, restkey="", restval="n/a")
    if "participant_id" not in (reader.fieldnames or ()):
        raise InputError(f"{path}: has no column participant_id; BIDS asks for it, separated by tabs")
    table = {}
    for row in reader:
        subject = row.pop("participant_id")
        row.pop("", None)  # cells beyond the header
        table[subject if subject.startswith("sub-") else f"sub-{subject}"] = dict(row)
    return table


def _image(folder: Path, stem: str) -> Path | None:
    for ending in IMAGE_ENDINGS:
        path = folder / f"{stem}{ending}"
        if os.path.lexists(path):
            return path
    return None
