"""Simulated scans written as DICOM with pydicom, in the forms that scanners, PACS and people make of them."""

from __future__ import annotations

import subprocess
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import nibabel as nib
import numpy as np
from numpy.typing import NDArray
from pydicom import Dataset, FileDataset, dcmwrite
from pydicom.dataelem import DataElement
from pydicom.dataset import FileMetaDataset
from pydicom.uid import (
    UID,
    EnhancedMRImageStorage,
    ExplicitVRBigEndian,
    ExplicitVRLittleEndian,
    MRImageStorage,
    generate_uid,
)

#: No log, page or file name may hold these.
PATIENT = {
    "PatientName": "Doe^Jane",
    "PatientID": "ID-4711",
    "PatientBirthDate": "19700131",
    "AccessionNumber": "ACC815",
}
LPS = np.diag([-1.0, -1.0, 1.0])


@dataclass(frozen=True)
class Volume:
    """A volume as DICOM sees it.

    Attributes
    ----------
    data : (columns, rows, slices) integer array
    affine : (4, 4) array
        Voxel to RAS+ world, mm.
    """

    data: NDArray
    affine: NDArray

    def position(self, index: float) -> NDArray:
        """Centre of the first pixel of a slice, LPS mm."""
        return LPS @ (self.affine[:3, 3] + index * self.affine[:3, 2])

    @property
    def cosines(self) -> NDArray:
        """Directions along a row and down a column, LPS, (6,)."""
        axes = LPS @ self.affine[:3, :2]
        return (axes / np.linalg.norm(axes, axis=0)).T.ravel()

    @property
    def sizes(self) -> NDArray:
        return np.linalg.norm(self.affine[:3, :3], axis=0)


def dicom_volume(data: NDArray, affine: NDArray, axes: str = "PIL") -> Volume:
    """A volume with columns, rows and slices along the given directions: PIL is sagittal, as scanners write it."""
    turn = nib.orientations.ornt_transform(
        nib.orientations.io_orientation(affine), nib.orientations.axcodes2ornt(tuple(axes))
    )
    turned = nib.orientations.apply_orientation(data, turn)
    return Volume(np.ascontiguousarray(turned), affine @ nib.orientations.inv_ornt_aff(turn, data.shape))


def base_header(
    volume: Volume, *, seed: str = "series", study: str = "study", number: int = 5, **values: object
) -> Dataset:
    """What all files of a series have in common; the same seeds give the same UIDs."""
    header = Dataset()
    bits = 12 if volume.data.dtype == np.uint16 else 8 * volume.data.itemsize
    fields: dict[str, object] = {
        "SpecificCharacterSet": "ISO_IR 192",
        "ImageType": ["ORIGINAL", "PRIMARY", "M", "ND"],
        "SOPClassUID": MRImageStorage,
        "StudyInstanceUID": generate_uid(entropy_srcs=[study]),
        "SeriesInstanceUID": generate_uid(entropy_srcs=[study, seed]),
        "FrameOfReferenceUID": generate_uid(entropy_srcs=[study, "frame"]),
        "PositionReferenceIndicator": "",
        "Modality": "MR",
        "Manufacturer": "Simulated",
        "SeriesNumber": number,
        "StudyDate": "20250102",
        "StudyTime": "101112",
        "StudyID": "1",
        "ReferringPhysicianName": "",
        "SeriesDescription": "t2_tse_sag",
        "AcquisitionNumber": 1,
        "PatientSex": "F",
        **PATIENT,
        "ScanningSequence": "SE",
        "SequenceVariant": "SK",
        "ScanOptions": "",
        "MRAcquisitionType": "2D",
        "RepetitionTime": 3500.0,
        "EchoTime": 102.0,
        "EchoTrainLength": 15,
        "MagneticFieldStrength": 3.0,
        "SliceThickness": round(float(volume.sizes[2]), 4),
        "SpacingBetweenSlices": round(float(volume.sizes[2]), 4),
        "PixelSpacing": [float(volume.sizes[1]), float(volume.sizes[0])],
        "ImageOrientationPatient": [round(float(cosine), 9) for cosine in volume.cosines],
        "Rows": volume.data.shape[1],
        "Columns": volume.data.shape[0],
        "SamplesPerPixel": 1,
        "PhotometricInterpretation": "MONOCHROME2",
        "BitsAllocated": 8 * volume.data.itemsize,
        "BitsStored": bits,
        "HighBit": bits - 1,
        "PixelRepresentation": int(volume.data.dtype.kind == "i"),
    }
    for keyword, value in (fields | values).items():
        setattr(header, keyword, value)
    return header


def slices(volume: Volume, places: Sequence[float] | None = None, **values: object) -> list[Dataset]:
    """A classic series, one data set a slice, in the order of the slices; `places` are slice indices of each."""
    series = []
    for index in range(volume.data.shape[2]):
        place = index if places is None else places[index]
        header = base_header(volume, **values)  # type: ignore[arg-type]
        header.InstanceNumber = index + 1
        header.SOPInstanceUID = generate_uid(entropy_srcs=[header.SeriesInstanceUID, str(index)])
        header.ImagePositionPatient = [round(float(value), 6) for value in volume.position(place)]
        header.SliceLocation = round(float(volume.position(place) @ np.cross(*volume.cosines.reshape(2, 3))), 6)
        set_pixels(header, volume.data[:, :, index].T)
        series.append(header)
    return series


def enhanced(volume: Volume, order: Sequence[int] | None = None, **values: object) -> Dataset:
    """One enhanced multi-frame object with its frames in any order."""
    order = list(range(volume.data.shape[2]) if order is None else order)
    header = base_header(volume, SOPClassUID=EnhancedMRImageStorage, **values)  # type: ignore[arg-type]
    shared, frames = Dataset(), []
    measures, plane, transform = Dataset(), Dataset(), Dataset()
    measures.SliceThickness, measures.PixelSpacing = header.SliceThickness, header.PixelSpacing
    measures.SpacingBetweenSlices = header.SpacingBetweenSlices
    plane.ImageOrientationPatient = header.ImageOrientationPatient
    transform.RescaleIntercept, transform.RescaleSlope, transform.RescaleType = 0, 1, "US"
    timing, echo, kind = Dataset(), Dataset(), Dataset()
    timing.RepetitionTime, echo.EffectiveEchoTime = header.RepetitionTime, header.EchoTime
    kind.FrameType, kind.ComplexImageComponent = ["ORIGINAL", "PRIMARY", "M", "NONE"], "MAGNITUDE"
    shared.PixelMeasuresSequence, shared.PlaneOrientationSequence = [measures], [plane]
    shared.PixelValueTransformationSequence = [transform]
    shared.MRTimingAndRelatedParametersSequence, shared.MREchoSequence = [timing], [echo]
    shared.MRImageFrameTypeSequence = [kind]
    for place in order:
        frame, position, content = Dataset(), Dataset(), Dataset()
        position.ImagePositionPatient = [round(float(value), 6) for value in volume.position(place)]
        content.StackID, content.InStackPositionNumber = "1", place + 1
        content.DimensionIndexValues, content.TemporalPositionIndex = [1, place + 1], 1
        frame.PlanePositionSequence, frame.FrameContentSequence = [position], [content]
        frames.append(frame)
    for keyword in (
        *("SliceThickness", "SpacingBetweenSlices", "PixelSpacing", "ImageOrientationPatient", "EchoTime"),
        *("RepetitionTime", "ScanningSequence", "SequenceVariant", "ScanOptions", "AcquisitionNumber"),
    ):
        delattr(header, keyword)
    header.SharedFunctionalGroupsSequence, header.PerFrameFunctionalGroupsSequence = [shared], frames
    header.NumberOfFrames, header.InstanceNumber = len(order), 1
    header.SOPInstanceUID = generate_uid(entropy_srcs=[header.SeriesInstanceUID, "enhanced"])
    set_pixels(header, volume.data.transpose(2, 1, 0)[order])
    return header


def set_pixels(header: Dataset, pixels: NDArray) -> None:
    """Store pixels, (rows, columns) or (frames, rows, columns), uncompressed."""
    stored = np.ascontiguousarray(pixels).tobytes()
    vr = "OB" if pixels.itemsize == 1 else "OW"
    header["PixelData"] = DataElement(0x7FE00010, vr, stored + b"\0" * (len(stored) % 2))


def save(header: Dataset, path: Path, syntax: str = ExplicitVRLittleEndian, *, packed: bool = False) -> Path:
    """Write a data set as a DICOM file, compressed where the syntax says so and it is not `packed` yet."""
    path.parent.mkdir(parents=True, exist_ok=True)
    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID, meta.MediaStorageSOPInstanceUID = header.SOPClassUID, header.SOPInstanceUID
    meta.TransferSyntaxUID = ExplicitVRLittleEndian
    dataset = FileDataset(None, header, file_meta=meta, preamble=b"\0" * 128)
    if UID(syntax).is_encapsulated and not packed:
        dataset.compress(syntax, generate_instance_uid=False)
    elif syntax == ExplicitVRBigEndian:
        dataset.PixelData = np.frombuffer(dataset.PixelData, "<u2").byteswap().tobytes()
    dataset.file_meta.TransferSyntaxUID = UID(syntax)
    if syntax == ExplicitVRBigEndian:
        dcmwrite(path, dataset, implicit_vr=False, little_endian=False, force_encoding=True)
    else:
        dataset.save_as(path, enforce_file_format=True)
    return path


def save_series(
    headers: Sequence[Dataset],
    folder: Path,
    *,
    order: Sequence[int] | None = None,
    syntax: str = ExplicitVRLittleEndian,
) -> Path:
    """Write a series as files whose names follow `order`, so that a folder's listing shuffles the slices."""
    for name, index in enumerate(range(len(headers)) if order is None else order):
        save(headers[index], folder / f"IM{name:04d}", syntax)
    return folder


def zipped(folder: Path, path: Path) -> Path:
    """Zip a folder."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for file in sorted(folder.rglob("*")):
            if file.is_file():
                archive.write(file, file.relative_to(folder.parent))
    return path


def difference(one: Volume, other: Volume) -> tuple[float, float]:
    """Largest difference of corners in mm and of grey values, whatever the order and direction of the axes."""
    one, other = _canonical(one), _canonical(other)
    if one.data.shape != other.data.shape:
        return np.inf, np.inf
    ends = [(0, length - 1) for length in one.data.shape]
    corners = np.stack(np.meshgrid(*ends, [1], indexing="ij"), -1).reshape(-1, 4)
    places = float(np.linalg.norm(corners @ (one.affine - other.affine).T, axis=1).max())
    return places, float(np.abs(one.data.astype(float) - other.data).max())


def dcm2niix(source: Path, out: Path) -> list[Volume]:
    """Volumes that dcm2niix makes of a folder."""
    out.mkdir()
    subprocess.run(["dcm2niix", "-z", "n", "-o", str(out), str(source)], capture_output=True, check=False)
    images = [nib.load(path) for path in sorted(out.glob("*.nii"))]
    return [Volume(np.asanyarray(image.dataobj), image.affine) for image in images]


def _canonical(volume: Volume) -> Volume:
    turn = nib.orientations.io_orientation(volume.affine)
    data = nib.orientations.apply_orientation(volume.data, turn)
    return Volume(data, volume.affine @ nib.orientations.inv_ornt_aff(turn, volume.data.shape))
