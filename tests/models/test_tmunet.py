"""TMUnet: its size, how it scales pictures, and what its published form does differently."""

from __future__ import annotations

import pytest
import torch
from tests.mask_networks import SMALL
from torch.utils.flop_counter import FlopCounterMode

from lookonce import models
from lookonce.errors import UsageError
from lookonce.models.tmunet import normalised


def tiny(name: str = "tmunet", **options):
    torch.manual_seed(0)
    return models.build(name, **{**SMALL[name], **options}).eval()


def parameters(name: str) -> int:
    with torch.device("meta"):
        return sum(parameter.numel() for parameter in models.build(name).parameters())


def test_the_paper_s_size_is_the_published_one():
    assert parameters("tmunet") == 165_165_953


def test_the_baseline_is_the_paper_s_size_without_transformer_and_context():
    with torch.device("meta"):
        whole = models.build("tmunet")
    apart = sum(parameter.numel() for part in (whole.transformer, whole.context) for parameter in part.parameters())
    assert parameters("tmunet-baseline") == parameters("tmunet") - apart + 64 + 1


def test_the_small_form_is_small_and_quick():
    assert 4 * parameters("tmunet-small") < 15e6
    with torch.device("meta"):
        network, image = models.build("tmunet-small").eval(), torch.empty(1, 3, 256, 256)
        with torch.no_grad(), FlopCounterMode(display=False) as counter:
            network(image)
    assert counter.get_total_flops() / 2 < 3e9


def test_as_published_a_picture_is_stretched_so_that_contrast_and_brightness_do_not_count():
    network = tiny(published=True)
    image = torch.rand(2, 3, 64, 64)
    with torch.no_grad():
        one, other = network(image), network(0.2 + 0.5 * image)
        direct = network.maps(
            255 * (image - image.amin((1, 2, 3), True)) / (image.amax((1, 2, 3), True) - image.amin((1, 2, 3), True))
        )
    for maps in (other, direct):
        for ours, theirs in zip(one, maps, strict=True):
            torch.testing.assert_close(ours, theirs, rtol=1e-3, atol=1e-3)


@pytest.mark.parametrize("published", [False, True])
def test_a_picture_of_one_colour_gives_numbers(published):
    with torch.no_grad():
        assert all(value.isfinite().all() for value in tiny(published=published)(torch.full((1, 3, 64, 64), 0.5)))


def test_the_statistics_are_imagenet_s():
    mean = torch.tensor([0.485, 0.456, 0.406])[None, :, None, None]
    torch.testing.assert_close(normalised(mean), torch.zeros_like(mean))


def test_the_published_form_has_the_same_tensors_and_other_results():
    ours, theirs = tiny(), tiny(published=True)
    theirs.load_state_dict(ours.state_dict())
    image = torch.rand(1, 3, 64, 64)
    with torch.no_grad():
        assert not torch.allclose(ours.maps(image).mask, theirs.maps(image).mask)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"size": 48}, "size must be a multiple of 32"),
        ({"size": 0}, "size must be a multiple of 32"),
        ({"decoder": [8, 8, 8]}, "decoder must be five"),
        ({"widths": [8]}, "four numbers"),
        ({"heads": 5}, "multiple of heads"),
        ({"patch_widths": "wide"}, "tmunet: "),
    ],
)
def test_an_impossible_value_is_a_usage_error_that_names_the_model(options, message):
    with pytest.raises(UsageError, match=message):
        tiny(**options)
