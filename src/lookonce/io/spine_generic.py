"""Scans of a data set in the layout of Spine Generic (data-multi-subject), with and without their disc labels."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from lookonce.errors import InputError
from lookonce.io.bids import IMAGE_ENDINGS, LABEL_ENDINGS, LABELS_FOLDER, files_by_scan

#: Contrasts of the data set that show discs.
CONTRASTS = ("T1w", "T2w")


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
    images = files_by_scan(root, IMAGE_ENDINGS, CONTRASTS)
    labels = files_by_scan(root / LABELS_FOLDER, LABEL_ENDINGS, CONTRASTS)
    if not images:
        wanted = " or ".join(f"sub-*/anat/sub-*_{contrast}.nii.gz" for contrast in CONTRASTS)
        raise InputError(f"{root}: holds no scan; expected {wanted}")
    known = images.keys() | {scan for scan in labels if "_space-" not in scan[1]}
    return [SourceScan(*scan, images.get(scan), labels.get(scan)) for scan in sorted(known)]
