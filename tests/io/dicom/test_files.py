"""Damaged and hostile DICOM inputs end in one clear line, before memory is taken."""

from __future__ import annotations

import io
import os
import struct
import tracemalloc
import zipfile
import zlib
from pathlib import Path

import numpy as np
import pytest
from pydicom.uid import JPEGLSLossless
from tests.dicom_files import PATIENT, Volume, save_series, slices, zipped
from tests.dicom_forms import SAGITTAL

from lookonce.errors import InputError
from lookonce.io.dicom import files
from lookonce.io.dicom.files import dicom_files, is_dicom, listed_files
from lookonce.io.scans import find_scans, read_scan

SMALL = Volume(SAGITTAL.data[:, :, :3].copy(), SAGITTAL.affine)


@pytest.fixture
def folder(tmp_path) -> Path:
    return save_series(slices(SMALL), tmp_path / "dicom")


def refusal(path: Path) -> str:
    with pytest.raises(InputError) as caught:
        read_scan(path)
    message = str(caught.value)
    assert "\n" not in message
    assert not any(value in message for value in PATIENT.values())
    return message


def zip_of(path: Path, content: bytes, name: str = "IM1") -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(name, content)
    return path


def test_dicom_is_told_from_nifti_by_what_it_is_not_by_its_name(folder, tmp_path):
    file = next(folder.iterdir())
    assert is_dicom(folder)
    assert is_dicom(file)
    assert is_dicom(zipped(folder, tmp_path / "scan.bin"))
    assert not is_dicom(tmp_path / "missing.nii.gz")
    (tmp_path / "scan.nii").write_bytes(struct.pack("<i", 348) + b"\0" * 600)
    assert not is_dicom(tmp_path / "scan.nii")


def test_a_zip_bomb_is_refused_before_it_is_unpacked(tmp_path):
    bomb = zip_of(tmp_path / "bomb.zip", b"\0" * 128 + b"DICM" + b"\0" * 33_000_000)
    tracemalloc.start()
    try:
        assert "unpacks to 33 MB of almost nothing" in refusal(bomb)
        assert tracemalloc.get_traced_memory()[1] < 5_000_000
    finally:
        tracemalloc.stop()


def test_a_zip_that_claims_too_much_or_too_many_is_refused(folder, tmp_path, monkeypatch):
    path = zipped(folder, tmp_path / "scan.zip")
    monkeypatch.setattr(files, "MOST_UNPACKED_BYTES", 1000)
    assert "would unpack to" in refusal(path)
    monkeypatch.setattr(files, "MOST_FILES", 2)
    assert "more than 2 files" in refusal(path)
    assert "more than 2 files" in refusal(folder)


def test_a_locked_a_cut_off_and_an_empty_zip_are_named(folder, tmp_path):
    path = zipped(folder, tmp_path / "scan.zip")
    content = bytearray(path.read_bytes())
    path.write_bytes(content[: len(content) // 2])
    assert "is a damaged zip" in refusal(path)
    place = content.index(b"PK\x01\x02") + 8
    content[place] |= 1
    path.write_bytes(content)
    assert "is locked by a password" in refusal(path)


@pytest.mark.parametrize("method", [zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_a_damaged_member_is_named_however_it_is_packed(folder, tmp_path, method):
    path = tmp_path / "scan.zip"
    with zipfile.ZipFile(path, "w", method) as archive:
        archive.write(folder / "IM0000", "IM0000")
    content = bytearray(path.read_bytes())
    content[55:75] = bytes(20)
    path.write_bytes(content)
    assert "IM0000: cannot be read" in refusal(path)


def test_names_in_a_zip_lead_nowhere(folder, tmp_path):
    path = tmp_path / "scan.zip"
    with zipfile.ZipFile(path, "w") as archive:
        for index, file in enumerate(folder.iterdir()):
            archive.writestr(f"../../etc/{index}", file.read_bytes())
    before = set(tmp_path.rglob("*"))
    assert read_scan(path).data.shape == SMALL.data.shape
    assert set(tmp_path.rglob("*")) == before


@pytest.mark.parametrize("parts", [("..", "IM1"), ("/etc", "passwd"), ("a/../..", "b"), ("C:", "x"), ("", "x")])
def test_a_dicomdir_cannot_point_out_of_its_folder(parts, tmp_path):
    with pytest.raises(InputError, match="outside its own folder"):
        listed_files(tmp_path / "DICOMDIR", [parts])


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="this system has no pipes")
def test_a_pipe_in_a_folder_does_not_block(folder):
    os.mkfifo(folder / "pipe")
    found, others = dicom_files(folder)
    assert (len(found), others) == (3, 0)


def test_an_element_longer_than_the_file_is_refused_before_memory_is_taken(folder):
    file = sorted(folder.iterdir())[0]
    content = file.read_bytes()
    place = content.index(b"\x10\x00\x10\x00PN")
    huge = b"\x09\x00\x01\x10OB\0\0" + struct.pack("<I", 0xF0000000)
    wanted = b"\x10\x00\x10\x00UT\0\0" + struct.pack("<I", 0xF0000000)
    for element in (huge, wanted):
        file.write_bytes(content[:place] + element + content[place:])
        tracemalloc.start()
        try:
            with pytest.raises(InputError):
                read_scan(file)
            assert tracemalloc.get_traced_memory()[1] < 20_000_000
        finally:
            tracemalloc.stop()


def test_a_deflated_bomb_is_refused_before_it_is_inflated(tmp_path, monkeypatch):
    from lookonce.io.dicom import headers

    monkeypatch.setattr(headers, "MOST_HEADER_BYTES", 1_000_000)
    syntax = b"1.2.840.10008.1.2.1.99"
    element = b"\x02\x00\x10\x00UI" + struct.pack("<H", len(syntax)) + syntax
    meta = b"\x02\x00\x00\x00UL\x04\x00" + struct.pack("<I", len(element)) + element
    packer = zlib.compressobj(wbits=-15)
    path = tmp_path / "bomb.dcm"
    path.write_bytes(b"\0" * 128 + b"DICM" + meta + packer.compress(b"\0" * 20_000_000) + packer.flush())
    tracemalloc.start()
    try:
        assert "beyond 1 MB" in refusal(path)
        assert tracemalloc.get_traced_memory()[1] < 10_000_000
    finally:
        tracemalloc.stop()


def test_pictures_larger_than_any_scan_are_refused(tmp_path):
    series = slices(SMALL)
    for one in series:
        one.Rows = one.Columns = 65535
    assert "is damaged" in refusal(save_series(series, tmp_path / "dicom"))


def test_a_compressed_picture_must_be_of_the_size_that_its_header_says(tmp_path):
    for file in save_series(slices(SMALL), tmp_path / "dicom", syntax=JPEGLSLossless).iterdir():
        content = bytearray(file.read_bytes())
        struct.pack_into(">HH", content, content.index(b"\xff\xd8\xff\xf7") + 7, 60000, 60000)
        file.write_bytes(content)
    assert "claims 60000 x 60000 pixels, its header 48 x 60" in refusal(tmp_path / "dicom")


def test_a_file_that_ends_early_is_named(folder):
    file = sorted(folder.iterdir())[1]
    file.write_bytes(file.read_bytes()[:-2000])
    message = refusal(folder)
    assert "IM0001" in message
    assert "copy it again" in message


def test_a_damaged_header_is_told_and_the_rest_read(folder):
    (folder / "IM0002").write_bytes(b"\0" * 128 + b"DICM" + bytes(range(256)) * 4)
    (folder / "empty").touch()
    found = find_scans(folder)
    assert any("IM0002" in line and "slices may be lacking" in line for line in found.left)
    image = found.scans[0].read()
    assert image.data.shape[2] == 2
    assert any("IM0002" in warning for warning in image.warnings)


def test_a_folder_without_scans_says_what_is_there(tmp_path):
    assert "it is empty" in refusal(tmp_path)
    (tmp_path / "notes.txt").write_text("no scan " * 40)
    assert "1 files that are no DICOM" in refusal(tmp_path)
    assert "`lookonce cohort`" in refusal(tmp_path)


def test_a_file_that_may_not_be_read_is_told_and_the_rest_read(folder, monkeypatch):
    read = Path.open

    def forbidden(path, *words):
        if path.name == "IM0002":
            raise PermissionError(13, "Permission denied")
        return read(path, *words)

    monkeypatch.setattr(Path, "open", forbidden)
    found = find_scans(folder)
    assert any("IM0002: cannot be read (Permission denied)" in line for line in found.left)
    assert found.scans[0].read().data.shape[2] == 2


def test_noise_is_no_dicom(tmp_path):
    stream = io.BytesIO(np.random.default_rng(0).bytes(5000))
    path = zip_of(tmp_path / "noise.zip", stream.getvalue())
    assert "1 files that are no DICOM" in refusal(path)


def test_a_file_alone_is_a_scan_of_one_slice(folder):
    image = read_scan(sorted(folder.iterdir())[0])
    assert image.data.shape == (*SMALL.data.shape[:2], 1)
    assert any("one slice alone" in warning for warning in image.warnings)
