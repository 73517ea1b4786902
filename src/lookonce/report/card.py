"""One scan's card on the QC page: what it shows, and where it is sorted."""

from __future__ import annotations

import base64
import hashlib
import io
import json
import math
import re
from dataclasses import dataclass
from typing import Any

import numpy as np
from PIL import Image

from lookonce.anatomy import Level
from lookonce.labeling import LabelResult, SagittalView
from lookonce.report.pictures import grey_picture, heat_picture

#: Size of a picture on the page: pixels a millimetre, unless the picture then exceeds these pixels.
SCALE = 2.2
LARGEST_WIDTH, LARGEST_HEIGHT = 600, 640
#: Pixels that a disc's name and confidence take, and the width of a picture on a phone, where they must fit too.
CAPTION_WIDTH, PHONE_WIDTH = 100, 330
#: A shift of the numbering less probable than this is left out of the card.
SMALLEST_SHARE = 0.01


@dataclass(frozen=True)
class Card:
    """What the page shows of one scan.

    Attributes
    ----------
    key : str
        Names the scan in the page and in the verdicts kept by the browser.
    name, source : str
        Heading, and the file that was labelled.
    digest : str
        Fingerprint of the labels; a verdict on other labels of the same scan does not count.
    uncertain : bool
    certainty : float
        Probability that the numbering is right, 0..1.
    numbering : str
        The same for people, such as ``uncertain: runner-up +1 at 23 %``.
    meaning : str
        What the runner-up says about the first disc; empty without one.
    shares : list of [str, str]
        Each shift and its probability, the most probable first.
    facts : list of [str, str]
        What the numbering is counted from, variant, time and model.
    warnings : list of str
    discs : list of dict
        Level name, number, confidence, band, world point, place in the picture in percent (or None), and whether its
        caption stands left of it.
    picture, attention : str or None
        PNG as base64.
    width, height : int
        Natural size of the picture, pixels.
    shown_width : int
        Its width on the page, pixels.
    """

    key: str
    name: str
    source: str
    digest: str
    uncertain: bool
    certainty: float
    numbering: str
    meaning: str
    shares: list[list[str]]
    facts: list[list[str]]
    warnings: list[str]
    discs: list[dict[str, Any]]
    picture: str | None
    attention: str | None
    width: int
    height: int
    shown_width: int

    @classmethod
    def of(cls, result: LabelResult, *, name: str, source: str) -> Card:
        """Card of one labelled scan; `name` and `source` together say which scan it is."""
        view = result.view
        discs = _discs(result)
        height, width = view.image.shape if view else (0, 0)
        return cls(
            key=_fingerprint(name, source),
            name=name,
            source=source,
            digest=_fingerprint(json.dumps([result.labels.to_records(), result.variant])),
            uncertain=result.uncertain,
            certainty=float(result.level_shift.get(0, 0.0)) if discs else 0.0,
            numbering=_numbering(result),
            meaning=_meaning(result),
            shares=_shares(result.level_shift),
            facts=_facts(result),
            warnings=list(result.warnings),
            discs=discs,
            picture=_base64_png(grey_picture(view.image)) if view else None,
            attention=_base64_png(heat_picture(view.attention)) if view and view.attention is not None else None,
            width=width,
            height=height,
            shown_width=_shown_width(view) if view else 0,
        )

    @property
    def file_name(self) -> str:
        """Name of the card file: readable, the same on every file system, and different for different scans."""
        return card_file(self.name, self.source)

    @property
    def rank(self) -> tuple[bool, bool, float, float, str, str]:
        """Sort key that puts the least certain first."""
        weakest = min((disc["confidence"] for disc in self.discs), default=0.0)
        return bool(self.discs), not self.uncertain, self.certainty, weakest, self.name, self.source


def card_file(name: str, source: str) -> str:
    """Name of the card file of the scan that `name` and `source` stand for, see `Card.file_name`."""
    readable = re.sub(r"[^A-Za-z0-9._-]+", "_", name).strip("._-")[:60]
    return f"{readable or 'scan'}-{_fingerprint(name, source)}.json"


def _fingerprint(*texts: str) -> str:
    # surrogatepass: a file name need not be valid UTF-8.
    joined = "\0".join(texts).encode("utf-8", "surrogatepass")
    return hashlib.sha256(joined).hexdigest()[:12]


def _percent(share: float) -> str:
    return f"{100 * share:.0f} %"


def _numbering(result: LabelResult) -> str:
    if not len(result.labels):
        return "uncertain: no disc found"
    if not result.uncertain:
        return "certain"
    if result.runner_up is None:
        return "uncertain"
    shift, share = result.runner_up
    return f"uncertain: runner-up {shift:+d} at {_percent(share)}"


def _meaning(result: LabelResult) -> str:
    """The runner-up in words, where the first disc has a neighbour of that number."""
    if not result.uncertain or result.runner_up is None or not len(result.labels):
        return ""
    first = result.labels.levels[0]
    other = (first.sct or 0) + result.runner_up[0]
    if first.sct is None or not Level.C1_TOP <= other <= Level.L5_S1:
        return ""
    return f"{first.label} would be {Level(other).label}, and so on down"


def _shares(level_shift: dict[int, float]) -> list[list[str]]:
    ordered = sorted(level_shift.items(), key=lambda item: -item[1])
    return [
        ["as written" if shift == 0 else f"{shift:+d}", _percent(share)]
        for shift, share in ordered
        if share >= SMALLEST_SHARE
    ]


def _facts(result: LabelResult) -> list[list[str]]:
    model = " ".join(str(result.model[part]) for part in ("name", "version") if result.model.get(part))
    facts = [
        ["Counted from", result.counted_from],
        ["Variant", result.variant or ""],
        ["Time", f"{result.seconds:.1f} s" if result.seconds else ""],
        ["Model", model],
    ]
    return [[title, text] for title, text in facts if text]


def _discs(result: LabelResult) -> list[dict[str, Any]]:
    places = _places(result.view) if result.view else [None] * len(result.labels)
    room = min(_shown_width(result.view), PHONE_WIDTH) if result.view else 0
    return [
        {
            "name": disc.level.label,
            "number": disc.level.sct,
            "confidence": round(float(disc.confidence), 4),
            "percent": _percent(disc.confidence),
            "band": "high" if disc.confidence >= 0.9 else "fair" if disc.confidence >= 0.5 else "low",
            "world_mm": [f"{value:.1f}" for value in disc.world_mm],
            "place": place,
            "caption_left": place is not None and place[0] > 50 and room * (1 - place[0] / 100) < CAPTION_WIDTH,
        }
        for disc, place in zip(result.labels, places, strict=True)
    ]


def _places(view: SagittalView) -> list[list[float] | None]:
    """Where each point lies in the picture: per cent from the left and from the top, None when it lies outside."""
    height, width = view.image.shape
    places: list[list[float] | None] = []
    for row, column in np.asarray(view.points, dtype=np.float64).reshape(-1, 2):
        # A pixel's centre has integer coordinates, so the picture begins half a pixel before 0.
        across, down = 100 * (column + 0.5) / width, 100 * (row + 0.5) / height
        inside = math.isfinite(across + down) and 0 <= across <= 100 and 0 <= down <= 100
        places.append([round(across, 2), round(down, 2)] if inside else None)
    return places


def _shown_width(view: SagittalView) -> int:
    height, width = (pixels * view.spacing for pixels in view.image.shape)
    return max(1, round(width * min(SCALE, LARGEST_WIDTH / width, LARGEST_HEIGHT / height)))


def _base64_png(picture: Image.Image) -> str:
    file = io.BytesIO()
    picture.save(file, format="PNG", optimize=True)
    return base64.b64encode(file.getvalue()).decode("ascii")
