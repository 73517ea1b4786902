"""Pixels of DICOM pictures, decompressed, as one volume."""

from __future__ import annotations

import struct
import warnings
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from lookonce.errors import InputError
from lookonce.io.dicom.files import DicomFile
from lookonce.io.dicom.frames import Frame, is_multi_frame
from lookonce.io.dicom.geometry import StackGeometry
from lookonce.io.dicom.headers import MOST_HEADER_BYTES, number_of, read_whole, text_of
from lookonce.io.headers import MOST_VOXELS

if TYPE_CHECKING:
    from pydicom import Dataset

#: Start-of-frame markers of JPEG and JPEG-LS: those that tell the size of the picture.
_SIZE_MARKERS = {*range(0xC0, 0xD0), 0xF7} - {0xC4, 0xC8, 0xCC}


def read_voxels(frames: list[Frame], geometry: StackGeometry) -> NDArray:
    """Grey values of a stack, (columns, reversed rows, slices), as `StackGeometry` places them.

    Integers where the headers do not scale them and no slice is interpolated, else float32.

    Raises
    ------
    InputError
        If a file is damaged, cut off, or compressed in a way that nothing here decodes.
    """
    columns, rows = frames[0].shape
    if columns * rows * geometry.count > MOST_VOXELS:
        raise InputError(f"claims {columns} x {rows} x {geometry.count} voxels; it is damaged: export it again")
    ordered = [frames[index] for index in geometry.order]
    pictures: list[NDArray] = [np.empty(0)] * len(ordered)
    for file, places in _by_file(ordered).items():
        for place, picture in zip(places, _decoded(file, [ordered[place] for place in places]), strict=True):
            pictures[place] = picture.T[:, ::-1]
    if geometry.is_even:
        return np.stack(pictures, axis=-1)
    return _interpolated(pictures, geometry)


def stored_bytes(frame: Frame) -> bytes:
    """Grey values of one picture as bytes, to tell copies from repetitions; frames of one object are never copies."""
    if is_multi_frame(frame.header):
        return f"{frame.file.path}/{frame.file.name}/{frame.index}".encode()
    return next(iter(_decoded(frame.file, [frame]))).tobytes()


def _by_file(frames: list[Frame]) -> dict[DicomFile, list[int]]:
    files: dict[Any, list[int]] = {}
    for place, frame in enumerate(frames):
        files.setdefault(frame.file, []).append(place)
    return files


def _interpolated(pictures: list[NDArray], geometry: StackGeometry) -> NDArray:
    """Linear interpolation across the slices, at whole slice indices."""
    after = np.clip(np.searchsorted(geometry.places, np.arange(geometry.count)), 1, len(pictures) - 1)
    volume = np.empty((*pictures[0].shape, geometry.count), dtype=np.float32)
    for index, upper in enumerate(after):
        low, high = geometry.places[upper - 1], geometry.places[upper]
        share = np.float32(np.clip((index - low) / (high - low), 0, 1))
        volume[..., index] = pictures[upper - 1] * (1 - share) + pictures[upper] * share
    return volume


def _decoded(file: DicomFile, frames: list[Frame]) -> Iterable[NDArray]:
    """Grey values, (rows, columns), of some frames of one file."""
    header = frames[0].header
    columns, rows = frames[0].shape
    count = int(number_of(header, "NumberOfFrames") or 1)
    bits = int(number_of(header, "BitsAllocated") or 16)
    pixels = rows * columns * count
    if pixels > MOST_VOXELS or bits not in (8, 16, 32, 64):
        raise InputError(f"{file.name}: claims {columns} x {rows} x {count} pixels of {bits} bits; it is damaged")
    # Packed pixels are hardly ever larger than plain ones.
    dataset = read_whole(file, MOST_HEADER_BYTES + 2 * pixels * bits // 8)
    _check_packed_size(file, dataset, columns, rows)
    for frame in frames:
        picture = _pixels(file, dataset, frame.index)
        if picture.shape != (rows, columns):
            raise InputError(f"{file.name}: its picture is not of {columns} x {rows} grey pixels; export it again")
        yield _grey(picture, dataset, frame)


def _pixels(file: DicomFile, dataset: Dataset, index: int) -> NDArray:
    from pydicom.pixels import get_decoder  # type: ignore[attr-defined]
    from pydicom.uid import JPEGExtended12Bit

    syntax = _syntax_of(dataset) or _plain_syntax(dataset)
    compressed = f"{file.name}: is compressed as {syntax.name}"
    if syntax == JPEGExtended12Bit and number_of(dataset, "BitsStored") != 8:
        raise InputError(f"{compressed} with 12 bits, for which there is no free decoder; export it uncompressed")
    try:
        decoder = get_decoder(syntax)
    except NotImplementedError:
        raise InputError(f"{compressed}, which nothing here decodes; export it uncompressed") from None
    if not decoder.is_available:
        raise InputError(f"{compressed}, whose decoder is missing: pip install 'lookonce[dicom]'")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            array, _ = decoder.as_array(dataset, index=index)
    except MemoryError:
        raise
    except Exception as error:  # each plug-in has its own ways to say that the bytes make no sense
        raise InputError(
            f"{file.name}: its pixels cannot be decoded ({type(error).__name__}); the file is cut off or damaged: "
            "copy it again"
        ) from None
    return array


def _syntax_of(dataset: Dataset) -> Any:
    """Transfer syntax that a file names, or None."""
    return getattr(getattr(dataset, "file_meta", None), "TransferSyntaxUID", None)


def _plain_syntax(dataset: Dataset) -> Any:
    """Syntax of a file that does not name it: such files are old, and never compressed."""
    from pydicom.uid import ExplicitVRBigEndian, ExplicitVRLittleEndian, ImplicitVRLittleEndian

    is_implicit, is_little = dataset.original_encoding
    if is_implicit:
        return ImplicitVRLittleEndian
    return ExplicitVRLittleEndian if is_little else ExplicitVRBigEndian


def _grey(picture: NDArray, dataset: Dataset, frame: Frame) -> NDArray:
    if text_of(dataset, "PhotometricInterpretation") == "MONOCHROME1":
        # Bright is stored low: turned over within the stored range, so that tissue looks as in any other scan.
        bits = int(number_of(dataset, "BitsStored") or 8 * picture.itemsize)
        lowest = -(1 << (bits - 1)) if number_of(dataset, "PixelRepresentation") else 0
        picture = (2 * lowest + (1 << bits) - 1 - picture.astype(np.int64)).astype(picture.dtype)
    if frame.slope == 1 and frame.intercept == 0:
        return picture
    return picture.astype(np.float32) * np.float32(frame.slope) + np.float32(frame.intercept)


def _check_packed_size(file: DicomFile, dataset: Dataset, columns: int, rows: int) -> None:
    """Refuse a compressed picture of another size than its header says: decoders take memory for what it claims."""
    syntax = _syntax_of(dataset)
    if syntax is None or not syntax.is_encapsulated or "PixelData" not in dataset:
        return
    for start in _codestream_starts(dataset.PixelData):
        claimed = _claimed_size(start)
        if claimed is not None and claimed != (columns, rows):
            raise InputError(
                f"{file.name}: its compressed picture claims {claimed[0]} x {claimed[1]} pixels, its header "
                f"{columns} x {rows}; it is damaged"
            )


def _codestream_starts(encapsulated: bytes) -> Iterable[bytes]:
    """The first bytes of every fragment."""
    place = 0
    while place + 8 <= len(encapsulated):
        tag, length = struct.unpack_from("<4sL", encapsulated, place)
        if tag != b"\xfe\xff\x00\xe0":
            return
        yield encapsulated[place + 8 : place + 8 + min(length, 65_536)]
        place += 8 + length


def _claimed_size(start: bytes) -> tuple[int, int] | None:
    """Columns and rows that a JPEG, JPEG-LS or JPEG 2000 codestream claims, or None where it begins otherwise."""
    place = start[:256].find(b"\xff\x4f\xff\x51")
    if place >= 0 and len(start) >= place + 24:  # JPEG 2000, perhaps in a JP2 file
        right, bottom, left, top = struct.unpack_from(">4L", start, place + 8)
        return right - left, bottom - top
    if start[:2] != b"\xff\xd8":
        return None
    place = 2
    while place + 9 <= len(start) and start[place] == 0xFF:
        marker, length = struct.unpack_from(">xBH", start, place)
        if marker in _SIZE_MARKERS:
            rows, columns = struct.unpack_from(">HH", start, place + 5)
            return columns, rows
        place += 2 + length
    return None
