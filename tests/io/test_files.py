import os

import numpy as np
import pytest
from tests.conftest import GREY, oblique

from lookonce.errors import OutputError
from lookonce.io.files import write_files, write_text
from lookonce.io.nifti import SpineImage, write_labels


def fail_with(number: int, after: int = 0):
    """Replacement of a system call that fails from the `after`-th call on."""
    calls = []

    def call(*args):
        calls.append(args)
        if len(calls) > after:
            raise OSError(number, os.strerror(number))

    return call


@pytest.mark.parametrize("existing", [None, b"before"])
def test_a_full_disk_leaves_nothing_half_written(tmp_path, monkeypatch, existing):
    path = tmp_path / "l.nii.gz"
    if existing:
        path.write_bytes(existing)
    monkeypatch.setattr(os, "fsync", fail_with(28))
    with pytest.raises(OutputError, match=r"l.nii.gz: cannot be written \(No space left on device\); free some space"):
        write_labels(path, GREY.astype(np.uint8), SpineImage(GREY, oblique()))
    assert [entry.read_bytes() for entry in tmp_path.iterdir()] == ([existing] if existing else [])


@pytest.mark.parametrize("call", ["fsync", "replace"])
def test_files_that_belong_together_appear_all_or_none(tmp_path, monkeypatch, call):
    original = getattr(os, call)
    fail = fail_with(28, after=2)

    def two_times(*args):
        fail(*args)
        return original(*args)

    monkeypatch.setattr(os, call, two_times)
    with pytest.raises(OutputError, match=r"c\.txt"):
        write_files({tmp_path / f"{name}.txt": b"text" for name in "abcd"})
    assert list(tmp_path.iterdir()) == []


def test_text_is_written_to_new_folders_with_ordinary_permissions(tmp_path):
    write_text(tmp_path / "new" / "deep" / "a.txt", "π\n")
    path = tmp_path / "new" / "deep" / "a.txt"
    assert path.read_text(encoding="utf-8") == "π\n"
    plain = tmp_path / "plain"
    plain.touch()
    assert path.stat().st_mode == plain.stat().st_mode


def test_a_folder_that_is_a_file_is_an_output_error(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(OutputError, match=r"file/a\.txt: cannot be written .*choose another folder"):
        write_text(tmp_path / "file" / "a.txt", "text")
