"""One picture of a DICOM scan and its place in space: a file of its own, or a frame of an enhanced object."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from lookonce.errors import InputError
from lookonce.geometry import FloatArray
from lookonce.io.dicom.files import DicomFile
from lookonce.io.dicom.headers import number_of, numbers_of, text_of, value_of

if TYPE_CHECKING:
    from pydicom import Dataset

#: More frames than any scan has.
MOST_FRAMES = 50_000
#: Direction cosines are written with few decimals; further from right angles the header is broken.
_COSINE_TOLERANCE = 0.02


@dataclass(frozen=True)
class Frame:
    """One picture and where it lies.

    Attributes
    ----------
    header : Dataset
        Of the file, without pixels.
    file : DicomFile
    index : int
        Number of the frame in the file, from 0.
    shape : (int, int)
        Columns and rows.
    position : (3,) array
        Centre of the first pixel, mm, LPS+ as DICOM writes it (left, posterior, head positive).
    directions : (3, 2) array
        Unit vectors in LPS: in the first column that in which the columns of the picture follow each other (along a
        row), in the second that of the rows.
    spacing : (2,) array
        Distance of neighbouring columns and of neighbouring rows, mm.
    thickness : float
        Of the slice, mm; 0 where it is not said.
    slope, intercept : float
        Turn stored values into grey values.
    kind : tuple of str
        Image (or frame) type, such as ORIGINAL, PRIMARY, M.
    timing : tuple of float or None
        Repetition, echo and inversion time, ms.
    sequence : str
        Scanning sequence, such as SE or GR.
    volume : tuple
        What tells volumes of one series apart: echo, inversion, diffusion, time, acquisition.
    """

    header: Dataset
    file: DicomFile
    index: int
    shape: tuple[int, int]
    position: FloatArray
    directions: FloatArray
    spacing: FloatArray
    thickness: float
    slope: float
    intercept: float
    kind: tuple[str, ...]
    timing: tuple[float | None, ...]
    sequence: str
    volume: tuple[float, ...]

    @property
    def normal(self) -> FloatArray:
        """Unit vector across the picture, LPS, (3,)."""
        return np.cross(self.directions[:, 0], self.directions[:, 1])

    @property
    def instance(self) -> tuple[float, int]:
        """Order in which the scanner numbered the pictures."""
        return number_of(self.header, "InstanceNumber") or 0.0, self.index


def frames_of(header: Dataset, file: DicomFile) -> list[Frame]:
    """Pictures of one DICOM file.

    Raises
    ------
    InputError
        If a picture has no place in space; the message is the reason alone, without the file's name.
    """
    return [_frame(header, file, index, groups) for index, groups in enumerate(_functional_groups(header))]


def is_multi_frame(header: Dataset) -> bool:
    """Whether the pictures of a file are described by functional groups (enhanced objects)."""
    return value_of(header, "PerFrameFunctionalGroupsSequence") is not None


def _functional_groups(header: Dataset) -> Iterator[list[Dataset]]:
    """For each frame, where its attributes stand, the most specific first."""
    if not is_multi_frame(header):
        if (number_of(header, "NumberOfFrames") or 1) > 1:
            raise InputError("several pictures in one object that does not say where they lie")
        yield [header]
        return
    frames = value_of(header, "PerFrameFunctionalGroupsSequence")
    if len(frames) != number_of(header, "NumberOfFrames") or len(frames) > MOST_FRAMES:
        raise InputError("a damaged multi-frame object, whose frames are not those that it describes")
    shared = _groups(value_of(header, "SharedFunctionalGroupsSequence"))
    for frame in frames:
        yield [*_groups([frame]), *shared, header]


def _groups(items: list[Dataset] | None) -> list[Dataset]:
    """The first item of each group sequence; diffusion nests its direction, which is not needed."""
    return [
        element.value[0] for item in (items or [])[:1] for element in item if element.VR == "SQ" and len(element.value)
    ]


def _frame(header: Dataset, file: DicomFile, index: int, groups: list[Dataset]) -> Frame:
    def numbers(keyword: str, count: int) -> tuple[float, ...] | None:
        return next((found for group in groups if (found := numbers_of(group, keyword, count)) is not None), None)

    def number(keyword: str) -> float | None:
        found = numbers(keyword, 1)
        return None if found is None else found[0]

    def text(keyword: str) -> str:
        return next((found for group in groups if (found := text_of(group, keyword))), "")

    position, cosines, spacing = (
        numbers("ImagePositionPatient", 3),
        numbers("ImageOrientationPatient", 6),
        numbers("PixelSpacing", 2),
    )
    if position is None or cosines is None:
        raise InputError("its headers do not say where the pictures lie")
    if spacing is None or min(spacing) <= 0:
        raise InputError("its headers do not say how large the pixels are")
    echo = number("EchoTime") or number("EffectiveEchoTime")
    inversion = number("InversionTime") or number("InversionTimes")
    kind = text("FrameType") or text("ImageType")
    component = text("ComplexImageComponent")
    return Frame(
        header=header,
        file=file,
        index=index,
        shape=_shape(header),
        position=np.array(position),
        directions=_directions(cosines),
        spacing=np.array(spacing[::-1]),
        thickness=number("SliceThickness") or 0.0,
        slope=number("RescaleSlope") or 1.0,
        intercept=number("RescaleIntercept") or 0.0,
        kind=(*kind.upper().split("\\"), *([component.upper()] if component else [])),
        timing=(number("RepetitionTime"), echo, inversion),
        sequence=text("ScanningSequence") or ("GR" if text("EchoPulseSequence") == "GRADIENT" else ""),
        volume=tuple(
            value or 0.0
            for value in (
                *(echo, number("EchoNumbers"), inversion, number("DiffusionBValue")),
                *(number("TemporalPositionIndex") or number("TemporalPositionIdentifier"), number("TriggerTime")),
                *(number("AcquisitionNumber"),),
            )
        ),
    )


def _shape(header: Dataset) -> tuple[int, int]:
    columns, rows = (int(number_of(header, keyword) or 0) for keyword in ("Columns", "Rows"))
    if min(columns, rows) < 1:
        raise InputError("its headers do not say how large the pictures are")
    return columns, rows


def _directions(cosines: tuple[float, ...]) -> FloatArray:
    """The two unit vectors of a picture, (3, 2), made exactly perpendicular."""
    along, down = np.array(cosines[:3]), np.array(cosines[3:])
    lengths = np.linalg.norm([along, down], axis=1)
    if np.abs(lengths - 1).max() > _COSINE_TOLERANCE or abs(along @ down) > _COSINE_TOLERANCE:
        raise InputError("its headers give a broken orientation")
    along = along / lengths[0]
    down = down - (down @ along) * along
    return np.stack([along, down / np.linalg.norm(down)], axis=1)
