"""Claims of an upload are checked before memory is taken; what is usual is read as the command reads it."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from tests.blobs import make_phantom
from tests.conftest import GREY, save_nifti
from tests.dicom_files import dicom_volume, save_series, slices, zipped

from lookonce.errors import InputError
from lookonce.io.nifti import read_image
from lookonce.server.refusals import SeveralScansError, TooLargeError
from lookonce.server.scans import read_upload
from lookonce.server.settings import Limits

LIMITS = Limits()


@pytest.fixture(scope="module")
def study(tmp_path_factory):
    """A zip with a T2w and a T1w of one phantom."""
    folder = tmp_path_factory.mktemp("study")
    image = make_phantom().image
    volume = dicom_volume((image.data - image.data.min()).astype(np.uint16), image.affine)
    save_series(slices(volume), folder / "in" / "a")
    save_series(slices(volume, seed="t1", number=6, EchoTime=9, RepetitionTime=600), folder / "in" / "b")
    return zipped(folder / "in", folder / "upload")


def test_a_usual_scan_is_read_as_the_command_reads_it(tmp_path):
    path = make_phantom().save(tmp_path / "upload.nii.gz")
    ours, theirs = read_upload(path, LIMITS), read_image(path)
    assert np.array_equal(ours.data, theirs.data)
    assert np.array_equal(ours.affine, theirs.affine)


def test_the_wanted_series_of_a_zip_is_read(study):
    image = read_upload(study, LIMITS, series="series-006_T1w")
    assert image.dicom is not None
    assert image.dicom.number == 6


@pytest.mark.parametrize(
    ("series", "message"), [(None, r"holds 2 scans \(series-005_T2w, series-006_T1w\)"), ("x", "no scan called x")]
)
def test_of_several_scans_one_must_be_chosen(study, series, message):
    with pytest.raises(SeveralScansError, match=message):
        read_upload(study, LIMITS, series=series)


def test_a_nifti_file_has_no_series(tmp_path):
    with pytest.raises(InputError, match="leave out the series"):
        read_upload(save_nifti(tmp_path / "upload"), LIMITS, series="series-005_T2w")


@pytest.mark.parametrize(
    ("limits", "message"),
    [
        (replace(LIMITS, voxels=GREY.size - 1), "claims 5 x 6 x 7 voxels"),
        (replace(LIMITS, image_bytes=GREY.nbytes), "MB when unpacked"),
    ],
)
def test_a_file_beyond_a_limit_is_refused_by_its_header_alone(tmp_path, monkeypatch, limits, message):
    monkeypatch.setattr("lookonce.server.scans.read_image", lambda *_, **__: pytest.fail("read"))
    with pytest.raises(TooLargeError, match=message):
        read_upload(save_nifti(tmp_path / "upload"), limits)


@pytest.mark.parametrize(
    ("limits", "message"),
    [
        (replace(LIMITS, voxels=1000), "claims .* voxels"),
        (replace(LIMITS, image_bytes=1000), "MB of pixels"),
        (replace(LIMITS, zip_bytes=1000), r"is a zip that claims \d+ files"),
        (replace(LIMITS, zip_files=3), r"is a zip that claims \d+ files"),
    ],
)
def test_a_series_beyond_a_limit_is_refused_before_its_pixels_are_read(study, monkeypatch, limits, message):
    monkeypatch.setattr("lookonce.io.dicom.study.read_voxels", lambda *_: pytest.fail("read"))
    with pytest.raises(TooLargeError, match=message):
        read_upload(study, limits, series="series-005_T2w")


@pytest.mark.parametrize("name", ["height_mm", "width_mm", "depth_mm"])
def test_a_room_larger_than_a_person_is_refused_whatever_the_order_of_its_axes(tmp_path, name):
    path = make_phantom().save(tmp_path / "upload.nii")
    with pytest.raises(TooLargeError, match="which no person is"):
        read_upload(path, replace(LIMITS, **{name: 30.0}))
