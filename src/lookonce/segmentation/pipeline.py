"""The segmentation pipeline: picture, network's size, probability, the picture's own size, mask, objects."""

from __future__ import annotations

import math
import time
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from lookonce.decode.instances import grow, separate
from lookonce.decode.regions import SMALLEST_SHARE, fill_holes, keep_large, label_regions
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
    """Numbers of the objects at the picture's size, from the map at the network's size and the same at the former."""
    above = probability >= card.threshold
    if card.objects == "one":
        return fill_holes(keep_large(above)).astype(np.uint16)
    height, width = above.shape
    box = fit_box((height, width), card.size, card.resize)
    inside = small[box.top : box.top + box.height, box.left : box.left + box.width]
    coarse = separate(_cleaned(inside >= card.threshold), np.maximum(inside, card.threshold))
    # A pixel above the threshold lies within one of the network's pixels, or the few that it averages, of such a one.
    coarse = grow(coarse, steps=1 + math.ceil(max(box.height / height, box.width / width)))
    down = (2 * np.arange(height) + 1) * box.height // (2 * height)
    right = (2 * np.arange(width) + 1) * box.width // (2 * width)
    numbers = coarse.astype(np.uint16)[down[:, None], right]
    return _in_reading_order(np.where(_cleaned(above & (numbers > 0)), numbers, np.uint16(0)))


def _cleaned(mask: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """A mask of many objects without specks and gaps, measured by its largest region."""
    kept = keep_large(mask)
    largest = np.bincount(label_regions(kept).ravel())[1:].max(initial=0)
    return fill_holes(kept, largest=SMALLEST_SHARE * largest)


def _in_reading_order(numbers: NDArray[np.uint16]) -> NDArray[np.uint16]:
    """The same objects numbered from 1 as rows, from the top, meet them."""
    present, first = np.unique(numbers, return_index=True)
    order = present[np.argsort(first)]
    order = order[order > 0]
    new = np.zeros(int(numbers.max(initial=0)) + 1, dtype=np.uint16)
    new[order] = np.arange(1, len(order) + 1)
    return new[numbers]


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
