"""What segmenting a picture leaves behind: mask, overlay, outline and, of many objects, their numbers; all or none."""

from __future__ import annotations

import csv
import io
import json
import os
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import asdict
from itertools import chain, count
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from lookonce import __version__
from lookonce.errors import OutputError
from lookonce.io.files import write_files
from lookonce.io.naming import plan_names
from lookonce.io.pictures import RESULT_ENDINGS, Picture
from lookonce.segmentation.mask import Mask

#: Tables of a call: one row a picture, and one row an object where a picture holds many.
PICTURES_TABLE, OBJECTS_TABLE = "segmentation", "segmentation_objects"
PICTURE_COLUMNS = (
    *("input", "width", "height", "objects", "area_px", "area_mm2", "area_share", "touches_border", "confidence"),
    *("unlike", "distance", "seconds", "warnings", "error", "mask", "overlay", "outline"),
)
OBJECT_COLUMNS = (
    *("input", "number", "area_px", "area_mm2", "x", "y", "x0", "y0", "x1", "y1", "touches_border", "confidence"),
)


def plan_outputs(inputs: Sequence[Path], out: Path | None) -> dict[Path, tuple[Path, str]]:
    """Folder and stem of every picture's files; ``a.jpg`` and ``a.png`` of one folder keep their endings in them."""
    # Without regard to case, for file systems that have none.
    stems = Counter(_without_ending(Path(os.path.abspath(path))).casefold() for path in dict.fromkeys(inputs))
    return plan_names(
        inputs, out, stem_of=lambda path: path.stem if stems[_without_ending(path).casefold()] == 1 else path.name
    )


def check_outputs(
    folder: Path, stem: str, kind: str, *, overwrite: bool = False, inputs: Iterable[Path] = ()
) -> dict[str, Path]:
    """Paths of the ``mask``, ``overlay``, ``outline`` and ``objects`` files, once it is sure that they may be written.

    Raises
    ------
    OutputError
        If a file is there already and `overwrite` is not set, or if it is one of the `inputs` of the call.
    """
    endings = {**RESULT_ENDINGS, "outline": "_outline.geojson"}
    paths = {
        name: folder / f"{stem}{ending}" for name, ending in endings.items() if kind == "many" or name != "objects"
    }
    read = {os.path.abspath(path) for path in inputs}
    for path in paths.values():
        if os.path.abspath(path) in read:
            raise OutputError(f"{path}: is a picture of this call and is not replaced; choose another folder with -o")
        if os.path.lexists(path) and not overwrite:
            raise OutputError(f"{path}: is there already; replace it with --overwrite or choose another folder")
    return paths


def write_mask(picture: Picture, mask: Mask, paths: dict[str, Path], overlay: Image.Image) -> None:
    """Write the files that `check_outputs` named.

    Raises
    ------
    OutputError
        If one cannot be written; nothing new is left behind.
    """
    contents = {
        "mask": _encoded(Image.fromarray(mask.mask.astype(np.uint8) * 255), "PNG"),
        "overlay": _encoded(overlay, "JPEG", quality=90, subsampling=0),  # halved colours would blur the line
        "outline": outline_json(mask, source=picture.path.name if picture.path else ""),
    }
    if "objects" in paths:
        contents["objects"] = _encoded(Image.fromarray(mask.labels), "PNG")
    write_files({paths[name]: content for name, content in contents.items()})


def mask_record(source: str | Path, mask: Mask, outputs: dict[str, str]) -> dict[str, Any]:
    """One entry of ``lookonce segment --json``, ready for JSON; docs/segmentation.md tells the fields."""
    height, width = mask.labels.shape
    return {
        "input": str(source),
        "width": width,
        "height": height,
        "area_px": mask.area_px,
        "area_mm2": _rounded(mask.area_mm2, 4),
        "area_share": round(mask.area_px / (width * height), 6),
        "touches_border": mask.touches_border,
        "confidence": _rounded(mask.confidence, 4),
        "unlike": mask.unlike,
        "distance": round(mask.distance, 3),
        "distance_limit": round(mask.limit, 3),
        "objects": _object_records(mask),
        "warnings": list(mask.warnings),
        "seconds": round(mask.seconds, 3),
        "model": dict(mask.model),
        "outputs": outputs,
    }


def outline_json(mask: Mask, *, source: str = "") -> bytes:
    """The outlines as a GeoJSON feature collection: x, y in pixels from the upper left corner, y downwards."""
    outlines = mask.outlines
    features = [
        {
            "type": "Feature",
            "id": entry["number"],
            "properties": entry,
            "geometry": {
                "type": "MultiPolygon",
                "coordinates": [[ring.tolist() for ring in polygon] for polygon in outlines[entry["number"]]],
            },
        }
        for entry in _object_records(mask)
    ]
    height, width = mask.labels.shape
    collection = {
        "type": "FeatureCollection",
        "unit": "pixel",
        "image": {"name": source, "width": width, "height": height},
        "generated_by": {"name": "LookOnce", "version": __version__, "model": mask.model},
        "features": features,
    }
    return (json.dumps(collection, ensure_ascii=False) + "\n").encode(errors="backslashreplace")


def write_tables(records: Sequence[dict[str, Any]], folder: Path, *, many: bool, overwrite: bool) -> list[Path]:
    """Write the tables of a call from its entries, numbered where a call before left its own; returns their paths."""
    tables = {PICTURES_TABLE: _table(PICTURE_COLUMNS, map(_picture_row, records))}
    if many:
        tables[OBJECTS_TABLE] = _table(OBJECT_COLUMNS, chain.from_iterable(map(_object_rows, records)))
    for number in count(1):
        ending = "" if number == 1 else f"-{number}"
        paths = [folder / f"{name}{ending}.csv" for name in tables]
        if overwrite or not any(os.path.lexists(path) for path in paths):
            break
    write_files(dict(zip(paths, tables.values(), strict=True)))
    return paths


def _encoded(picture: Image.Image, form: str, **options: Any) -> bytes:
    file = io.BytesIO()
    picture.save(file, format=form, **options)
    return file.getvalue()


def _without_ending(path: Path) -> str:
    return str(path.with_suffix(""))


def _object_records(mask: Mask) -> list[dict[str, Any]]:
    return [
        asdict(found)
        | {
            "area_mm2": _rounded(found.area_mm2, 4),
            "box": list(found.box),
            "centre": [round(place, 2) for place in found.centre],
            "confidence": round(found.confidence, 4),
        }
        for found in mask.objects
    ]


def _picture_row(record: dict[str, Any]) -> dict[str, Any]:
    if "error" in record:
        return {"input": record["input"], "error": record["error"]["message"]}
    return {
        **record,
        **record["outputs"],
        "objects": len(record["objects"]),
        "warnings": "; ".join(record["warnings"]),
    }


def _object_rows(record: dict[str, Any]) -> Iterable[dict[str, Any]]:
    for entry in record.get("objects", ()):
        corners = dict(zip(("x0", "y0", "x1", "y1"), entry["box"], strict=True))
        x, y = entry["centre"]
        yield {**entry, "input": record["input"], "x": x, "y": y, **corners}


def _table(columns: Sequence[str], rows: Iterable[dict[str, Any]]) -> bytes:
    text = io.StringIO()
    writer = csv.DictWriter(text, columns, extrasaction="ignore", lineterminator="\n")
    writer.writeheader()
    for row in rows:
        writer.writerow({key: str(value).lower() if isinstance(value, bool) else value for key, value in row.items()})
    return text.getvalue().encode(errors="backslashreplace")


def _rounded(value: float | None, digits: int) -> float | None:
    return None if value is None else round(value, digits)
