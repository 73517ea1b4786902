"""Spine Generic (data-multi-subject) made ready: a clean BIDS tree, the papers' pictures, lists and a report.

What is written into OUT::

    sub-*/anat/sub-*_T2w.nii.gz                                   the scans, byte for byte
    derivatives/labels/sub-*/anat/sub-*_T2w_label-discs_dlabel.*  labels in whole numbers on the scan's grid, sidecars
    pictures/T2w/sub-*_T2w.npz                                    the papers' 256 x 256 pictures, a folder a contrast
    train.txt validation.txt test.txt participants.tsv            who is on which list
    report.csv                                                    what became of every scan

OUT is a `kind: bids` source and what `lookonce evaluate --data OUT --split test` scores; each folder of pictures is a
`kind: prepared` source.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from lookonce.errors import InputError
from lookonce.geometry import voxel_to_world, world_to_voxel
from lookonce.io.bids import LABEL_ENDINGS, LABELS_FOLDER, annotated_levels, read_participants, read_sidecar
from lookonce.io.exclusions import Exclusions, read_exclusions
from lookonce.io.files import is_annex_placeholder, write_files
from lookonce.io.nifti import SpineImage, encode_labels, read_image, read_volume
from lookonce.io.spine_generic import SourceScan, source_scans
from lookonce.landmarks import APART_MM, DiscLabels
from lookonce.preparation.output import (
    PROGRAM,
    check_folder,
    remove_stale,
    scan_paths,
    write_description,
    write_summary,
)
from lookonce.preparation.pictures import paper_picture
from lookonce.preparation.report import Preparation, ScanRow, reason_and_remedy
from lookonce.preparation.splits import split_of

EXCLUDE_FILES = ("exclude.yml", "exclude.yaml")
#: SCT values of one disc each: two may share that of T12/L1, with a T13, and that of L5/S1, with an L6.
_OWN_VALUES = set(range(1, 26)) - {20, 25}

Progress = Callable[[int, int, str], None]


def prepare_spine_generic(
    source: str | Path,
    out: str | Path,
    *,
    exclude: str | Path | None = None,
    overwrite: bool = False,
    progress: Progress | None = None,
) -> Preparation:
    """Check, clean and split a data set in the layout of Spine Generic.

    Parameters
    ----------
    source : path
        The data set; it is only read.
    out : path
        Folder to write to, new or empty.
    exclude : path, optional
        YAML list of what to leave out; by default ``exclude.yml`` of the data set, where it has one.
    overwrite : bool
        Replace what an earlier run wrote into `out`; its scans that are not prepared again are removed.
    progress : callable, optional
        Called with the scans done, the scans in all and the scan in hand.

    Returns
    -------
    Preparation
        A scan that cannot be prepared is named in it, and in the report, with the reason; the others are done.

    Raises
    ------
    InputError
        If `source` holds no scan, none could be prepared (the report is written all the same), or its list of
        exclusions or its ``participants.tsv`` is damaged.
    UsageError
        If `out` holds anything else, or an earlier run's data set and `overwrite` is not set.
    OutputError
        If a file cannot be written.
    """
    source, out = Path(source), Path(out)
    scans = source_scans(source)
    exclusions = _exclusions(source, exclude)
    participants = read_participants(source)
    check_folder(out, source, overwrite=overwrite)
    write_description(out, source)
    rows, written = [], set()
    for done, scan in enumerate(scans):
        if progress:
            progress(done, len(scans), scan.stem)
        row, paths = _prepared(scan, source, out, exclusions)
        rows.append(row)
        written |= paths
    result = Preparation(out, tuple(rows))
    remove_stale(out, written)
    write_summary(result, participants)
    if not written:
        first = "".join(f". The first: {row.image}: {row.reason}; {row.remedy}" for row in result.failed[:1])
        raise InputError(
            f"{source}: none of its {len(rows)} scans could be prepared ({result.scans['failed']} failed, "
            f"{result.scans['excluded']} excluded); {result.report} says why and what to do{first}"
        )
    return result


def _exclusions(source: Path, given: str | Path | None) -> Exclusions:
    if given is not None:
        return read_exclusions(given)
    for name in EXCLUDE_FILES:
        if (source / name).exists():
            return read_exclusions(source / name)
    return Exclusions()


def _prepared(scan: SourceScan, source: Path, out: Path, exclusions: Exclusions) -> tuple[ScanRow, set[Path]]:
    """Prepare one scan: its line of the report, and the files that were written."""
    image = scan.image or source / scan.place / f"{scan.stem}.nii.gz"
    row = ScanRow(scan.subject, scan.session, scan.contrast, image.relative_to(source).as_posix(), "done")
    reason = exclusions.reason(scan.stem)
    if reason:
        return replace(row, state="excluded", reason=f"the list of exclusions names {reason}"), set()
    try:
        return _written(scan, row, source, out)
    except InputError as error:  # one that cannot be written would fail for every scan alike
        reason, remedy = reason_and_remedy(error, source)
        return replace(row, state="failed", reason=reason.removeprefix(f"{row.image}: "), remedy=remedy), set()


def _written(scan: SourceScan, row: ScanRow, source: Path, out: Path) -> tuple[ScanRow, set[Path]]:
    image_path, labels_path = _both_files(scan, source)
    annotated = annotated_levels(labels_path)
    image = read_image(image_path)
    labels = _checked_labels(labels_path, image)
    picture = paper_picture(image.data, image.affine, labels)
    volume, warnings = labels.to_volume(image.data.shape, affine=image.affine)
    paths = scan_paths(out, scan, image_path.name)
    write_files(
        {
            paths["image"]: image_path.read_bytes(),
            paths["labels"]: encode_labels(volume, image),
            paths["sidecar"]: _sidecar(labels_path, source, labels, annotated),
            paths["picture"]: picture.to_npz(),
        }
    )
    row_mm, column_mm = (round(float(size), 4) for size in picture.pixel_mm)
    done = replace(
        row,
        split=split_of(scan.subject),
        discs=len(picture.levels),
        row_mm=row_mm,
        column_mm=column_mm,
        reason="; ".join(image.warnings + warnings),
    )
    return done, set(paths.values())


def _both_files(scan: SourceScan, source: Path) -> tuple[Path, Path]:
    """The scan's image and labels, once both are there."""
    if scan.image is None:
        missing = (scan.place / f"{scan.stem}.nii.gz").as_posix()
        raise InputError(f"there are labels, and no scan {missing}; copy it, or remove the labels")
    if scan.labels is None:
        expected = (LABELS_FOLDER / scan.place / f"{scan.stem}{LABEL_ENDINGS[0]}").as_posix()
        raise InputError(f"there are no disc labels {expected}; label the scan, or list it in exclude.yml")
    for path in (scan.image, scan.labels):
        if is_annex_placeholder(path):
            name = path.relative_to(source).as_posix()
            raise InputError(
                f"{name}: is a git-annex pointer without its content; in its folder: git annex get {path.name}"
            )
    return scan.image, scan.labels


def _checked_labels(path: Path, image: SpineImage) -> DiscLabels:
    """Labels of a file, which must hold a disc, one place a value, and lie in the image.

    The two need not share a grid: labels are placed by their world points.
    """
    volume = read_volume(path)
    places = _places(volume)
    for value, points in places.items():
        spread = float(np.ptp(points, axis=0).max())
        if value in _OWN_VALUES and spread > APART_MM:
            raise InputError(f"{path}: the value {value} marks places {spread:.0f} mm apart; correct the labels")
    variant = read_sidecar(path).get("Variant")
    labels = DiscLabels.from_volume(volume.data, affine=volume.affine)
    labels = labels.recounted(variant) if isinstance(variant, str) else labels
    if not labels.without_c1_top():
        held = f"only the values {', '.join(map(str, places))}" if places else "nothing"
        raise InputError(f"{path}: holds {held}, so no disc (2 to 25); correct the labels")
    voxels = world_to_voxel(labels.points, affine=image.affine)
    # A voxel reaches half a step to either side of its centre.
    beyond = np.maximum(-0.5 - voxels, voxels - np.array(image.data.shape) + 0.5).max(axis=1)
    outside = [disc.level.label for disc, steps in zip(labels, beyond, strict=True) if steps > 1e-3]
    if outside:
        raise InputError(
            f"{path}: {', '.join(outside)} outside the image (up to {beyond.max():.0f} voxels); the labels are of "
            "another scan, or one of the two headers is wrong: correct it"
        )
    return labels


def _places(volume: SpineImage) -> dict[int, Any]:
    """World points, (N, 3) in mm, of the voxels of every label value, rounded."""
    voxels = np.argwhere((volume.data > 0.5) & np.isfinite(volume.data))
    values = np.rint(volume.data[tuple(voxels.T)]).astype(int)
    points = voxel_to_world(voxels.astype(np.float64), affine=volume.affine)
    return {int(value): points[values == value] for value in np.unique(values)}


def _sidecar(path: Path, source: Path, labels: DiscLabels, annotated: tuple[int, int] | None) -> bytes:
    """What the data set says of its labels (who placed them), and what was made of them.

    Without a range of its own, the truth begins and ends with the labels: Spine Generic marks the discs from C1 down to
    wherever the rater stopped, and further discs are in view.
    """
    values = [level.nifti_value for level in labels.without_c1_top().levels]
    about = read_sidecar(path)
    made_by = about.get("GeneratedBy")
    record = {
        **about,
        "SpatialReference": "orig",
        "AnnotatedLevels": list(annotated or (min(values), max(values))),
        "GeneratedBy": [*(made_by if isinstance(made_by, list) else []), PROGRAM],
        "Sources": [path.relative_to(source).as_posix()],
    }
    return (json.dumps(record, indent=1, ensure_ascii=False) + "\n").encode()
