"""A little labelled BIDS tree."""

from __future__ import annotations

from pathlib import Path

import nibabel as nib
import numpy as np

#: Voxels of the little scan in mm, its shape, and where its discs are, in voxels.
SIZES, SHAPE = (2.0, 1.25, 1.5), (16, 60, 70)
DISCS = {4: (8, 25, 50), 5: (8, 27, 38), 6: (9, 26, 26)}


def add_scan(root: Path, subject: str, discs: dict[int, tuple[int, int, int]] = DISCS) -> None:
    """Write a scan that brightens from left to right, and its labels."""
    affine = np.diag([*SIZES, 1.0])
    affine[:3, 3] = (-15, -40, 100)
    data = np.broadcast_to(np.arange(SHAPE[0])[:, None, None], SHAPE).astype(np.int16) * 100
    labels = np.zeros(SHAPE, dtype=np.uint8)
    for level, voxel in discs.items():
        labels[voxel] = level
    for folder, name, volume in (
        (root / subject / "anat", "T2w.nii.gz", data),
        (root / "derivatives" / "labels" / subject / "anat", "T2w_label-discs_dlabel.nii.gz", labels),
    ):
        folder.mkdir(parents=True)
        nib.save(nib.Nifti1Image(volume, affine), folder / f"{subject}_{name}")
