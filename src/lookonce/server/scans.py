"""One scan out of an upload; what it claims to be is checked before memory is taken for it."""

from __future__ import annotations

import math
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from lookonce.errors import InputError
from lookonce.geometry import reorient, voxel_sizes
from lookonce.io.dicom.files import is_dicom
from lookonce.io.files import read_start
from lookonce.io.headers import image_shape, parse_header, voxel_type
from lookonce.io.nifti import SpineImage, read_image
from lookonce.server.refusals import SeveralScansError, TooLargeError
from lookonce.server.settings import Limits

if TYPE_CHECKING:
    from lookonce.io.dicom.study import DicomScan

_HEADER_BYTES = 540


def read_upload(path: Path, limits: Limits, *, volume: int | None = None, series: str | None = None) -> SpineImage:
    """Read the scan that an upload is, or the one of `series` in it.

    Raises
    ------
    TooLargeError
        If it is, or claims to be, larger than `limits` allow.
    SeveralScansError
        If it holds several scans and `series` names none of them.
    InputError
        If it cannot be read.
    """
    if is_dicom(path):
        image = _read_dicom(path, limits, volume, series)
    else:
        if series is not None:
            raise InputError("is a single NIfTI file; leave out the series")
        _check_claims(path, limits)
        image = read_image(path, volume=volume)
    _check_extent(image, limits)
    return image


def _check_claims(path: Path, limits: Limits) -> None:
    """Refuse a NIfTI file by its header, of which alone is unpacked."""
    header = parse_header(path, read_start(path, _HEADER_BYTES))
    shape, volumes = image_shape(path, header)
    _check_voxels(shape, limits)
    offset = float(header["vox_offset"])
    needed = math.prod(shape) * volumes * voxel_type(path, header).itemsize + max(np.nan_to_num(offset), 0.0)
    if needed > limits.image_bytes:
        raise TooLargeError(
            f"claims {needed / 1e6:.0f} MB when unpacked, of which this service takes {limits.image_bytes / 1e6:.0f}; "
            "send one volume, cut to the spine"
        )


def _check_voxels(shape: tuple[int, int, int], limits: Limits) -> None:
    if math.prod(shape) > limits.voxels:
        raise TooLargeError(
            f"claims {' x '.join(map(str, shape))} voxels; this service takes up to {limits.voxels / 1e6:.0f} million: "
            "cut it to the spine, or resample it"
        )


def _read_dicom(path: Path, limits: Limits, volume: int | None, series: str | None) -> SpineImage:
    from lookonce.io.dicom.study import read_study

    if zipfile.is_zipfile(path):
        _check_zip(path, limits)
    scans = {scan.name: scan for scan in read_study(path, volume=volume).scans}
    scan = _chosen(scans, series)
    shape = (*scan.frames[0].shape, scan.geometry.count)
    _check_voxels(shape, limits)
    if math.prod(shape) * 2 > limits.image_bytes:
        raise TooLargeError(f"claims {math.prod(shape) * 2 / 1e6:.0f} MB of pixels; send a series cut to the spine")
    return scan.read()


def _check_zip(path: Path, limits: Limits) -> None:
    try:
        with zipfile.ZipFile(path) as archive:
            members = archive.infolist()
    except (zipfile.BadZipFile, NotImplementedError, OSError):
        return  # reading it says what is wrong
    total = sum(member.file_size for member in members)
    if total > limits.zip_bytes or len(members) > limits.zip_files:
        raise TooLargeError(
            f"is a zip that claims {len(members)} files and {total / 1e6:.0f} MB when unpacked; this service takes "
            f"{limits.zip_files} files and {limits.zip_bytes / 1e6:.0f} MB: zip one series"
        )


def _chosen(scans: dict[str, DicomScan], series: str | None) -> DicomScan:
    if series is None and len(scans) == 1:
        return next(iter(scans.values()))
    if series in scans:
        return scans[series]
    names = ", ".join(scans)
    if series is None:
        raise SeveralScansError(f"holds {len(scans)} scans ({names}); say which one with series=NAME")
    raise SeveralScansError(f"holds no scan called {series}; it has {names}")


def _check_extent(image: SpineImage, limits: Limits) -> None:
    """Refuse a small file that claims to show a large room: what is computed has the size of the room."""
    turned, affine = reorient(image.data, np.asarray(image.affine, dtype=np.float64))
    sizes = np.array(turned.shape) * voxel_sizes(affine)
    if (sizes > (limits.width_mm, limits.height_mm, limits.depth_mm)).any():
        text = " x ".join(f"{size:.0f}" for size in sizes)
        raise TooLargeError(
            f"is {text} mm large (right-left, head to foot, front to back), which no person is; cut it to the "
            "spine, or mend its voxel sizes"
        )
