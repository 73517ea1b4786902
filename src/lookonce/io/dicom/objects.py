"""What every DICOM object that is written shares: the source it refers to, its series, its bytes."""

from __future__ import annotations

import copy
import io
from typing import TYPE_CHECKING, Any

from lookonce import __version__
from lookonce.errors import LookOnceError
from lookonce.io.dicom.headers import import_pydicom
from lookonce.io.dicom.study import DicomSource

if TYPE_CHECKING:
    from pydicom import Dataset

#: Elements that a study must have, and may have empty; files made anonymous often lack them.
_MAY_BE_EMPTY = (
    *("PatientName", "PatientID", "PatientBirthDate", "PatientSex", "AccessionNumber", "StudyID"),
    *("StudyDate", "StudyTime", "ReferringPhysicianName"),
)
_LARGEST_SERIES_NUMBER = 2**31 - 1


def import_highdicom() -> Any:
    """Give the module highdicom.

    Raises
    ------
    LookOnceError
        If it is not installed.
    """
    import_pydicom()
    try:
        import highdicom
    except ModuleNotFoundError:
        raise LookOnceError("writing DICOM needs highdicom: pip install 'lookonce[dicom]'") from None
    return highdicom


def source_headers(source: DicomSource) -> list[Dataset]:
    """Headers of the source, with all that results repeat of them."""
    headers = []
    for header in source.headers:
        complete = copy.copy(header)
        for keyword in _MAY_BE_EMPTY:
            if keyword not in complete:
                setattr(complete, keyword, None)
        headers.append(complete)
    return headers


def results_series(source: DicomSource, place: int, description: str) -> dict[str, Any]:
    """Identifiers of a new series with one object, numbered after the source: series 5 gives 5001, 5002."""
    from highdicom import UID

    return {
        "series_instance_uid": UID(),
        "series_number": min(1000 * max(source.number, 0) + place, _LARGEST_SERIES_NUMBER),
        "sop_instance_uid": UID(),
        "instance_number": 1,
        "series_description": description,
        "manufacturer_model_name": "LookOnce",
        "software_versions": __version__,
        "device_serial_number": "none",
    }


def encoded(dataset: Dataset) -> bytes:
    """Bytes of a DICOM file."""
    file = io.BytesIO()
    dataset.save_as(file, enforce_file_format=True)
    return file.getvalue()
