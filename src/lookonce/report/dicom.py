"""A labelled scan as DICOM objects of its own study: a structured report and a picture."""

from __future__ import annotations

import numpy as np

from lookonce import __version__
from lookonce.errors import OutputError
from lookonce.io.dicom.capture import secondary_capture
from lookonce.io.dicom.sr import structured_report
from lookonce.io.dicom.study import DicomSource
from lookonce.labeling import LabelResult
from lookonce.report.pictures import SCALE, labelled_picture


def dicom_objects(source: DicomSource, result: LabelResult) -> dict[str, bytes]:
    """Contents of the ``report`` and ``picture`` files of a labelled series.

    Parameters
    ----------
    source : DicomSource
        The series that was labelled; see `lookonce.results.check_dicom`.
    result : LabelResult
        With its view.

    Raises
    ------
    OutputError
        If the headers of the series are such that no valid object can be made after them.
    """
    title = f"series {source.number}, LookOnce {__version__}, research use"
    picture = np.asarray(labelled_picture(result, title=title))
    try:
        report = structured_report(
            source,
            result.labels,
            level_shift=result.level_shift,
            uncertain=result.uncertain,
            model=result.model,
        )
        return {"report": report, "picture": secondary_capture(source, picture, spacing=1 / SCALE)}
    except Exception as error:  # highdicom checks what it copies, and its words may hold the patient's data
        raise OutputError(
            f"the headers of series {source.number} allow no DICOM results ({type(error).__name__}); leave out --dicom"
        ) from None
