"""`lookonce models`."""

from __future__ import annotations

from typing import Annotated

import typer


def models(
    as_json: Annotated[bool, typer.Option("--json", help="Print the whole cards as one JSON object.")] = False,
) -> None:
    """List the installed models with their cards and checksums, which are verified.

    Example: lookonce models --json
    """
    import json

    from lookonce.runtime.weights import DEFAULT_MODEL, find_model, model_names

    # An installation without its default weights is broken, and `find_model` says so.
    found = [find_model(name) for name in model_names() or [DEFAULT_MODEL]]
    if as_json:
        typer.echo(json.dumps({"models": [model.card.model_dump(mode="json") for model in found]}, indent=1))
        return
    for model in found:
        card = model.card
        typer.echo(f"{card.name} {card.version}  {len(model.content) / 1e6:.1f} MB  sha256 {card.sha256}")
        for topic, text in card.about.items():
            typer.echo(f"    {topic}: {text if isinstance(text, str) else json.dumps(text)}")
