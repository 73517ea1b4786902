"""One picture of an upload, segmented."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from PIL import Image

from lookonce.io.pictures import open_picture, read_picture
from lookonce.server.refusals import TooLargeError
from lookonce.server.schema import SegmentOptions
from lookonce.server.settings import Limits

if TYPE_CHECKING:
    from lookonce.runtime.masks import MaskSession


def segment_upload(
    path: Path, options: SegmentOptions, limits: Limits, session: MaskSession, folder: Path, stem: str
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
    from lookonce.report.overlays import overlay_picture
    from lookonce.segmentation import segment
    from lookonce.segmentation.output import check_outputs, mask_record, write_mask

    _check_claims(path, limits)
    picture = read_picture(path)
    mask = segment(picture, model=session, mm_per_pixel=options.mm_per_pixel)
    names: dict[str, str] = {}
    if options.format == "zip":
        paths = check_outputs(folder, stem, session.card.objects)
        write_mask(picture, mask, paths, overlay_picture(picture.pixels, mask))
        names = {kind: file.name for kind, file in paths.items()}
    return mask_record(stem, mask, names)


def _check_claims(path: Path, limits: Limits) -> None:
    """Refuse a picture by its header."""
    try:
        with open_picture(path) as picture:
            pixels = picture.width * picture.height
    except Image.DecompressionBombError:
        pixels = limits.picture_pixels + 1  # and far more
    except Exception:
        return  # reading it says what is wrong
    if pixels > limits.picture_pixels:
        raise TooLargeError(
            f"claims more than the {limits.picture_pixels / 1e6:.0f} million pixels that this service takes; scale it "
            "down, or cut out what matters"
        )
