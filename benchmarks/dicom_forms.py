"""Forms of DICOM: each is written with pydicom, read with LookOnce and dcm2niix, and compared with what was written.

Run from the repository's root: `python -m benchmarks.dicom_forms [--only zip]`. The largest differences are those of a
corner's place in mm, and of a voxel's grey value, to what was written, and to what dcm2niix makes of it.
"""

from __future__ import annotations

import argparse
import shutil
import tempfile
from pathlib import Path

import numpy as np
from tests.dicom_files import Volume, dcm2niix, difference
from tests.dicom_forms import Form, forms

from lookonce.errors import InputError
from lookonce.io.scans import find_scans

COLUMNS = ("form", "outcome", "scans", "places, mm", "voxels", "dcm2niix: places, mm", "voxels")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", default="", help="forms whose name holds this")
    options = parser.parse_args()
    print(f"| {' | '.join(COLUMNS)} |\n|{' --- |' * len(COLUMNS)}")
    for form in forms():
        if options.only in form.name:
            with tempfile.TemporaryDirectory() as folder:
                print(f"| {' | '.join(row(form, Path(folder)))} |", flush=True)


def row(form: Form, folder: Path) -> list[str]:
    path = form.write(folder)
    try:
        images = [scan.read() for scan in find_scans(path, volume=form.volume).scans]
    except InputError as error:
        return [form.name, f"refused: {str(error).rpartition(': ')[2]}", "0", "", "", "", ""]
    ours = [Volume(image.data, image.affine) for image in images]
    warnings = "; ".join(dict.fromkeys(warning for image in images for warning in image.warnings))
    other = ["not installed", ""]
    if shutil.which("dcm2niix"):
        other = nearest(ours, dcm2niix(folder / "dicom", folder / "nifti"))
    if form.dcm2niix:
        other[1] = f"{other[1]} ({form.dcm2niix})".strip()
    outcome = f"read, with a warning: {warnings}" if warnings else "read"
    return [form.name, outcome, str(len(ours)), *nearest(ours, list(form.truth)), *other]


def nearest(ours: list[Volume], others: list[Volume]) -> list[str]:
    """Largest difference of places and of voxels, each of ours to the one of the others that is most like it."""
    worst = [min((difference(one, other) for other in others), default=(np.inf, np.inf)) for one in ours]
    places, voxels = np.max(worst, axis=0)
    if not np.isfinite(places):
        return ["nothing alike", ""]
    return [f"{places:.0e}" if places < 0.01 else f"{places:.1f}", f"{voxels:.2g}"]


if __name__ == "__main__":
    main()
