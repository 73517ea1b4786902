"""TMUnet's published checkpoints: recognised, translated, computed with exactly, and refused when not whole."""

from __future__ import annotations

import json

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.checkpoints import save_tmunet, tiny_tmunet_state
from tests.golden import golden_tensor

from lookonce import models
from lookonce.errors import WeightsError
from lookonce.models.checkpoints import Checkpoint
from lookonce.models.contextual import importance
from lookonce.models.published import import_weights, recognise
from lookonce.models.published_tmunet import published_name
from lookonce.models.tmunet import TMUnet


@pytest.mark.slow
def test_a_golden_checkpoint_computes_what_the_published_network_does(golden):
    truth = json.loads((golden / "tmunet.json").read_text())["tmunet"]
    tensors = {name: golden_tensor(name, tuple(shape)) for name, shape in truth["tensors"]}
    stored = recognise(Checkpoint("golden.pth", "0", tensors))
    assert (stored.model, stored.parameters) == ("tmunet", truth["parameters"])
    assert stored.options["size"] == truth["image_size"]
    with torch.device("meta"):
        network = models.build(stored.model, **stored.options).eval()
    network.load_state_dict(stored.tensors, assign=True)
    assert isinstance(network, TMUnet)
    with np.load(golden / "tmunet.npz") as file:
        expected = dict(file)
    scaled = torch.from_numpy(expected["input"])[None]
    with torch.inference_mode():
        maps, regions = network.maps(scaled), importance(network.transformer(scaled))
    found = {"mask": maps.mask[0, 0].sigmoid(), "boundary": maps.boundary[0, 0].sigmoid(), "regions": regions[0]}
    for name, value in found.items():
        assert np.abs(value.numpy() - expected[name]).max() <= 1e-4 * expected[name].std(), name


@given(
    options=st.fixed_dictionaries(
        {
            "size": st.sampled_from([32, 64, 96]),
            "widths": st.lists(st.integers(2, 9), min_size=4, max_size=4),
            "blocks": st.lists(st.integers(1, 2), min_size=4, max_size=4),
            "bottleneck": st.booleans(),
            "decoder": st.lists(st.integers(2, 9), min_size=5, max_size=5),
            "patch_widths": st.tuples(st.integers(1, 9), st.integers(1, 9), st.sampled_from([8, 16])).map(list),
            "depth": st.integers(1, 2),
        }
    )
)
@settings(max_examples=8)
def test_every_size_is_inferred_and_every_number_kept(tmp_path, options):
    state = tiny_tmunet_state(**options)
    out = tmp_path / "weights.safetensors"
    stored, _ = import_weights(save_tmunet(tmp_path / "a.pth", state), out)
    assert (stored.model, stored.options) == ("tmunet", {**options, "published": True})
    network = models.load(out)
    assert isinstance(network, TMUnet)
    assert not network.training
    found = {published_name(name): tensor for name, tensor in network.state_dict().items()}
    assert found.keys() == state.keys()
    assert all(torch.equal(found[name], state[name]) for name in state)


def test_the_same_checkpoint_gives_the_same_bytes(tmp_path):
    checkpoint = save_tmunet(tmp_path / "a.pth", tiny_tmunet_state())
    for name in "12":
        import_weights(checkpoint, tmp_path / f"{name}.safetensors")
    assert (tmp_path / "1.safetensors").read_bytes() == (tmp_path / "2.safetensors").read_bytes()


def without(state, *names):
    return {key: value for key, value in state.items() if key not in names}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda s: without(s, "out.bias"), r"published tmunet .*missing: out\.bias$"),
        (lambda s: without(s, "transformer.0.positions"), r"transformer\.0\.positions"),
        (lambda s: without(s, "down_blocks.0.0.conv1.weight"), r"missing: .*down_blocks\.0\.0\.conv1\.weight"),
        (lambda s: s | {"extra.weight": torch.ones(2)}, r"unknown: extra\.weight"),
        (
            lambda s: s | {"out.weight": torch.ones(2, 16, 1, 1)},
            r"of another shape: out\.weight \(2 x 16 x 1 x 1, not 1",
        ),
        (lambda s: s | {"transformer.0.positions": torch.ones(3, 16)}, "its tensors make no network.*size must be"),
        (lambda s: s | {"transformer.0.positions": torch.tensor(1.0)}, r"positions \(one number, not"),
        (
            lambda s: s | {"transformer.0.projection.2.conv3.double_conv.0.weight": torch.ones(9, 8, 3, 3)},
            "its tensors make no network.*multiple of heads",
        ),
        (lambda s: s | {"up_blocks.0.conv_block_1.conv.weight": torch.ones(0, 2)}, "its tensors make no network"),
        (lambda s: s | {"down_blocks.3.0.conv1.weight": torch.ones(10**10, 0)}, "(make no network|are not those)"),
        (lambda s: s | {"se.excitation.0.weight": s["se.excitation.0.weight"] / 0}, "no finite numbers"),
    ],
)
def test_a_checkpoint_that_is_not_whole_and_sound_is_refused_by_what_is_wrong(tmp_path, change, message):
    checkpoint = save_tmunet(tmp_path / "a.pth", change(tiny_tmunet_state()))
    with pytest.raises(WeightsError, match=message) as raised:
        import_weights(checkpoint, tmp_path / "weights.safetensors")
    assert str(raised.value).startswith(f"{checkpoint}: ")
    assert not (tmp_path / "weights.safetensors").exists()
