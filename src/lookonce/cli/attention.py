"""`lookonce attention`: where the network looked."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def attention(
    scan: Annotated[Path, typer.Argument(metavar="SCAN", help="NIfTI file, DICOM of one series, or a photo.")],
    out: Annotated[Path, typer.Option("-o", "--out", metavar="PNG", dir_okay=False, help="The picture to write.")],
    model: Annotated[
        str | None,
        typer.Option(metavar="NAME", help="Model or .onnx file; by default discs for a scan, skin for a photo."),
    ] = None,
    volume: Annotated[
        int | None, typer.Option(metavar="N", min=0, help="Which volume of a 4D file or series, from 0.")
    ] = None,
) -> None:
    """Draw a scan, its labels and where the network looked, side by side; or a photo, its mask, border and attention.

    Example: lookonce attention sub-01_T2w.nii.gz -o attention.png

    Example: lookonce attention lesion.jpg -o attention.png --model skin
    """
    from lookonce.errors import LookOnceError, UsageError, about
    from lookonce.io.files import write_files
    from lookonce.io.pictures import SUFFIXES

    if out.suffix.lower() != ".png":
        raise UsageError(f"{out}: the picture's name must end in .png")
    is_photo = scan.suffix.lower() in SUFFIXES
    if is_photo and volume is not None:
        raise UsageError("--volume is for scans; a photo has none")
    try:
        content = _of_photo(scan, model or "skin") if is_photo else _of_scan(scan, model or "discs", volume)
    except LookOnceError as error:
        raise about(scan, error) from None
    write_files({out: content})
    typer.echo(str(out))


def _of_scan(scan: Path, model: str, volume: int | None) -> bytes:
    from lookonce.io.nifti import label_stem
    from lookonce.labeling import label
    from lookonce.report.pictures import attention_picture

    return attention_picture(label(scan, model=model, volume=volume), title=label_stem(scan))


def _of_photo(photo: Path, model: str) -> bytes:
    from lookonce.errors import NothingFoundError
    from lookonce.io.fitting import fitted
    from lookonce.io.pictures import read_picture
    from lookonce.report.mask_attention import mask_attention_picture
    from lookonce.runtime.masks import MaskSession
    from lookonce.runtime.weights import find_model
    from lookonce.segmentation import segment

    session, picture = MaskSession(find_model(model)), read_picture(photo)
    try:
        mask = segment(picture, model=session)
    except NothingFoundError:
        mask = None
    maps = session(fitted(picture.pixels, session.card.size, session.card.resize))
    return mask_attention_picture(picture.pixels, mask, maps, session.card.resize, title=photo.name)
