"""Every form of DICOM is read with each voxel at its place, or refused with the reason."""

from __future__ import annotations

import shutil

import pytest
from tests.dicom_files import Volume, dcm2niix, difference
from tests.dicom_forms import forms

from lookonce.errors import InputError
from lookonce.io.scans import find_scans

FORMS = {form.name: form for form in forms()}
#: Few, because each starts a process; `benchmarks/dicom_forms.py` compares them all.
COMPARED = (
    "slices shuffled",
    "columns, rows, slices to AIL",
    "3D, axial",
    "scaled values",
    "enhanced, frames shuffled",
)
#: Positions are written to a millionth of a mm, directions to a billionth.
PLACES_MM = 1e-4


@pytest.mark.parametrize("name", [name for name, form in FORMS.items() if form.truth])
def test_every_voxel_is_read_at_its_place(name, tmp_path):
    form = FORMS[name]
    images = [scan.read() for scan in find_scans(form.write(tmp_path), volume=form.volume).scans]
    assert len(images) == len(form.truth)
    for image, truth in zip(images, form.truth, strict=True):
        places, voxels = difference(Volume(image.data, image.affine), truth)
        assert places < PLACES_MM
        assert voxels <= form.tolerance + 1e-3
        assert [form.warning] * bool(form.warning) == [form.warning for one in image.warnings if form.warning in one]


@pytest.mark.parametrize("name", [name for name, form in FORMS.items() if form.refusal])
def test_what_cannot_be_labelled_is_refused_with_the_reason(name, tmp_path):
    form = FORMS[name]
    path = form.write(tmp_path)
    with pytest.raises(InputError) as caught:
        find_scans(path, volume=form.volume).scans[0].read()
    message = str(caught.value)
    assert message.startswith(f"{path}: ")
    assert form.refusal in message
    assert "\n" not in message


@pytest.mark.skipif(shutil.which("dcm2niix") is None, reason="dcm2niix is not installed")
@pytest.mark.parametrize("name", COMPARED)
def test_voxels_and_places_are_those_of_dcm2niix(name, tmp_path):
    form = FORMS[name]
    (scan,) = find_scans(form.write(tmp_path)).scans
    image = scan.read()
    (theirs,) = dcm2niix(tmp_path / "dicom", tmp_path / "nifti")
    places, voxels = difference(Volume(image.data, image.affine), theirs)
    assert places < 1e-3  # single precision
    assert voxels <= 1e-3
