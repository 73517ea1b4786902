"""What goes wrong in a scanner: each artefact does what it is called, and none of them moves the object."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lookonce.synth.artefacts import Artefacts, draw_artefacts, draw_noise, shift_fat, spoil
from lookonce.synth.draw_spine import random_spine

SHAPE = (48, 40)
NONE = Artefacts(
    kept=np.ones(SHAPE, np.float32),
    ghost=(0, 5, 0.0),
    moving=np.ones(SHAPE, np.float32),
    resolution=(1.0, 1.0),
    folded=(0, 0),
    fat_shift=(0, 0),
    noise_size=0.0,
    noise_map=np.ones(SHAPE, np.float32),
)


@pytest.fixture
def picture() -> np.ndarray:
    """A bright block before a dark ground."""
    image = np.zeros(SHAPE, np.float32)
    image[20:28, 15:25] = 1
    return image


def test_without_artefacts_the_picture_stays_as_it_is(picture):
    np.testing.assert_allclose(spoil(picture, NONE), picture, atol=1e-6)


@pytest.mark.parametrize("axis", [0, 1])
def test_a_ghost_is_a_faint_copy_along_the_phase_axis(picture, axis):
    ghosted = spoil(picture, replace(NONE, ghost=(axis, 10, 0.1)))
    copy = np.roll(picture, 10, axis=axis)
    assert ghosted[copy > 0] == pytest.approx(0.1, abs=1e-6)
    assert ghosted[picture > 0] == pytest.approx(1.0, abs=0.2)


def test_what_does_not_move_leaves_no_ghost(picture):
    still = replace(NONE, ghost=(0, 12, 0.3), moving=np.zeros(SHAPE, np.float32))
    np.testing.assert_allclose(spoil(picture, still), picture, atol=1e-6)


def test_a_truncated_picture_rings_beside_its_borders_and_keeps_its_mean(picture):
    rung = spoil(picture, replace(NONE, resolution=(0.5, 1.0)))
    assert rung.max() > 1.02
    assert np.abs(rung[4:18]).max() > 0.01
    assert rung.sum() == pytest.approx(picture.sum(), rel=0.1)


def test_what_lies_beyond_the_border_folds_over(picture):
    picture[-4:, 10] = 1
    folded = spoil(picture, replace(NONE, folded=(0, 4)))
    assert folded[:4, 10] == pytest.approx(0.8)
    np.testing.assert_allclose(folded[4:], picture[4:], atol=1e-6)


def test_fat_alone_is_displaced(picture):
    fat = np.zeros(SHAPE, np.float32)
    fat[20:24] = 1
    shifted = shift_fat(picture, fat, replace(NONE, fat_shift=(1, 3)))
    np.testing.assert_allclose(shifted[20:24, 18:28], 1)
    np.testing.assert_allclose(shifted[24:], picture[24:])
    assert shifted.sum() == pytest.approx(picture.sum())


@given(st.floats(0, 2), st.integers(0, 2**32 - 1))
@settings(max_examples=10)
def test_noise_has_unit_variance_however_smooth_it_is(size, seed):
    noise = draw_noise(np.random.default_rng(seed), replace(NONE, noise_size=size))
    assert noise.shape == (2, *SHAPE)
    assert noise.std() == pytest.approx(1, abs=0.1)


@given(st.integers(0, 2**32 - 1))
@settings(max_examples=20)
def test_drawn_artefacts_fit_the_grid_and_keep_pictures_sound(seed):
    rng = np.random.default_rng(seed)
    y, z = np.linspace(60, -80, SHAPE[1]), np.linspace(-50, -218, SHAPE[0])
    artefacts = draw_artefacts(rng, random_spine(rng), y, z)
    for field in (artefacts.kept, artefacts.moving, artefacts.noise_map):
        assert field.shape == SHAPE
        assert np.isfinite(field).all()
    assert artefacts.kept.min() >= 0
    assert artefacts.kept.max() <= 1
    spoilt = spoil(np.ones(SHAPE, np.float32), artefacts)
    assert np.isfinite(spoilt).all()
    assert spoilt.min() >= 0
