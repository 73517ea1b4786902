"""`lookonce evaluate` on prepared sets of pictures with masks."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import typer

if TYPE_CHECKING:
    from rich.table import Table

    from lookonce.evaluation.masks import MaskEvaluation
    from lookonce.metrics.masks import MaskRow
    from lookonce.metrics.summary import Figure

#: Headings of the figures and their digits after the point.
HEADINGS = {
    "dice": ("Dice", 4),
    "iou": ("IoU", 4),
    "mean_iou": ("IoU, mean of both classes", 4),
    "sensitivity": ("sensitivity", 4),
    "specificity": ("specificity", 4),
    "accuracy": ("accuracy", 4),
    "hd95_px": ("HD95 px", 1),
}


def evaluate_masks(
    source: str,
    data: Sequence[Path],
    *,
    subjects: str | None,
    split: str | None,
    protocol: str,
    csv_file: Path | None,
    as_json: bool,
    progress: Callable[[int, int, str], None],
) -> None:
    """Score masks and print the table or the JSON object."""
    from lookonce.evaluation.masks import evaluate_masks as evaluate
    from lookonce.io.files import write_text
    from lookonce.io.lists import read_subjects

    result = evaluate(
        source,
        data,
        subjects=read_subjects(subjects) if subjects else None,
        split=split,
        protocol=protocol,
        progress=progress,
    )
    if csv_file:
        write_text(csv_file, result.to_csv())
    for case in result.cases:
        if case.problem:
            typer.echo(f"{case.data_set} {case.name}: counted as empty: {case.problem}", err=True)
    if as_json:
        typer.echo(json.dumps(result.to_json()))
    else:
        _print_table(result)


def _print_table(result: MaskEvaluation) -> None:
    from rich.console import Console

    from lookonce.cli.evaluate import PLAIN_WIDTH

    console = Console()
    if not console.is_terminal:
        console = Console(width=PLAIN_WIDTH)
    console.print(_table(result.rows, f"{result.source}, {result.protocol} protocol, 95 % intervals"))


def _table(rows: Sequence[MaskRow], title: str) -> Table:
    from rich.table import Table

    table = Table(title=title, title_justify="left")
    table.add_column("data", overflow="fold")
    table.add_column("of")
    for heading in ("pictures", *(heading for heading, _ in HEADINGS.values())):
        table.add_column(heading, justify="right")
    for row in rows:
        for what, figures in (("all pixels", row.pooled), ("each picture", row.per_image)):
            cells = [_cell(figures.get(name), digits) for name, (_, digits) in HEADINGS.items()]
            table.add_row(row.data_set, what, str(row.pictures), *cells, end_section=figures is row.per_image)
    return table


def _cell(figure: Figure | None, digits: int) -> str:
    if figure is None or figure.value is None:
        return "-"
    text = f"{figure.value:.{digits}f}"
    if figure.interval:
        text += f"\n{figure.interval[0]:.{digits}f}–{figure.interval[1]:.{digits}f}"
    return text
