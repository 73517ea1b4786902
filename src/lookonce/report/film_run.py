"""The film of a training run: validation pictures, what the network saw in them, and how its loss fell."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from lookonce.errors import InputError
from lookonce.geometry import FloatArray
from lookonce.io.snapshots import FilmPictures, Snapshot, read_pictures, read_snapshots
from lookonce.report.movies import Film
from lookonce.report.pictures import DISC_COLOUR, HEADING, WHITE, grey_picture, heat_picture, write_line

WIDTH, FPS = 800, 6.0
#: Pixels between pictures, and height of the learning curve.
GAP, CURVE = 6, 90
#: A narrower frame has no legend.
ROOM_FOR_LEGEND = 480
FAINT = (90, 90, 90)


def run_film(run: Path, *, width: int | None = None) -> Film:
    """The film of a run's folder, a frame for each epoch that it kept; also while it still trains.

    Raises
    ------
    InputError
        If the run kept nothing for a film, or what it kept is damaged.
    """
    pictures, snapshots = read_pictures(run), read_snapshots(run)
    if any(len(snapshot.heat) != len(pictures.images) for snapshot in snapshots):
        raise InputError(f"{run}: its film is of more than one run; remove the folder film and train again")
    return Film(len(snapshots), FPS, _frames(run.resolve().name, pictures, snapshots, width or WIDTH))


def _frames(title: str, pictures: FilmPictures, snapshots: Sequence[Snapshot], width: int) -> Iterator[Image.Image]:
    count, height, length = pictures.images.shape
    panel = (width - GAP * (count + 1)) // count
    scale = panel / length
    tall = round(height * scale)
    bottom = HEADING + tall + GAP
    size = (width - width % 2, bottom + CURVE + (bottom + CURVE) % 2)
    greys = [grey_picture(image / np.float32(255)).resize((panel, tall), _SMOOTH) for image in pictures.images]
    for number, snapshot in enumerate(snapshots):
        frame = Image.new("RGB", size)
        for place, (grey, heat, points) in enumerate(zip(greys, snapshot.heat, pictures.points, strict=True)):
            seen = _overlaid(grey, heat, stride=length / heat.shape[1])
            _draw_crosses(seen, points, scale)
            frame.paste(seen, (GAP + place * (panel + GAP), HEADING))
        write_line(frame, (GAP, 6), title)
        write_line(frame, (size[0] - GAP, 6), f"epoch {snapshot.epoch + 1} of {pictures.epochs}", anchor="ra")
        _draw_curve(frame, snapshots, number, epochs=pictures.epochs, top=bottom)
        yield frame


def _overlaid(grey: Image.Image, heat: NDArray[np.uint8], *, stride: float) -> Image.Image:
    """A picture under what the network saw in it, (h, w).

    Cell c of the output is centred at pixel ``stride * c`` of the picture, so the grid begins a little before it.
    """
    padded = Image.fromarray(np.pad(heat, ((0, 1), (0, 1)), mode="edge"))
    start = 0.5 - 0.5 / stride
    box = (start, start, start + heat.shape[1], start + heat.shape[0])
    enlarged = np.asarray(padded.resize(grey.size, Image.Resampling.BILINEAR, box=box), dtype=np.float32)
    colours = heat_picture(enlarged / np.float32(255)).convert("RGBA")
    return Image.alpha_composite(grey.convert("RGBA"), colours).convert("RGB")


def _draw_crosses(picture: Image.Image, points: FloatArray, scale: float) -> None:
    pen = ImageDraw.Draw(picture)
    arm = max(3, round(2.5 * scale))
    for row, column in points:
        across, down = (column + 0.5) * scale, (row + 0.5) * scale
        pen.line((across - arm, down, across + arm, down), fill=DISC_COLOUR)
        pen.line((across, down - arm, across, down + arm), fill=DISC_COLOUR)


def _draw_curve(frame: Image.Image, snapshots: Sequence[Snapshot], number: int, *, epochs: int, top: int) -> None:
    """The validation loss from 0 up to its highest, until snapshot `number`, below row `top` of a frame."""
    pen = ImageDraw.Draw(frame)
    left, right, base = GAP, frame.width - GAP, top + CURVE - GAP
    highest = max((snapshot.loss for snapshot in snapshots if math.isfinite(snapshot.loss)), default=0.0) or 1.0
    pen.line((left, base, right, base), fill=FAINT)
    places = [
        (
            left + (right - left) * snapshot.epoch / max(epochs - 1, 1),
            base - (CURVE - 5 * GAP) * max(snapshot.loss, 0) / highest,
        )
        for snapshot in snapshots[: number + 1]
        if math.isfinite(snapshot.loss)
    ]
    if places:
        pen.line(places, fill=WHITE, width=2)
        across, down = places[-1]
        pen.ellipse((across - 3, down - 3, across + 3, down + 3), fill=WHITE)
    write_line(frame, (right, top), f"validation loss {snapshots[number].loss:.3g}", anchor="ra")
    if frame.width >= ROOM_FOR_LEGEND:
        write_line(frame, (left, top), "colour: what the network sees   +: true discs")


_SMOOTH = Image.Resampling.BICUBIC
