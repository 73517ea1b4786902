"""The film of a folder of scans: each with its labels, on a sagittal picture that follows the spine."""

from __future__ import annotations

import json
import os
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np
from PIL import Image

from lookonce.errors import InputError, LookOnceError, about
from lookonce.geometry import sagittal_slabs, scale_intensity, world_to_voxel
from lookonce.io.bids import LABEL_ENDINGS, read_labels, read_sidecar
from lookonce.io.nifti import SpineImage, label_stem, read_image
from lookonce.labeling import SagittalView
from lookonce.landmarks import DiscLabels
from lookonce.report.movies import Film
from lookonce.report.pictures import HEADING, UNSURE_COLOUR, WHITE, draw_discs, grey_picture, write_line

WIDTH, FPS = 480, 1.0
#: Height over width of what a frame shows.
TALLNESS = 1.35
#: Grid of the pictures, mm.
SPACING_MM, LATERAL_STEP_MM = 1.0, 4.0
RESULT_ENDING = "_discs.json"


def scans_film(folder: Path, *, width: int | None = None) -> Film:
    """The film of the labelled scans in a folder, a frame each, in the order of their paths.

    Labels are what `lookonce label` wrote, else label files that it or SCT would read, beside the scan or anywhere in
    the folder.

    Raises
    ------
    InputError
        If no scan in the folder has labels.
    """
    labelled, failures = find_labelled(folder)
    return Film(len(labelled), FPS, _frames(labelled, width or WIDTH, failures), failures)


def find_labelled(folder: Path) -> tuple[dict[Path, Path], list[LookOnceError]]:
    """Scan to labels, by path, and what is wrong with labels that have no scan.

    A full result (.json) is preferred to a label file; hidden folders are passed over.

    Raises
    ------
    InputError
        If there are no labels, or none whose scan is in the folder too.
    """
    scans: dict[str, list[Path]] = defaultdict(list)
    labels: list[tuple[int, Path, str]] = []
    endings = (RESULT_ENDING, *LABEL_ENDINGS)
    for path in _files(folder):
        rank = next((rank for rank, ending in enumerate(endings) if path.name.endswith(ending)), None)
        if rank is not None:
            labels.append((rank, path, path.name.removesuffix(endings[rank])))
        elif path.name.lower().endswith((".nii", ".nii.gz")):
            scans[label_stem(path)].append(path)
    found: dict[Path, Path] = {}
    lost: dict[str, LookOnceError] = {}
    for _, path, stem in sorted(labels):
        scan = _scan_of(path, stem, scans)
        if scan is not None:
            found.setdefault(scan, path)
        else:
            lost.setdefault(stem, InputError(f"{path}: no scan in {folder}, or more than one, fits these labels"))
    if not labels:
        raise InputError(
            f"{folder}: holds neither a training run (recipe.json) nor labels; label its scans first: lookonce label"
        )
    if not found:
        raise InputError(f"{folder}: holds labels without their scans; give a folder that has both, at any depth")
    shown = {label_stem(scan) for scan in found}
    return dict(sorted(found.items())), [error for stem, error in lost.items() if stem not in shown]


def spine_view(image: SpineImage, labels: DiscLabels) -> SagittalView:
    """A sagittal picture whose rows follow the discs sideways; the middle of the scan where there are none.

    Raises
    ------
    GeometryError
        If the scan is no sagittal or 3D one of a spine.
    """
    slabs = sagittal_slabs(image.data, image.affine, spacing=SPACING_MM, lateral_step=LATERAL_STEP_MM)
    count, height, _ = slabs.data.shape
    places = world_to_voxel(labels.points, affine=slabs.affine)
    rows, across = np.arange(height), np.full(height, (count - 1) / 2)
    if len(places):
        order = np.argsort(places[:, 1])
        across = np.interp(rows, places[order, 1], places[order, 0])
    slab = np.clip(np.rint(across), 0, count - 1).astype(int)
    return SagittalView(scale_intensity(slabs.data)[slab, rows], places[:, 1:], SPACING_MM)


def _files(folder: Path) -> Iterator[Path]:
    """Files at any depth, links that lead nowhere among them, without hidden folders such as git-annex's store."""
    for root, folders, names in os.walk(folder):
        folders[:] = [name for name in folders if not name.startswith(".")]
        yield from (Path(root, name) for name in names)


def _scan_of(labels: Path, stem: str, scans: Mapping[str, Sequence[Path]]) -> Path | None:
    """The scan that labels of a stem belong to, or None where there is none, or no telling which.

    `lookonce label -o` puts folder names in front where scans of several folders are called alike.
    """
    alike = scans.get(stem, ())
    beside = [path for path in alike if path.parent == labels.parent]
    if beside or len(alike) == 1:
        return (beside or alike)[0]
    parts = stem.split("_")
    fitting = [
        path
        for cut in range(1, len(parts))
        for path in scans.get("_".join(parts[cut:]), ())
        if f"_{'_'.join(parts[:cut])}_" in f"_{'_'.join(path.parent.parts)}_"
    ]
    return fitting[0] if len(fitting) == 1 else None


def _frames(labelled: Mapping[Path, Path], width: int, failures: list[LookOnceError]) -> Iterator[Image.Image]:
    failed = 0
    for number, (scan, labels) in enumerate(labelled.items(), start=1):
        try:
            discs, uncertain = _read(labels)
            view = spine_view(read_image(scan), discs)
        except LookOnceError as error:
            named = error if str(labels) in str(error) else about(scan, error)
            failures.append(named)
            failed += 1
            continue
        frame = _frame(view, discs, width)
        write_line(frame, (6, 6), label_stem(scan))
        doubt = "numbering uncertain   " if uncertain else ""
        colour = UNSURE_COLOUR if uncertain else WHITE
        write_line(frame, (frame.width - 6, 6), f"{doubt}{number}/{len(labelled)}", anchor="ra", colour=colour)
        yield frame
    if failed == len(labelled):
        raise failures[-1]


def _read(path: Path) -> tuple[DiscLabels, bool]:
    """Discs, and whether their numbering is uncertain as far as the file says."""
    if not path.name.endswith(RESULT_ENDING):
        numbering = str(read_sidecar(path).get("Numbering", "sct"))
        return read_labels(path, numbering=numbering).without_c1_top(), False
    try:
        record = json.loads(path.read_text(encoding="utf-8"))
        return DiscLabels.from_records(record["discs"]), bool(record["uncertain"])
    except (OSError, KeyError, TypeError, ValueError) as error:
        raise InputError(f"{path}: is no result of lookonce label ({error}); label the scan again") from None


def _frame(view: SagittalView, labels: DiscLabels, width: int) -> Image.Image:
    """The view, as large as fits, in the middle of a black frame below the heading."""
    width -= width % 2
    height = round(width * TALLNESS)
    frame = Image.new("RGB", (width, HEADING + height + (HEADING + height) % 2))
    rows, columns = view.image.shape
    scale = min(width / columns, height / rows)
    size = (max(1, round(columns * scale)), max(1, round(rows * scale)))
    picture = grey_picture(view.image).convert("RGB").resize(size, Image.Resampling.BICUBIC)
    draw_discs(picture, labels, view.points, scale=scale)
    frame.paste(picture, ((width - size[0]) // 2, HEADING + (height - size[1]) // 2))
    return frame
