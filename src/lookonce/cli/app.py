"""The `lookonce` command: one thin module per subcommand; heavy imports happen inside them."""

from __future__ import annotations

import io
import sys
from typing import Annotated

import typer

from lookonce import __version__
from lookonce.cli.attention import attention
from lookonce.cli.cohort import SpacedOptions, cohort
from lookonce.cli.demo import demo
from lookonce.cli.evaluate import evaluate
from lookonce.cli.export import export
from lookonce.cli.film import film
from lookonce.cli.import_weights import import_weights
from lookonce.cli.label import label
from lookonce.cli.models import models
from lookonce.cli.prepare import prepare
from lookonce.cli.segment import segment
from lookonce.cli.serve import serve
from lookonce.cli.synth import synth
from lookonce.cli.train import recipes, train
from lookonce.errors import LookOnceError

app = typer.Typer(
    name="lookonce",
    help="Names the intervertebral discs of a spine MRI, segments skin lesions and plasma cells, and says how sure it "
    "is. Research use, not diagnosis.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,  # frames around the help would nearly double its time
    context_settings={"help_option_names": ["-h", "--help"]},
)
_COMMANDS = (
    label,
    segment,
    evaluate,
    synth,
    train,
    recipes,
    export,
    import_weights,
    models,
    attention,
    film,
    serve,
    demo,
)
for command in _COMMANDS:
    app.command()(command)
app.command(cls=SpacedOptions)(cohort)
app.add_typer(prepare)


def _print_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"lookonce {__version__}")
        raise typer.Exit


@app.callback()
def _options(
    _version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version and leave.")
    ] = False,
) -> None:
    pass


def main() -> None:
    """Entry point: an error that LookOnce raises on purpose is one line on stderr and its exit code."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")  # a file's name may hold what the terminal cannot show
    try:
        app(prog_name="lookonce")
    except LookOnceError as error:
        typer.echo(f"lookonce: {error}", err=True)
        sys.exit(error.exit_code)
    except ModuleNotFoundError as error:
        extra = _EXTRAS.get((error.name or "").partition(".")[0])
        if extra is None:
            raise
        typer.echo(f"lookonce: this command needs {error.name}: pip install 'lookonce[{extra}]'", err=True)
        sys.exit(1)


_EXTRAS = {
    **dict.fromkeys(("torch", "lightning", "safetensors", "onnx", "onnxscript", "tensorboard"), "train"),
    **dict.fromkeys(("matplotlib", "imageio", "imageio_ffmpeg"), "report"),
    **dict.fromkeys(("pydicom", "highdicom"), "dicom"),
    **dict.fromkeys(("fastapi", "uvicorn", "starlette", "prometheus_client"), "serve"),
    **dict.fromkeys(("dask", "distributed", "dask_jobqueue"), "cluster"),
    "scipy": "synth",
}
