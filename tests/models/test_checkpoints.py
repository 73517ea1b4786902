"""Checkpoints of unknown origin: what is read from them, and that damage and code are refused."""

from __future__ import annotations

import os
import pickle
import zipfile
from collections import OrderedDict
from pathlib import Path

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.checkpoints import random_state, save_checkpoint

from lookonce.errors import WeightsError
from lookonce.models.checkpoints import read_checkpoint


@pytest.fixture(scope="module")
def state():
    return random_state(stacks=1)


@pytest.fixture(scope="module")
def content(state, tmp_path_factory) -> bytes:
    """A sound checkpoint."""
    return save_checkpoint(tmp_path_factory.mktemp("sound") / "sound.pth", state).read_bytes()


class Code:
    """Runs a command when it is unpickled without care: makes a folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def __reduce__(self):
        return os.mkdir, (str(self.folder),)


def same(found, expected) -> bool:
    return found.keys() == expected.keys() and all(torch.equal(found[name], expected[name]) for name in expected)


def read_or_refuse(path: Path):
    """Tensors of a file, or None where it is refused as it should be; any other error is a fault."""
    try:
        return read_checkpoint(path).tensors
    except WeightsError:
        return None


@pytest.mark.parametrize("prefix", ["module.", ""])
@pytest.mark.parametrize("key", ["model_weights", "state_dict", None])
@pytest.mark.parametrize("zipped", [True, False])
def test_tensors_are_found_in_every_form_that_people_save(state, tmp_path, prefix, key, zipped):
    weights = OrderedDict((prefix + name, value) for name, value in state.items())
    whole = weights if key is None else {"epoch": 3, key: weights, "val_loss": 0.5}
    torch.save(whole, tmp_path / "a.pth", _use_new_zipfile_serialization=zipped)
    assert same(read_checkpoint(tmp_path / "a.pth").tensors, state)


def test_a_prefix_that_not_all_names_have_is_part_of_the_name(tmp_path):
    torch.save({"module.a": torch.ones(1), "b": torch.ones(1)}, tmp_path / "a.pth")
    assert set(read_checkpoint(tmp_path / "a.pth").tensors) == {"module.a", "b"}


@pytest.mark.parametrize("zipped", [True, False])
def test_code_is_not_run_and_named(state, tmp_path, zipped):
    trap = tmp_path / "trapped"
    torch.save({"model_weights": state, "loss": Code(trap)}, tmp_path / "a.pth", _use_new_zipfile_serialization=zipped)
    with pytest.raises(WeightsError, match=r"a\.pth: holds code .* \((posix|nt)\.mkdir\); none of it was run"):
        read_checkpoint(tmp_path / "a.pth")
    assert not trap.exists()


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_a_bare_pickle_with_code_is_refused_and_not_run(tmp_path, protocol):
    trap = tmp_path / "trapped"
    (tmp_path / "a.pth").write_bytes(pickle.dumps({"model_weights": Code(trap)}, protocol))
    with pytest.raises(WeightsError, match=r"a\.pth: (holds code|is a pickle|is no torch file)"):
        read_checkpoint(tmp_path / "a.pth")
    assert not trap.exists()


def test_a_whole_model_is_refused_by_the_name_of_its_class(tmp_path):
    torch.save(torch.nn.Linear(2, 2), tmp_path / "a.pth")
    with pytest.raises(WeightsError, match=r"besides tensors \(torch\.nn\.modules\.linear\.Linear\)"):
        read_checkpoint(tmp_path / "a.pth")


@given(share=st.floats(0, 1, exclude_max=True))
@settings(max_examples=60)
def test_a_truncated_checkpoint_is_refused_wherever_it_ends(content, tmp_path, share):
    (tmp_path / "a.pth").write_bytes(content[: int(share * len(content))])
    with pytest.raises(WeightsError, match=r"a\.pth: "):
        read_checkpoint(tmp_path / "a.pth")


@given(data=st.data())
@settings(max_examples=150)
def test_a_changed_byte_is_noticed_or_changes_nothing(content, state, tmp_path, data):
    place = data.draw(st.integers(0, len(content) - 1))
    changed = bytearray(content)
    changed[place] ^= data.draw(st.integers(1, 255))
    (tmp_path / "a.pth").write_bytes(changed)
    found = read_or_refuse(tmp_path / "a.pth")
    assert found is None or same(found, state)


@given(data=st.data())
@settings(max_examples=60)
def test_a_changed_byte_in_the_old_form_never_gives_another_error(state, tmp_path, data):
    torch.save(state, tmp_path / "a.pth", _use_new_zipfile_serialization=False)
    changed = bytearray((tmp_path / "a.pth").read_bytes())
    place = data.draw(st.integers(0, len(changed) - 1))
    changed[place] ^= data.draw(st.integers(1, 255))
    (tmp_path / "a.pth").write_bytes(changed)
    read_or_refuse(tmp_path / "a.pth")


@pytest.mark.parametrize(
    ("start", "message"),
    [
        (b"", "is empty"),
        (b"hello", "is no torch file"),
        (b"\n<!DOCTYPE html><html>", "is a web page"),
        (b"version https://git-lfs.github.com/spec/v1\n", "git lfs pull"),
        ((2).to_bytes(8, "little") + b"{}" + b"0", "is a safetensors file"),
    ],
)
def test_what_is_no_checkpoint_at_all_is_called_what_it_is(tmp_path, start, message):
    (tmp_path / "a.pth").write_bytes(start)
    with pytest.raises(WeightsError, match=message):
        read_checkpoint(tmp_path / "a.pth")


def test_a_missing_file_and_a_folder_are_told_apart(tmp_path):
    with pytest.raises(WeightsError, match="no such file"):
        read_checkpoint(tmp_path / "a.pth")
    with pytest.raises(WeightsError, match="is a folder"):
        read_checkpoint(tmp_path)


@pytest.mark.parametrize(
    ("whole", "message"),
    [
        ([1, 2], "holds a list"),
        ({"epoch": 3, "weights": {}}, "it holds epoch, weights"),
        ({}, "it holds nothing"),
        ({"model_weights": {}}, "empty"),
        ({"model_weights": [1]}, r"no state dict \(list\)"),
        ({"model_weights": {"a": 3}}, "a is a int, not a tensor"),
        ({"model_weights": {1: torch.ones(1)}}, "no state dict"),
    ],
)
def test_what_is_no_state_dict_is_said(tmp_path, whole, message):
    torch.save(whole, tmp_path / "a.pth")
    with pytest.raises(WeightsError, match=message):
        read_checkpoint(tmp_path / "a.pth")


def test_tensors_larger_than_the_file_are_refused_before_they_take_memory(tmp_path):
    torch.save({"model_weights": {"a": torch.ones(1).expand(10**6, 10**6)}}, tmp_path / "a.pth")
    with pytest.raises(WeightsError, match=r"claims 4\d+ bytes of tensors"):
        read_checkpoint(tmp_path / "a.pth")


def test_an_archive_that_unpacks_to_more_than_it_holds_is_refused(tmp_path):
    with zipfile.ZipFile(tmp_path / "a.pth", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("archive/data/0", bytes(10**6))
    with pytest.raises(WeightsError, match="unpacks to more"):
        read_checkpoint(tmp_path / "a.pth")
