"""`lookonce label`: the main job."""

from __future__ import annotations

import json
import sys
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from lookonce.cli.outcomes import Outcomes

if TYPE_CHECKING:
    from lookonce.decoders import Decoder as FoundDecoder
    from lookonce.io.scans import Scan
    from lookonce.labeling import LabelResult
    from lookonce.runtime.session import DiscSession

Numbering = Literal["sct", "totalspineseg", "spineps"]
Decoder = Literal["chain", "skeleton", "lookonce"]


def label(
    inputs: Annotated[list[Path], typer.Argument(metavar="INPUT", help="NIfTI files; DICOM folders, files or zips.")],
    out: Annotated[
        Path | None,
        typer.Option("-o", "--out", metavar="OUT", file_okay=False, help="Folder; by default beside each input."),
    ] = None,
    model: Annotated[
        str, typer.Option(metavar="NAME", help="A shipped model (see `lookonce models`) or an .onnx file.")
    ] = "discs",
    decoder: Annotated[
        Decoder, typer.Option(help="What picks and names the discs; the papers' are there to compare.")
    ] = "chain",
    first_level: Annotated[
        int | None,
        typer.Option(metavar="N", min=2, max=25, help="SCT value of the topmost disc in view, if known (3 = C2/C3)."),
    ] = None,
    localizer: Annotated[
        Path | None,
        typer.Option(
            metavar="SCAN", help="A wider scan of the same session, which numbers the inputs where both show."
        ),
    ] = None,
    volume: Annotated[
        int | None, typer.Option(metavar="N", min=0, help="Which volume of a 4D file or series, from 0.")
    ] = None,
    numbering: Annotated[Numbering, typer.Option(help="Values in the label file.")] = "sct",
    dicom: Annotated[
        bool, typer.Option("--dicom", help="For DICOM input: also a structured report and a picture for the PACS.")
    ] = False,
    markups: Annotated[
        bool, typer.Option("--markups", help="Also the points for 3D Slicer (.mrk.json), to look at and correct.")
    ] = False,
    qc: Annotated[
        Path | None, typer.Option(metavar="DIR", file_okay=False, help="Add each scan to the QC page in this folder.")
    ] = None,
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Replace earlier results; labels placed by hand stay.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object instead of tables.")] = False,
) -> None:
    """Find and name the discs of spine MRI scans.

    Writes, per scan, a label file that SCT reads with its sidecar, a table (CSV) and the full result (JSON).
    Of DICOM, every sagittal or 3D MR series is a scan.

    Example: lookonce label sub-01_T2w.nii.gz -o labels --qc qc
    """
    from lookonce.decoders import find_decoder
    from lookonce.results import plan_outputs
    from lookonce.runtime.session import DiscSession
    from lookonce.runtime.weights import find_model

    session = DiscSession(find_model(model))
    guide = None if localizer is None else _label_localizer(localizer, session)
    job = _Job(session, find_decoder(decoder), first_level, guide, volume, numbering, dicom, markups, qc, overwrite)
    plan = plan_outputs(inputs, out)
    outcomes = Outcomes()
    for number, (path, (folder, stem)) in enumerate(plan.items(), start=1):
        if len(plan) > 1:
            typer.echo(f"[{number}/{len(plan)}] {path}", err=True)
        for scan in outcomes.attempt(path, partial(job.scans, path)) or ():
            name = f"{stem}_{scan.name}" if scan.name else stem
            done = outcomes.attempt(path, partial(job.run, path, scan, folder, name), scan.name)
            if done is None:
                continue
            record, result = done
            outcomes.records.append(record)
            if not as_json:
                print_result(f"{path} {scan.name}".rstrip(), result, record["outputs"])
    if as_json:
        typer.echo(json.dumps({"results": outcomes.records}))
    elif qc is not None and len(outcomes.failures) < len(outcomes.records):
        typer.echo(f" QC page  {qc / 'index.html'}")
    outcomes.leave()


def _label_localizer(path: Path, session: DiscSession) -> LabelResult:
    from lookonce.errors import LookOnceError, about
    from lookonce.io.scans import read_scan
    from lookonce.labeling import label as label_image

    try:
        return label_image(read_scan(path, as_localizer=True), model=session)
    except LookOnceError as error:
        raise about(path, error, "the localizer cannot be used: ") from None


@dataclass(frozen=True)
class _Job:
    """What is done to every input of a call."""

    session: DiscSession
    decoder: FoundDecoder | None
    first_level: int | None
    localizer: LabelResult | None
    volume: int | None
    numbering: Numbering
    dicom: bool
    markups: bool
    qc: Path | None
    overwrite: bool

    def scans(self, path: Path) -> list[Scan]:
        """Find the scans of an input, and say what else is in it."""
        from lookonce.io.scans import find_scans

        found = find_scans(path, volume=self.volume)
        for reason in found.left:
            typer.echo(f"{path}: left: {reason}", err=True)
        return found.scans

    def run(self, path: Path, scan: Scan, folder: Path, stem: str) -> tuple[dict[str, Any], LabelResult]:
        """Label one scan and write its files; returns the entry for ``--json`` and the result."""
        from lookonce.labeling import label as label_image
        from lookonce.results import check_dicom, check_outputs, result_record, write_result

        check_outputs(folder, stem, overwrite=self.overwrite, dicom=self.dicom, markups=self.markups)
        image = scan.read()
        if self.dicom:
            check_dicom(image)
        result = label_image(
            image,
            model=self.session,
            first_level=self.first_level,
            localizer=self.localizer,
            decoder=self.decoder,
        )
        command = " ".join(["lookonce", *sys.argv[1:]])
        outputs = write_result(
            image,
            result,
            folder,
            stem,
            numbering=self.numbering,
            dicom=self.dicom,
            markups=self.markups,
            overwrite=self.overwrite,
            command=command,
        )
        self._add_to_qc(path, stem, result)
        return result_record(path, result, image, outputs, numbering=self.numbering), result

    def _add_to_qc(self, path: Path, stem: str, result: LabelResult) -> None:
        from lookonce.errors import OutputError

        if self.qc is None:
            return
        from lookonce.report.qc import add_to_qc

        try:
            add_to_qc(self.qc, name=stem, source=str(path), result=result)
        except OutputError as error:
            raise OutputError(f"{path}: its labels are written, but {error}") from None


def print_result(heading: str, result: LabelResult, outputs: dict[str, str]) -> None:
    """Print the discs of one scan and how sure the numbering is."""
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(title=Text(heading), title_justify="left")
    for column in ("disc", "SCT value", "R mm", "A mm", "S mm", "confidence"):
        table.add_column(column, justify="left" if column == "disc" else "right")
    for disc in result.labels:
        x, y, z = (f"{value:.1f}" for value in disc.world_mm)
        table.add_row(disc.level.label, str(disc.level.sct or "-"), x, y, z, f"{100 * disc.confidence:.0f} %")
    console = Console(width=None if sys.stdout.isatty() else 100)
    console.print(table)
    sure = 100 * result.level_shift.get(0, 0.0)
    state = "UNCERTAIN" if result.uncertain else "certain"
    basis = f", counted from {result.counted_from}" if result.counted_from else ""
    console.print(f"numbering {state} ({sure:.0f} %){basis}; {result.seconds:.1f} s", highlight=False)
    for warning in result.warnings:
        console.print(Text(f"! {warning}"))
    for kind, path in outputs.items():
        console.print(Text(f"{kind:>8}  {path}"), soft_wrap=True)
