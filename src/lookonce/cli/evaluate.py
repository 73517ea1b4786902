"""`lookonce evaluate`: the papers' tables for a model or any tool's labels or masks."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from lookonce.cli.evaluate_masks import evaluate_masks
from lookonce.cli.label import Decoder as DecoderName

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rich.table import Table

    from lookonce.evaluation import Evaluation
    from lookonce.metrics.summary import TableRow

#: Headings of the figures in the order of the columns, and their digits after the point.
HEADINGS = {
    "dtt_median_mm": ("DTT median mm", 2),
    "dtt_mm": ("DTT mean (std) mm", 2),
    "z_mm": ("along spine mm", 2),
    "fnr_percent": ("FNR %", 1),
    "fpr_percent": ("FPR %", 1),
    "wrong_names_percent": ("wrong names %", 1),
    "all_right_percent": ("all right %", 1),
    "certain_percent": ("certain %", 1),
    "right_of_certain_percent": ("of them right %", 1),
    "level_shift_percent": ("shifted %", 1),
    "silent_shift_percent": ("silently %", 1),
}
#: Figures of the line below the table: what is printed and digits after the point.
CERTAINTY = (
    ("calibration_error_percent", "calibration error %", 1),
    ("brier", "Brier score", 3),
    ("auroc", "AUROC against being wrong", 3),
)
#: Width of the table where the output is no terminal: nothing is wrapped in a log or a file.
PLAIN_WIDTH = 180


Source = Annotated[
    str, typer.Argument(metavar="MODEL_OR_PREDICTIONS", help="A model, or a folder of any tool's label files or masks.")
]
Data = Annotated[
    list[Path], typer.Option(metavar="DIR", help="BIDS tree with disc labels, or a prepared set of masks; repeatable.")
]
Subjects = Annotated[
    str | None, typer.Option(metavar="FILE", help="Score only these: one id a line, or a shipped list (unseen).")
]
By = Annotated[
    str | None, typer.Option(metavar="COLUMN", help="Group by this column of participants.tsv, not by contrast.")
]
Split = Annotated[
    str | None, typer.Option(help="Score only subjects with this value in the column split of participants.tsv.")
]
Patients = Annotated[
    str | None,
    typer.Option(metavar="FILE", help="Who is one person: participant_id, patient_id, or a shipped table."),
]
Protocol = Annotated[
    str, typer.Option(metavar="[strict|paper]", help="strict: by level. paper: as published, names ignored.")
]
ChangeText = Annotated[
    str | None,
    typer.Option(
        "--change",
        metavar="NAME=VALUE",
        help="Make every scan harder first: crop=SHARE, noise=SHARE, bias=STRENGTH, blur=MM, motion=MM, inverted=1, "
        "resolution=MM, thickness=MM, turned=QUARTERS.",
    ),
]
Repeats = Annotated[int, typer.Option(min=1, metavar="N", help="With --change: N random forms of every scan.")]
Decoder = Annotated[DecoderName, typer.Option(help="What picks and names the discs where a model labels.")]
Seed = Annotated[int, typer.Option(min=0, metavar="S", help="Of what --change draws at random.")]
CsvFile = Annotated[Path | None, typer.Option("--csv", metavar="FILE", help="Write one line a scored scan.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON object instead of the table.")]


def evaluate(
    source: Source,
    data: Data,
    subjects: Subjects = None,
    by: By = None,
    split: Split = None,
    patients: Patients = None,
    protocol: Protocol = "strict",
    decoder: Decoder = "chain",
    change: ChangeText = None,
    repeats: Repeats = 1,
    seed: Seed = 0,
    csv_file: CsvFile = None,
    as_json: AsJson = False,
) -> None:
    """Score disc labels, or masks, against known ones, with 95 % intervals.

    A scan without a prediction counts as missed and is named. DTT and rates per disc have bootstrap intervals (whole
    patients are redrawn), shares of scans have Wilson's. Where --data is a set of pictures with masks, as `lookonce
    prepare` writes it, masks are scored.

    Example: lookonce evaluate discs --data cervical --data lumbar --subjects unseen --by source

    Example: lookonce evaluate discs --data lumbar --subjects unseen --change crop=0.4 --repeats 4

    Example: lookonce evaluate skin --data prepared/isic2018 --split test --protocol paper
    """
    from lookonce import evaluation
    from lookonce.errors import UsageError
    from lookonce.io.files import write_text
    from lookonce.io.lists import read_patients, read_subjects
    from lookonce.io.mask_sets import is_mask_set

    if any(map(is_mask_set, data)):
        if by or patients or change or decoder != "chain":
            raise UsageError("--by, --patients, --change and --decoder are for discs; leave them out for masks")
        evaluate_masks(
            source,
            data,
            subjects=subjects,
            split=split,
            protocol=protocol,
            csv_file=csv_file,
            as_json=as_json,
            progress=_progress,
        )
        return
    if repeats > 1 and change is None:
        raise UsageError("--repeats counts changed forms of a scan; say which with --change")
    selection = evaluation.Selection(
        subjects=read_subjects(subjects) if subjects else None,
        split=split,
        by=by,
        patients=read_patients(patients) if patients else {},
    )
    result = evaluation.evaluate(
        source,
        data,
        selection=selection,
        protocol=protocol,
        change=evaluation.Change.parse(change) if change else None,
        repeats=repeats,
        seed=seed,
        decoder=decoder,
        progress=_progress,
    )
    if csv_file:
        write_text(csv_file, result.to_csv())
    for case in result.cases:
        if case.problem:
            typer.echo(f"{case.data_set} {case.subject} {case.suffix}: counted as missed: {case.problem}", err=True)
    if as_json:
        typer.echo(json.dumps(result.to_json()))
    else:
        _print_table(result)


def _progress(done: int, total: int, name: str) -> None:
    typer.echo(f"[{done + 1}/{total}] {name}", err=True)


def _print_table(result: Evaluation) -> None:
    from rich.console import Console

    console = Console()
    if not console.is_terminal:
        console = Console(width=PLAIN_WIDTH)
    changed = "" if result.change is None else f" on {result.change}"
    console.print(_table(result.rows, f"{result.source}{changed}, {result.protocol} protocol, 95 % intervals"))
    if any(case.certainty is not None for case in result.cases) and result.protocol == "strict":
        console.print(_certainty_line(result.rows[-1]), highlight=False)


def _certainty_line(row: TableRow) -> str:
    """How true the stated certainty of the numbering is, over all cases."""
    texts = []
    for name, heading, digits in CERTAINTY:
        figure = row.figures[name]
        if figure.value is not None:
            texts.append(f"{heading} {figure.value:.{digits}f}")
            if figure.interval:
                texts[-1] += f" ({figure.interval[0]:.{digits}f}–{figure.interval[1]:.{digits}f})"
    return f"Stated certainty of the numbering: {', '.join(texts)}"


def _table(rows: Sequence[TableRow], title: str) -> Table:
    from rich.table import Table

    table = Table(title=title, title_justify="left")
    for heading in ("data", "group"):
        table.add_column(heading, overflow="fold")
    names = [name for name in HEADINGS if name in rows[0].figures]
    for heading in ("scans (patients)", *(HEADINGS[name][0] for name in names)):
        table.add_column(heading, justify="right")
    for row, following in zip(rows, [*rows[1:], None], strict=True):
        cells = [_cell(row, name) for name in names]
        ends_set = following is None or following.data_set != row.data_set
        table.add_row(row.data_set, row.group, f"{row.scans} ({row.patients})", *cells, end_section=ends_set)
    return table


def _cell(row: TableRow, name: str) -> str:
    """A figure with its interval below it; the mean distance is followed by its spread, as the papers print it."""
    figure, digits = row.figures[name], HEADINGS[name][1]
    if figure.value is None:
        return "-"
    text = f"{figure.value:.{digits}f}"
    if name == "dtt_mm":
        text += f" ({row.figures['dtt_std_mm'].value:.{digits}f})"
    if figure.interval:
        text += f"\n{figure.interval[0]:.{digits}f}–{figure.interval[1]:.{digits}f}"
    return text
