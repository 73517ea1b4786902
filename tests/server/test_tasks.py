"""What a worker answers when the fault is not the upload's."""

from __future__ import annotations

import json

import pytest

from lookonce.errors import WeightsError
from lookonce.server.schema import LabelOptions
from lookonce.server.settings import Limits
from lookonce.server.tasks import Desk, Task


def answer_to(error: Exception, tmp_path, monkeypatch) -> dict:
    """What is answered when a model cannot be had."""

    def fail(desk, name):
        raise error

    monkeypatch.setattr(Desk, "disc_session", fail)
    task = Task(path=tmp_path / "upload", label=LabelOptions())
    return json.loads(Desk(Limits(), threads=1).do(task.model_dump_json().encode()))


def test_a_damaged_model_is_told_without_where_it_lies(tmp_path, monkeypatch):
    error = answer_to(WeightsError("/srv/weights/discs.onnx: not there"), tmp_path, monkeypatch)["error"]
    assert error["kind"] == "weights"
    assert error["message"].startswith("a model of this service is missing or damaged")
    assert "/srv" not in error["message"]


@pytest.mark.parametrize(
    "error", [MemoryError(), RuntimeError("std::bad_alloc"), OSError(12, "Cannot allocate memory")]
)
def test_a_worker_that_ran_out_of_memory_says_that_it_is_worn(tmp_path, monkeypatch, error):
    answer = answer_to(error, tmp_path, monkeypatch)
    assert (answer["error"]["kind"], answer["worn"]) == ("too-large", True)


def test_an_unexpected_error_is_told_by_its_places_without_its_words(tmp_path, monkeypatch):
    answer = answer_to(RuntimeError("Doe^Jane"), tmp_path, monkeypatch)
    assert answer["trace"][0] == "RuntimeError"
    assert any("tasks.py" in place for place in answer["trace"])
    assert "Doe" not in json.dumps(answer)
