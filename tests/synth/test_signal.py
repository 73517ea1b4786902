"""Contrasts look as a reader of MRI expects them."""

from __future__ import annotations

import numpy as np
import pytest

from lookonce.synth.acquisition import scale_robustly
from lookonce.synth.signal import CONTRASTS, draw_signals
from lookonce.synth.texture import smooth_noise
from lookonce.synth.tissues import PROPERTIES, Tissue

#: Contrast, a tissue and a darker one.
ORDERS = [
    ("t2", Tissue.CSF, Tissue.CORD),
    ("t2", Tissue.NUCLEUS, Tissue.ANNULUS),
    ("t2", Tissue.CORD, Tissue.CORTEX),
    ("t1", Tissue.FAT, Tissue.CSF),
    ("t1", Tissue.FAT, Tissue.MUSCLE),
    ("stir", Tissue.CSF, Tissue.FAT),
    ("stir", Tissue.EDEMA, Tissue.FATTY_MARROW),
    ("dixon", Tissue.ANNULUS, Tissue.MARROW),
    ("dixon", Tissue.CSF, Tissue.FAT),
]


@pytest.mark.parametrize(("contrast", "brighter", "darker"), ORDERS)
def test_tissues_are_ordered_as_in_practice(contrast: str, brighter: Tissue, darker: Tissue) -> None:
    draws = [draw_signals(np.random.default_rng(seed), contrast) for seed in range(40)]
    assert np.mean([signal[brighter] > signal[darker] for signal in draws]) > 0.8


@pytest.mark.parametrize("contrast", CONTRASTS)
def test_signals_are_finite_and_never_negative(contrast: str) -> None:
    for seed in range(20):
        signal = draw_signals(np.random.default_rng(seed), contrast)
        assert signal.dtype == np.float32
        assert signal.shape == (len(Tissue),)
        assert np.all((signal >= 0) & (signal <= 1))


def test_every_tissue_has_properties() -> None:
    assert list(PROPERTIES) == list(Tissue)
    assert [int(tissue) for tissue in Tissue] == list(range(len(Tissue)))


@pytest.mark.parametrize("scale", [1.0, 3.0, 25.0, 400.0])
def test_smooth_noise_has_unit_variance_whatever_its_scale(scale: float) -> None:
    fields = [smooth_noise(np.random.default_rng(seed), (40, 30), (scale, scale)) for seed in range(60)]
    assert np.std(fields) == pytest.approx(1.0, abs=0.2)


def test_scaling_ignores_single_outliers() -> None:
    image = np.linspace(0, 1, 10000, dtype=np.float32).reshape(100, 100)
    image[50, 50] = 1e6
    scaled = scale_robustly(image)
    assert scaled.min() == 0
    assert scaled.max() == 1
    assert scaled[75, 0] == pytest.approx(0.75, abs=0.01)
