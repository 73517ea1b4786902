"""The series of a DICOM input: those that can be labelled, and the others with the reason why they are left."""

from __future__ import annotations

import hashlib
from collections import Counter
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from lookonce.errors import GeometryError, InputError
from lookonce.geometry import check_coverage, reorient, voxel_sizes
from lookonce.io.dicom.contrast import contrast_of, is_localizer, plane_of, why_no_anatomy
from lookonce.io.dicom.decode import read_voxels, stored_bytes
from lookonce.io.dicom.files import DicomFile, dicom_files, listed_files
from lookonce.io.dicom.frames import Frame, frames_of
from lookonce.io.dicom.geometry import StackGeometry, stack_geometry
from lookonce.io.dicom.headers import nested, number_of, read_header, text_of, value_of
from lookonce.io.dicom.stacks import Stack, sort_into_stacks
from lookonce.io.nifti import SpineImage, chosen_volume, mend_voxels

if TYPE_CHECKING:
    from pydicom import Dataset

#: A coronal or axial stack with slices thicker than this is no 3D scan, and shows no sagittal plane.
THICKEST_3D_MM = 2.5
_DICOMDIR = "1.2.840.10008.1.3.10"
#: Contrasts that the networks have learned.
_LEARNED = ("T1w", "T2w", "STIR")


@dataclass(frozen=True)
class DicomSource:
    """The series that an image was read from, for results that refer to it.

    Attributes
    ----------
    headers : list of Dataset
        Of its files, without pixels.
    number : int
        Series number; 0 where it has none.
    contrast, plane : str
    """

    headers: list[Dataset]
    number: int
    contrast: str
    plane: str

    @property
    def summary(self) -> dict[str, Any]:
        """What a result says about the series; nothing in it tells who the patient is."""
        return {"number": self.number, "contrast": self.contrast, "plane": self.plane}


@dataclass(frozen=True)
class DicomScan:
    """One volume of a DICOM input that can be labelled; its pixels are not read yet.

    Attributes
    ----------
    path : Path
        The input.
    name : str
        Tells it from the input's others, such as ``series-005_T2w``; holds nothing of the patient.
    frames : list of Frame
    geometry : StackGeometry
    source : DicomSource
    warnings : list of str
    """

    path: Path
    name: str
    frames: list[Frame]
    geometry: StackGeometry
    source: DicomSource
    warnings: list[str]

    def read(self) -> SpineImage:
        """Read and decompress its pixels.

        Raises
        ------
        InputError
            If a file is damaged, shows nothing, or is compressed in a way that nothing here decodes.
        """
        name = f"{self.path}: series {self.source.number}"
        try:
            voxels = read_voxels(self.frames, self.geometry)
        except InputError as error:
            raise InputError(f"{name}: {error}") from None
        data, mended = mend_voxels(name, voxels)
        warnings = [*self.warnings, *self.geometry.warnings, *mended]
        return SpineImage(data, self.geometry.affine, self.path, warnings, dicom=self.source)


@dataclass
class DicomStudy:
    """What a DICOM input holds.

    Attributes
    ----------
    scans : list of DicomScan
        By series number.
    left : list of str
        A line for each of the other series, with the reason; nothing in it tells who the patient is.
    """

    scans: list[DicomScan] = field(default_factory=list)
    left: list[str] = field(default_factory=list)


def read_study(path: str | Path, *, volume: int | None = None, as_localizer: bool = False) -> DicomStudy:
    """Find the series of a DICOM folder, file, zip or DICOMDIR.

    Parameters
    ----------
    path : path
    volume : int, optional
        Which volume of a series that has several, counted from 0; series with one are found all the same.
    as_localizer : bool
        Let localizers count as scans.

    Raises
    ------
    InputError
        If no series can be labelled: the message lists what is there.
    """
    path = Path(path)
    headers, doubts, others = _headers(path)
    series: dict[str, list[tuple[Dataset, DicomFile]]] = {}
    for header, file in headers:
        series.setdefault(text_of(header, "SeriesInstanceUID"), []).append((header, file))
    study = DicomStudy()
    for members in sorted(series.values(), key=_series_order):
        _add_series(study, path, members, doubts, volume=volume, as_localizer=as_localizer)
    _tell_apart(study)
    study.left += doubts
    if others and not headers and not doubts:
        raise InputError(
            f"{path}: holds no MR series that can be labelled: {others} files that are no DICOM; name NIfTI files "
            "one by one, or give a BIDS data set to `lookonce cohort`"
        )
    if not study.scans:
        there = study.left + ([f"{others} files that are no DICOM"] if others else [])
        raise InputError(f"{path}: holds no MR series that can be labelled: {'; '.join(there) or 'it is empty'}")
    return study


def _headers(path: Path) -> tuple[list[tuple[Dataset, DicomFile]], list[str], int]:
    """Headers of an input's DICOM files, each once, doubts about missing or damaged ones, and the number of others."""
    files, others = dicom_files(path)
    doubts: list[str] = []
    if path.is_file() and len(files) == 1 and files[0].member is None:
        files = _listed_or_itself(files[0], doubts)
    found: dict[str, tuple[Dataset, DicomFile]] = {}
    for file in files:
        try:
            header = read_header(file)
        except InputError as error:
            doubts.append(f"{error}; slices may be lacking")
            continue
        instance = text_of(header, "SOPInstanceUID")
        if _class_of(header) == _DICOMDIR:
            continue  # an index of what is looked through anyway
        if not instance:
            doubts.append(f"{file.name}: is damaged or no DICOM file; slices may be lacking")
        else:
            found.setdefault(instance, (header, file))
    return list(found.values()), doubts, others


def _listed_or_itself(file: DicomFile, doubts: list[str]) -> list[DicomFile]:
    """The files that a DICOMDIR lists, with a doubt about those that are missing; any other file itself."""
    try:
        header = read_header(file)
    except InputError:
        return [file]
    if _class_of(header) != _DICOMDIR:
        return [file]
    listed, missing = listed_files(file.path, _listed_names(header))
    if missing:
        doubts.append(f"{missing} files that the DICOMDIR lists are missing; slices may be lacking")
    return listed


def _class_of(header: Dataset) -> str:
    meta = getattr(header, "file_meta", None)
    return text_of(header, "SOPClassUID") or ("" if meta is None else text_of(meta, "MediaStorageSOPClassUID"))


def _listed_names(header: Dataset) -> list[tuple[str, ...]]:
    names = (value_of(record, "ReferencedFileID") for record in nested(value_of(header, "DirectoryRecordSequence")))
    return [(name,) if isinstance(name, str) else tuple(map(str, name)) for name in names if name is not None]


def _series_order(members: list[tuple[Dataset, DicomFile]]) -> tuple[float, str]:
    header = members[0][0]
    return number_of(header, "SeriesNumber") or 0.0, text_of(header, "SeriesInstanceUID")


def _add_series(
    study: DicomStudy,
    path: Path,
    members: list[tuple[Dataset, DicomFile]],
    doubts: list[str],
    *,
    volume: int | None,
    as_localizer: bool,
) -> None:
    """Sort one series into scans and what is left."""
    number = int(number_of(members[0][0], "SeriesNumber") or 0)
    frames, placeless = _placed(members)
    if not frames:
        study.left.append(f"series {number}: {', '.join(placeless)}")
        return
    anatomy = _without_the_rest(study, number, frames, as_localizer)
    doubts = [*doubts, *(f"{count} files of the series were left: {reason}" for reason, count in placeless.items())]
    try:
        stacks = sort_into_stacks(anatomy, stored_bytes)
    except InputError as error:
        study.left.append(f"series {number}: {error}")
        return
    found = []
    for stack in stacks:
        try:
            found.append(_scan(path, number, stack, doubts, volume))
        except InputError as error:
            study.left.append(f"{_described(number, stack.volumes[0])}: {error}")
    if len(found) > 1:
        found = [replace(scan, name=f"{scan.name}_stack-{index}") for index, scan in enumerate(found, start=1)]
    study.scans += found


def _placed(members: list[tuple[Dataset, DicomFile]]) -> tuple[list[Frame], Counter[str]]:
    """Pictures of a series' files, and why some files give none."""
    frames: list[Frame] = []
    placeless: Counter[str] = Counter()
    for header, file in members:
        try:
            frames += frames_of(header, file)
        except InputError as error:
            placeless[str(error) if "Rows" in header else f"{text_of(header, 'Modality')} without pictures"] += 1
    return frames, placeless


def _without_the_rest(study: DicomStudy, number: int, frames: list[Frame], as_localizer: bool) -> list[Frame]:
    """Those pictures of a series that show anatomy; the others go to what is left."""
    by_reason: dict[str | None, list[Frame]] = {}
    for frame in frames:
        reason = None if as_localizer and is_localizer(frame) else why_no_anatomy(frame)
        by_reason.setdefault(reason, []).append(frame)
    anatomy = by_reason.pop(None, [])
    study.left += [f"{_described(number, others)}: {reason}" for reason, others in by_reason.items()]
    return anatomy


def _scan(path: Path, number: int, stack: Stack, doubts: list[str], volume: int | None) -> DicomScan:
    """The scan that a stack is; InputError with the reason alone where it is left."""
    chosen = chosen_volume(len(stack.volumes), volume if len(stack.volumes) > 1 else None)
    frames = stack.volumes[chosen]
    geometry = stack_geometry(frames)
    _check_view(frames, geometry)
    contrast, plane = contrast_of(frames[0]), plane_of(frames[0])
    warnings = list(doubts)
    if stack.duplicates:
        warnings.append(f"{stack.duplicates} slices were there twice; one of each was used")
    if contrast not in _LEARNED:
        what = "not known from its header" if contrast == "MR" else contrast
        warnings.append(f"the contrast is {what}; labelling has learned T1w, T2w and STIR: check the result")
    headers = {text_of(frame.header, "SOPInstanceUID"): frame.header for frame in frames}
    name = f"series-{number:03d}_{contrast}" + (f"_volume-{chosen}" if len(stack.volumes) > 1 else "")
    return DicomScan(
        path, name, frames, geometry, DicomSource(list(headers.values()), number, contrast, plane), warnings
    )


def _check_view(frames: list[Frame], geometry: StackGeometry) -> None:
    shape = (*frames[0].shape, geometry.count)
    sizes = voxel_sizes(geometry.affine)
    if plane_of(frames[0]) != "sagittal" and sizes[2] > THICKEST_3D_MM:
        raise GeometryError(f"{plane_of(frames[0])}; labelling needs a sagittal or a 3D scan")
    turned, affine = reorient(np.broadcast_to(np.uint8(0), shape), geometry.affine)
    check_coverage(turned.shape, voxel_sizes(affine))


def _described(number: int, frames: list[Frame]) -> str:
    first = frames[0]
    modality, contrast = text_of(first.header, "Modality"), contrast_of(first)
    kind = modality if contrast == modality or modality != "MR" else f"{modality} {contrast}"
    pictures = "1 picture" if len(frames) == 1 else f"{len(frames)} pictures"
    return f"series {number} ({kind}, {plane_of(first)}, {pictures})"


def _tell_apart(study: DicomStudy) -> None:
    """Give scans of one name a name of their own, that depends on their series alone."""
    names = Counter(scan.name for scan in study.scans)
    for index, scan in enumerate(study.scans):
        if names[scan.name] > 1:
            series = text_of(scan.source.headers[0], "SeriesInstanceUID")
            digest = hashlib.sha256(series.encode()).hexdigest()[:6]
            study.scans[index] = replace(scan, name=f"{scan.name}_{digest}")
