"""Headers of DICOM files, read without their pixels and within limits that a damaged or hostile file cannot exceed."""

from __future__ import annotations

import io
import math
import warnings
import zlib
from collections.abc import Iterator
from typing import IO, TYPE_CHECKING, Any

from lookonce.errors import InputError, LookOnceError
from lookonce.io.dicom.files import DicomFile

if TYPE_CHECKING:
    from pydicom import Dataset

#: An enhanced object of ten thousand frames has some 50 MB of header.
MOST_HEADER_BYTES = 128_000_000
#: Preamble and meta header, in which the transfer syntax stands, end well before.
_META_BYTES = 2000
#: Reads up to this size may reach beyond the end of a file: parsers look ahead.
_LARGE_READ = 1_000_000
_DEFLATED = b"1.2.840.10008.1.2.1.99"
_EXPLICIT = b"1.2.840.10008.1.2.1"
#: What is read of a header: what places, names and selects an image, and what results in the same study repeat.
_KEYWORDS = (
    *("SpecificCharacterSet", "ImageType", "SOPClassUID", "SOPInstanceUID", "Modality", "SeriesNumber"),
    *("StudyInstanceUID", "SeriesInstanceUID", "FrameOfReferenceUID", "AcquisitionNumber", "InstanceNumber"),
    *("StudyDate", "StudyTime", "StudyID", "AccessionNumber", "ReferringPhysicianName", "StudyDescription"),
    *("PatientName", "PatientID", "PatientBirthDate", "PatientSex", "PatientAge", "PatientWeight", "PatientSize"),
    *("Manufacturer", "BodyPartExamined", "SeriesDescription", "ProtocolName", "PositionReferenceIndicator"),
    *("ImagePositionPatient", "ImageOrientationPatient", "PixelSpacing", "SliceThickness", "SpacingBetweenSlices"),
    *("EchoTime", "EchoNumbers", "RepetitionTime", "InversionTime", "ScanningSequence", "DiffusionBValue"),
    *("TemporalPositionIdentifier", "TriggerTime", "ComplexImageComponent", "GantryDetectorTilt"),
    *("NumberOfFrames", "Rows", "Columns", "SamplesPerPixel", "PhotometricInterpretation", "BitsAllocated"),
    *("BitsStored", "HighBit", "PixelRepresentation", "RescaleSlope", "RescaleIntercept"),
    *("SharedFunctionalGroupsSequence", "PerFrameFunctionalGroupsSequence", "DirectoryRecordSequence"),
)


def read_header(file: DicomFile) -> Dataset:
    """Read what of a DICOM header is needed here, without the pixels.

    Raises
    ------
    InputError
        If it is no DICOM file, is damaged, or has a larger header than any scanner writes. The message holds nothing of
        its content.
    LookOnceError
        If pydicom is not installed.
    """
    return _parsed(file, _KEYWORDS, MOST_HEADER_BYTES)


def read_whole(file: DicomFile, most_bytes: int) -> Dataset:
    """Read a DICOM file with its pixels, still compressed where they are; at most `most_bytes` of it.

    Raises
    ------
    InputError
        As `read_header`.
    """
    return _parsed(file, None, most_bytes)


def text_of(header: Dataset, keyword: str) -> str:
    """Value of an element as text, with backslashes between several; empty where it is missing or broken."""
    value = value_of(header, keyword)
    if value is None:
        return ""
    return "\\".join(map(str, value)) if _is_multi(value) else str(value)


def number_of(header: Dataset, keyword: str) -> float | None:
    """Value of an element as a finite number; None where it is missing, broken or a list."""
    numbers = numbers_of(header, keyword, 1)
    return None if numbers is None else numbers[0]


def numbers_of(header: Dataset, keyword: str, count: int) -> tuple[float, ...] | None:
    """Value of an element as `count` finite numbers; None where there are not that many."""
    value = value_of(header, keyword)
    try:
        numbers = tuple(float(part) for part in (value if _is_multi(value) else [value]))  # type: ignore[union-attr]
    except (TypeError, ValueError):
        return None
    return numbers if len(numbers) == count and all(map(math.isfinite, numbers)) else None


def value_of(header: Dataset, keyword: str) -> Any:
    """Value of an element; None where it is missing, empty or not what the standard allows."""
    try:
        # Values are converted here, and pydicom's warnings repeat what is wrong: logs must not tell who the patient is.
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            value = header.get(keyword)
    except Exception:  # a broken value fails in the converter of its own type, in many ways
        return None
    return None if value == "" else value


def _is_multi(value: object) -> bool:
    from pydicom.multival import MultiValue

    return isinstance(value, MultiValue | list | tuple)


def _parsed(file: DicomFile, keywords: tuple[str, ...] | None, most_bytes: int) -> Dataset:
    pydicom = import_pydicom()
    try:
        with file.open() as stream, warnings.catch_warnings():
            warnings.simplefilter("ignore")
            limited = _inflated(_Limited(stream, most_bytes, file.size))
            header = pydicom.dcmread(
                limited, force=True, stop_before_pixels=keywords is not None, specific_tags=keywords
            )
    except _TooLongError:
        what = "a header" if keywords else "data"
        raise InputError(
            f"{file.name}: claims {what} beyond {most_bytes / 1e6:.0f} MB, or beyond its own end; it is "
            "damaged: export it again"
        ) from None
    except (LookOnceError, MemoryError):
        raise
    except Exception as error:  # whatever a parser meets in damaged bytes; its words may hold the patient's data
        raise InputError(f"{file.name}: is damaged ({type(error).__name__}); export it again") from None
    return header


def import_pydicom() -> Any:
    """Give the module pydicom.

    Raises
    ------
    LookOnceError
        If it is not installed.
    """
    try:
        import pydicom
    except ModuleNotFoundError:
        raise LookOnceError("reading DICOM needs pydicom: pip install 'lookonce[dicom]'") from None
    return pydicom


class _TooLongError(Exception):
    """More was asked for than a limit allows."""


class _Limited:
    """A stream that gives at most some bytes, and refuses an absurd length before taking memory for it."""

    def __init__(self, stream: IO[bytes], most: int, size: int) -> None:
        self._stream, self._left, self._size = stream, most, size
        self.tell, self.close = stream.tell, stream.close

    def read(self, count: int = -1) -> bytes:
        wanted = self._size - self._stream.tell() if count is None or count < 0 else count
        if wanted > _LARGE_READ and (wanted > self._left or self._stream.tell() + wanted > self._size):
            raise _TooLongError
        content = self._stream.read(max(wanted, 0))
        self._left -= len(content)
        if self._left < 0:
            raise _TooLongError
        return content

    def seek(self, place: int, whence: int = 0) -> int:
        return self._stream.seek(place, whence)


def _inflated(stream: _Limited) -> Any:
    """The stream, or where its data set is deflated, a stream of the same one inflated, within the same limit."""
    start = stream.read(_META_BYTES)
    stream.seek(0)
    if _DEFLATED not in start:
        return stream
    if start[128:136] != b"DICM\x02\x00\x00\x00":
        raise InputError("is deflated and does not say where")
    meta = stream.read(144 + int.from_bytes(start[140:144], "little"))
    packed = stream.read()
    limit = stream._left
    data = zlib.decompressobj(-zlib.MAX_WBITS).decompress(packed, limit + 1)
    if len(data) > limit:
        raise _TooLongError
    # Of the same length, so that the group keeps its own.
    return io.BytesIO(meta.replace(_DEFLATED, _EXPLICIT.ljust(len(_DEFLATED), b"\0")) + data)


def nested(sequence: Any) -> Iterator[Dataset]:
    """The items of a sequence element; none where it is missing."""
    yield from (sequence or ())
