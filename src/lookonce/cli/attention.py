"""`lookonce attention`: where the network looked."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def attention(
    scan: Annotated[Path, typer.Argument(metavar="SCAN", help="NIfTI file, or DICOM of one series.")],
    out: Annotated[Path, typer.Option("-o", "--out", metavar="PNG", dir_okay=False, help="The picture to write.")],
    model: Annotated[
        str, typer.Option(metavar="NAME", help="A shipped model (see `lookonce models`) or an .onnx file.")
    ] = "discs",
    volume: Annotated[
        int | None, typer.Option(metavar="N", min=0, help="Which volume of a 4D file or series, from 0.")
    ] = None,
) -> None:
    """Draw a scan, its labels and where the network looked, side by side.

    Example: lookonce attention sub-01_T2w.nii.gz -o attention.png
    """
    from lookonce.errors import LookOnceError, UsageError, about
    from lookonce.io.files import write_files
    from lookonce.io.nifti import label_stem
    from lookonce.labeling import label
    from lookonce.report.pictures import attention_picture

    if out.suffix.lower() != ".png":
        raise UsageError(f"{out}: the picture's name must end in .png")
    try:
        result = label(scan, model=model, volume=volume)
    except LookOnceError as error:
        raise about(scan, error) from None
    write_files({out: attention_picture(result, title=label_stem(scan))})
    typer.echo(str(out))
