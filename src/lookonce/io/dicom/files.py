"""The files of a DICOM input: of a folder, a zip, or those that a DICOMDIR lists. Nothing is unpacked to disk."""

from __future__ import annotations

import lzma
import os
import stat
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import IO

from lookonce.errors import InputError

#: The largest studies have some ten thousand files; more is a whole archive, or a trap.
MOST_FILES = 50_000
#: What a zip may claim to hold, and how many times smaller it may be: images shrink to a third, bombs to a thousandth.
MOST_UNPACKED_BYTES = 20_000_000_000
LARGEST_RATIO = 300
#: Below this size a member may be packed as tightly as it likes: black pictures are.
_SMALL_BYTES = 32_000_000
#: Preamble and mark of a DICOM file.
_START_BYTES = 132
_ZIP_MAGIC = b"PK\x03\x04"


@dataclass(frozen=True)
class DicomFile:
    """One file, on disk or in a zip.

    Attributes
    ----------
    path : Path
        The file, or the zip that holds it.
    archive : ZipFile or None
    member : ZipInfo or None
    """

    path: Path
    archive: zipfile.ZipFile | None = None
    member: zipfile.ZipInfo | None = None

    @property
    def name(self) -> str:
        """File name without folders, for messages."""
        return self.path.name if self.member is None else PurePosixPath(self.member.filename).name

    @property
    def size(self) -> int:
        """Unpacked size in bytes."""
        return self.path.stat().st_size if self.member is None else self.member.file_size

    @contextmanager
    def open(self) -> Iterator[IO[bytes]]:
        """Open for reading.

        Raises
        ------
        InputError
            If the system does not let it be read, or it ends early, or the zip is damaged there.
        """
        try:
            if self.archive is None or self.member is None:
                with self.path.open("rb") as file:
                    yield file
            else:
                with self.archive.open(self.member) as packed:
                    yield packed
        except (OSError, zipfile.BadZipFile, zlib.error, lzma.LZMAError, EOFError, NotImplementedError) as error:
            cause = getattr(error, "strerror", None) or type(error).__name__
            raise InputError(f"{self.name}: cannot be read ({cause}); copy it again") from None

    def looks_like_dicom(self) -> bool:
        """Whether its first bytes are those of a DICOM file, with their preamble or, as old ones, without."""
        with self.open() as file:
            return starts_like_dicom(file.read(_START_BYTES))


def starts_like_dicom(start: bytes) -> bool:
    """Whether the first 132 bytes of a file are those of a DICOM file."""
    if start[128:132] == b"DICM":
        return True
    # Without a preamble a data set begins with a low element of group 2 or 8, and a length or a VR of two capitals.
    return (
        len(start) == _START_BYTES
        and start[:2] in (b"\x08\x00", b"\x02\x00")
        and start[3] == 0
        and ((start[4:6].isalpha() and start[4:6].isupper()) or start[5:8] == b"\0\0\0")
    )


def is_dicom(path: str | Path) -> bool:
    """Whether an input is to be read as DICOM: a folder, a zip, or a file that begins like one."""
    path = Path(path)
    if path.is_dir():
        return True
    if not path.is_file():
        return False  # reading it as NIfTI says what is wrong; a pipe would block here
    try:
        with path.open("rb") as file:
            start = file.read(_START_BYTES)
    except OSError:
        return False  # reading it as NIfTI says what is wrong
    return start.startswith(_ZIP_MAGIC) or starts_like_dicom(start)


def dicom_files(path: Path) -> tuple[list[DicomFile], int]:
    """DICOM files below an input, in the order of their names, and the number of other files there.

    Raises
    ------
    InputError
        If the input cannot be read, holds too many files, or is a zip that claims to unpack to more than can be true.
    """
    try:
        if path.is_dir():
            return _sifted(_walked(path))
        with path.open("rb") as file:
            is_zip = file.read(4) == _ZIP_MAGIC
        return _sifted(_unzipped(path)) if is_zip else ([DicomFile(path)], 0)
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror or error}); check its permissions") from None


def listed_files(index: Path, names: list[tuple[str, ...]]) -> tuple[list[DicomFile], int]:
    """Files that a DICOMDIR lists by the parts of their paths, and how many of them are missing.

    Raises
    ------
    InputError
        If a name leads out of the DICOMDIR's folder.
    """
    found, missing = [], 0
    for parts in names[:MOST_FILES]:
        if any(part in ("", ".", "..") or "/" in part or "\\" in part or ":" in part for part in parts):
            raise InputError(f"{index}: lists a file outside its own folder; name the folder of the images instead")
        # Systems without case in names list IM0001 for what a copy calls im0001.
        spellings = (index.parent.joinpath(*parts), index.parent.joinpath(*map(str.lower, parts)))
        path = next((spelling for spelling in spellings if spelling.is_file()), None)
        if path is None:
            missing += 1
        else:
            found.append(DicomFile(path))
    return found, missing


def _walked(folder: Path) -> Iterator[DicomFile]:
    def refuse(error: OSError) -> None:
        raise error

    count = 0
    for parent, folders, names in os.walk(folder, onerror=refuse):
        folders.sort()
        for name in sorted(names):
            path = Path(parent, name)
            # Links are followed, for data sets that link to a store; a pipe or a device would block.
            if path.exists() and stat.S_ISREG(path.stat().st_mode):
                count += 1
                yield DicomFile(path)
            if count > MOST_FILES:
                raise InputError(
                    f"{folder}: holds more than {MOST_FILES} files; name the folder of one study or series"
                )


def _unzipped(path: Path) -> list[DicomFile]:
    try:
        # Left open while its scans may still be read; closed with the last of them.
        archive = zipfile.ZipFile(path)
    except (zipfile.BadZipFile, NotImplementedError) as error:
        raise InputError(f"{path}: is a damaged zip ({error}); copy it again") from None
    members = sorted((member for member in archive.infolist() if not member.is_dir()), key=lambda one: one.filename)
    if len(members) > MOST_FILES:
        raise InputError(f"{path}: holds more than {MOST_FILES} files; zip one study or series")
    total = sum(member.file_size for member in members)
    if total > MOST_UNPACKED_BYTES:
        raise InputError(f"{path}: would unpack to {total / 1e9:.0f} GB; zip one study or series")
    for member in members:
        if member.flag_bits & 1:
            raise InputError(f"{path}: is locked by a password; unpack it and name the folder")
        if member.file_size > max(_SMALL_BYTES, LARGEST_RATIO * member.compress_size):
            raise InputError(
                f"{path}: holds a file that unpacks to {member.file_size / 1e6:.0f} MB of almost nothing; "
                "this is no scan"
            )
    return [DicomFile(path, archive, member) for member in members]


def _sifted(files: Iterator[DicomFile] | list[DicomFile]) -> tuple[list[DicomFile], int]:
    found, others = [], 0
    for file in files:
        try:
            is_wanted = file.looks_like_dicom()
        except InputError:
            is_wanted = True  # reading its header says what is wrong with it, and stops no other
        if is_wanted:
            found.append(file)
        else:
            others += 1
    return found, others
