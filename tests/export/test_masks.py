"""Export of segmentation networks: the outputs that a network has, as probabilities, and the card."""

from __future__ import annotations

import numpy as np
import onnxruntime as ort
import pytest
import torch
from tests.mask_model import mask_recipe, tiny_masks
from tests.mask_sets import NETWORK_SIZE, write_set

from lookonce.errors import InputError
from lookonce.export.onnx import DeployedMaskNet, export_run
from lookonce.runtime.weights import MaskModelCard, find_model
from lookonce.training.run import load_run, train

__all__ = ["tiny_masks"]

pytestmark = pytest.mark.usefixtures("tiny_masks")


@pytest.fixture
def run(tmp_path):
    data = write_set(tmp_path / "set", train=4)
    recipe = mask_recipe(epochs=1, steps_per_epoch=2, threshold=0.43, input={"size": [32, 32], "resize": "letterbox"})
    train(recipe, data=data, out=tmp_path / "run", progress=False)
    return tmp_path / "run"


@pytest.mark.parametrize("count", [1, 3])
def test_onnx_runtime_computes_what_torch_computes(run, tmp_path, count):
    model = export_run(run, tmp_path / "tiny.onnx", name="tiny")
    session = ort.InferenceSession(str(model))
    assert [entry.name for entry in session.get_outputs()] == ["mask", "boundary", "regions"]
    pictures = np.random.default_rng(0).random((count, 3, NETWORK_SIZE, NETWORK_SIZE), dtype=np.float32)
    with torch.no_grad():
        expected = DeployedMaskNet(load_run(run)[1])(torch.from_numpy(pictures))
    for found, truth in zip(session.run(None, {"image": pictures}), expected, strict=True):
        np.testing.assert_allclose(found, truth.numpy(), atol=1e-4)
        assert 0 <= found.min() <= found.max() <= 1


def test_the_card_says_what_the_pipeline_must_know(run, tmp_path):
    card = find_model(str(export_run(run, tmp_path / "tiny.onnx", name="tiny"))).card
    assert isinstance(card, MaskModelCard)
    assert (card.size, card.resize, card.threshold, card.objects) == ((32, 32), "letterbox", 0.43, "one")
    assert card.licence == "CC0 (drawn)"
    assert card.look.limit > 0


def test_a_network_with_nothing_but_a_mask_has_one_output():
    (mask,) = DeployedMaskNet(tiny(maps=False))(torch.rand(2, 3, 16, 16))
    assert mask.shape == (2, 16, 16)


def test_a_run_without_its_record_is_not_exported(run, tmp_path):
    (run / "run.json").write_text("{}")
    with pytest.raises(InputError, match=r"run\.json: does not say what export needs \(no 'objects'\)"):
        export_run(run, tmp_path / "tiny.onnx", name="tiny")


def tiny(**options):
    from lookonce.models import build

    return build("tiny-masks", **options).eval()
