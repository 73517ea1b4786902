"""Pictures of a labelled scan: the grey slab, its discs and where the network looked."""

from __future__ import annotations

import io

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from lookonce.errors import UsageError
from lookonce.geometry import FloatArray
from lookonce.labeling import LabelResult, SagittalView
from lookonce.landmarks import DiscLabels

Colour = tuple[int, int, int]

#: Pixels a millimetre, and height of the headings in pixels.
SCALE = 3.0
HEADING = 26
DISC_COLOUR, UNSURE_COLOUR, WHITE = (90, 220, 255), (255, 170, 60), (255, 255, 255)
#: A disc less confident than this is drawn in `UNSURE_COLOUR`.
SURE_FROM = 0.9


def grey_picture(image: NDArray[np.float32]) -> Image.Image:
    """Grey picture of values 0..1, (H, W)."""
    return Image.fromarray(_bytes_of(image))


def heat_picture(attention: NDArray[np.float32]) -> Image.Image:
    """A picture (H, W) from clear through red to yellow; its palette carries the transparency, one byte a pixel."""
    heat = np.linspace(0, 1, 256)
    red, green, blue = np.minimum(1, 3 * heat), np.clip(2 * heat - 0.7, 0, 1), np.clip(4 * heat - 3.4, 0, 1)
    palette = np.rint(255 * np.stack([red, green, blue], axis=1)).astype(np.uint8)
    picture = Image.fromarray(_bytes_of(attention))
    picture.putpalette(palette.tobytes())
    picture.info["transparency"] = np.rint(165 * np.sqrt(heat)).astype(np.uint8).tobytes()
    return picture


def labelled_picture(result: LabelResult, *, title: str) -> Image.Image:
    """Scan with its labels, the title and the state of the numbering above it; RGB, `SCALE` pixels a mm.

    Raises
    ------
    UsageError
        If the result has no view.
    """
    if result.view is None:
        raise UsageError("the result has no view to draw")
    scan, scale = _enlarged(result.view)
    sheet = Image.new("RGB", (scan.width, scan.height + 2 * HEADING))
    sheet.paste(scan, (0, 2 * HEADING))
    draw_discs(sheet, result.labels, result.view.points + np.array([2 * HEADING / scale, 0]), scale=scale)
    for line, text in enumerate((title, _state(result))):
        write_line(sheet, (6, 6 + line * HEADING), text)
    return sheet


def attention_picture(result: LabelResult, *, title: str) -> bytes:
    """Scan, labels and attention side by side, as PNG.

    Parameters
    ----------
    result : LabelResult
        With its view.
    title : str
        What the scan is called.

    Raises
    ------
    UsageError
        If the model has no attention to show.
    """
    view = result.view
    if view is None or view.attention is None or np.ptp(view.attention) == 0:
        raise UsageError(f"the model {result.model.get('name', '')} has no attention to show; choose one that has it")
    scan, scale = _enlarged(view)
    labelled = scan.copy()
    draw_discs(labelled, result.labels, view.points, scale=scale)
    width, height = scan.size
    heat = heat_picture(view.attention).convert("RGBA").resize((width, height), Image.Resampling.BILINEAR)
    looked = Image.alpha_composite(scan.convert("RGBA"), heat).convert("RGB")
    sheet = Image.new("RGB", (3 * width, height + HEADING))
    headings = (title, _state(result), "attention")
    for number, (panel, heading) in enumerate(zip((scan, labelled, looked), headings, strict=True)):
        sheet.paste(panel, (number * width, HEADING))
        write_line(sheet, (number * width + 6, 6), heading)
    file = io.BytesIO()
    sheet.save(file, format="PNG", optimize=True)
    return file.getvalue()


def draw_discs(picture: Image.Image, labels: DiscLabels, points: FloatArray, *, scale: float) -> None:
    """Draw discs with their names into an RGB picture, in `UNSURE_COLOUR` where the confidence is low.

    Parameters
    ----------
    picture : Image
        A view, enlarged.
    labels : DiscLabels
    points : (N, 2) array
        Row and column of each disc in the view, in the order of the labels.
    scale : float
        How often the picture is larger than the view.
    """
    pen = ImageDraw.Draw(picture)
    for (row, column), disc in zip(points, labels, strict=True):
        # A pixel's centre has integer coordinates.
        across, down = ((place + 0.5) * scale for place in (column, row))
        colour = DISC_COLOUR if disc.confidence >= SURE_FROM else UNSURE_COLOUR
        pen.ellipse((across - 4, down - 4, across + 4, down + 4), outline=colour, width=2)
        place, font = (across + 9, down), ImageFont.load_default(14)
        pen.text(place, disc.level.label, fill=colour, anchor="lm", font=font, stroke_width=2, stroke_fill="black")


def write_line(
    picture: Image.Image, place: tuple[int, int], text: str, *, anchor: str = "la", colour: Colour = WHITE
) -> None:
    """Write a line of text at a place (x, y) of an RGB picture, which is the text's `anchor` in Pillow's terms."""
    # A file's name need not be text.
    printable = text.encode("utf-8", "replace").decode()
    ImageDraw.Draw(picture).text(place, printable, fill=colour, anchor=anchor, font=ImageFont.load_default(14))


def _enlarged(view: SagittalView) -> tuple[Image.Image, float]:
    """The picture of a view in RGB, `SCALE` pixels a mm, and how often it is larger than the view."""
    scale = view.spacing * SCALE
    height, width = (max(1, round(pixels * scale)) for pixels in view.image.shape)
    return grey_picture(view.image).convert("RGB").resize((width, height), Image.Resampling.BICUBIC), scale


def _state(result: LabelResult) -> str:
    state = "uncertain" if result.uncertain else "certain"
    return f"numbering {state} ({100 * result.level_shift.get(0, 0.0):.0f} %)"


def _bytes_of(image: NDArray[np.float32]) -> NDArray[np.uint8]:
    return np.rint(np.clip(np.nan_to_num(image), 0, 1) * 255).astype(np.uint8)
