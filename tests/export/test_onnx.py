"""Export: ONNX Runtime computes what torch computes, the card tells what the pipeline needs, damage is noticed."""

from __future__ import annotations

import hashlib
import json
import shutil
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import onnx
import pytest
import torch
from tests.tiny import tiny_recipe

import lookonce
from lookonce.datasets.skeletons import simulated_skeletons
from lookonce.decode.skeleton import mean_skeleton
from lookonce.errors import InputError, UsageError, WeightsError
from lookonce.export.onnx import DeployedDiscNet, check_parity, export_run
from lookonce.models import build
from lookonce.runtime.points import PointSession
from lookonce.runtime.session import DiscSession
from lookonce.runtime.weights import find_model
from lookonce.training import data as data_module
from lookonce.training.recipe import load_recipe
from lookonce.training.run import load_run, train

ABOUT = {"licence": "Apache-2.0", "limits": "for tests"}


@dataclass(frozen=True)
class Exported:
    """A tiny finished run and the model that it was exported to."""

    run: Path
    model: Path


@pytest.fixture(scope="session")
def exported(tmp_path_factory) -> Exported:
    folder = tmp_path_factory.mktemp("exported")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(data_module, "VALIDATION_PICTURES", 2)
        recipe = tiny_recipe("epochs=1", "steps_per_epoch=2")
        train(recipe, data=None, out=folder / "run", progress=False)
    return Exported(folder / "run", export_run(folder / "run", folder / "new" / "tiny.onnx", name="tiny", about=ABOUT))


@pytest.fixture
def copied(exported, tmp_path) -> Path:
    """A copy of the model and its card that a test may damage."""
    for path in (exported.model, exported.model.with_suffix(".json")):
        shutil.copy(path, tmp_path)
    return tmp_path / exported.model.name


@pytest.mark.parametrize("size", [(1, 64, 64), (2, 32, 96), (5, 128, 4), (3, 50, 37), (1, 3, 1)], ids=str)
def test_onnx_runtime_computes_what_torch_computes_at_any_size(exported, size):
    _, network = load_run(exported.run)
    deployed = DeployedDiscNet(network).eval()
    slabs = np.random.default_rng(0).random(size, dtype=np.float32)
    session = DiscSession(find_model(str(exported.model)), threads=1)
    maps = session(slabs)
    padding = [(0, 0), *((0, -side % network.multiple) for side in size[1:])]
    with torch.no_grad():
        expected = deployed(torch.from_numpy(np.pad(slabs, padding)[:, None]))
    rows, columns = (-(-side // network.output_stride) for side in size[1:])
    for found, truth in zip((maps.heat, maps.names, maps.attention), expected, strict=True):
        truth = truth.numpy()[..., :rows, :columns]
        assert found.shape == truth.shape
        np.testing.assert_allclose(found, truth, atol=1e-3 * max(1.0, float(truth.std())))
    assert 0 <= maps.heat.min() <= maps.heat.max() <= 1


def test_the_card_says_what_the_pipeline_must_know(exported):
    card = json.loads(exported.model.with_suffix(".json").read_text())
    recipe, network = load_run(exported.run)
    assert card["name"] == "tiny"
    assert card["version"] == lookonce.__version__
    assert card["sha256"] == hashlib.sha256(exported.model.read_bytes()).hexdigest()
    assert card["spacing_mm"] == recipe.input.spacing_mm
    assert card["lateral_step_mm"] == recipe.input.lateral_step_mm
    assert card["lateral_sigma_mm"] == recipe.target.lateral_sigma_mm
    assert (card["stride"], card["multiple"]) == (2, network.multiple)
    assert card["recipe"] == recipe.model_dump(mode="json")
    assert card["about"] == ABOUT
    assert find_model(str(exported.model)).identity == {key: card[key] for key in ("name", "version", "sha256")}


def test_the_model_keeps_no_trace_of_the_machine_that_made_it(exported):
    content = exported.model.read_bytes()
    assert str(Path(lookonce.__file__).parent).encode() not in content
    assert b".py" not in content
    onnx.checker.check_model(onnx.load(exported.model), full_check=True)
    assert sorted(path.name for path in exported.model.parent.iterdir()) == ["tiny.json", "tiny.onnx"]


@pytest.mark.parametrize("damage", ["a bit", "the end", "everything"])
def test_a_damaged_model_is_refused(copied, damage):
    content = bytearray(copied.read_bytes())
    if damage == "a bit":
        content[len(content) // 2] ^= 1
    copied.write_bytes({"a bit": content, "the end": content[:-100], "everything": b""}[damage])
    with pytest.raises(WeightsError, match="sha256") as raised:
        find_model(str(copied))
    assert raised.value.exit_code == 5
    assert str(copied) in str(raised.value)


def test_a_model_without_its_card_is_refused(copied):
    card = copied.with_suffix(".json")
    card.unlink()
    with pytest.raises(WeightsError, match=r"tiny\.json"):
        find_model(str(copied))


def test_a_card_with_another_checksum_is_refused(copied):
    card = copied.with_suffix(".json")
    card.write_text(json.dumps(json.loads(card.read_text()) | {"sha256": "0" * 64}))
    with pytest.raises(WeightsError, match=r"tiny\.onnx.*sha256"):
        find_model(str(copied))


@pytest.mark.parametrize("change", [{"sha256": None}, {"stride": "two"}, {"colour": "red"}], ids=str)
def test_a_card_that_is_none_is_refused(copied, change):
    card = copied.with_suffix(".json")
    card.write_text(json.dumps(json.loads(card.read_text()) | change))
    with pytest.raises(WeightsError, match=r"tiny\.json"):
        find_model(str(copied))


def test_a_missing_model_is_named(tmp_path):
    with pytest.raises(WeightsError, match=r"other\.onnx"):
        find_model(str(tmp_path / "other.onnx"))
    with pytest.raises(UsageError, match="no model is called 'other'"):
        find_model("other")


def test_a_model_that_onnx_runtime_cannot_load_is_a_weights_error(copied):
    copied.write_bytes(b"no model")
    card = copied.with_suffix(".json")
    fields = json.loads(card.read_text()) | {"sha256": hashlib.sha256(b"no model").hexdigest()}
    card.write_text(json.dumps(fields))
    with pytest.raises(WeightsError, match=r"tiny\.onnx.*ONNX Runtime"):
        DiscSession(find_model(str(copied)))


def test_a_model_that_differs_from_torch_is_not_exported(exported):
    other = build("disc-net", classes=27, features=16, depth=1, stacks=1).eval()
    with pytest.raises(WeightsError, match="differs from torch"):
        check_parity(DeployedDiscNet(other), exported.model.read_bytes(), [torch.rand(1, 1, 64, 64)])


def test_a_network_without_attention_or_with_three_channels_deploys_alike():
    network = build("hourglass", classes=27, features=16, depth=1, upsample=False).eval()
    with torch.no_grad():
        disc, names, attention = DeployedDiscNet(network, channels=3)(torch.rand(2, 1, 32, 16))
    assert disc.shape == attention.shape == (2, 8, 4)
    assert names.shape == (2, 26, 8, 4)
    assert (attention == 1).all()


def test_a_recipe_of_the_papers_layout_is_not_for_labelling(exported, tmp_path):
    recipe = tiny_recipe("target.kind=levels", "target.levels=27")
    shutil.copy(exported.run / "weights.safetensors", tmp_path)
    (tmp_path / "recipe.json").write_text(recipe.model_dump_json())
    with pytest.raises(UsageError, match="target kind 'names'"):
        export_run(tmp_path, tmp_path / "tiny.onnx", name="tiny")
    assert not (tmp_path / "tiny.onnx").exists()


def test_the_name_of_a_model_ends_in_onnx(exported, tmp_path):
    with pytest.raises(UsageError, match=r"must end in \.onnx"):
        export_run(exported.run, tmp_path / "tiny.pt", name="tiny")


@pytest.mark.parametrize("lack", ["no folder", "no weights", "half the weights", "weights of another network"])
def test_an_unfinished_run_is_named(exported, tmp_path, lack):
    run = tmp_path / "run"
    if lack != "no folder":
        shutil.copytree(exported.run, run)
    weights = run / "weights.safetensors"
    if lack == "no weights":
        weights.unlink()
    elif lack == "half the weights":
        weights.write_bytes(weights.read_bytes()[:5000])
    elif lack == "weights of another network":
        (run / "recipe.json").write_text(tiny_recipe("model.options.widths=[8, 24]").model_dump_json())
    with pytest.raises(InputError, match="not a finished training run") as raised:
        export_run(run, tmp_path / "tiny.onnx", name="tiny")
    assert "\n" not in str(raised.value)


@pytest.fixture(scope="session")
def exported_points(tmp_path_factory) -> Exported:
    folder = tmp_path_factory.mktemp("points")
    changes = ["model.options={widths: [8, 12, 16], relation: 8}", "data=[{kind: synth, pool: 5, weight: 1}]"]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(data_module, "VALIDATION_BATCHES", 1)
        recipe = load_recipe("lookonce", [*changes, "batch_size=3", "epochs=2", "steps_per_epoch=3"])
        train(recipe, data=None, out=folder / "run", progress=False)
    return Exported(folder / "run", export_run(folder / "run", folder / "points.onnx", name="points", about=ABOUT))


@pytest.mark.parametrize("count", [1, 2, 20, 111])
def test_a_point_network_computes_what_torch_computes_for_any_number_of_points(exported_points, count):
    _, network = load_run(exported_points.run)
    points = np.random.default_rng(0).uniform(0, 256, (count, 2))
    with torch.no_grad():
        expected = network(torch.from_numpy(points.astype(np.float32))[None])[0].sigmoid().numpy()
    found = PointSession(find_model(str(exported_points.model)))(points)
    np.testing.assert_allclose(found, expected, atol=1e-4)


def test_the_card_of_a_point_network_holds_the_mean_of_its_skeletons(exported_points):
    card = find_model(str(exported_points.model)).card
    expected = mean_skeleton(simulated_skeletons(5, seed=0))
    np.testing.assert_allclose(card.mean_skeleton, expected, atol=0.01)
    assert card.first_level == 2
    assert card.about == ABOUT


def test_a_run_on_points_without_its_record_is_not_exported(exported_points, tmp_path):
    shutil.copytree(exported_points.run, tmp_path / "run")
    (tmp_path / "run" / "run.json").unlink()
    with pytest.raises(InputError, match=r"run\.json: does not say what export needs"):
        export_run(tmp_path / "run", tmp_path / "points.onnx", name="points")
