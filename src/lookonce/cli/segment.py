"""`lookonce segment`: pictures to masks."""

from __future__ import annotations

import json
import os
import sys
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from lookonce.cli.outcomes import Outcomes

if TYPE_CHECKING:
    from lookonce.runtime.masks import MaskSession


def segment(
    inputs: Annotated[list[Path], typer.Argument(metavar="IMAGE", help="Pictures, or folders of them.")],
    out: Annotated[
        Path | None,
        typer.Option("-o", "--out", metavar="OUT", file_okay=False, help="Folder; by default beside each picture."),
    ] = None,
    model: Annotated[
        str, typer.Option(metavar="NAME", help="skin, cells, or an .onnx file of your own (see `lookonce models`).")
    ] = "skin",
    mm_per_pixel: Annotated[
        float | None, typer.Option(metavar="S", help="Edge of a pixel in mm, for areas in mm².")
    ] = None,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace files of an earlier call.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object instead of a table.")] = False,
) -> None:
    """Segment skin lesions, or count and outline plasma cells, in pictures.

    Writes, per picture, its mask, a picture with the outline and the outline as polygons, and one table of all.
    Research use, not diagnosis.

    Example: lookonce segment photos -o masks --mm-per-pixel 0.02
    """
    from lookonce.runtime.masks import MaskSession
    from lookonce.runtime.weights import find_model
    from lookonce.segmentation.output import plan_outputs, write_tables
    from lookonce.segmentation.pipeline import check_pixel_size

    check_pixel_size(mm_per_pixel)
    session = MaskSession(find_model(model))
    outcomes = Outcomes()
    pictures = _pictures(inputs, outcomes)
    job = _Job(session, mm_per_pixel, overwrite, pictures)
    plan = plan_outputs(pictures, out)
    try:
        for number, (path, (folder, stem)) in enumerate(plan.items(), start=1):
            if len(plan) > 1:
                typer.echo(f"[{number}/{len(plan)}] {path}", err=True)
            if (record := outcomes.attempt(path, partial(job.run, path, folder, stem))) is not None:
                outcomes.records.append(record)
    finally:
        # Masks that a broken-off call has written should not be without their table.
        tables: list[Path] = []
        done = [Path(record["input"]) for record in outcomes.records if "error" not in record]
        if done:
            folder = out or done[0].parent
            many = session.card.objects == "many"
            tables = write_tables(outcomes.records, folder, many=many, overwrite=overwrite)
    if as_json:
        typer.echo(json.dumps({"results": outcomes.records, "tables": [str(path) for path in tables]}))
    elif tables:
        _print_records(outcomes.records, tables, session)
    outcomes.leave()


def _pictures(inputs: list[Path], outcomes: Outcomes) -> list[Path]:
    """The pictures of a call: those named, and those in the folders named, each once."""
    from lookonce.io.pictures import find_pictures

    found: list[Path] = []
    for path in inputs:
        found += outcomes.attempt(path, partial(find_pictures, path)) or [] if os.path.isdir(path) else [path]
    return list({os.path.abspath(path): path for path in reversed(found)}.values())[::-1]


@dataclass(frozen=True)
class _Job:
    """What is done to every picture of a call."""

    session: MaskSession
    mm_per_pixel: float | None
    overwrite: bool
    pictures: list[Path]

    def run(self, path: Path, folder: Path, stem: str) -> dict[str, Any]:
        """Segment one picture and write its files; returns the entry for ``--json``."""
        from lookonce.io.pictures import read_picture
        from lookonce.report.overlays import overlay_picture
        from lookonce.segmentation import segment as segment_picture
        from lookonce.segmentation.output import check_outputs, mask_record, write_mask

        kind = self.session.card.objects
        paths = check_outputs(folder, stem, kind, overwrite=self.overwrite, inputs=self.pictures)
        picture = read_picture(path)
        mask = segment_picture(picture, model=self.session, mm_per_pixel=self.mm_per_pixel)
        write_mask(picture, mask, paths, overlay_picture(picture.pixels, mask))
        return mask_record(path, mask, {name: str(file) for name, file in paths.items()})


def _print_records(records: list[dict[str, Any]], tables: list[Path], session: MaskSession) -> None:
    """Print a line for each picture that was segmented, its warnings, and where the tables are."""
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    done = [record for record in records if "error" not in record]
    table = Table()
    for column in ("picture", "objects", "area px", "area mm²", "share", "confidence", "border"):
        table.add_column(column, justify="left" if column == "picture" else "right")
    for record in done:
        sure, area = record["confidence"], record["area_mm2"]
        table.add_row(
            Text(Path(record["input"]).name),
            str(len(record["objects"])),
            str(record["area_px"]),
            "-" if area is None else f"{area:.4g}",
            f"{record['area_share']:.1%}",
            "-" if sure is None else f"{sure:.0%}",
            "touched" if record["touches_border"] else "",
        )
    console = Console(width=None if sys.stdout.isatty() else 100)
    console.print(table)
    for record in done:
        for warning in record["warnings"]:
            console.print(Text(f"! {Path(record['input']).name}: {warning}"))
    for path in tables:
        console.print(Text(f"table  {path}"), soft_wrap=True)
    console.print(Text(f"model  {session.card.name} {session.card.version}, weights: {session.card.licence}"))
