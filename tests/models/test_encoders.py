"""A ResNet's weights go in from the files people have, and no other's."""

from __future__ import annotations

import copy

import pytest
import torch
from safetensors.torch import save_file
from tests.mask_networks import SMALL

from lookonce import models
from lookonce.errors import UsageError, WeightsError
from lookonce.models.encoders import load_encoder
from lookonce.models.resnet import ResNet


@pytest.fixture
def network():
    torch.manual_seed(0)
    return models.build("tmunet", **SMALL["tmunet"])


@pytest.fixture
def weights():
    """A state dict as torchvision saves it, with the classifier."""
    torch.manual_seed(1)
    options = {key: SMALL["tmunet"][key] for key in ("widths", "blocks", "bottleneck")}
    return ResNet(**options).state_dict() | {"fc.weight": torch.rand(5, 12), "fc.bias": torch.rand(5)}


def write(path, weights):
    if path.suffix == ".safetensors":
        save_file(weights, path)
    else:
        torch.save(weights, path)
    return path


@pytest.mark.parametrize("name", ["a.pth", "a.safetensors"])
@pytest.mark.parametrize("counted", [True, False])
def test_the_encoder_starts_from_the_file_and_the_rest_stays(network, weights, tmp_path, name, counted):
    before = copy.deepcopy(network.state_dict())
    given = {key: value for key, value in weights.items() if counted or not key.endswith("num_batches_tracked")}
    load_encoder(network, write(tmp_path / name, given))
    for key, value in network.state_dict().items():
        inside = key.removeprefix("unet.encoder.")
        assert torch.equal(value, weights[inside] if inside != key else before[key]), key


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda w: {key: value for key, value in w.items() if key != "conv1.weight"}, r"missing: conv1\.weight$"),
        (lambda w: w | {"layer5.bias": torch.ones(1)}, r"unknown: layer5\.bias"),
        (lambda w: w | {"conv1.weight": torch.ones(64, 3, 7, 7)}, r"ResNet; of another shape: conv1\.weight \(64 x 3"),
        (lambda w: w | {"bn1.bias": w["bn1.bias"] * torch.nan}, r"bn1\.bias holds values that are no finite"),
    ],
)
@pytest.mark.parametrize("name", ["a.pth", "a.safetensors"])
def test_weights_of_another_network_are_refused_by_what_is_wrong(network, weights, tmp_path, change, message, name):
    path = write(tmp_path / name, change(weights))
    with pytest.raises(WeightsError, match=message) as raised:
        load_encoder(network, path)
    assert str(raised.value).startswith(f"{path}: ")


@pytest.mark.parametrize("name", ["a.pth", "a.safetensors"])
def test_truncated_and_missing_files_are_refused(network, weights, tmp_path, name):
    path = tmp_path / name
    with pytest.raises(WeightsError, match="no such file"):
        load_encoder(network, path)
    write(path, weights)
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(WeightsError, match=rf"{name}: "):
        load_encoder(network, path)


def test_code_in_the_file_is_not_run(network, tmp_path):
    torch.save({"model": network}, tmp_path / "a.pth")
    with pytest.raises(WeightsError, match="none of it was run"):
        load_encoder(network, tmp_path / "a.pth")


def test_a_network_without_a_resnet_says_so(tmp_path):
    with pytest.raises(UsageError, match="has no ResNet"):
        load_encoder(models.build("unet"), tmp_path / "a.pth")
