"""The segmentation pipeline: picture, network's size, probability, the picture's own size, mask, objects."""

from __future__ import annotations

import math
import time
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from lookonce.decode.instances import grow, separate, squared_distance
from lookonce.decode.regions import SMALLEST_SHARE, fill_holes, keep_large
from lookonce.errors import NothingFoundError, UsageError
from lookonce.io.fitting import fit_box, fitted, unfitted
from lookonce.io.pictures import Picture, picture_of, read_picture
from lookonce.runtime.masks import MaskSession, channels_first
from lookonce.runtime.weights import MaskModelCard, find_model
from lookonce.segmentation.mask import Mask, MaskObject, describe_objects

DEFAULT_MODEL = "skin"
#: A mean probability below this says that the network could not decide where the object ends, or whether there is one.
DOUBTFUL_BELOW = 0.75


def segment(
    source: str | Path | Picture | NDArray,
    *,
    model: str | Path | MaskSession = DEFAULT_MODEL,
    mm_per_pixel: float | None = None,
) -> Mask:
    """Segment a skin lesion, or the cells, in a picture.

    Parameters
    ----------
    source : path, Picture or array
        A picture file, one already read, or an array (H, W), (H, W, 3) or (H, W, 4).
    model : str, Path or MaskSession
        Name of an installed model, path of an `.onnx` file, or a loaded session (to segment many pictures).
    mm_per_pixel : float, optional
        Edge of a pixel of the picture, for areas in mm².

    Returns
    -------
    Mask
        Of the picture's own size.

    Raises
    ------
    InputError
        If the picture cannot be read.
    NothingFoundError
        If a model of single objects sees none. No cell is a count as any other.
    WeightsError, UsageError
        If the model is missing, damaged or of another kind, or an argument makes no sense.
    """
    check_pixel_size(mm_per_pixel)
    picture = _picture(source)
    session = MaskSession(find_model(str(model))) if isinstance(model, str | Path) else model
    card = session.card
    started = time.perf_counter()
    shape = (picture.pixels.shape[0], picture.pixels.shape[1])
    seen = fitted(picture.pixels, card.size, card.resize)
    small = session(seen).mask
    probability = unfitted(small, shape, card.resize)
    labels = _objects(small, probability, card)
    margin = _network_pixel(shape, card)
    objects = describe_objects(labels, probability, margin=margin, mm_per_pixel=mm_per_pixel)
    if card.objects == "one" and not objects:
        raise NothingFoundError(f"nothing was found in the picture: {card.name} saw no pixel of what it looks for")
    distance = card.look.distance(channels_first(seen))
    return Mask(
        labels=labels,
        probability=probability,
        objects=objects,
        kind=card.objects,
        mm_per_pixel=mm_per_pixel,
        distance=distance,
        limit=card.look.limit,
        warnings=[*picture.warnings, *_doubts(objects, distance, card)],
        seconds=time.perf_counter() - started,
        model={**session.identity, "licence": card.licence},
    )


def check_pixel_size(mm_per_pixel: float | None) -> None:
    """Raise UsageError unless the edge of a pixel is unknown or a positive number of millimetres."""
    if mm_per_pixel is not None and not (math.isfinite(mm_per_pixel) and mm_per_pixel > 0):
        raise UsageError(f"the edge of a pixel must be a positive number of millimetres, not {mm_per_pixel}")


def _picture(source: str | Path | Picture | NDArray) -> Picture:
    if isinstance(source, Picture):
        return source
    return read_picture(source) if isinstance(source, str | Path) else picture_of(np.asarray(source))


def _objects(small: NDArray[np.float32], probability: NDArray[np.float32], card: MaskModelCard) -> NDArray[np.uint16]:
    """Numbers of the objects at the picture's size, from the map at the network's size and the same at the former.

    All that looks at neighbours happens at the network's size, which knows no finer parts or holes: a photograph of 40
    megapixels takes no longer for it. Between the network's pixels the cleaned map is as smooth as the predicted one.
    """
    shape = (probability.shape[0], probability.shape[1])
    box = fit_box(shape, card.size, card.resize)
    within = slice(box.top, box.top + box.height), slice(box.left, box.left + box.width)
    above = small[within] >= card.threshold
    cleaned = _cleaned(above, card)
    if (cleaned != above).any():
        changed = small.copy()
        changed[within] = np.where(cleaned == above, small[within], cleaned)
        probability = unfitted(changed, shape, card.resize)
    mask = probability >= card.threshold
    if card.objects == "one":
        return mask.astype(np.uint16)
    numbers = separate(cleaned, np.where(above, small[within], card.threshold))
    # A pixel of the mask lies within one of the network's pixels, or the few that it averages, of a numbered one.
    numbers = grow(numbers, steps=1 + math.ceil(max(box.height / shape[0], box.width / shape[1]))).astype(np.uint16)
    down = (2 * np.arange(shape[0]) + 1) * box.height // (2 * shape[0])
    right = (2 * np.arange(shape[1]) + 1) * box.width // (2 * shape[1])
    return _without_gaps(np.where(mask, numbers[down[:, None], right], np.uint16(0)))


def _cleaned(mask: NDArray[np.bool_], card: MaskModelCard) -> NDArray[np.bool_]:
    """A mask without specks, and without holes: between cells, small ones alone are gaps of the prediction."""
    if card.objects == "one":
        return fill_holes(keep_large(mask))
    # The largest disc that fits in: a region of many cells that touch is no measure of one.
    cell = math.pi * float(squared_distance(mask).max(initial=0))
    return fill_holes(keep_large(mask, whole=cell), largest=SMALLEST_SHARE * cell)


def _without_gaps(numbers: NDArray[np.uint16]) -> NDArray[np.uint16]:
    """The same objects numbered from 1 on, for a small picture may have no pixel of one that the network saw."""
    present = np.zeros(int(numbers.max(initial=0)) + 1, dtype=bool)
    for row in numbers:  # an index of all pixels would take eight bytes for each
        present[row] = True
    new = np.cumsum(present, dtype=np.uint16) - np.uint16(present[0])
    return numbers if present.all() else new[numbers]


def _network_pixel(shape: tuple[int, int], card: MaskModelCard) -> tuple[int, int]:
    """Rows and columns of a picture that the network sees as one, at least one."""
    box = fit_box(shape, card.size, card.resize)
    return max(1, round(shape[0] / box.height)), max(1, round(shape[1] / box.width))


def _doubts(objects: list[MaskObject], distance: float, card: MaskModelCard) -> list[str]:
    doubts = []
    if distance > card.look.limit:
        doubts.append(
            f"the picture looks unlike those that {card.name} was trained on (distance {distance:.1f}, usual up to "
            f"{card.look.limit:.1f}); look at the outline before relying on it"
        )
    vague = sum(found.confidence < DOUBTFUL_BELOW for found in objects)
    if vague:
        what = "the outline is" if card.objects == "one" else f"{vague} of {len(objects)} objects are"
        doubts.append(f"{what} doubtful (mean probability below {DOUBTFUL_BELOW:.0%})")
    if card.objects == "one" and any(found.touches_border for found in objects):
        doubts.append("the object touches the border of the picture; its area is that of the part in view")
    return doubts
