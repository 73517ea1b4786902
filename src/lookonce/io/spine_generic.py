"""Scans of a data set in the layout of Spine Generic (data-multi-subject), with and without their disc labels."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from lookonce.errors import InputError
from lookonce.io.bids import LABEL_ENDINGS, LABELS_FOLDER
from lookonce.io.nifti import label_stem

#: Contrasts of the data set that show discs.
CONTRASTS = ("T1w", "T2w")
IMAGE_ENDINGS = (".nii.gz", ".nii")


@dataclass(frozen=True, order=True)
class SourceScan:
    """What a data set holds of one scan; a file may be there as a git-annex placeholder alone.

    Attributes
    ----------
    place : Path
        Its folder within the data set, ``sub-01/anat`` or ``sub-01/ses-2/anat``.
    stem : str
        Its name without ending, such as ``sub-01_T2w``.
    image, labels : Path or None
        None where the data set has no such file.
    """

    place: Path
    stem: str
    image: Path | None = None
    labels: Path | None = None

    @property
    def subject(self) -> str:
        """Subject id, such as ``sub-01``."""
        return self.place.parts[0]

    @property
    def session(self) -> str:
        """Session id, such as ``ses-2``; empty where the data set has none."""
        return self.place.parts[1] if len(self.place.parts) == 3 else ""

    @property
    def contrast(self) -> str:
        """Contrast by its BIDS suffix, one of `CONTRASTS`."""
        return self.stem.rpartition("_")[2]


def source_scans(root: str | Path) -> list[SourceScan]:
    """Find every T1w and T2w scan, and every disc label file of one, in the order of their names.

    Label files of the present naming go before those of older releases. Labels of a resampled copy (``space-other``)
    that is not in the data set belong to none of its scans and are passed over.

    Raises
    ------
    InputError
        If there is no such folder, or no T1w or T2w scan in it.
    """
    root = Path(root)
    if not root.is_dir():
        raise InputError(f"{root}: no such folder; give the one that holds sub-*")
    images = _by_scan(root, IMAGE_ENDINGS)
    labels = _by_scan(root / LABELS_FOLDER, LABEL_ENDINGS)
    if not images:
        wanted = " or ".join(f"sub-*/anat/sub-*_{contrast}.nii.gz" for contrast in CONTRASTS)
        raise InputError(f"{root}: holds no scan; expected {wanted}")
    known = images.keys() | {scan for scan in labels if "_space-" not in scan[1]}
    return [SourceScan(*scan, images.get(scan), labels.get(scan)) for scan in sorted(known)]


def _by_scan(root: Path, endings: tuple[str, ...]) -> dict[tuple[Path, str], Path]:
    """Files called after a scan, by the scan's place and stem; links that lead nowhere count."""
    found: dict[tuple[Path, str], Path] = {}
    for ending in endings:
        for folder in ("sub-*/anat", "sub-*/ses-*/anat"):
            for path in root.glob(f"{folder}/sub-*{ending}"):
                stem = path.name.removesuffix(ending)
                if stem.endswith(tuple(f"_{contrast}" for contrast in CONTRASTS)) and os.path.lexists(path):
                    found.setdefault((path.parent.relative_to(root), label_stem(stem)), path)
    return found
