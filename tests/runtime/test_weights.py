"""The weights store: every way a model can be missing or damaged is named, with its exit code."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from tests.blobs import write_blob_model

from lookonce.errors import UsageError, WeightsError
from lookonce.runtime import weights
from lookonce.runtime.weights import DEFAULT_MODEL, find_model, model_names


@pytest.fixture
def model(tmp_path) -> Path:
    return write_blob_model(tmp_path / "blobs.onnx")


def change_card(model: Path, **fields: object) -> None:
    """Set fields of a model's card; None removes one."""
    path = model.with_suffix(".json")
    card = json.loads(path.read_text()) | fields
    path.write_text(json.dumps({key: value for key, value in card.items() if value is not None}))


def test_a_model_is_found_by_its_path(model):
    found = find_model(str(model))
    assert found.path == model
    assert found.content == model.read_bytes()
    assert found.identity == {"name": "blobs", "version": "1", "sha256": found.card.sha256}


def test_a_name_that_nothing_has_is_a_usage_error_that_lists_what_there_is(monkeypatch):
    monkeypatch.setattr(weights, "model_names", lambda: ["discs", "discs-large"])
    with pytest.raises(UsageError, match=r"'disks'; shipped: discs, discs-large; or give") as caught:
        find_model("disks")
    assert caught.value.exit_code == 2


def test_an_install_without_its_default_weights_is_a_weights_error(monkeypatch, tmp_path):
    monkeypatch.setattr(weights, "_shipped", lambda: tmp_path)
    assert model_names() == []
    with pytest.raises(WeightsError, match=r"discs\.onnx: not there; check the path, or install") as caught:
        find_model(DEFAULT_MODEL)
    assert (caught.value.kind, caught.value.exit_code) == ("weights", 5)


def test_a_path_without_a_model_says_so(tmp_path):
    with pytest.raises(WeightsError, match=r"nowhere\.onnx: not there"):
        find_model(str(tmp_path / "nowhere.onnx"))


def test_a_folder_is_no_model(tmp_path):
    (tmp_path / "folder.onnx").mkdir()
    with pytest.raises(WeightsError, match=r"folder\.onnx: cannot be read"):
        find_model(str(tmp_path / "folder.onnx"))


def test_a_model_without_its_card_says_which_file_is_missing(model):
    model.with_suffix(".json").unlink()
    with pytest.raises(WeightsError, match=r"blobs\.json: not there"):
        find_model(str(model))


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b"\xff\xfe", b"null"])
def test_a_card_that_is_none_is_named(content, model):
    model.with_suffix(".json").write_bytes(content)
    with pytest.raises(WeightsError, match=r"blobs\.json: is no model card"):
        find_model(str(model))


@pytest.mark.parametrize(
    ("fields", "place"),
    [({"stride": None}, "stride"), ({"spacing_mm": -1}, "spacing_mm"), ({"colour": "red"}, "colour")],
)
def test_a_wrong_field_of_the_card_is_named(fields, place, model):
    change_card(model, **fields)
    with pytest.raises(WeightsError, match=f"is no model card \\({place}: "):
        find_model(str(model))


@pytest.mark.parametrize("damage", [lambda content: content[:-100], lambda content: content[:50] + b"?" + content[51:]])
def test_damaged_weights_are_told_by_their_checksum(damage, model):
    model.write_bytes(damage(model.read_bytes()))
    with pytest.raises(WeightsError, match=r"blobs\.onnx: its sha256 is not the one in its card") as caught:
        find_model(str(model))
    assert caught.value.exit_code == 5


def test_every_shipped_model_is_whole():
    assert DEFAULT_MODEL in model_names()
    for name in model_names():
        found = find_model(name)
        assert found.card.name == name
        assert len(found.content) < 15e6
