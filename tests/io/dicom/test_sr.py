"""The structured report and the picture, read back by pydicom and highdicom."""

from __future__ import annotations

import io

import highdicom as hd
import numpy as np
import pydicom
import pytest
from pydicom.sr.codedict import codes
from tests.dicom_files import PATIENT, enhanced, slices
from tests.dicom_forms import SAGITTAL

from lookonce.anatomy import REGULAR_LEVELS, Level
from lookonce.io.dicom.capture import secondary_capture
from lookonce.io.dicom.sr import SCHEME, SNOMED, level_code, shift_code, structured_report
from lookonce.io.dicom.study import DicomSource
from lookonce.landmarks import Disc, DiscLabels

LABELS = DiscLabels([Disc(Level.L4_L5, (1.5, -20.25, 8.0), 0.97), Disc(Level.L5_S1, (2.5, -10.0, -26.0), 0.6)])


def source(**values: object) -> DicomSource:
    return DicomSource(slices(SAGITTAL, **values), 5, "T2w", "sagittal")


def report(of: DicomSource, labels: DiscLabels = LABELS) -> hd.sr.Comprehensive3DSR:
    shift = {0: 0.9, 1: 0.08, -1: 0.02, 2: 0.0}
    model = {"name": "discs", "sha256": "ab" * 32}
    content = structured_report(of, labels, level_shift=shift, uncertain=True, model=model)
    read = hd.sr.srread(io.BytesIO(content))
    assert isinstance(read, hd.sr.Comprehensive3DSR)
    return read


def test_every_disc_is_a_coded_level_with_its_point_and_certainty():
    groups = report(source()).content.get_planar_roi_measurement_groups()
    for group, disc in zip(groups, LABELS, strict=True):
        assert group.finding_type == level_code(disc.level)
        assert group.finding_sites[0].value == level_code(disc.level)
        assert group.tracking_identifier == disc.level.label
        assert group.roi.graphic_type == hd.sr.GraphicTypeValues3D.POINT
        assert group.roi.value * (-1, -1, 1) == pytest.approx(np.array([disc.world_mm]), abs=1e-4)
        assert group.roi.frame_of_reference_uid == source().headers[0].FrameOfReferenceUID
        (certainty,) = group.get_measurements(name=codes.DCM.CertaintyOfFinding)
        assert certainty.value == pytest.approx(100 * disc.confidence)
        assert certainty.unit == codes.UCUM.Percent


def test_the_numbering_says_how_sure_it_is_and_what_else_it_may_be():
    (group,) = report(source()).content.get_image_measurement_groups()
    (certainty,) = group.get_measurements(name=codes.DCM.CertaintyOfImpression)
    assert certainty.value == pytest.approx(90)
    shares = {shift: group.get_measurements(name=shift_code(shift)) for shift in (-1, 1, 2)}
    assert shares[1][0].value == pytest.approx(8)
    assert shares[-1][0].value == pytest.approx(2)
    assert not shares[2]
    (state,) = group.get_qualitative_evaluations()
    assert state.value.meaning == "Uncertain"


@pytest.mark.parametrize("kind", ["classic", "enhanced"])
def test_the_report_belongs_to_the_study_and_names_its_images(kind):
    of = source() if kind == "classic" else DicomSource([enhanced(SAGITTAL)], 5, "T2w", "sagittal")
    first = of.headers[0]
    read = report(of)
    assert read.StudyInstanceUID == first.StudyInstanceUID
    assert read.SeriesInstanceUID != first.SeriesInstanceUID
    assert read.PatientID == PATIENT["PatientID"]
    assert read.SeriesNumber == 5001
    evidence = [
        *read.get("CurrentRequestedProcedureEvidenceSequence", []),
        *read.get("PertinentOtherEvidenceSequence", []),
    ]
    named = {
        (series.SeriesInstanceUID, instance.ReferencedSOPInstanceUID)
        for study in evidence
        for series in study.ReferencedSeriesSequence
        for instance in series.ReferencedSOPSequence
    }
    assert named == {(header.SeriesInstanceUID, header.SOPInstanceUID) for header in of.headers}
    assert read.content[0].ContentTemplateSequence[0].TemplateIdentifier == "1500"


def test_files_made_anonymous_can_be_reported_on():
    of = source()
    for header in of.headers:
        for keyword in (*PATIENT, "PatientSex", "StudyID", "StudyTime", "ReferringPhysicianName"):
            delattr(header, keyword)
    assert len(report(of).content.get_planar_roi_measurement_groups()) == 2


def test_codes_are_those_of_the_standard():
    for level in REGULAR_LEVELS[2:]:
        standard = getattr(codes.cid7604, f"{level.name.replace('_', '')}Disc")
        assert (SNOMED[level], level_code(level).meaning) == (standard.value, standard.meaning)
    for level in set(Level) - set(SNOMED):
        assert level_code(level).scheme_designator == SCHEME
        assert len(level_code(level).value) <= 16
    assert len(level_code(Level.L6_S1).meaning) <= 64
    assert len(shift_code(-10).meaning) <= 64


def test_the_picture_is_read_back_as_it_was_drawn():
    picture = np.random.default_rng(0).integers(0, 255, (60, 40, 3), dtype=np.uint8)
    of = source()
    read = pydicom.dcmread(io.BytesIO(secondary_capture(of, picture, spacing=0.5)))
    assert np.array_equal(read.pixel_array, picture)
    assert read.PatientOrientation == ["P", "F"]
    assert read.PixelSpacing == [0.5, 0.5]
    assert read.BurnedInAnnotation == "NO"
    assert read.StudyInstanceUID == of.headers[0].StudyInstanceUID
    assert {one.ReferencedSOPInstanceUID for one in read.SourceImageSequence} == {
        header.SOPInstanceUID for header in of.headers
    }
