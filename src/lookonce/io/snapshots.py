"""What a training run keeps for its film: a few fixed pictures, and what the network saw in them after each epoch."""

from __future__ import annotations

import io
import re
import zipfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from lookonce.errors import InputError
from lookonce.geometry import FloatArray
from lookonce.io.files import write_files

#: Folder inside that of the run.
FOLDER = "film"
PICTURES_FILE = "pictures.npz"


@dataclass(frozen=True)
class FilmPictures:
    """The pictures that a film shows over and over.

    Attributes
    ----------
    images : (N, H, W) uint8 array
        Grey values; rows run towards the feet, columns towards the back.
    points : tuple of N (P, 2) arrays
        Row and column of the true discs of each picture.
    epochs : int
        How many epochs the run takes in all.
    """

    images: NDArray[np.uint8]
    points: tuple[FloatArray, ...]
    epochs: int


@dataclass(frozen=True)
class Snapshot:
    """What the network saw after one epoch.

    Attributes
    ----------
    epoch : int
        Counted from 0.
    heat : (N, h, w) uint8 array
        Where it saw discs in each picture, 255 = sure; on the grid of its output, which covers the whole picture.
    loss : float
        On the validation set.
    """

    epoch: int
    heat: NDArray[np.uint8]
    loss: float


def write_pictures(run: Path, pictures: FilmPictures) -> None:
    """Keep the pictures of a run's film; raises OutputError if they cannot be written."""
    rows = [(number, *point) for number, points in enumerate(pictures.points) for point in points]
    content = _packed(
        images=pictures.images,
        points=np.array(rows, dtype=np.float64).reshape(-1, 3),
        epochs=np.array(pictures.epochs),
    )
    write_files({run / FOLDER / PICTURES_FILE: content})


def write_snapshot(run: Path, snapshot: Snapshot) -> None:
    """Keep what was seen after an epoch, in place of what an earlier try of that epoch saw; OutputError as above."""
    content = _packed(heat=snapshot.heat, loss=np.array(snapshot.loss))
    write_files({run / FOLDER / f"epoch-{snapshot.epoch:04d}.npz": content})


def remove_snapshots(run: Path) -> None:
    """Forget what was seen in a run that starts anew."""
    for path in _snapshot_paths(run).values():
        path.unlink(missing_ok=True)


def read_pictures(run: Path) -> FilmPictures:
    """Read what `write_pictures` wrote.

    Raises
    ------
    InputError
        If the run kept nothing for a film, or the file is damaged.
    """
    path = run / FOLDER / PICTURES_FILE
    if not path.exists():
        raise InputError(
            f"{run}: kept nothing for a film (no {FOLDER}/{PICTURES_FILE}); runs on pictures do, from this version on"
        )
    fields = _unpacked(path, "images", "points", "epochs")
    images, points = fields["images"], fields["points"]
    if images.ndim != 3 or images.dtype != np.uint8 or points.ndim != 2 or points.shape[1] != 3 or images.size == 0:
        raise InputError(f"{path}: holds no pictures of a run; remove the folder {FOLDER} and train again")
    of_each = tuple(points[points[:, 0] == number, 1:] for number in range(len(images)))
    return FilmPictures(images, of_each, int(fields["epochs"]))


def read_snapshots(run: Path) -> list[Snapshot]:
    """Read what `write_snapshot` wrote, in the order of the epochs.

    Raises
    ------
    InputError
        If no epoch has ended yet, or a file is damaged.
    """
    snapshots = []
    for epoch, path in sorted(_snapshot_paths(run).items()):
        fields = _unpacked(path, "heat", "loss")
        if fields["heat"].ndim != 3 or fields["heat"].dtype != np.uint8 or fields["heat"].size == 0:
            raise InputError(f"{path}: holds nothing that a network saw; remove it")
        snapshots.append(Snapshot(epoch, fields["heat"], float(fields["loss"])))
    if not snapshots:
        raise InputError(f"{run}: no epoch has ended yet; wait for the first one")
    return snapshots


def _snapshot_paths(run: Path) -> dict[int, Path]:
    matches = {path: re.fullmatch(r"epoch-(\d+)\.npz", path.name) for path in (run / FOLDER).glob("epoch-*.npz")}
    return {int(match[1]): path for path, match in matches.items() if match}


def _packed(**fields: NDArray) -> bytes:
    content = io.BytesIO()
    np.savez_compressed(content, allow_pickle=False, **fields)
    return content.getvalue()


def _unpacked(path: Path, *names: str) -> dict[str, NDArray]:
    try:
        with np.load(path, allow_pickle=False) as stored:
            return {name: stored[name] for name in names}
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile) as error:
        cause = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise InputError(f"{path}: is damaged ({cause}); remove it") from None
