"""Published checkpoints are recognised by their tensors, computed with exactly, and refused when not whole."""

from __future__ import annotations

import json

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.checkpoints import random_state, save_checkpoint
from tests.golden import golden_tensor

from lookonce import models
from lookonce.errors import UsageError, WeightsError
from lookonce.models.hourglass import StackedHourglass
from lookonce.models.published import import_weights


@pytest.mark.parametrize(("form", "name"), [("hourglass", "hourglass"), ("attention_hourglass", "attention-hourglass")])
def test_a_golden_checkpoint_computes_what_the_published_network_does(golden, tmp_path, form, name):
    truth = json.loads((golden / "hourglass.json").read_text())[form]
    state = {key: golden_tensor(key, tuple(shape)) for key, shape in truth["tensors"]}
    out = tmp_path / "weights.safetensors"
    stored, _ = import_weights(save_checkpoint(tmp_path / "golden.pth", state), out)
    assert (stored.model, stored.parameters) == (name, truth["parameters"])
    options = {"stacks": 2, "blocks": 1, "depth": 4, "features": 256, "classes": 11, "in_channels": 3}
    assert stored.options == options
    with np.load(golden / f"{form}.npz") as file:
        expected = dict(file)
    image = torch.from_numpy(expected["input"]).float().expand(1, 3, -1, -1)
    with torch.inference_mode():
        scores = models.load(out)(image).scores
    for stack, score in enumerate(scores):
        wanted = expected[f"stack{stack}"]
        assert np.abs(score[0, :, ::4, ::4].numpy() - wanted).max() <= 1e-4 * wanted.std()


@given(
    name=st.sampled_from(["hourglass", "attention-hourglass"]),
    options=st.fixed_dictionaries(
        {
            "stacks": st.integers(1, 3),
            "blocks": st.integers(1, 3),
            "depth": st.integers(1, 3),
            "features": st.sampled_from([4, 6, 8, 10]),
            "classes": st.integers(1, 12),
            "in_channels": st.integers(1, 3),
        }
    ),
    seed=st.integers(0, 99),
)
@settings(max_examples=12)
def test_every_size_is_inferred_and_every_number_kept(tmp_path, name, options, seed):
    state = random_state(name, seed, **options)
    out = tmp_path / "weights.safetensors"
    stored, _ = import_weights(save_checkpoint(tmp_path / "a.pth", state), out)
    assert (stored.model, stored.options) == (name, options)
    network = models.load(out)
    assert isinstance(network, StackedHourglass)
    assert not network.training
    assert (network.stem_pool, network.upsample) == (True, True)
    found = network.state_dict()
    assert found.keys() == state.keys()
    assert all(torch.equal(found[key], state[key]) for key in state)


def test_the_same_checkpoint_gives_the_same_bytes(tmp_path):
    checkpoint = save_checkpoint(tmp_path / "a.pth", random_state())
    first, second = tmp_path / "1.safetensors", tmp_path / "2.safetensors"
    digests = {import_weights(checkpoint, out)[1] for out in (first, second)}
    assert len(digests) == 1
    assert first.read_bytes() == second.read_bytes()
    assert b"pickle" not in first.read_bytes()[:2000]


def test_other_precisions_become_float32(tmp_path):
    state = {key: value.double() if value.is_floating_point() else value for key, value in random_state().items()}
    out = tmp_path / "weights.safetensors"
    import_weights(save_checkpoint(tmp_path / "a.pth", state), out)
    found = models.load(out).state_dict()
    assert all(value.dtype == torch.float32 for value in found.values() if value.is_floating_point())
    assert all(torch.equal(found[key], state[key].to(found[key].dtype)) for key in state)


def without(state, *names):
    return {key: value for key, value in state.items() if key not in names}


NAN, SIZED = torch.tensor(float("nan")), {"score.0.weight": torch.zeros(3, 5, 1, 1)}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda s: without(s, "fc.0.0.bias"), r"attention-hourglass .*missing: fc\.0\.0\.bias$"),
        (lambda s: without(s, "score.0.weight", "conv1.weight"), r"missing: conv1\.weight, score\.0\.weight"),
        (lambda s: without(s, *list(s)[::2]), r"missing: (\S+, ){2}\S+ and \d+ more"),
        (lambda s: s | {"extra.weight": torch.ones(2)}, r"unknown: extra\.weight"),
        (lambda s: s | {"hg.7.odd": torch.ones(2)}, r"stacks 3.*missing: hg\.2\."),
        (lambda s: s | {"bn1.weight": torch.ones(5)}, r"of another shape: bn1\.weight \(5, not 2\)"),
        (lambda s: s | {"conv1.weight": torch.ones(2, 3, 5, 5)}, r"conv1\.weight \(2 x 3 x 5 x 5, not 2 x 3 x 7 x 7\)"),
        (lambda s: s | {"conv1.weight": torch.ones(2)}, r"conv1\.weight \(2, not 2 x 3 x 7 x 7\)"),
        (lambda s: s | SIZED, "its tensors make no network"),
        (lambda s: s | {"bn1.bias": s["bn1.bias"] * NAN}, r"bn1\.bias holds values that are no finite numbers"),
        (lambda s: s | {"bn1.bias": s["bn1.bias"] / 0}, r"bn1\.bias holds values that are no finite numbers"),
        (lambda s: s | {"bn1.running_var": -s["bn1.running_var"]}, r"bn1\.running_var holds negative variances"),
        (lambda s: s | {"bn1.bias": s["bn1.bias"].long()}, r"bn1\.bias holds torch\.int64"),
        (lambda s: s | {"conv1.bias": s["conv1.bias"].to_sparse()}, r"conv1\.bias holds .*sparse"),
        (lambda s: {"a.weight": torch.ones(2)}, r"tensors \(a\.weight\) are of no network that can be imported"),
        (
            lambda s: {f"hg.{a}.hg.{b}": torch.ones(1) for a in range(9) for b in range(9)},
            "far more stacks, scales and blocks|not those",
        ),
    ],
)
def test_a_checkpoint_that_is_not_whole_and_sound_is_refused_by_what_is_wrong(tmp_path, change, message):
    checkpoint = save_checkpoint(tmp_path / "a.pth", change(random_state()))
    with pytest.raises(WeightsError, match=message) as raised:
        import_weights(checkpoint, tmp_path / "weights.safetensors")
    assert str(raised.value).startswith(f"{checkpoint}: ")
    assert not (tmp_path / "weights.safetensors").exists()


def test_names_that_claim_a_giant_network_are_refused_at_once(tmp_path):
    names = [f"hg.{n}.a" for n in range(300)] + [f"hg.0.hg.{n}.a" for n in range(300)]
    state = {name: torch.ones(1) for name in [*names, *(f"layer1.{n}.a" for n in range(300))]}
    with pytest.raises(WeightsError, match="far more stacks, scales and blocks than it has tensors"):
        import_weights(save_checkpoint(tmp_path / "a.pth", state), tmp_path / "weights.safetensors")


def test_the_output_s_name_must_say_what_it_is(tmp_path):
    checkpoint = save_checkpoint(tmp_path / "a.safetensors", random_state())
    before = checkpoint.read_bytes()
    with pytest.raises(UsageError, match=r"must end in \.safetensors"):
        import_weights(checkpoint, tmp_path / "b.pth")
    with pytest.raises(UsageError, match="is the checkpoint itself"):
        import_weights(checkpoint, checkpoint)
    assert checkpoint.read_bytes() == before
