"""`lookonce demo`: labels a bundled simulated scan."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def demo(
    out: Annotated[
        Path, typer.Option("-o", "--out", metavar="OUT", file_okay=False, help="Folder for labels and QC page.")
    ] = Path("lookonce-demo"),
) -> None:
    """Label a bundled simulated scan: shows that the installation works and what comes out.

    Example: lookonce demo
    """
    from importlib import resources

    from lookonce.cli.label import print_result
    from lookonce.io.nifti import read_image
    from lookonce.labeling import label
    from lookonce.report.qc import add_to_qc
    from lookonce.results import write_result

    with resources.as_file(resources.files("lookonce.examples") / "sub-simulated_T2w.nii.gz") as path:
        image = read_image(path)
        result = label(image)
    outputs = write_result(image, result, out, "sub-simulated_T2w", overwrite=True, command="lookonce demo")
    page = add_to_qc(out / "qc", name="sub-simulated_T2w", source="sub-simulated_T2w.nii.gz", result=result)
    print_result("sub-simulated_T2w.nii.gz (simulated)", result, outputs)
    typer.echo(f" QC page  {page.resolve()}")
