"""What labelling a scan leaves behind: label volume, sidecar, table and the full result, all of them or none."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lookonce import __version__
from lookonce.anatomy import REGULAR_LEVELS, Level
from lookonce.errors import InputError, OutputError, UsageError
from lookonce.io.bids import LABEL_ENDINGS, read_sidecar
from lookonce.io.files import write_files
from lookonce.io.markups import MARKUPS_ENDING, encode_markups
from lookonce.io.naming import plan_names
from lookonce.io.nifti import SpineImage, encode_labels, label_stem
from lookonce.landmarks import Disc, nearest_voxel

if TYPE_CHECKING:
    from lookonce.io.dicom.study import DicomSource
    from lookonce.labeling import LabelResult


def write_result(
    image: SpineImage,
    result: LabelResult,
    out_dir: str | Path,
    stem: str,
    *,
    numbering: str = "sct",
    dicom: bool = False,
    markups: bool = False,
    overwrite: bool = False,
    command: str | None = None,
    provenance: Mapping[str, Any] | None = None,
) -> dict[str, str]:
    """Write the four files of a labelled scan, and those asked for: two for the PACS, one for 3D Slicer.

    Parameters
    ----------
    image : SpineImage
        The scan; the label volume takes over its header.
    result : LabelResult
    out_dir : path
        Folder to write to; made where it is missing.
    stem : str
        Beginning of the files' names, such as ``sub-01_T2w``.
    numbering : {"sct", "totalspineseg", "spineps"}
        Values in the label volume. All else keeps SCT values and names.
    dicom : bool
        Write also a structured report and a picture as DICOM objects of the scan's study.
    markups : bool
        Write also the points as 3D Slicer's markups.
    overwrite : bool
        Replace files of an earlier call. Labels placed by hand are kept all the same.
    command : str, optional
        The call, for the sidecar.
    provenance : mapping, optional
        More fields of the sidecar, or others in place of its own.

    Returns
    -------
    dict of str to str
        Paths of the ``labels``, ``sidecar``, ``csv`` and ``result`` files, and of the ``report``, ``picture`` and
        ``markups``.

    Raises
    ------
    OutputError
        If a file cannot be written or may not be replaced (see `check_outputs`); nothing new is left behind.
    UsageError
        If DICOM objects are asked for and cannot be made (see `check_dicom`).
    """
    paths = check_outputs(out_dir, stem, overwrite=overwrite, dicom=dicom, markups=markups)
    volume, _ = result.labels.to_volume(image.data.shape, affine=image.affine, numbering=numbering)
    source = image.path.name if image.path else stem
    # Names, not paths: the folder may be moved or published.
    names = {key: path.name for key, path in paths.items()}
    record = result_record(source, result, image, names, numbering=numbering)
    sidecar = _sidecar(result, record, numbering, command) | dict(provenance or {})
    contents = {
        "labels": encode_labels(volume, image),
        "sidecar": _json(sidecar),
        "csv": result.labels.to_csv().encode(),
        "result": _json(record),
    }
    if markups:
        contents["markups"] = encode_markups(result.labels, name=f"{stem}_discs", uncertain=result.uncertain)
    if dicom:
        from lookonce.report.dicom import dicom_objects

        contents |= dicom_objects(check_dicom(image), result)
    write_files({paths[key]: content for key, content in contents.items()})
    return {key: str(path) for key, path in paths.items()}


def check_dicom(image: SpineImage) -> DicomSource:
    """Give the series that DICOM results of an image refer to; call it before a long computation.

    Raises
    ------
    UsageError
        If there is none, or it lacks what they need.
    LookOnceError
        If highdicom is not installed.
    """
    if image.dicom is None:
        raise UsageError(
            "is NIfTI, which does not say whose study DICOM results would belong to; leave out --dicom, or give the "
            "DICOM series itself"
        )
    for keyword in ("StudyInstanceUID", "SeriesInstanceUID", "FrameOfReferenceUID"):
        if not image.dicom.headers[0].get(keyword):
            raise UsageError(f"its headers have no {keyword}, to which DICOM results would refer; leave out --dicom")
    from lookonce.io.dicom.objects import import_highdicom

    import_highdicom()
    return image.dicom


def check_outputs(
    out_dir: str | Path, stem: str, *, overwrite: bool = False, dicom: bool = False, markups: bool = False
) -> dict[str, Path]:
    """Paths that `write_result` writes to, once it is sure that it may; call it before a long computation.

    Raises
    ------
    OutputError
        If a file is there already and `overwrite` is not set, or if the labels there were placed by hand: when their
        sidecar says ``GeneratedBy: Manual``, they are never replaced.
    """
    paths = output_paths(out_dir, stem, dicom=dicom, markups=markups)
    if placed_by_hand(paths["labels"]):
        raise OutputError(
            f"{paths['labels']}: was placed by hand (its sidecar says GeneratedBy: Manual) and is never overwritten; "
            "write to another folder with -o OUT"
        )
    for path in paths.values():
        if os.path.lexists(path) and not overwrite:
            raise OutputError(f"{path}: is there already; replace it with --overwrite or choose another folder")
    return paths


def placed_by_hand(labels: Path) -> bool:
    """Whether the sidecar of a label file says ``GeneratedBy: Manual``.

    Raises
    ------
    OutputError
        If the sidecar is damaged, so that nobody can tell.
    """
    try:
        made_by = read_sidecar(labels).get("GeneratedBy")
    except InputError as error:
        raise OutputError(f"cannot tell who made the labels that are there: {error}") from None
    entries = made_by if isinstance(made_by, list) else [made_by]
    return any(isinstance(entry, dict) and str(entry.get("Name")).lower() == "manual" for entry in entries)


def output_paths(out_dir: str | Path, stem: str, *, dicom: bool = False, markups: bool = False) -> dict[str, Path]:
    """Paths of the ``labels``, ``sidecar``, ``csv`` and ``result`` files of one scan, and of those asked for."""
    folder = Path(out_dir)
    labels = folder / f"{stem}{LABEL_ENDINGS[0]}"
    paths = {
        "labels": labels,
        "sidecar": folder / f"{label_stem(labels)}.json",
        "csv": folder / f"{stem}_discs.csv",
        "result": folder / f"{stem}_discs.json",
    }
    if markups:
        paths["markups"] = folder / f"{stem}_discs{MARKUPS_ENDING}"
    if dicom:
        paths |= {key: folder / f"{stem}_discs-{key}.dcm" for key in ("report", "picture")}
    return paths


def result_record(
    input_path: str | Path,
    result: LabelResult,
    image: SpineImage,
    outputs: dict[str, str],
    *,
    numbering: str = "sct",
) -> dict[str, Any]:
    """One entry of ``lookonce label --json``, ready for JSON.

    ``level`` is the SCT value, null for the discs of a T13 or an L6; ``world_mm`` RAS mm of the input's affine;
    ``voxel`` the nearest voxel, counted from 0; key k of ``level_shift`` the probability that the true level is the
    written one + k; ``runner_up`` the numbering that is right if the written one is not, or null; ``counted_from`` what
    the numbering rests on, in words. DICOM results say which ``series`` of the input they are of.
    """
    discs = []
    for disc, entry in zip(result.labels, result.labels.to_records(), strict=True):
        voxel = nearest_voxel(disc.world_mm, image.data.shape, affine=image.affine)
        discs.append({**entry, "voxel": list(voxel)})
    series = {} if image.dicom is None else {"series": image.dicom.summary}
    _, drawing_warnings = result.labels.to_volume(image.data.shape, affine=image.affine, numbering=numbering)
    return {
        "input": str(input_path),
        **series,
        "discs": discs,
        "level_shift": {str(shift): round(share, 6) for shift, share in sorted(result.level_shift.items())},
        "uncertain": bool(result.uncertain),
        "runner_up": _runner_up(result),
        "counted_from": result.counted_from,
        "variant": result.variant,
        "warnings": list(dict.fromkeys([*image.warnings, *result.warnings, *drawing_warnings])),
        "seconds": round(result.seconds, 3),
        "model": dict(result.model),
        "outputs": outputs,
    }


def plan_outputs(inputs: Iterable[str | Path], out: str | Path | None = None) -> dict[Path, tuple[Path, str]]:
    """Folder and stem of every scan's files (see `lookonce.io.naming.plan_names`)."""
    return plan_names(inputs, out, stem_of=label_stem)


def _sidecar(result: LabelResult, record: dict[str, Any], numbering: str, command: str | None) -> dict[str, Any]:
    program = {"Name": "LookOnce", "Version": __version__}
    if command:
        program["Command"] = command
    return {
        "SpatialReference": "orig",
        "GeneratedBy": [program],
        "Sources": [record["input"]],
        "Model": {"Name": result.model.get("name"), "SHA256": result.model.get("sha256")},
        "Numbering": numbering,
        "LevelShift": record["level_shift"],
        "Uncertain": record["uncertain"],
        "RunnerUp": record["runner_up"],
        "CountedFrom": record["counted_from"],
        "Variant": record["variant"],
        "Warnings": record["warnings"],
    }


def _runner_up(result: LabelResult) -> dict[str, Any] | None:
    """The second most probable numbering: its shift, its probability and the names, from the head down."""
    if result.runner_up is None:
        return None
    shift, share = result.runner_up
    return {
        "shift": shift,
        "probability": round(share, 6),
        "names": [_shifted_name(disc, shift) for disc in result.labels],
    }


def _shifted_name(disc: Disc, shift: int) -> str | None:
    """Name of the level `shift` discs further down, or None where the regular spine has none."""
    value = None if disc.level.sct is None else disc.level.sct + shift
    return Level(value).label if value in REGULAR_LEVELS else None


def _json(content: dict[str, Any]) -> bytes:
    # A file's name need not be text: what UTF-8 has no place for becomes an escape of JSON.
    return (json.dumps(content, indent=2, ensure_ascii=False) + "\n").encode(errors="backslashreplace")
