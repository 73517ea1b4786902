"""A labelled scan as DICOM objects of its own study: a structured report and a picture."""

from __future__ import annotations

import numpy as np

from lookonce import __version__
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
    """
    report = structured_report(
        source,
        result.labels,
        level_shift=result.level_shift,
        uncertain=result.uncertain,
        model=result.model,
    )
    title = f"series {source.number}, LookOnce {__version__}, research use"
    picture = labelled_picture(result, title=title)
    return {"report": report, "picture": secondary_capture(source, np.asarray(picture), spacing=1 / SCALE)}
