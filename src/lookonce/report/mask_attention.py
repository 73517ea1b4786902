"""Where a segmentation network looked: the contextual attention and the border it saw, beside picture and outline."""

from __future__ import annotations

import io

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from lookonce.errors import UsageError
from lookonce.io.fitting import Resize, Size, unfitted
from lookonce.report.overlays import overlay_picture
from lookonce.report.pictures import HEADING, heat_picture, write_line
from lookonce.runtime.masks import MaskMaps
from lookonce.segmentation import Mask

#: Longest side of a panel, pixels.
PANEL = 480
#: How bright the picture is below a map, so that the map's colours show on skin too.
_DIMMED = 0.6


def mask_attention_picture(
    pixels: NDArray[np.uint8], mask: Mask | None, maps: MaskMaps, resize: Resize, *, title: str
) -> bytes:
    """Picture, outline, border and contextual attention side by side, as PNG.

    Parameters
    ----------
    pixels : (H, W, 3) array
    mask : Mask or None
        None where nothing was found.
    maps : MaskMaps
        What the network says of the fitted picture.
    resize : {"stretch", "letterbox"}
        How the picture was fitted.
    title : str
        What the picture is called.

    Raises
    ------
    UsageError
        If the network has neither map.
    """
    shown = {"boundary": maps.boundary, "contextual attention": maps.regions}
    heats = {name: values for name, values in shown.items() if values is not None}
    if not heats:
        raise UsageError("the model has no contextual attention and no boundary map to show; choose one that has them")
    photo = Image.fromarray(pixels)
    outlined = photo if mask is None else overlay_picture(pixels, mask)
    size = _panel_size(photo)
    panels = {title: photo, "nothing found" if mask is None else "mask": outlined}
    ground = photo.resize(size, Image.Resampling.BILINEAR).convert("L").point(lambda value: value * _DIMMED)
    for name, values in heats.items():
        network = (maps.mask.shape[0], maps.mask.shape[1])
        heat = heat_picture(_on_picture(values, network, (pixels.shape[0], pixels.shape[1]), resize))
        clear = heat.convert("RGBA").resize(size, Image.Resampling.BILINEAR)
        panels[name] = Image.alpha_composite(ground.convert("RGBA"), clear).convert("RGB")
    return _side_by_side(panels, size)


def _on_picture(values: NDArray[np.float32], network: Size, shape: Size, resize: Resize) -> NDArray[np.float32]:
    """A map of the network, or of its grid of patches, on the picture, (H, W)."""
    whole = values if values.shape == network else unfitted(values, network, "stretch")
    return unfitted(whole, shape, resize)


def _panel_size(photo: Image.Image) -> tuple[int, int]:
    scale = PANEL / max(photo.size)
    return max(1, round(photo.width * scale)), max(1, round(photo.height * scale))


def _side_by_side(panels: dict[str, Image.Image], size: tuple[int, int]) -> bytes:
    sheet = Image.new("RGB", (len(panels) * size[0], size[1] + HEADING))
    for number, (heading, panel) in enumerate(panels.items()):
        place = (number * size[0], HEADING)
        sheet.paste(panel if panel.size == size else panel.resize(size, Image.Resampling.BILINEAR), place)
        write_line(sheet, (place[0] + 6, 6), heading)
    file = io.BytesIO()
    sheet.save(file, format="PNG", optimize=True)
    return file.getvalue()
