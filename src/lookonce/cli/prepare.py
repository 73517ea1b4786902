"""`lookonce prepare`: public data sets, checked, cleaned and split; one subcommand a data set."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from lookonce.preparation import Preparation

#: Images and labels, of either naming, as a shell finds them.
ANNEX_FILES = "sub-*/anat/*_T[12]w.nii.gz derivatives/labels/sub-*/anat/*_T[12]w_label*disc*.nii.gz"

prepare = typer.Typer(
    name="prepare",
    help="Check, clean and split a public data set for training and evaluation.",
    no_args_is_help=True,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
)

Source = Annotated[Path, typer.Argument(metavar="SRC", help="The data set as it was downloaded; it is only read.")]
Out = Annotated[Path, typer.Argument(metavar="OUT", file_okay=False, help="Folder to write to, new or empty.")]
Exclude = Annotated[
    Path | None, typer.Option(metavar="YAML", help="What to leave out, instead of the data set's own exclude.yml.")
]
Overwrite = Annotated[bool, typer.Option("--overwrite", help="Replace what an earlier run wrote into OUT.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print the summary as one JSON object.")]


@prepare.callback()
def _group() -> None:
    pass  # Typer would take the text of a docstring for the help


@prepare.command("spine-generic")
def spine_generic(
    source: Source, out: Out, exclude: Exclude = None, overwrite: Overwrite = False, as_json: AsJson = False
) -> None:
    """Spine Generic (data-multi-subject): T1w and T2w scans with disc labels.

    Writes a BIDS tree with cleaned labels, the papers' 256 x 256 pictures, lists of subjects to train, validate and
    test, and report.csv, which names every scan that was left out and why.

    Example: lookonce prepare spine-generic data-multi-subject prepared

    Example: lookonce evaluate discs --data prepared --split test
    """
    from lookonce.preparation import prepare_spine_generic

    result = prepare_spine_generic(source, out, exclude=exclude, overwrite=overwrite, progress=_progress)
    _print_summary(result)
    typer.echo(json.dumps(result.to_json()) if as_json else str(result.report))


def _progress(done: int, total: int, name: str) -> None:
    typer.echo(f"[{done + 1}/{total}] {name}", err=True)


def _print_summary(result: Preparation) -> None:
    for row in result.failed:
        typer.echo(f"{row.image}: failed: {row.reason}; {row.remedy}", err=True)
    if any("git annex get" in row.remedy for row in result.failed):
        typer.echo(f"To fetch all at once, in the data set: git annex get {ANNEX_FILES}", err=True)
    states = ", ".join(f"{count} {state}" for state, count in result.scans.items())
    lists = ", ".join(f"{count} {name}" for name, count in result.subjects.items())
    typer.echo(f"Scans: {states}. Subjects: {lists}.", err=True)
    for name, count in result.subjects.items():
        if not count:
            typer.echo(f"{name}.txt names nobody: there are too few subjects.", err=True)
