"""`lookonce synth`: simulated scans with truth."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

Contrast = Literal["t1", "t2", "stir", "pd", "gre", "dixon", "random-tissue", "random"]
FieldOfView = Literal["cervical", "thoracic", "lumbar", "whole", "spine-generic", "random"]


def synth(
    what: Annotated[Literal["spine"], typer.Argument(metavar="spine", help="What to simulate.")],
    out: Annotated[
        Path, typer.Argument(metavar="OUT", file_okay=False, help="Folder; becomes a BIDS tree with labels.")
    ],
    count: Annotated[int, typer.Option("-n", metavar="N", min=1, help="How many scans.")] = 1,
    seed: Annotated[int, typer.Option(metavar="S", help="Same seed, same scans.")] = 0,
    contrast: Annotated[
        Contrast, typer.Option(help="What the scanner weights; random: another one each scan.")
    ] = "random",
    field_of_view: Annotated[FieldOfView, typer.Option(help="Part of the spine in view.")] = "random",
) -> None:
    """Simulate spine MRI scans with exact disc labels, as a BIDS tree that `train` and `evaluate` read.

    Example: lookonce synth spine simulated -n 10 --seed 1 --contrast t2 --field-of-view lumbar
    """
    from lookonce.simulated import write_study

    del what  # so far there is one thing to simulate
    for path in write_study(out, count=count, seed=seed, contrast=contrast, field_of_view=field_of_view):
        typer.echo(str(path))
