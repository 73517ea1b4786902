from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
from tests.conftest import GREY, oblique, save_nifti

from lookonce.errors import GeometryError
from lookonce.io.nifti import read_image


def save_forms(path: Path, sform, sform_code, qform, qform_code) -> Path:
    image = nib.Nifti1Image(GREY, None)
    image.set_qform(qform, qform_code)
    image.set_sform(sform, sform_code)
    nib.save(image, path)
    return path


@pytest.mark.parametrize(
    ("sform_code", "qform_code", "shift", "turn", "used", "warning"),
    [
        (1, 1, 0, 0, "sform", None),
        (1, 1, 0.9, 0, "sform", None),
        (1, 1, 3, 0, "sform", "disagree by up to 3.0 mm and 0.0 degrees; the sform was used"),
        (2, 4, 0, 9, "sform", "8.7 degrees; the sform was used"),
        (0, 1, 3, 9, "qform", None),
        (1, 0, 3, 9, "sform", None),
    ],
)
def test_the_sform_counts_before_the_qform(tmp_path, sform_code, qform_code, shift, turn, used, warning):
    forms = {"sform": oblique(), "qform": oblique(12 + turn, shift)}
    image = read_image(save_forms(tmp_path / "a.nii", forms["sform"], sform_code, forms["qform"], qform_code))
    assert image.affine == pytest.approx(forms[used], abs=1e-3)
    assert len(image.warnings) == (warning is not None)
    assert warning is None or warning in image.warnings[0]


def test_a_header_without_orientation_is_read_with_a_warning(tmp_path):
    path = save_forms(tmp_path / "a.nii", oblique(), 0, oblique(), 0)
    image = read_image(path)
    assert "no orientation" in image.warnings[0]
    assert image.affine == pytest.approx(nib.load(path).affine)


def test_a_broken_form_is_passed_over_with_a_warning_if_the_other_is_sound(tmp_path):
    image = read_image(save_forms(tmp_path / "a.nii", np.zeros((4, 4)), 1, oblique(), 1))
    assert image.affine == pytest.approx(oblique(), abs=1e-4)
    assert "sform is broken and was ignored; the qform was used" in image.warnings[0]


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"pixdim": [1, 0, 1, 1, 0, 0, 0, 0]}, "voxels of 0 x 1 x 1 mm; convert"),
        ({"pixdim": [1, 1, 1, np.nan, 0, 0, 0, 0]}, "voxels of 1 x 1 x nan mm"),
        ({"srow_x": np.nan, "qform_code": 0}, "sform: the header's affine is not finite"),
        ({"srow_x": 0, "qform_code": 0}, "sform: the header gives voxels of"),
    ],
)
def test_a_header_that_places_nothing_is_refused(tmp_path, fields, message):
    with pytest.raises(GeometryError, match=f"a.nii.gz: .*{message}"):
        read_image(save_nifti(tmp_path / "a.nii.gz", **fields))
