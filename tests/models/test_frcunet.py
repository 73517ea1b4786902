"""Frequency bands: nothing is lost, and each band has its frequencies."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from lookonce.models.frcunet import FrequencyRecalibration, blurred, frequency_bands


@given(st.integers(0, 1000), st.integers(2, 5), st.integers(1, 9), st.integers(1, 9))
@settings(max_examples=30, deadline=None)
def test_the_bands_add_up_to_the_maps(seed, count, height, width):
    maps = torch.randn(2, 3, height, width, generator=torch.Generator().manual_seed(seed))
    bands = frequency_bands(maps, count)
    assert len(bands) == count
    torch.testing.assert_close(torch.stack(bands).sum(dim=0), maps)


def test_texture_is_in_the_first_band_and_shape_in_the_last():
    rows, columns = torch.meshgrid(torch.arange(16), torch.arange(16), indexing="ij")
    texture = ((rows + columns) % 2 * 2.0 - 1)[None, None]
    shape = torch.sin(rows / 16 * torch.pi)[None, None]
    assert strengths(texture).argmax() == 0
    assert strengths(shape).argmax() == 3


def strengths(maps: torch.Tensor) -> torch.Tensor:
    return torch.stack([band[..., 4:-4, 4:-4].abs().mean() for band in frequency_bands(maps, 4)])


@pytest.mark.parametrize("sigma", [0.5, 1.0, 3.0])
def test_blurring_keeps_what_is_flat_and_each_channel_to_itself(sigma):
    maps = torch.zeros(1, 2, 6, 7)
    maps[:, 1] = 2.5
    torch.testing.assert_close(blurred(maps, sigma), maps)


def test_recalibration_follows_each_band():
    torch.manual_seed(0)
    module = FrequencyRecalibration(16, 3).eval()
    smooth, rough = torch.ones(1, 16, 8, 8), torch.randn(1, 16, 8, 8)
    with torch.no_grad():
        assert not torch.allclose(module(smooth + rough) - module(smooth), rough, atol=1e-3)
