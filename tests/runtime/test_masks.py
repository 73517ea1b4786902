"""Mask sessions: the network's maps as they are, and models of another kind or size refused."""

from __future__ import annotations

import numpy as np
import pytest
from tests.blobs import write_blob_model
from tests.shade_model import write_shade_model

from lookonce.errors import WeightsError
from lookonce.runtime.masks import MaskSession
from lookonce.runtime.session import DiscSession
from lookonce.runtime.weights import MaskModelCard, find_model


def test_the_probability_is_what_the_network_says(tmp_path):
    session = MaskSession(find_model(str(write_shade_model(tmp_path / "shade.onnx", size=(16, 24)))))
    picture = np.random.default_rng(0).integers(0, 256, (16, 24, 3), np.uint8)
    maps = session(picture)
    expected = np.clip(1.5 - 2 * picture.mean(axis=2) / 255, 0, 1)
    np.testing.assert_allclose(maps.mask, expected, atol=1e-6)
    assert maps.boundary is None
    assert maps.regions is None


def test_the_card_says_what_segmenting_needs(tmp_path):
    card = find_model(str(write_shade_model(tmp_path / "shade.onnx", objects="many", threshold=0.4))).card
    assert isinstance(card, MaskModelCard)
    assert (card.size, card.resize, card.threshold, card.objects) == ((64, 64), "stretch", 0.4, "many")


def test_models_of_other_kinds_are_refused_either_way(tmp_path):
    shade, discs = write_shade_model(tmp_path / "shade.onnx"), write_blob_model(tmp_path / "blobs.onnx")
    with pytest.raises(WeightsError, match=r"blobs\.onnx: is no segmentation model"):
        MaskSession(find_model(str(discs)))
    with pytest.raises(WeightsError, match=r"shade\.onnx: is no disc model"):
        DiscSession(find_model(str(shade)))


def test_a_card_of_another_size_than_the_network_s_is_refused(tmp_path):
    path = write_shade_model(tmp_path / "shade.onnx", size=(16, 24))
    card = find_model(str(path)).card
    path.with_suffix(".json").write_text(card.model_copy(update={"size": (24, 16)}).model_dump_json())
    with pytest.raises(WeightsError, match=r"takes pictures of \[3, 16, 24\], its card says \[3, 24, 16\]"):
        MaskSession(find_model(str(path)))


@pytest.mark.parametrize("name", ["skin", "cells"])
def test_a_segmentation_model_that_is_not_installed_is_said_to_be_so(name, tmp_path, monkeypatch):
    monkeypatch.setattr("lookonce.runtime.weights._shipped", lambda: tmp_path)
    with pytest.raises(WeightsError, match=f"'{name}' is not installed: .*give the path of an .onnx file"):
        find_model(name)
