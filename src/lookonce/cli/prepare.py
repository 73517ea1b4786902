"""`lookonce prepare`: public data sets, checked, cleaned and split; one subcommand a data set."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from lookonce.preparation import MaskPreparation, Preparation

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

Sizes = Annotated[
    str | None,
    typer.Option(metavar="N,M", help="Train on the first N pictures, validate on the next M, test on the rest."),
]
Like = Annotated[
    Path | None, typer.Option(metavar="DIR", help="Split as this prepared set, of which SRC holds another form.")
]


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


@prepare.command("ph2")
def ph2(
    source: Source,
    out: Out,
    sizes: Sizes = None,
    like: Like = None,
    overwrite: Overwrite = False,
    as_json: AsJson = False,
) -> None:
    """PH2: dermoscopic pictures with lesion masks, as `PH2Dataset` unpacks.

    Example: lookonce prepare ph2 PH2Dataset prepared/ph2

    Example: lookonce prepare ph2 PH2Dataset prepared/ph2-paper --sizes 80,0
    """
    _prepare_masks("ph2", source, out, sizes, like, overwrite, as_json)


@prepare.command("isic2017")
def isic2017(
    source: Source,
    out: Out,
    sizes: Sizes = None,
    like: Like = None,
    overwrite: Overwrite = False,
    as_json: AsJson = False,
) -> None:
    """ISIC 2017, lesion segmentation: the folders of training pictures and of their masks.

    Example: lookonce prepare isic2017 ISIC2017 prepared/isic2017
    """
    _prepare_masks("isic2017", source, out, sizes, like, overwrite, as_json)


@prepare.command("isic2018")
def isic2018(
    source: Source,
    out: Out,
    sizes: Sizes = None,
    like: Like = None,
    overwrite: Overwrite = False,
    as_json: AsJson = False,
) -> None:
    """ISIC 2018, task 1: the folders of training pictures and of their masks.

    Example: lookonce prepare isic2018 ISIC2018 prepared/isic2018

    Example: lookonce prepare isic2018 ISIC2018_large prepared/large --like prepared/isic2018
    """
    _prepare_masks("isic2018", source, out, sizes, like, overwrite, as_json)


@prepare.command("segpc2021")
def segpc2021(
    source: Source,
    out: Out,
    sizes: Sizes = None,
    like: Like = None,
    overwrite: Overwrite = False,
    as_json: AsJson = False,
) -> None:
    """SegPC 2021: plasma cells, with the challenge's masks of one cell each or with merged ones.

    Example: lookonce prepare segpc2021 TCIA_SegPC_dataset prepared/segpc2021
    """
    _prepare_masks("segpc2021", source, out, sizes, like, overwrite, as_json)


@prepare.command("image-mask")
def image_mask(
    source: Source,
    out: Out,
    sizes: Sizes = None,
    like: Like = None,
    many: Annotated[bool, typer.Option("--many", help="A picture may hold many objects, or none.")] = False,
    licence: Annotated[
        str | None, typer.Option(metavar="TEXT", help="Of the pictures; it goes into the card of what they train.")
    ] = None,
    overwrite: Overwrite = False,
    as_json: AsJson = False,
) -> None:
    """Pictures and masks of your own: SRC/images/NAME.* and SRC/masks/NAME.png or NAME_mask.png.

    Example: lookonce prepare image-mask wounds prepared/wounds --licence "in-house"
    """
    _prepare_masks("image-mask", source, out, sizes, like, overwrite, as_json, many=many, licence=licence)


def _prepare_masks(
    name: str,
    source: Path,
    out: Path,
    sizes: str | None,
    like: Path | None,
    overwrite: bool,
    as_json: bool,
    *,
    many: bool = False,
    licence: str | None = None,
) -> None:
    from lookonce.preparation import prepare_masks

    result = prepare_masks(
        name,
        source,
        out,
        sizes=None if sizes is None else _two_numbers(sizes),
        like=like,
        objects="many" if many else None,
        licence=licence,
        overwrite=overwrite,
        progress=_progress,
    )
    _print_lists(result)
    typer.echo(json.dumps(result.to_json()) if as_json else str(result.report))


def _two_numbers(text: str) -> tuple[int, int]:
    from lookonce.errors import UsageError

    first, _, second = text.partition(",")
    if not (first.strip().isdecimal() and second.strip().isdecimal() and int(first)):
        raise UsageError(f"--sizes {text}: write two numbers, such as 80,20")
    return int(first), int(second)


def _print_lists(result: MaskPreparation) -> None:
    for row in result.failed:
        typer.echo(f"{row.name}: failed: {row.reason}; {row.remedy}", err=True)
    lists = ", ".join(f"{count} {name}" for name, count in result.lists.items())
    typer.echo(
        f"Pictures: {lists}, {len(result.failed)} failed. {result.near_duplicates} are near-duplicates of another and "
        "on its list.",
        err=True,
    )


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
