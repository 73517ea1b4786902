"""Point sessions: any number of points, and models of the other kind refused either way."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from tests.blobs import write_blob_model
from tests.point_model import write_point_model

from lookonce.errors import WeightsError
from lookonce.runtime.points import PointSession
from lookonce.runtime.session import DiscSession
from lookonce.runtime.weights import PointModelCard, find_model


@pytest.fixture
def model(tmp_path) -> Path:
    return write_point_model(tmp_path / "rows.onnx")


@pytest.mark.parametrize("count", [0, 1, 2, 20, 111])
def test_any_number_of_points_has_as_many_probabilities(model, count):
    points = np.random.default_rng(0).uniform(-5, 10, (count, 2))
    probability = PointSession(find_model(str(model)))(points)
    np.testing.assert_allclose(probability, 1 / (1 + np.exp(3 - points[:, 0])), rtol=1e-4)


def test_a_card_of_points_keeps_its_mean_skeleton(model):
    card = find_model(str(model)).card
    assert isinstance(card, PointModelCard)
    assert card.mean_skeleton[2] == (40.0, 0.0)


def test_a_disc_model_takes_no_points_and_a_point_model_finds_no_discs(model, tmp_path):
    discs = write_blob_model(tmp_path / "blobs.onnx")
    with pytest.raises(WeightsError, match=r"blobs\.onnx: is no look-once model"):
        PointSession(find_model(str(discs)))
    with pytest.raises(WeightsError, match=r"rows\.onnx: is no disc model"):
        DiscSession(find_model(str(model)))


def test_a_card_of_points_without_its_skeleton_is_refused(model):
    path = model.with_suffix(".json")
    card = json.loads(path.read_text())
    del card["mean_skeleton"]
    path.write_text(json.dumps(card))
    with pytest.raises(WeightsError, match=r"rows\.json: is no model card \(mean_skeleton: "):
        find_model(str(model))
