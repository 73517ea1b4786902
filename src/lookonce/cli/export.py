"""`lookonce export`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def export(
    run: Annotated[Path, typer.Argument(metavar="RUN", help="Folder of a finished training run.")],
    out: Annotated[
        Path, typer.Option("-o", "--out", metavar="FILE.onnx", help="Where the model goes; its card beside it.")
    ],
    about: Annotated[
        Path | None, typer.Option(metavar="FILE.json", help="What the card says of data, metrics, limits and licence.")
    ] = None,
) -> None:
    """Write a trained run as ONNX with its card, after checking that it computes what torch computes.

    Example: lookonce export runs/discs -o discs.onnx
    """
    import json

    from lookonce.export.onnx import export_run

    facts = None if about is None else json.loads(about.read_text())
    typer.echo(str(export_run(run, out, name=out.stem, about=facts)))
