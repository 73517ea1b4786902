"""Pictures with masks at the size of a training: decoded once, kept on disk, read from there a picture at a time."""

from __future__ import annotations

import hashlib
import logging
import os
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.lib.format import open_memmap
from numpy.typing import NDArray

from lookonce.errors import InputError, OutputError
from lookonce.io.fitting import Resize, Size, fitted
from lookonce.io.mask_sets import MaskCase, read_case

#: A picture twice as wide as high, whose fitted form tells one way of fitting from another.
_PROBE = np.arange(5 * 10 * 3, dtype=np.uint8).reshape(5, 10, 3)

_logger = logging.getLogger(__name__)


class MaskStore:
    """The cases of a prepared set as one file of pixels (N, H, W, 4): red, green, blue and mask.

    Nothing but the pictures in use is in memory: the file is mapped, not read.

    Parameters
    ----------
    cases : sequence of MaskCase
    size : (H, W)
    resize : {"stretch", "letterbox"}
    cache : Path
        Folder of the file, which other runs of the same pictures and size find again.

    Raises
    ------
    InputError
        If there is no case, or one cannot be read.
    OutputError
        If the disk is full or the like.
    """

    def __init__(self, cases: Sequence[MaskCase], *, size: Size, resize: Resize, cache: Path) -> None:
        if not cases:
            raise InputError("no picture with a mask to learn from; check the recipe's data and the lists of the set")
        key = _fingerprint(cases, size, resize)
        self.path = cache / f"masks-{size[0]}x{size[1]}-{key}.npy"
        self.length = len(cases)
        if not self.path.exists():
            _logger.warning("%s: decoding %d pictures, once", self.path, len(cases))
            _write(self.path, cases, size, resize)

    def __len__(self) -> int:
        return self.length

    def __getitem__(self, index: int) -> NDArray[np.uint8]:
        """Pixels (H, W, 4) of one picture."""
        # Mapped anew each time, which takes microseconds: an open map would travel whole into worker processes.
        return np.array(np.load(self.path, mmap_mode="r")[index])


def _fingerprint(cases: Sequence[MaskCase], size: Size, resize: Resize) -> str:
    """Changes with the files, their order, the size, and how pictures are brought to it."""
    facts = [f"{size} {resize}", fitted(_PROBE, (8, 8), resize).tobytes().hex()]
    for case in cases:
        for path in (case.image, case.mask):
            try:
                state = path.stat()
            except OSError as error:
                raise InputError(f"{path}: cannot be read ({error.strerror}); prepare the set again") from None
            facts.append(f"{path.resolve()} {state.st_size} {state.st_mtime_ns}")
    return hashlib.sha256("\n".join(facts).encode()).hexdigest()[:16]


def _write(path: Path, cases: Sequence[MaskCase], size: Size, resize: Resize) -> None:
    """Fill the file beside its place; it takes its name when it is whole, whoever else is writing it."""
    part = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        pixels = open_memmap(part, mode="w+", dtype=np.uint8, shape=(len(cases), *size, 4))
        for index, case in enumerate(cases):
            picture, mask = read_case(case)
            pixels[index, ..., :3] = fitted(picture, size, resize)
            pixels[index, ..., 3] = fitted(mask.astype(np.uint8) * 255, size, resize)
        pixels.flush()
        del pixels
        os.replace(part, path)
    except OSError as error:
        raise OutputError(f"{path}: cannot be written ({error.strerror or error}); free some space") from None
    finally:
        part.unlink(missing_ok=True)
