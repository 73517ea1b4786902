"""An exclusive lock on a folder that several processes write to."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType

from lookonce.errors import OutputError

try:
    import fcntl as _fcntl
except ImportError:  # Windows
    fcntl: ModuleType | None = None
else:
    fcntl = _fcntl

#: Far longer than any writer holds the lock, and short enough that a stuck one is noticed.
PATIENCE_SECONDS = 120.0
RETRY_SECONDS = 0.05


@contextmanager
def folder_lock(folder: Path, *, patience: float = PATIENCE_SECONDS) -> Iterator[None]:
    """Hold the folder's lock for the length of a ``with`` block.

    Parameters
    ----------
    folder : Path
        An existing folder; the lock file ``.lock`` appears in it.
    patience : float
        Seconds to wait for other writers.

    Raises
    ------
    OutputError
        If another process keeps the lock for longer than that.
    OSError
        If the lock file cannot be made.
    """
    path = folder / ".lock"
    descriptor = os.open(path, os.O_CREAT | os.O_RDWR, 0o666) if fcntl else None
    try:
        if descriptor is not None and _flock(descriptor, path, patience):
            yield
        else:
            with _exclusive_file(path.with_suffix(".lock-held"), patience):
                yield
    finally:
        if descriptor is not None:
            os.close(descriptor)  # lets go of the lock; the file stays, as removing it would split waiting writers


def _flock(descriptor: int, path: Path, patience: float) -> bool:
    """Wait for the kernel's lock; False when the file system (some network ones) has none."""
    assert fcntl is not None
    deadline = time.monotonic() + patience
    while True:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return True
        except BlockingIOError:
            _wait(deadline, path, "wait for it, or end it")
        except OSError:
            return False


@contextmanager
def _exclusive_file(path: Path, patience: float) -> Iterator[None]:
    """Hold a file that only one process can create; unlike the kernel's lock it outlives a killed process."""
    deadline = time.monotonic() + patience
    while True:
        try:
            os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o666))
            break
        except (FileExistsError, PermissionError) as error:
            # Windows answers "permission denied" for a file that its holder is just deleting.
            if isinstance(error, PermissionError) and not path.exists() and os.name != "nt":
                raise
            _wait(deadline, path, "wait for it, or delete that file when no other is running")
    try:
        yield
    finally:
        path.unlink(missing_ok=True)


def _wait(deadline: float, path: Path, remedy: str) -> None:
    if time.monotonic() > deadline:
        raise OutputError(f"{path}: another process keeps this folder locked; {remedy}")
    time.sleep(RETRY_SECONDS)
