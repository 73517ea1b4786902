"""What only the U-Nets have: image gradients, and an attention that follows them."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy.ndimage import sobel

from lookonce import models
from lookonce.models.unet import ShapeAttention, gradient_magnitude


def picture(seed: int, height: int = 16, width: int = 24) -> torch.Tensor:
    return torch.from_numpy(np.random.default_rng(seed).random((1, 1, height, width), dtype=np.float32))


@given(st.integers(0, 1000), st.integers(2, 20), st.integers(2, 20))
def test_the_gradient_is_scipy_s_sobel_magnitude(seed, height, width):
    image = picture(seed, height, width)
    grey = image[0, 0].numpy().astype(np.float64)
    expected = np.hypot(sobel(grey, axis=0, mode="nearest"), sobel(grey, axis=1, mode="nearest")) / 8
    np.testing.assert_allclose(gradient_magnitude(image)[0, 0].numpy(), expected, atol=2e-6)


@given(st.integers(0, 1000), st.floats(0.1, 1), st.floats(-1, 1))
def test_the_gradient_tells_not_bright_from_dark_and_scales_with_contrast(seed, contrast, offset):
    image = picture(seed)
    one, other = gradient_magnitude(image), gradient_magnitude(offset - contrast * image)
    torch.testing.assert_close(other, contrast * one, atol=2e-6, rtol=1e-4)


def test_the_gradient_of_a_flat_picture_can_be_learned_through():
    image = torch.full((1, 1, 8, 8), 0.5, requires_grad=True)
    gradient_magnitude(image).sum().backward()
    assert image.grad.isfinite().all()


def test_spatial_attention_follows_edges_only():
    torch.manual_seed(0)
    network = models.build("shape-unet", classes=2, widths=[8, 16]).eval()
    image = picture(3)
    with torch.no_grad():
        seen, inverted = network(image), network(1 - image)
    torch.testing.assert_close(seen.attention, inverted.attention)
    assert not torch.allclose(seen.scores[0], inverted.scores[0])


@pytest.mark.parametrize("level", [0, 1, 2])
def test_each_level_of_the_pyramid_has_its_learned_weight(level):
    torch.manual_seed(0)
    fusion = ShapeAttention((4, 6, 8), stem_stride=1).eval()
    image = picture(0)
    pyramid = [torch.rand(1, width, 16 // 2**number, 24 // 2**number) for number, width in enumerate((4, 6, 8))]
    other = [torch.zeros_like(features) if number == level else features for number, features in enumerate(pyramid)]
    with torch.no_grad():
        assert not torch.allclose(fusion(image, pyramid)[0], fusion(image, other)[0])
        fusion.level_weight[level] = -1e4
        torch.testing.assert_close(fusion(image, pyramid)[0], fusion(image, other)[0])


def test_the_scores_keep_the_stride_of_the_stem():
    network = models.build("unet", classes=2, widths=[4, 8, 8], stem_stride=2).eval()
    assert (network.output_stride, network.multiple) == (2, 8)
    with torch.no_grad():
        assert network(picture(0, 16, 24)).scores[0].shape == (1, 2, 8, 12)
