"""One picture of an upload, segmented, where this installation can do that."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path
from typing import Any

from PIL import Image

from lookonce.errors import InputError
from lookonce.server.refusals import TooLargeError
from lookonce.server.schema import SegmentOptions
from lookonce.server.settings import Limits

#: Those of people's pictures (MPO, of telephones, is among JPEG). Pillow knows others, some of which it hands to other
#: programs, and may lack some of these.
_FORMATS = ("JPEG", "PNG", "TIFF", "BMP", "WEBP", "GIF", "PPM", "AVIF")
_PACKAGE = "lookonce.segmentation"


def segment_upload(
    path: Path, options: SegmentOptions, limits: Limits, session: Any, folder: Path, stem: str
) -> dict[str, Any]:
    """Segment the picture at `path`; for a zip answer, write the files into `folder`.

    Returns
    -------
    dict
        As ``lookonce segment --json`` tells one picture.

    Raises
    ------
    TooLargeError
        If it claims more pixels than `limits` allow.
    LookOnceError
        As `lookonce.segment` says.
    """
    _check_claims(path, limits)
    output = import_module(f"{_PACKAGE}.output")
    picture = import_module("lookonce.io.pictures").read_picture(path)
    mask = import_module(_PACKAGE).segment(picture, model=session, mm_per_pixel=options.mm_per_pixel)
    names: dict[str, str] = {}
    if options.format == "zip":
        paths = output.check_outputs(folder, stem, session.card.objects)
        overlay = import_module("lookonce.report.overlays").overlay_picture(picture.pixels, mask)
        output.write_mask(picture, mask, paths, overlay)
        names = {kind: file.name for kind, file in paths.items()}
    record: dict[str, Any] = output.mask_record(stem, mask, names)
    return record


def _check_claims(path: Path, limits: Limits) -> None:
    """Refuse a picture by its header."""
    Image.init()
    try:
        with Image.open(path, formats=[name for name in _FORMATS if name in Image.OPEN]) as picture:
            width, height = picture.size
    except Image.DecompressionBombError:
        width = height = limits.picture_pixels  # far beyond the limit
    except Exception:  # whatever a reader meets in damaged bytes
        raise InputError("is no picture that can be read; send a JPEG, PNG, TIFF or WebP file") from None
    if width * height > limits.picture_pixels:
        raise TooLargeError(
            f"claims more than the {limits.picture_pixels / 1e6:.0f} million pixels that this service takes; scale it "
            "down, or cut out what matters"
        )
