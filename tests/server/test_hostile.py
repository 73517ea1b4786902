"""Hostile uploads: each is refused with a reason, and the service lives on."""

from __future__ import annotations

import pytest

pytest.importorskip("pydicom")
from tests.hostile_files import HOSTILE


def test_there_are_enough_of_them():
    assert len(HOSTILE) >= 50


@pytest.mark.filterwarnings("ignore")  # pydicom warns about what is meant here
@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_upload_is_refused_with_a_reason(labelling_client, temporary, name):
    answer = labelling_client.post("/v1/label", content=HOSTILE[name]())
    assert 400 <= answer.status_code < 500, answer.text
    error = answer.json()["error"]
    assert error["message"].startswith("the upload")
    assert str(temporary) not in answer.text
    assert labelling_client.get("/healthz").status_code == 200
    assert not list(temporary.iterdir())
