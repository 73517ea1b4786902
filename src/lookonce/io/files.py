"""Reading and writing whole files: causes are named, and what is written appears complete or not at all."""

from __future__ import annotations

import errno
import glob
import os
import secrets
import zlib
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import BinaryIO

from lookonce.errors import InputError, OutputError

_GZIP_MAGIC = b"\x1f\x8b"
_ANNEX_STORE = b"annex/objects/"
#: Big enough that a usual scan is unpacked in a few calls.
_CHUNK_BYTES = 1 << 22
#: Ending of a file that is being written.
_PART = ".part"


def read_start(path: Path, limit: int) -> bytes:
    """Read the first `limit` bytes of a file's content, unpacked if it is gzip.

    A packed file is recognised by its first bytes; fewer bytes than `limit` come back where the content ends before.

    Raises
    ------
    InputError
        If the file is missing, a folder, forbidden, empty, damaged, a placeholder of git-annex or git-lfs, or is called
        ``.gz`` and is not gzip.
    """
    _check_readable(path)
    try:
        with path.open("rb") as file:
            first = file.peek(512)
            _check_first_bytes(path, first)
            if first.startswith(_GZIP_MAGIC):
                return _unpack(path, file, limit)
            return file.read(min(limit, os.fstat(file.fileno()).st_size))
    except PermissionError:
        raise InputError(f"{path}: reading is not permitted; ask its owner, or change its permissions") from None
    except OSError as error:
        raise InputError(
            f"{path}: cannot be read ({error.strerror or error}); check the disk or copy it again"
        ) from None


def is_annex_placeholder(path: Path) -> bool:
    """Whether git-annex has not fetched a file: a link into its store that leads nowhere, or a small text in its place.

    False for a file that is not there or may not be read; `read_start` says what is wrong with it.
    """
    if os.path.islink(path) and not os.path.exists(path):
        return "annex" in os.readlink(path)
    try:
        with path.open("rb") as file:
            return _ANNEX_STORE in file.read(512)
    except OSError:
        return False


def write_files(contents: Mapping[Path, bytes | Iterable[bytes]]) -> None:
    """Write files that belong together: all of them appear, or none does.

    Each is first written to a temporary file in its own folder, which is made where it is missing. Only when all are
    safely on disk do they take their names. A file that was there before is replaced in one step. A long content may
    come in pieces.

    Raises
    ------
    OutputError
        If the disk is full, a folder is not writable, or the like; temporary and new files are removed again.
    """
    staged: dict[Path, Path] = {}
    created: list[Path] = []
    path = Path()
    try:
        for path, content in contents.items():
            staged[path] = _stage(path, content)
        for path, part in staged.items():
            is_new = not os.path.lexists(path)
            os.replace(part, path)
            if is_new:
                created.append(path)
        for folder in {path.parent for path in staged}:
            _sync_folder(folder)
    except BaseException as error:
        _remove([*staged.values(), *created])
        if isinstance(error, OSError):
            raise OutputError(f"{path}: cannot be written ({error.strerror or error}); {_remedy(error)}") from None
        raise


def write_text(path: Path, text: str) -> None:
    """Write one UTF-8 text file; it appears whole or not at all (see `write_files`)."""
    write_files({Path(path): text.encode()})


def remove_leftovers(folder: Path, stem: str) -> None:
    """Remove the temporary files that a killed process left of files whose names begin with `stem`.

    The caller makes sure that nobody else writes them now.
    """
    _remove(folder.glob(f".{glob.escape(stem)}*{_PART}"))


def _check_readable(path: Path) -> None:
    # Permission to look into the folder may be missing too, so nothing here may raise an OSError of its own.
    if os.path.isdir(path):
        raise InputError(f"{path}: is a folder, not a NIfTI file; name the file in it")
    if os.path.isfile(path):
        return
    if os.path.exists(path):
        raise InputError(f"{path}: is a pipe or a device, which may never end; write it to a file first")
    if not os.path.islink(path):
        folder = path.parent
        if os.path.isdir(folder) and not os.access(folder, os.X_OK):
            raise InputError(f"{path}: its folder may not be read; ask its owner, or change its permissions")
        raise InputError(f"{path}: no such file; check the name and the folder")
    if "annex" in os.readlink(path):
        raise InputError(f"{path}: is a git-annex link without its content; fetch it: git annex get {path.name}")
    raise InputError(f"{path}: is a link to a file that does not exist; copy the file itself")


def _check_first_bytes(path: Path, first: bytes) -> None:
    if not first:
        raise InputError(f"{path}: is empty (0 bytes); copy it again")
    if _ANNEX_STORE in first:
        raise InputError(f"{path}: is a git-annex placeholder without its content; fetch it: git annex get {path.name}")
    if first.startswith(b"version https://git-lfs"):
        raise InputError(f"{path}: is a git-lfs placeholder without its content; fetch it: git lfs pull")
    if path.name.lower().endswith(".gz") and not first.startswith(_GZIP_MAGIC):
        raise InputError(
            f"{path}: is not gzip although its name ends in .gz; copy it again, or drop .gz from the name if it is a "
            "plain NIfTI file"
        )


def _unpack(path: Path, file: BinaryIO, limit: int) -> bytes:
    parts: list[bytes] = []
    missing = limit
    decoder = zlib.decompressobj(wbits=31)
    try:
        while missing > 0:
            if decoder.eof:
                # A gzip file may hold several streams; anything else after the first is padding.
                packed = decoder.unused_data + file.read(_CHUNK_BYTES)
                if not packed.startswith(_GZIP_MAGIC):
                    break
                decoder = zlib.decompressobj(wbits=31)
            else:
                packed = decoder.unconsumed_tail or file.read(_CHUNK_BYTES)
                if not packed:
                    break
            parts.append(decoder.decompress(packed, missing))
            missing -= len(parts[-1])
    except zlib.error as error:
        cause = str(error).rpartition(": ")[2]
        raise InputError(f"{path}: its gzip data are damaged ({cause}); copy it again") from None
    return b"".join(parts)


def _stage(path: Path, content: bytes | Iterable[bytes]) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f".{path.name}.{secrets.token_hex(4)}{_PART}")
    try:
        # Not tempfile: its files are private to the owner, results should follow the user's umask.
        with part.open("xb") as file:
            file.writelines([content] if isinstance(content, bytes) else content)
            file.flush()
            os.fsync(file.fileno())
    except BaseException:
        _remove([part])
        raise
    return part


def _sync_folder(folder: Path) -> None:
    """Make new names last through a power failure, where the system can."""
    try:
        descriptor = os.open(folder, os.O_RDONLY)
    except OSError:
        return  # Windows opens no folders
    try:
        os.fsync(descriptor)
    except OSError:
        pass  # some network file systems cannot; the content itself is on disk
    finally:
        os.close(descriptor)


def _remove(paths: Iterable[Path]) -> None:
    for path in paths:
        try:
            path.unlink(missing_ok=True)
        except OSError:
            pass  # the first failure is the one to report


def _remedy(error: OSError) -> str:
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return "free some space or write to another folder"
    return "choose another folder, or change its permissions"
