"""Markups of 3D Slicer: disc labels as a list of named points that its Markups module shows, moves and saves.

The format is Slicer's markups schema, version 1.0.3. Slicer computes in RAS and writes LPS; a file says which it holds.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from lookonce.anatomy import Level
from lookonce.errors import InputError
from lookonce.landmarks import Disc, DiscLabels

MARKUPS_ENDING = ".mrk.json"
_SCHEMA = (
    "https://raw.githubusercontent.com/slicer/slicer/master/Modules/Loadable/Markups/Resources/Schema/"
    "markups-schema-v1.0.3.json#"
)
#: Signs that turn RAS into what a file holds, and back.
_SIGNS = {"LPS": (-1.0, -1.0, 1.0), "RAS": (1.0, 1.0, 1.0)}
#: Axes of a point that is not turned, in LPS, as Slicer writes them.
_NOT_TURNED = [-1.0, 0.0, 0.0, 0.0, -1.0, 0.0, 0.0, 0.0, 1.0]
_CONFIDENCE = re.compile(r"\bconfidence (\d(?:\.\d+)?)")


def encode_markups(labels: DiscLabels, *, name: str, uncertain: bool = False) -> bytes:
    """Content of a markups file with a point a disc, in LPS mm.

    Parameters
    ----------
    labels : DiscLabels
    name : str
        What Slicer calls the list.
    uncertain : bool
        Whether the numbering is in doubt; each point then says so.

    Returns
    -------
    bytes
        UTF-8 JSON. A point's label is the disc's name, its description the confidence. The list is locked, so that no
        point moves by accident; Slicer unlocks it with a click.
    """
    points = [_point(number, disc, uncertain) for number, disc in enumerate(labels, start=1)]
    markup = {
        "type": "Fiducial",
        "name": name,
        "coordinateSystem": "LPS",
        "coordinateUnits": "mm",
        "locked": True,
        "fixedNumberOfControlPoints": False,
        "labelFormat": "%N-%d",
        "lastUsedControlPointNumber": len(points),
        "controlPoints": points,
        "display": {"visibility": True, "pointLabelsVisibility": True, "propertiesLabelVisibility": False},
    }
    content = {"@schema": _SCHEMA, "markups": [markup]}
    return (json.dumps(content, indent=2, ensure_ascii=False) + "\n").encode(errors="backslashreplace")


def read_markups(path: str | Path) -> DiscLabels:
    """Read the discs of a markups file, as `encode_markups` or Slicer writes it; confidence 1 where none is said.

    Points without a position are passed over, and so is all that is no point: lines, curves and planes.

    Raises
    ------
    InputError
        If the file cannot be read, is no markups file, or has a point that is no disc or is there twice.
    """
    path = Path(path)
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise InputError(f"{path}: cannot be read as JSON ({error}); save it again") from None
    try:
        return DiscLabels(disc for markup in content["markups"] for disc in _discs(markup))
    except (KeyError, TypeError, AttributeError):
        raise InputError(f"{path}: is no markups file of 3D Slicer; save the points as .mrk.json") from None
    except ValueError as error:
        raise InputError(f"{path}: {error}; it should have one point a disc, called as the disc is") from None


def _point(number: int, disc: Disc, uncertain: bool) -> dict[str, Any]:
    doubt = "; numbering uncertain" if uncertain else ""
    return {
        "id": str(number),
        "label": disc.level.label,
        "description": f"confidence {disc.confidence:.4f}{doubt}",
        "associatedNodeID": "",
        "position": [round(sign * value, 3) for sign, value in zip(_SIGNS["LPS"], disc.world_mm, strict=True)],
        "orientation": _NOT_TURNED,
        "selected": True,
        "locked": False,
        "visibility": True,
        "positionStatus": "defined",
    }


def _discs(markup: dict[str, Any]) -> Iterator[Disc]:
    """The points of one list; ValueError where it holds what cannot be a disc."""
    if markup["type"] != "Fiducial":
        return
    system, units = markup.get("coordinateSystem", "LPS"), markup.get("coordinateUnits", "mm")
    if system not in _SIGNS or units not in ("mm", ["mm", "UCUM", "millimeter"]):
        raise ValueError(f"its points are in {system} and {units}, not in LPS or RAS and mm")
    for point in markup.get("controlPoints", []):
        if point.get("positionStatus", "defined") != "defined":
            continue
        level = Level.from_label(point.get("label", ""))
        place = [sign * float(value) for sign, value in zip(_SIGNS[system], point["position"], strict=False)]
        if len(point["position"]) != 3 or not all(map(math.isfinite, place)):
            raise ValueError(f"the position of {level.label} is {point['position']}, no three coordinates")
        sure = _CONFIDENCE.search(point.get("description", ""))
        yield Disc(level, (place[0], place[1], place[2]), float(sure[1]) if sure else 1.0)
