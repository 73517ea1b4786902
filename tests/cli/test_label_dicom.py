"""`lookonce label` on DICOM: every series a result, results for the PACS, and nothing said about the patient."""

from __future__ import annotations

import json
from importlib import resources
from pathlib import Path

import highdicom as hd
import numpy as np
import pydicom
import pytest
from tests.blobs import CERVICAL, make_phantom, write_blob_model
from tests.dicom_files import PATIENT, Volume, dicom_volume, save_series, slices, zipped
from tests.dicom_forms import axial

from lookonce.anatomy import Level
from lookonce.io.bids import read_labels
from lookonce.io.dicom.sr import level_code
from lookonce.io.nifti import read_image


@pytest.fixture(scope="module")
def model(tmp_path_factory) -> Path:
    """A model that finds painted blobs and counts them down from C2/C3."""
    return write_blob_model(tmp_path_factory.mktemp("model") / "blobs.onnx", first_level=3)


@pytest.fixture(scope="module")
def phantom():
    return make_phantom()


@pytest.fixture
def study(phantom, tmp_path) -> Path:
    """A folder with a T2w and a T1w of the phantom and an axial stack."""
    volume = as_dicom(phantom.image.data, phantom.image.affine)
    folder = tmp_path / "in" / "study"
    save_series(slices(volume), folder / "a", order=np.random.default_rng(0).permutation(volume.data.shape[2]))
    save_series(slices(volume, seed="t1", number=6, EchoTime=9, RepetitionTime=600), folder / "b")
    save_series(slices(axial(), seed="axial", number=7), folder / "c")
    return folder


def as_dicom(data: np.ndarray, affine: np.ndarray) -> Volume:
    """A sagittal series of 12 bits with the grey values of an image."""
    grey = np.asarray(data, dtype=float) - data.min()
    return dicom_volume(np.rint(4095 * grey / grey.max()).astype(np.uint16), affine)


def all_that_is_told(folder: Path) -> str:
    """Names and texts of all files below a folder but for DICOM objects."""
    texts = [path.name for path in folder.rglob("*")]
    texts += [path.read_text() for path in folder.rglob("*") if path.suffix in (".json", ".csv", ".html")]
    return " ".join(texts)


def test_every_series_is_a_result_and_nothing_tells_who_the_patient_is(run_command, model, study, phantom, tmp_path):
    words = ("label", study, "--model", model, "-o", tmp_path / "out", "--qc", tmp_path / "qc", "--dicom", "--json")
    code, stdout, stderr = run_command(*words)
    assert code == 0, stderr
    results = json.loads(stdout)["results"]
    assert [result["series"] for result in results] == [
        {"number": 5, "contrast": "T2w", "plane": "sagittal"},
        {"number": 6, "contrast": "T1w", "plane": "sagittal"},
    ]
    for result, name in zip(results, ("study_series-005_T2w", "study_series-006_T1w"), strict=True):
        assert [disc["level"] for disc in result["discs"]] == list(CERVICAL)
        points = np.array([disc["world_mm"] for disc in result["discs"]])
        assert points == pytest.approx(phantom.points, abs=0.5)
        assert set(result["outputs"]) == {"labels", "sidecar", "csv", "result", "report", "picture"}
        assert all(Path(path).is_file() and Path(path).name.startswith(name) for path in result["outputs"].values())
        labels = read_labels(result["outputs"]["labels"])
        assert np.abs(labels.points - phantom.points).max() <= 2.5  # half a voxel
    assert "left: series 7 (MR T2w, axial, 14 pictures): axial" in stderr
    told = all_that_is_told(tmp_path / "out") + all_that_is_told(tmp_path / "qc") + stdout + stderr
    assert not any(value in told for value in (*PATIENT.values(), "Doe", "4711"))


def test_a_zip_of_it_gives_the_same_beside_it(run_command, model, study):
    path = zipped(study / "a", study.parent / "scan.zip")
    code, stdout, stderr = run_command("label", path, "--model", model, "--json")
    assert code == 0, stderr
    (result,) = json.loads(stdout)["results"]
    assert Path(result["outputs"]["labels"]).parent == path.parent
    assert Path(result["outputs"]["labels"]).name == "scan_series-005_T2w_label-discs_dlabel.nii.gz"
    assert "series" in result
    assert not list(path.parent.rglob("*.part"))


def test_a_localizer_series_numbers_another_scan(run_command, model, phantom, study, tmp_path):
    scout = as_dicom(phantom.image.data, phantom.image.affine)
    kind = ["ORIGINAL", "PRIMARY", "LOCALIZER"]
    folder = save_series(slices(scout, ImageType=kind, seed="scout", number=1), tmp_path / "scout")
    words = ("label", study / "a", "--localizer", folder, "--model", model, "-o", tmp_path / "out", "--json")
    code, stdout, stderr = run_command(*words)
    assert code == 0, stderr
    assert "localizer" in json.loads(stdout)["results"][0]["counted_from"]


def test_dicom_results_of_nifti_are_refused(run_command, model, phantom, tmp_path):
    scan = phantom.save(tmp_path / "in" / "sub-01_T2w.nii.gz")
    code, _, stderr = run_command("label", scan, "--model", model, "--dicom")
    assert code == 2
    assert "is NIfTI, which does not say whose study" in stderr
    assert [path.name for path in scan.parent.iterdir()] == [scan.name]


def test_a_series_without_frame_of_reference_gets_no_dicom_results(run_command, model, phantom, tmp_path):
    series = slices(as_dicom(phantom.image.data, phantom.image.affine))
    for one in series:
        del one.FrameOfReferenceUID
    folder = save_series(series, tmp_path / "study")
    code, _, stderr = run_command("label", folder, "--model", model, "--dicom")
    assert code == 2
    assert "have no FrameOfReferenceUID" in stderr


def test_a_folder_without_a_usable_series_is_unreadable_and_does_not_stop_others(run_command, model, study, tmp_path):
    code, stdout, stderr = run_command("label", study / "c", study / "a", "--model", model, "-o", tmp_path, "--json")
    assert code == 3
    refused, labelled = json.loads(stdout)["results"]
    assert refused["error"]["kind"] == "unreadable"
    assert "holds no MR series that can be labelled: series 7" in refused["error"]["message"]
    assert labelled["discs"]
    assert "Traceback" not in stderr


def test_a_simulated_scan_is_labelled_as_the_same_scan_in_nifti(run_command, tmp_path):
    with resources.as_file(resources.files("lookonce.examples") / "sub-simulated_T2w.nii.gz") as scan:
        image = read_image(scan)
        code, stdout, stderr = run_command("label", scan, "-o", tmp_path / "nifti", "--json")
        assert code == 0, stderr
    folder = save_series(slices(as_dicom(image.data, image.affine)), tmp_path / "dicom")
    code, from_dicom, stderr = run_command("label", folder, "-o", tmp_path / "out", "--dicom", "--json")
    assert code == 0, stderr
    (expected,), (result,) = (json.loads(text)["results"] for text in (stdout, from_dicom))
    assert [disc["name"] for disc in result["discs"]] == [disc["name"] for disc in expected["discs"]]
    for disc, known in zip(result["discs"], expected["discs"], strict=True):
        assert np.linalg.norm(np.subtract(disc["world_mm"], known["world_mm"])) < 0.5
    check_dicom_results(result, folder)


def check_dicom_results(result: dict, folder: Path) -> None:
    """The report holds the discs of a result, the picture is one of its study, and both name its files."""
    source = pydicom.dcmread(next(folder.iterdir()))
    report, picture = hd.sr.srread(result["outputs"]["report"]), pydicom.dcmread(result["outputs"]["picture"])
    groups = report.content.get_planar_roi_measurement_groups()
    for group, disc in zip(groups, result["discs"], strict=True):
        assert group.tracking_identifier == disc["name"]
        assert group.roi.value[0] * (-1, -1, 1) == pytest.approx(disc["world_mm"], abs=2e-3)
        assert group.finding_type == level_code(Level.from_label(disc["name"]))
    for result_object in (report, picture):
        assert result_object.StudyInstanceUID == source.StudyInstanceUID
        assert result_object.PatientName == source.PatientName
    assert picture.pixel_array.shape[2] == 3
    assert np.ptp(picture.pixel_array) > 200
    assert len(picture.SourceImageSequence) == len(list(folder.iterdir()))
