"""`lookonce import-weights`: published checkpoints, made safe to share."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def import_weights(
    checkpoint: Annotated[
        Path, typer.Argument(metavar="CHECKPOINT", help="A checkpoint that the papers' authors published (torch).")
    ],
    out: Annotated[
        Path, typer.Option("-o", "--out", metavar="FILE.safetensors", help="Where the converted weights go.")
    ],
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object instead of text.")] = False,
) -> None:
    """Convert a published checkpoint (hourglasses, TMUnet) to a file without code, after checking it whole.

    The result is for Python: lookonce.models.load(FILE) gives the network, which computes what the published one does.

    Example: lookonce import-weights checkpoint.pth.tar -o discs-hourglass.safetensors
    """
    import json

    from lookonce.models.published import import_weights as import_published

    network, digest = import_published(checkpoint, out)
    if as_json:
        record = {
            "model": network.model,
            "options": network.options,
            "parameters": network.parameters,
            "source": network.source,
            "output": str(out),
            "sha256": digest,
        }
        typer.echo(json.dumps(record))
        return
    typer.echo(f"{network.model}  {network.parameters / 1e6:.2f} million parameters")
    for name, value in network.options.items():
        typer.echo(f"    {name.replace('in_channels', 'input channels')}: {value}")
    typer.echo(f"    source: {network.source['file']}  sha256 {network.source['sha256']}")
    typer.echo(f"    written: {out}  sha256 {digest}")
    typer.echo(f"    in Python: lookonce.models.load({str(out)!r})")
