"""`lookonce models`."""

from __future__ import annotations

import json
from typing import Annotated, Any

import typer


def models(
    as_json: Annotated[bool, typer.Option("--json", help="Print the whole cards as one JSON object.")] = False,
) -> None:
    """List the installed models with their cards and checksums, which are verified.

    Example: lookonce models --json
    """
    from lookonce.runtime.weights import DEFAULT_MODEL, MASK_MODELS, MaskModelCard, find_model, model_names

    # An installation without its default weights is broken, and `find_model` says so.
    found = [find_model(name) for name in model_names() or [DEFAULT_MODEL]]
    if as_json:
        typer.echo(json.dumps({"models": [model.card.model_dump(mode="json") for model in found]}, indent=1))
        return
    for model in found:
        card = model.card
        typer.echo(f"{card.name} {card.version}  {len(model.content) / 1e6:.1f} MB  sha256 {card.sha256}")
        # The licence that the program itself prints with results, not only the one that the card's text tells.
        of_weights = {"licence": card.licence} if isinstance(card, MaskModelCard) else {}
        for topic, content in (card.about | of_weights).items():
            typer.echo(_topic(topic, content))
    for name in sorted(set(MASK_MODELS) - {model.card.name for model in found}):
        typer.echo(f"{name}: not installed", err=True)


def _topic(topic: str, content: Any) -> str:
    """One topic of a card: a text on its line, a list or the figures of each set as a line each below it."""
    if isinstance(content, str):
        return f"    {topic}: {content}"
    if not isinstance(content, list | dict):
        return f"    {topic}: {json.dumps(content)}"
    lines = [_figures(name, row) for name, row in content.items()] if isinstance(content, dict) else content
    return "\n".join([f"    {topic}:", *(f"      - {line}" for line in lines)])


def _figures(name: str, row: Any) -> str:
    """The figures of one set without their intervals, which `--json` has."""
    if not isinstance(row, dict):
        return f"{name}: {row}"
    values = (f"{figure} {_without_interval(value)}" for figure, value in row.items())
    return f"{name}: {', '.join(values)}"


def _without_interval(value: Any) -> Any:
    """The value of [value, low, high]; a dash where it is undefined."""
    if isinstance(value, list) and len(value) == 3:
        value = value[0]
    return "-" if value is None else value
