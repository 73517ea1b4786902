"""`lookonce film`: how a network learned, or a walk through labelled scans."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def film(
    source: Annotated[
        Path, typer.Argument(metavar="RUN_OR_DIR", help="Folder of a training run, or one with labelled scans.")
    ],
    out: Annotated[Path, typer.Option("-o", "--out", metavar="GIF|MP4", dir_okay=False, help="The film to write.")],
    fps: Annotated[float | None, typer.Option(metavar="N", help="Frames a second; 6 of a run, 1 of scans.")] = None,
    width: Annotated[
        int | None, typer.Option(metavar="PIXELS", help="Width of the film; 800 of a run, 480 of scans.")
    ] = None,
) -> None:
    """Film what a training run saw in its validation pictures, epoch by epoch; or scans with their labels.

    MP4 needs the extra `report`. The frames show the pictures themselves: mind whose they are.

    Example: lookonce film runs/discs -o learning.gif
    """
    import sys
    from dataclasses import replace

    from rich.console import Console
    from rich.progress import track

    from lookonce.report.film import open_film
    from lookonce.report.movies import write_film

    opened = open_film(source, width=width)
    console = Console(stderr=True)
    frames = track(
        opened.frames, "frames", total=opened.count, console=console, transient=True, disable=not sys.stderr.isatty()
    )
    write_film(replace(opened, frames=iter(frames)), out, fps=fps)
    typer.echo(str(out))
    for error in opened.failures:
        typer.echo(f"lookonce: {error}", err=True)
    if opened.failures:
        codes = {error.kind: error.exit_code for error in opened.failures}
        raise typer.Exit(opened.failures[0].exit_code if len(codes) == 1 else 1)
