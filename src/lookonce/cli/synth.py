"""`lookonce synth`: simulated scans with truth."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

def synth(
    what: Annotated[str, typer.Argument(metavar="spine", help="What to simulate: spine.")],
    out: Annotated[Path, typer.Argument(metavar="OUT", help="Folder; becomes a BIDS tree with labels.")],
    count: Annotated[int, typer.Option("-n", metavar="N", min=1, help="How many scans.")] = 1,
    seed: Annotated[int, typer.Option(metavar="S", help="Same seed, same scans.")] = 0,
    contrast: Annotated[str, typer.Option(metavar="[t1|t2|stir|pd|gre|random]")] = "random",
    field_of_view: Annotated[str, typer.Option(metavar="[cervical|thoracic|lumbar|whole|random]")] = "random",
) -> None:
    """Simulate spine MRI scans with exact disc labels, as a BIDS tree that `train` and `evaluate` read.

    Example: lookonce synth spine simulated -n 10 --seed 1 --contrast t2 --field-of-view lumbar
    """
    from lookonce.errors import UsageError
    from lookonce.simulated import write_study

    if what != "spine":
        raise UsageError(f"cannot simulate {what!r}; there is: spine")
    for path in write_study(out, count=count, seed=seed, contrast=contrast, field_of_view=field_of_view):
        typer.echo(str(path))
