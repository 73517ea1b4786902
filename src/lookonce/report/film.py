"""Films for people: how a network learned, frame by frame an epoch; or a walk through labelled scans."""

from __future__ import annotations

from pathlib import Path

from lookonce.errors import InputError, UsageError
from lookonce.report.film_run import run_film
from lookonce.report.film_scans import scans_film
from lookonce.report.movies import Film

NARROWEST, WIDEST = 160, 3840


def open_film(source: Path, *, width: int | None = None) -> Film:
    """The film of a folder.

    Parameters
    ----------
    source : Path
        Folder of a training run, finished or not; or one with scans and their labels, at any depth.
    width : int, optional
        Of the frames, pixels; an odd one becomes even.

    Returns
    -------
    Film
        Of a run, a frame for each epoch that it kept: its validation pictures with what the network saw in them. Of
        scans, a frame each, with their labels; one that cannot be read is left out and stands in `failures`.

    Raises
    ------
    UsageError
        If the width is impossible.
    InputError
        If there is nothing to show in the folder, or it is none.
    """
    if width is not None and not NARROWEST <= width <= WIDEST:
        raise UsageError(f"width {width} is not between {NARROWEST} and {WIDEST} pixels")
    if not source.is_dir():
        raise InputError(f"{source}: no such folder; give that of a training run or of labelled scans")
    if (source / "recipe.json").exists():
        return run_film(source, width=width)
    return scans_film(source, width=width)
