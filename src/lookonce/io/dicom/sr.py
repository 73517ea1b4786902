"""Disc labels as a DICOM structured report: Comprehensive 3D SR by TID 1500, one 3D point and one coded level a disc.

Levels are those of SNOMED CT in PS3.16, CID 7604 "Intervertebral Disc". What the standard has no code for (discs of
numeric variants, the state of the numbering) is coded in a scheme of our own, which the report declares.
"""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from lookonce import __version__
from lookonce.anatomy import Level
from lookonce.io.dicom.frames import is_multi_frame
from lookonce.io.dicom.geometry import LPS_TO_RAS
from lookonce.io.dicom.objects import encoded, results_series, source_headers
from lookonce.io.dicom.study import DicomSource
from lookonce.landmarks import Disc, DiscLabels

if TYPE_CHECKING:
    from highdicom.sr import CodedConcept

SCHEME = "99LOOKONCE"
#: A shift of the numbering less probable than this is left out.
SMALLEST_SHARE = 0.005
#: From PS3.16, CID 7604, but for the joint of C1 and C2.
SNOMED = {
    Level.C1_C2: "62555009",
    Level.C2_C3: "1078209008",
    Level.C3_C4: "58820006",
    Level.C4_C5: "49400002",
    Level.C5_C6: "73959003",
    Level.C6_C7: "75095006",
    Level.C7_T1: "37414007",
    Level.T1_T2: "40908007",
    Level.T2_T3: "6004007",
    Level.T3_T4: "2620004",
    Level.T4_T5: "82965004",
    Level.T5_T6: "72692000",
    Level.T6_T7: "74401007",
    Level.T7_T8: "28693002",
    Level.T8_T9: "9188009",
    Level.T9_T10: "113209001",
    Level.T10_T11: "34959001",
    Level.T11_T12: "1537001",
    Level.T12_L1: "76206002",
    Level.L1_L2: "80064006",
    Level.L2_L3: "67459009",
    Level.L3_L4: "62551000",
    Level.L4_L5: "84020006",
    Level.L5_S1: "715056000",
}
#: Identifies the program as the observer, whatever its version; made from a random UUID.
_DEVICE_UID = "2.25.209596020156000542392996137885948403945"


def structured_report(
    source: DicomSource,
    labels: DiscLabels,
    *,
    level_shift: Mapping[int, float],
    uncertain: bool,
    model: Mapping[str, Any],
) -> bytes:
    """Disc labels as a structured report of the source's study.

    Parameters
    ----------
    source : DicomSource
        The labelled series; the report names its files as evidence and its frame of reference.
    labels : DiscLabels
        Points in RAS+ mm; at least one.
    level_shift : mapping of int to float
        Probability that the true level of every disc is the written one plus the key.
    uncertain : bool
        Whether the numbering is in doubt.
    model : mapping
        Name and sha256 of the weights.

    Returns
    -------
    bytes
        A DICOM file.
    """
    import highdicom as hd
    from highdicom.coding_schemes import CodingSchemeIdentificationItem
    from highdicom.sr import CodedConcept
    from pydicom.sr.codedict import codes

    headers = source_headers(source)
    algorithm = hd.sr.AlgorithmIdentification(
        name="LookOnce",
        version=__version__,
        parameters=[f"{key}={model[key]}" for key in ("name", "sha256") if model.get(key)],
    )
    frame_of_reference = headers[0].FrameOfReferenceUID
    groups = [_disc_group(disc, frame_of_reference, algorithm) for disc in labels]
    groups.append(_numbering_group(level_shift, uncertain, algorithm))
    device = hd.sr.DeviceObserverIdentifyingAttributes(
        uid=_DEVICE_UID, name="LookOnce", manufacturer_name="LookOnce", model_name=__version__
    )
    observer = hd.sr.ObserverContext(observer_type=codes.DCM.Device, observer_identifying_attributes=device)
    with warnings.catch_warnings():
        # highdicom's warnings repeat the patient's name.
        warnings.simplefilter("ignore")
        content = hd.sr.MeasurementReport(
            observation_context=hd.sr.ObservationContext(observer_device_context=observer),
            procedure_reported=CodedConcept("25056-3", "LN", "MRI unspecified body region"),
            imaging_measurements=groups,
            title=codes.DCM.ImagingMeasurementReport,
            # highdicom describes classic images alone in the library; all files are evidence in any case.
            referenced_images=None if is_multi_frame(headers[0]) else headers,
        )
        report = hd.sr.Comprehensive3DSR(
            evidence=headers,
            content=content[0],
            manufacturer="LookOnce",
            is_complete=True,
            coding_schemes=[
                CodingSchemeIdentificationItem(SCHEME, name="LookOnce", responsible_organization="LookOnce")
            ],
            **results_series(source, 1, "LookOnce: disc levels (research use)"),
        )
        return encoded(report)


def level_code(level: Level) -> CodedConcept:
    """SNOMED CT code of a disc; a code of our own for the top of C1 and the discs of numeric variants."""
    from highdicom.sr import CodedConcept

    if level is Level.C1_C2:
        # No disc lies there; the point marks the joint.
        return CodedConcept(SNOMED[level], "SCT", "Atlantoaxial joint")
    meaning = level.label if level is Level.C1_TOP else f"{level.label} disc"
    if level in SNOMED:
        return CodedConcept(SNOMED[level], "SCT", meaning)
    return CodedConcept(level.name, SCHEME, meaning)


def shift_code(shift: int) -> CodedConcept:
    """Code of the probability that every true level is the written one plus `shift`."""
    from highdicom.sr import CodedConcept

    return CodedConcept(f"SHIFT{shift:+d}", SCHEME, f"Probability that the true levels are the written ones {shift:+d}")


def _disc_group(disc: Disc, frame_of_reference: str, algorithm: Any) -> Any:
    import highdicom as hd
    from pydicom.sr.codedict import codes

    code = level_code(disc.level)
    # The matrix is its own inverse.
    point = LPS_TO_RAS[:3, :3] @ np.array(disc.world_mm)
    return hd.sr.PlanarROIMeasurementsAndQualitativeEvaluations(
        tracking_identifier=hd.sr.TrackingIdentifier(uid=hd.UID(), identifier=disc.level.label),
        referenced_region=hd.sr.ImageRegion3D(
            graphic_type=hd.sr.GraphicTypeValues3D.POINT,
            graphic_data=point[None],
            frame_of_reference_uid=frame_of_reference,
        ),
        finding_category=codes.SCT.AnatomicalStructure,
        finding_type=code,
        finding_sites=[hd.sr.FindingSite(anatomic_location=code)],
        algorithm_id=algorithm,
        measurements=[_percent(codes.DCM.CertaintyOfFinding, disc.confidence)],
    )


def _numbering_group(level_shift: Mapping[int, float], uncertain: bool, algorithm: Any) -> Any:
    """How sure the numbering of all discs together is, and which others are possible."""
    import highdicom as hd
    from highdicom.sr import CodedConcept
    from pydicom.sr.codedict import codes

    state = CodedConcept("UNCERTAIN", SCHEME, "Uncertain") if uncertain else CodedConcept("CERTAIN", SCHEME, "Certain")
    others = [(shift_code(shift), share) for shift, share in sorted(level_shift.items()) if shift]
    return hd.sr.MeasurementsAndQualitativeEvaluations(
        tracking_identifier=hd.sr.TrackingIdentifier(uid=hd.UID(), identifier="numbering"),
        finding_type=CodedConcept("NUMBERING", SCHEME, "Numbering of the intervertebral discs"),
        algorithm_id=algorithm,
        measurements=[
            _percent(codes.DCM.CertaintyOfImpression, level_shift.get(0, 0.0)),
            *(_percent(name, share) for name, share in others if share >= SMALLEST_SHARE),
        ],
        qualitative_evaluations=[
            hd.sr.QualitativeEvaluation(name=CodedConcept("STATE", SCHEME, "State of the numbering"), value=state)
        ],
    )


def _percent(name: Any, share: float) -> Any:
    import highdicom as hd
    from pydicom.sr.codedict import codes

    return hd.sr.Measurement(name=name, value=round(100 * share, 2), unit=codes.UCUM.Percent)
