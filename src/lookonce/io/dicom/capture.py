"""A picture as a DICOM secondary capture of the study that it shows."""

from __future__ import annotations

import warnings

import numpy as np
from numpy.typing import NDArray

from lookonce.io.dicom.objects import encoded, results_series, source_headers
from lookonce.io.dicom.study import DicomSource


def secondary_capture(source: DicomSource, picture: NDArray[np.uint8], *, spacing: float) -> bytes:
    """A sagittal picture, seen from the left with the face to the left, as a secondary capture of the source's study.

    Parameters
    ----------
    source : DicomSource
        The labelled series; the picture names its files as what it was made from.
    picture : (H, W, 3) uint8 array
        RGB; rows run towards the feet, columns towards the back. Nothing in it may tell who the patient is.
    spacing : float
        Pixel size, mm.

    Returns
    -------
    bytes
        A DICOM file.
    """
    import highdicom as hd
    from pydicom import Dataset

    headers = source_headers(source)
    with warnings.catch_warnings():
        # highdicom's warnings repeat the patient's name.
        warnings.simplefilter("ignore")
        image = hd.sc.SCImage.from_ref_dataset(
            headers[0],
            pixel_array=picture,
            photometric_interpretation="RGB",
            bits_allocated=8,
            coordinate_system="PATIENT",
            patient_orientation=("P", "F"),
            pixel_spacing=(spacing, spacing),  # type: ignore[arg-type]  # its hint says int
            manufacturer="LookOnce",
            **results_series(source, 2, "LookOnce: disc levels, picture (research use)"),
        )
    image.ImageType = ["DERIVED", "SECONDARY"]
    image.BurnedInAnnotation = "NO"
    image.DerivationDescription = "Sagittal view along the spine with the names of the discs"
    references = []
    for header in headers:
        reference = Dataset()
        reference.ReferencedSOPClassUID, reference.ReferencedSOPInstanceUID = header.SOPClassUID, header.SOPInstanceUID
        references.append(reference)
    image.SourceImageSequence = references
    series = Dataset()
    series.SeriesInstanceUID, series.ReferencedInstanceSequence = headers[0].SeriesInstanceUID, references
    image.ReferencedSeriesSequence = [series]
    return encoded(image)
