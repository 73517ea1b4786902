"""`lookonce train` and `lookonce recipes`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def train(
    recipe: Annotated[
        str, typer.Argument(metavar="RECIPE", help="A shipped recipe (see `lookonce recipes`) or a .yaml.")
    ],
    out: Annotated[Path, typer.Option(metavar="RUN", help="Folder of the run: weights, logs, checkpoint.")],
    data: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Folder that the recipe's data paths start from.")
    ] = None,
    resume: Annotated[
        bool, typer.Option("--resume", help="Go on where a run stopped; the result is the same.")
    ] = False,
    changes: Annotated[
        list[str] | None, typer.Option("--set", metavar="KEY=VALUE", help="Change a field of the recipe; repeatable.")
    ] = None,
    cache: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Keep simulated and decoded pictures here between runs.")
    ] = None,
    start: Annotated[
        Path | None, typer.Option(metavar="RUN", help="Start from the weights of a finished run of the same network.")
    ] = None,
    encoder: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Start the network's ResNet from ImageNet weights with torchvision's names."),
    ] = None,
    quiet: Annotated[bool, typer.Option("--quiet", help="No progress bars.")] = False,
) -> None:
    """Train a model from a recipe.

    Example: lookonce train discs --data spine --out runs/discs --set batch_size=8
    """
    from lightning.pytorch.utilities import rank_zero_only

    from lookonce.training.recipe import load_recipe
    from lookonce.training.run import train as run_training

    weights = run_training(
        load_recipe(recipe, changes),
        data=data,
        out=out,
        resume=resume,
        cache=cache,
        start=start,
        progress=not quiet,
        encoder=encoder,
    )
    if rank_zero_only.rank == 0:  # one process a device comes here
        typer.echo(str(weights))


def recipes() -> None:
    """List the shipped recipes.

    Example: lookonce recipes
    """
    from lookonce.training.recipe import load_recipe, recipe_names

    for name in recipe_names():
        typer.echo(f"{name}\n    {load_recipe(name).description.strip()}")
