"""The outline of a mask drawn on its picture, for people to check."""

from __future__ import annotations

from itertools import chain

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from lookonce.segmentation import Mask

#: Longest side of an overlay, pixels: enough to judge an outline on a screen.
LONGEST = 1600
OUTLINE_COLOUR, DOUBTFUL_COLOUR, CASING = (90, 220, 255), (255, 170, 60), (0, 0, 0)
#: An object less sure than this is drawn in `DOUBTFUL_COLOUR`.
SURE_FROM = 0.75


def overlay_picture(pixels: NDArray[np.uint8], mask: Mask) -> Image.Image:
    """A picture (H, W, 3) with the outline of each object; scaled down to `LONGEST` pixels, and numbers where many.

    The line is dark on both sides, so that it shows on any skin or stain.
    """
    height, width = pixels.shape[:2]
    scale = min(1.0, LONGEST / max(height, width))
    size = max(1, round(width * scale)), max(1, round(height * scale))
    sheet = Image.fromarray(pixels).resize(size, Image.Resampling.BILINEAR, reducing_gap=2.0)
    pen = ImageDraw.Draw(sheet)
    line = max(1, round(max(size) / 500))
    lines = [
        # A pixel's corner lies half a pixel before the centre that the pen knows.
        (found.confidence, [(x * scale - 0.5, y * scale - 0.5) for x, y in ring.tolist()])
        for found, polygons in zip(mask.objects, mask.outlines.values(), strict=True)
        for ring in chain.from_iterable(polygons)
    ]
    for _, places in lines:
        pen.line(places, fill=CASING, width=line + 2)
    for confidence, places in lines:
        pen.line(places, fill=OUTLINE_COLOUR if confidence >= SURE_FROM else DOUBTFUL_COLOUR, width=line)
    if mask.kind == "many":
        _write_numbers(pen, mask, scale, size)
    return sheet


def _write_numbers(pen: ImageDraw.ImageDraw, mask: Mask, scale: float, size: tuple[int, int]) -> None:
    font = ImageFont.load_default(max(10, round(max(size) / 50)))
    for found in mask.objects:
        x, y = found.centre
        pen.text(
            (x * scale, y * scale),
            str(found.number),
            fill=(255, 255, 255),
            font=font,
            anchor="mm",
            stroke_width=2,
            stroke_fill=CASING,
        )
