"""What every network for masks must do, by name; `tests/mask_networks.py` lists them."""

from __future__ import annotations

import logging
import warnings

import numpy as np
import onnxruntime
import pytest
import torch
from tests.mask_networks import SMALL
from torch import Tensor

from lookonce import models
from lookonce.errors import UsageError
from lookonce.models.network import MaskNetwork, MaskOutput

every_network = pytest.mark.parametrize("name", SMALL)


def small(name: str) -> MaskNetwork:
    torch.manual_seed(0)
    network = models.build(name, **SMALL[name])
    assert isinstance(network, MaskNetwork)
    return network


def pictures(network: MaskNetwork, count: int = 2) -> Tensor:
    """Random pictures, not square where the network takes such."""
    height, width = (network.size,) * 2 if network.size else (2 * network.multiple, 3 * network.multiple)
    return torch.rand(count, network.in_channels, height, width, generator=torch.Generator().manual_seed(1))


def maps(output: MaskOutput) -> dict[str, Tensor]:
    """The maps that a network gives, by name."""
    return {name: value for name, value in output._asdict().items() if value is not None}


@every_network
@pytest.mark.parametrize("training", [True, False])
def test_mask_and_boundary_have_the_picture_s_size_and_regions_divide_it(name, training):
    network = small(name).train(training)
    image = pictures(network)
    with torch.no_grad():
        found = maps(network(image))
    for key in {"mask", "boundary"} & found.keys():
        assert found[key].shape == (2, 1, *image.shape[2:])
    if "regions" in found:
        assert found["regions"].shape[:2] == (2, 1)
        assert all(side % share == 0 for side, share in zip(image.shape[2:], found["regions"].shape[2:], strict=True))
        assert 0 <= float(found["regions"].min()) < float(found["regions"].max()) <= 1


@every_network
def test_gradients_reach_every_parameter(name):
    network = small(name).train()
    sum(value.square().sum() for value in maps(network(pictures(network))).values()).backward()
    for parameter_name, parameter in network.named_parameters():
        assert parameter.grad is not None, parameter_name
        assert parameter.grad.isfinite().all(), parameter_name
        # A bias in front of a batch norm has no effect, by construction; a kernel always has.
        assert parameter.grad.any() or parameter_name.endswith("bias"), parameter_name


@every_network
def test_evaluation_is_deterministic_and_follows_the_picture(name):
    network = small(name).eval()
    image = pictures(network)
    with torch.no_grad():
        first, second, other = (maps(network(x)) for x in (image, image, image.flip(2)))
    assert all(torch.equal(first[key], second[key]) for key in first)
    assert not torch.allclose(first["mask"], other["mask"])


@every_network
def test_a_picture_s_maps_do_not_depend_on_the_batch_it_comes_in(name):
    network = small(name).eval()
    image = pictures(network, count=3)
    with torch.no_grad():
        together = maps(network(image))
        alone = [maps(network(single[None])) for single in image]
    for key, value in together.items():
        torch.testing.assert_close(value, torch.cat([one[key] for one in alone]), rtol=1e-4, atol=1e-5)


@every_network
def test_the_same_seed_builds_the_same_network(name):
    first, second = small(name).state_dict(), small(name).state_dict()
    assert all(torch.equal(first[key], second[key]) for key in first)


@every_network
def test_half_precision_training_stays_finite(name):
    network = small(name).train()
    with torch.autocast("cpu", torch.bfloat16):
        found = maps(network(pictures(network)))
        sum(value.float().square().mean() for value in found.values()).backward()
    assert all(value.isfinite().all() for value in found.values())
    assert all(parameter.grad.isfinite().all() for parameter in network.parameters())


@every_network
@pytest.mark.slow
def test_onnx_runtime_computes_what_torch_computes_for_any_batch(name):
    network = small(name).eval()
    logging.getLogger("torch.onnx").setLevel(logging.ERROR)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        program = torch.onnx.export(
            network, (pictures(network),), dynamic_shapes=({0: torch.export.Dim("batch")},), verbose=False
        )
    session = onnxruntime.InferenceSession(program.model_proto.SerializeToString(), providers=["CPUExecutionProvider"])
    for count in (1, 3):
        image = pictures(network, count)
        with torch.no_grad():
            expected = maps(network(image)).values()
        found = session.run(None, {session.get_inputs()[0].name: image.numpy()})
        for ours, theirs in zip(found, expected, strict=True):
            np.testing.assert_allclose(ours, theirs.numpy(), atol=1e-3 * max(1.0, float(theirs.std())))


@every_network
def test_colour_pictures_go_in_and_the_size_is_a_multiple(name):
    with torch.device("meta"):  # the shipped sizes, without their memory
        networks = [models.build(name), models.build(name, **SMALL[name])]
    for network in networks:
        assert network.in_channels == 3
        assert network.size is None or network.size % network.multiple == 0


@every_network
def test_an_unknown_option_is_answered_with_the_options_there_are(name):
    with pytest.raises(UsageError, match=f"{name} has no option 'wide'"):
        models.build(name, wide=3)


def test_every_network_for_masks_is_tested_here():
    with torch.device("meta"):
        for_masks = {name for name in models.names() if isinstance(models.build(name), MaskNetwork)}
    assert for_masks == SMALL.keys()
