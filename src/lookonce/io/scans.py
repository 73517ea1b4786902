"""The scans that an input holds, whatever its format: one in a NIfTI file, any number in a DICOM folder."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from lookonce.errors import InputError
from lookonce.io.dicom.files import is_dicom
from lookonce.io.nifti import SpineImage, read_image


@dataclass(frozen=True)
class Scan:
    """A scan that can be read.

    Attributes
    ----------
    name : str
        Tells it from the input's others, such as ``series-005_T2w``; empty for a NIfTI file, which holds no other.
    read : callable
        Reads it; raises InputError where that fails.
    """

    name: str
    read: Callable[[], SpineImage]


@dataclass(frozen=True)
class FoundScans:
    """What an input holds: the scans, and a line for everything in it that was left, with the reason."""

    scans: list[Scan]
    left: list[str] = field(default_factory=list)


def find_scans(path: str | Path, *, volume: int | None = None, as_localizer: bool = False) -> FoundScans:
    """Find the scans of a NIfTI file, or of a DICOM folder, file, zip or DICOMDIR.

    Parameters
    ----------
    path : path
    volume : int, optional
        Which volume of a 4D file or series, counted from 0.
    as_localizer : bool
        Let DICOM localizers count as scans.

    Raises
    ------
    InputError
        If a DICOM input cannot be read or holds nothing that can be labelled. A NIfTI file is not looked at yet.
    LookOnceError
        If it is DICOM and pydicom is not installed.
    """
    if not is_dicom(path):
        return FoundScans([Scan("", partial(read_image, path, volume=volume))])
    from lookonce.io.dicom.study import read_study

    study = read_study(path, volume=volume, as_localizer=as_localizer)
    return FoundScans([Scan(scan.name, scan.read) for scan in study.scans], study.left)


def read_scan(path: str | Path, *, volume: int | None = None, as_localizer: bool = False) -> SpineImage:
    """Read the one scan of an input.

    Raises
    ------
    InputError
        If it cannot be read, or holds several scans; and as `find_scans` and `read_image` say.
    """
    scans = find_scans(path, volume=volume, as_localizer=as_localizer).scans
    if len(scans) > 1:
        names = ", ".join(scan.name for scan in scans)
        raise InputError(f"{path}: holds {len(scans)} scans ({names}); give a folder with the files of one of them")
    return scans[0].read()
