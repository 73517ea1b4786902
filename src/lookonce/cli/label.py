"""`lookonce label`: the main job."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from lookonce.labeling import LabelResult
    from lookonce.runtime.session import DiscSession

Inputs = Annotated[list[Path], typer.Argument(metavar="INPUT...", help="NIfTI files (.nii, .nii.gz).")]
Out = Annotated[Path | None, typer.Option("-o", "--out", metavar="OUT", help="Folder; by default beside each input.")]
Model = Annotated[str, typer.Option(metavar="NAME", help="A shipped model (see `lookonce models`) or an .onnx file.")]
FirstLevel = Annotated[
    int | None, typer.Option(metavar="N", help="SCT value of the topmost disc in view, if known (3 = C2/C3).")
]
Volume = Annotated[int | None, typer.Option(metavar="N", help="Which volume of a 4D file, from 0.")]
Numbering = Annotated[str, typer.Option(metavar="[sct|totalspineseg|spineps]", help="Values in the label file.")]
Qc = Annotated[Path | None, typer.Option("--qc", metavar="DIR", help="Add each scan to the QC page in this folder.")]
Overwrite = Annotated[bool, typer.Option("--overwrite", help="Replace earlier results; labels placed by hand stay.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON object instead of tables.")]


def label(
    inputs: Inputs,
    out: Out = None,
    model: Model = "discs",
    first_level: FirstLevel = None,
    volume: Volume = None,
    numbering: Numbering = "sct",
    qc: Qc = None,
    overwrite: Overwrite = False,
    as_json: AsJson = False,
) -> None:
    """Find and name the discs of spine MRI scans.

    Writes, per scan, a label file that SCT reads with its sidecar, a table (CSV) and the full result (JSON).

    Example: lookonce label sub-01_T2w.nii.gz -o labels --qc qc
    """
    from lookonce.anatomy import NUMBERINGS
    from lookonce.errors import LookOnceError, UsageError
    from lookonce.results import plan_outputs
    from lookonce.runtime.session import DiscSession
    from lookonce.runtime.weights import find_model

    if numbering not in NUMBERINGS:
        raise UsageError(f"--numbering {numbering}: choose one of {', '.join(NUMBERINGS)}")
    session = DiscSession(find_model(model))
    records: list[dict[str, Any]] = []
    failures: list[LookOnceError] = []
    for path, (folder, stem) in plan_outputs(inputs, out).items():
        try:
            record, result = _label_one(
                path, folder, stem, session, first_level=first_level, volume=volume, numbering=numbering, qc=qc,
                overwrite=overwrite,
            )  # fmt: skip
        except LookOnceError as error:
            failures.append(error)
            message = str(error) if str(path) in str(error) else f"{path}: {error}"
            records.append({"input": str(path), "error": {"kind": error.kind, "message": message}})
            typer.echo(f"lookonce: {message}", err=True)
            continue
        records.append(record)
        if not as_json:
            print_result(str(path), result, record["outputs"])
    if as_json:
        typer.echo(json.dumps({"results": records}))
    elif qc is not None and len(failures) < len(records):
        typer.echo(f"QC page: {qc / 'index.html'}")
    if failures:
        codes = {error.exit_code for error in failures}
        raise typer.Exit(codes.pop() if len({error.kind for error in failures}) == 1 else 1)


def _label_one(
    path: Path,
    folder: Path,
    stem: str,
    session: DiscSession,
    *,
    first_level: int | None,
    volume: int | None,
    numbering: str,
    qc: Path | None,
    overwrite: bool,
) -> tuple[dict[str, Any], LabelResult]:
    from lookonce.io.nifti import read_image
    from lookonce.labeling import label as label_image
    from lookonce.results import check_outputs, result_record, write_result

    check_outputs(folder, stem, overwrite=overwrite)
    image = read_image(path, volume=volume)
    result = label_image(image, model=session, first_level=first_level)
    outputs = write_result(
        image, result, folder, stem, numbering=numbering, overwrite=overwrite, command=" ".join(["lookonce", *sys.argv[1:]])
    )
    if qc is not None:
        from lookonce.report.qc import add_to_qc

        add_to_qc(qc, name=stem, source=str(path), result=result)
    return result_record(path, result, image, outputs, numbering=numbering), result


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
    console.print(f"numbering {state} ({sure:.0f} %), {result.seconds:.1f} s", highlight=False)
    for warning in result.warnings:
        console.print(Text(f"! {warning}"))
    for kind, path in outputs.items():
        console.print(Text(f"{kind:>8}  {path}"), soft_wrap=True)
