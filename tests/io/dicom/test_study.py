"""Which series of a study are labelled, which are left and why; nothing that is said tells who the patient is."""

from __future__ import annotations

import builtins

import numpy as np
import pytest
from pydicom.uid import generate_uid
from tests.dicom_files import PATIENT, save, save_series, slices
from tests.dicom_forms import SAGITTAL, axial, forms, grey

from lookonce.errors import InputError, LookOnceError
from lookonce.io.dicom.study import read_study
from lookonce.io.nifti import read_volume, write_labels
from lookonce.io.scans import find_scans, read_scan

SCOUT = {"ImageType": ["ORIGINAL", "PRIMARY", "LOCALIZER"], "seed": "scout", "number": 1}
STUDY = next(form for form in forms() if form.name == "T2w and T1w with axial and scout")


def test_every_usable_series_is_found_and_the_others_are_listed(tmp_path):
    study = read_study(STUDY.write(tmp_path))
    assert [scan.name for scan in study.scans] == ["series-005_T2w", "series-006_T1w"]
    assert study.left == [
        "series 1 (MR T2w, sagittal, 9 pictures): a localizer; to number other scans by it, name it with --localizer",
        "series 7 (MR T2w, axial, 14 pictures): axial; labelling needs a sagittal or a 3D scan",
    ]
    image = study.scans[1].read()
    assert image.dicom.summary == {"number": 6, "contrast": "T1w", "plane": "sagittal"}
    assert len(image.dicom.headers) == 9
    with pytest.raises(InputError, match=r"holds 2 scans \(series-005_T2w, series-006_T1w\)"):
        read_scan(tmp_path / "dicom")


def test_a_localizer_counts_where_one_is_asked_for(tmp_path):
    folder = save_series(slices(grey(1), **SCOUT), tmp_path / "dicom")
    assert read_scan(folder, as_localizer=True).data.shape == grey(1).data.shape
    with pytest.raises(InputError, match="a localizer"):
        read_scan(folder)


def test_series_of_one_number_get_names_that_do_not_depend_on_each_other(tmp_path):
    save_series(slices(SAGITTAL), tmp_path / "dicom" / "a")
    save_series(slices(grey(1), seed="again"), tmp_path / "dicom" / "b")
    names = [scan.name for scan in read_study(tmp_path / "dicom").scans]
    assert len(set(names)) == 2
    assert all(name.startswith("series-005_T2w_") for name in names)


def test_nothing_that_is_said_tells_who_the_patient_is(tmp_path, recwarn):
    series = slices(SAGITTAL, SeriesDescription="Doe^Jane spine", ProtocolName="ID-4711", StudyDescription="Doe^Jane")
    save_series(series, tmp_path / "dicom" / "a")
    save_series(slices(axial(), seed="axial", number=7), tmp_path / "dicom" / "b")
    for file in (tmp_path / "dicom").rglob("IM*"):  # a name where a number belongs
        file.write_bytes(file.read_bytes().replace(b"3500.0", b"Doe^Ja"))
    recwarn.clear()
    study = read_study(tmp_path / "dicom")
    image = study.scans[0].read()
    said = " ".join([*map(str, recwarn), *study.left, study.scans[0].name, *image.warnings])
    assert not any(value in said for value in (*PATIENT.values(), "Doe", "4711"))


@pytest.mark.parametrize(
    ("timing", "contrast", "is_warned"),
    [
        ({"RepetitionTime": 3500, "EchoTime": 102}, "T2w", False),
        ({"RepetitionTime": 600, "EchoTime": 9}, "T1w", False),
        ({"RepetitionTime": 2000, "EchoTime": 9, "InversionTime": 860}, "T1w", False),
        ({"RepetitionTime": 4000, "EchoTime": 40, "InversionTime": 160}, "STIR", False),
        ({"RepetitionTime": 2500, "EchoTime": 15}, "PDw", True),
        ({"ScanningSequence": "GR", "RepetitionTime": 500, "EchoTime": 18}, "T2starw", True),
        ({"ScanningSequence": ["GR", "IR"], "RepetitionTime": 2300, "EchoTime": 3, "InversionTime": 900}, "T1w", False),
        ({"EchoTime": None}, "MR", True),
    ],
)
def test_the_contrast_is_told_from_the_timing(tmp_path, timing, contrast, is_warned):
    save(slices(SAGITTAL, **timing)[0], tmp_path / "one")
    (scan,) = read_study(tmp_path).scans
    assert scan.name == f"series-005_{contrast}"
    assert any("contrast" in warning for warning in scan.warnings) is is_warned


def test_an_exact_repetition_is_a_volume_and_a_copy_is_not(tmp_path):
    other = type(SAGITTAL)(np.ascontiguousarray(SAGITTAL.data[::-1]), SAGITTAL.affine)
    again = slices(other)
    for one in again:
        one.SOPInstanceUID = generate_uid()
    folder = save_series([*slices(SAGITTAL), *again], tmp_path / "dicom")
    with pytest.raises(InputError, match="2 volumes"):
        read_study(folder)
    assert np.array_equal(np.sort(read_scan(folder, volume=1).data, axis=None), np.sort(SAGITTAL.data, axis=None))
    with pytest.raises(InputError, match="has no volume 2"):
        read_study(folder, volume=2)


def test_without_pydicom_the_remedy_is_told(tmp_path, monkeypatch):
    folder = save_series(slices(SAGITTAL)[:1], tmp_path / "dicom")
    real = builtins.__import__

    def without(name, *args, **options):
        if name.partition(".")[0] == "pydicom":
            raise ModuleNotFoundError(name=name)
        return real(name, *args, **options)

    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(LookOnceError, match=r"pip install 'lookonce\[dicom\]'"):
        find_scans(folder)


def test_labels_of_sheared_slices_lie_on_them(tmp_path):
    tilted = next(form for form in forms() if form.name == "tilted gantry (sheared)")
    image = read_scan(tilted.write(tmp_path))
    write_labels(tmp_path / "labels.nii.gz", np.zeros(image.data.shape, np.uint8), image)
    labels = read_volume(tmp_path / "labels.nii.gz")
    assert labels.affine == pytest.approx(image.affine, abs=1e-3)
    assert not labels.warnings
