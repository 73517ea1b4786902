"""A miniature data set in the layout of Spine Generic (data-multi-subject): small scans with bright discs."""

from __future__ import annotations

from pathlib import Path

import nibabel as nib
import numpy as np
from numpy.typing import NDArray
from tests.conftest import Scan

NEW, OLD = "_label-discs_dlabel", "_labels-disc-manual"
#: Voxels of a RAS scan, their size in mm, and the discs: SCT value to voxel. The sagittal slice is no square.
SHAPE, SIZES = (14, 52, 70), (1.5, 1.2, 1.0)
DISCS = {3: (7, 24, 58), 4: (7, 26, 46), 5: (8, 27, 33), 6: (7, 25, 20)}
AFFINE = np.array([[1.5, 0, 0, -11], [0, 1.2, 0, -30], [0, 0, 1.0, 40], [0, 0, 0, 1]])
ANNEX_LINK = "../../.git/annex/objects/Xx/0K/SHA256E-s1--0.nii.gz/SHA256E-s1--0.nii.gz"
ANNEX_TEXT = "/annex/objects/SHA256E-s69946--a39c.nii.gz\n"


def bright_discs(discs: dict[int, tuple[int, int, int]] = DISCS) -> Scan:
    """A dark RAS scan with a bright bar at every disc, wide right-left as real ones are."""
    grid = np.meshgrid(*map(np.arange, SHAPE), indexing="ij")
    data = np.zeros(SHAPE)
    for voxel in discs.values():
        x, y, z = ((axis - at) * size for axis, at, size in zip(grid, voxel, SIZES, strict=True))
        data += 1000 * np.exp(-0.5 * ((x / 12) ** 2 + (y / 2.5) ** 2 + (z / 2.5) ** 2))
    return Scan(data.astype(np.float32), AFFINE, np.zeros(3))


def label_scan(values: dict[float, tuple[int, int, int]] = DISCS) -> Scan:
    """The label volume of such a scan, as floats: label files hold 5.9999 where 6 is meant."""
    data = np.zeros(SHAPE, dtype=np.float32)
    for value, voxel in values.items():
        data[voxel] = value - 1e-4
    return Scan(data, AFFINE, np.zeros(3))


def save(path: Path, scan: Scan) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    nib.save(nib.Nifti1Image(scan.data, scan.affine), path)
    return path


def add_scan(
    root: Path,
    stem: str,
    *,
    naming: str | None = NEW,
    values: dict[float, tuple[int, int, int]] = DISCS,
    orientation: NDArray | None = None,
) -> tuple[Path, Path | None]:
    """Write one scan and its labels (none for `naming` None) where Spine Generic has them; returns their paths."""
    parts = stem.split("_")
    place = Path(*(part for part in parts if part.startswith(("sub-", "ses-"))), "anat")
    scan, labels = bright_discs(), label_scan(values)
    if orientation is not None:
        scan, labels = scan.stored(orientation), labels.stored(orientation)
    image = save(root / place / f"{stem}.nii.gz", scan)
    if naming is None:
        return image, None
    return image, save(root / "derivatives" / "labels" / place / f"{stem}{naming}.nii.gz", labels)


def make_annex(path: Path, *, link: bool) -> None:
    """Put in a file's place what git-annex leaves there until the file is fetched."""
    path.unlink()
    if link:
        path.symlink_to(ANNEX_LINK)
    else:
        path.write_text(ANNEX_TEXT)
