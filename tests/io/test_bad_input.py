"""Every kind of bad NIfTI file gives one clear line."""

import gzip
import os
from pathlib import Path

import numpy as np
import pytest
from tests.conftest import GREY, SHAPE, save_nifti

from lookonce.errors import InputError
from lookonce.io.nifti import read_image, read_volume


def truncated(path: Path) -> None:
    noise = np.random.default_rng(0).integers(0, 30000, (60, 60, 60)).astype(np.int16)
    content = save_nifti(path, noise).read_bytes()
    path.write_bytes(content[: len(content) // 3])


def flipped(path: Path) -> None:
    content = bytearray(save_nifti(path).read_bytes())
    content[len(content) // 2] ^= 0xFF
    path.write_bytes(content)


def annex_link(path: Path) -> None:
    path.symlink_to("../.git/annex/objects/xx/yy/MD5E-s1--0.nii.gz/MD5E-s1--0.nii.gz")


RGB = np.zeros(SHAPE, dtype=[("R", "u1"), ("G", "u1"), ("B", "u1")])
BAD_FILES = {
    "missing file": (lambda path: None, "no such file; check the name"),
    "folder": (lambda path: path.mkdir(), "is a folder, not a NIfTI file"),
    "pipe": (lambda path: os.mkfifo(path), "is a pipe or a device"),
    "empty file": (lambda path: path.write_bytes(b""), r"is empty \(0 bytes\); copy it again"),
    "truncated gzip": (truncated, r"the file ends after 0\.\d of 0\.4 MB; copy it again"),
    "damaged gzip": (flipped, "gzip data are damaged .*; copy it again|the file ends after"),
    "not gzip": (lambda path: path.write_bytes(b"x" * 999), "is not gzip although its name ends in .gz"),
    "only a gzip magic": (lambda path: path.write_bytes(b"\x1f\x8b"), "has only 0 bytes, fewer than a NIfTI header"),
    "text": (lambda path: path.write_bytes(gzip.compress(b"hello\n" * 200)), "is not a NIfTI image; convert"),
    "short text": (lambda path: path.write_bytes(gzip.compress(b"hello")), "has only 5 bytes"),
    "DICOM": (lambda path: path.write_bytes(gzip.compress(b"\0" * 128 + b"DICM" + b"\0" * 600)), "is a DICOM file"),
    "Analyze": (lambda path: save_nifti(path, magic=b""), "Analyze 7.5"),
    "git-annex link": (annex_link, "fetch it: git annex get a.nii.gz"),
    "git-annex pointer": (lambda path: path.write_text("/annex/objects/MD5E-s1--0.nii.gz\n"), "git annex get a.nii.gz"),
    "git-lfs pointer": (lambda path: path.write_text("version https://git-lfs.github.com/spec/v1\n"), "git lfs pull"),
    "dead link": (lambda path: path.symlink_to("nowhere"), "link to a file that does not exist"),
    "voxels beyond the end": (lambda path: save_nifti(path, vox_offset=1e9), r"ends after 0\.0 of 1000\.0 MB"),
    "voxels out of this world": (lambda path: save_nifti(path, vox_offset=3e38), "the file ends after"),
    "more voxels than bytes": (
        lambda path: save_nifti(path, dim=[3, 5, 6, 77, 1, 1, 1, 1]),
        "772 of 4972 bytes",
    ),
    "absurd dimensions": (lambda path: save_nifti(path, dim=[3, 30000, 30000, 9, 1, 1, 1, 1]), "30000 x 30000 x 9"),
    "negative dimensions": (
        lambda path: save_nifti(path, dim=[3, 5, -6, 7, 1, 1, 1, 1]),
        "dimensions 5 x -6 x 7",
    ),
    "no dimensions": (lambda path: save_nifti(path, dim=[0, 5, 6, 7, 1, 1, 1, 1]), "its header is damaged"),
    "one dimension": (lambda path: save_nifti(path, dim=[1, 210, 0, 0, 0, 0, 0, 0]), "a list of 210 numbers"),
    "vectors": (lambda path: save_nifti(path, dim=[5, 5, 6, 1, 1, 7, 1, 1]), r"has 5 dimensions \(5 x 6 x 1 x 1 x 7\)"),
    "colours": (lambda path: save_nifti(path, RGB), "its voxels are colours"),
    "complex": (lambda path: save_nifti(path, GREY.astype(np.complex64)), "complex numbers; export the magnitude"),
    "unknown type": (lambda path: save_nifti(path, datatype=77), r"voxel type \(NIfTI code 77\) is not supported"),
    "no intercept": (
        lambda path: save_nifti(path, scl_slope=2, scl_inter=np.inf),
        "a number that is none",
    ),
    "zeros": (lambda path: save_nifti(path, GREY * 0), "holds only zeros, so there is nothing to see"),
    "constant": (lambda path: save_nifti(path, GREY * 0 + 7), r"holds one value everywhere \(7\)"),
    "mostly NaN": (
        lambda path: save_nifti(path, np.where(GREY > 60, np.nan, 1.0)),
        r"\d\d% of its voxels are no num",
    ),
}


@pytest.mark.parametrize("case", BAD_FILES)
def test_bad_input_is_refused_in_one_clear_line(tmp_path, case):
    make, message = BAD_FILES[case]
    path = tmp_path / "a.nii.gz"
    make(path)
    with pytest.raises(InputError, match=message) as caught:
        read_image(path)
    assert str(caught.value).startswith(f"{path}: ")
    assert "\n" not in str(caught.value)


def test_the_size_of_a_truncated_plain_file_is_told(tmp_path):
    path = save_nifti(tmp_path / "a.nii")
    path.write_bytes(path.read_bytes()[:600])
    with pytest.raises(InputError, match="the file ends after 600 of 772 bytes; copy it again"):
        read_image(path)


def test_a_damaged_checksum_is_noticed(tmp_path):
    path = save_nifti(tmp_path / "a.nii.gz")
    content = bytearray(path.read_bytes())
    content[-8] ^= 0xFF
    path.write_bytes(content)
    with pytest.raises(InputError, match=r"gzip data are damaged \(incorrect data check\)"):
        read_image(path)


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="nothing is forbidden to root")
@pytest.mark.parametrize("forbidden", ["file", "folder"])
def test_a_forbidden_file_or_folder_is_named(tmp_path, forbidden):
    (tmp_path / "in").mkdir()
    path = save_nifti(tmp_path / "in" / "a.nii.gz")
    target = path if forbidden == "file" else path.parent
    target.chmod(0)
    try:
        with pytest.raises(InputError, match=r"a\.nii\.gz: .*(not permitted|may not be read); ask its owner"):
            read_image(path)
    finally:
        target.chmod(0o700)


@pytest.mark.parametrize(
    ("error", "message"), [(PermissionError(13, "Permission denied"), "not permitted"), (OSError(5, "I/O"), "I/O")]
)
def test_an_error_of_the_system_is_named(tmp_path, monkeypatch, error, message):
    path = save_nifti(tmp_path / "a.nii.gz")

    def fail(*args, **options):
        raise error

    monkeypatch.setattr(Path, "open", fail)
    with pytest.raises(InputError, match=f"a.nii.gz: .*{message}"):
        read_image(path)


def test_few_voxels_that_are_no_numbers_become_zeros_with_a_warning(tmp_path):
    grey = GREY.astype(np.float32)
    grey[0, 0, 0], grey[1, 1, 1], grey[2, 2, 2] = np.nan, -np.inf, 3e38
    image = read_image(save_nifti(tmp_path / "a.nii.gz", grey))
    assert (image.data[0, 0, 0], image.data[1, 1, 1], image.data[2, 2, 2]) == (0, 0, 0)
    assert "count as 0: 3 of 210" in image.warnings[0]
    assert np.array_equal(image.data[3], GREY[3])


def test_an_empty_label_file_is_a_volume_all_the_same(tmp_path):
    assert not read_volume(save_nifti(tmp_path / "a.nii.gz", GREY * 0)).data.any()
