"""Looks: the training pictures lie within the limit, other pictures outside."""

from __future__ import annotations

import numpy as np
import pytest
from pydantic import ValidationError

from lookonce.runtime.looks import Look, look_features


def pictures(count: int, *, seed: int) -> np.ndarray:
    """Pictures (N, 3, 8, 8) of skin-like colours."""
    rng = np.random.default_rng(seed)
    colours = rng.normal([0.7, 0.55, 0.5], 0.05, (count, 3))
    return np.clip(colours[..., None, None] + rng.normal(0, 0.05, (count, 3, 8, 8)), 0, 1).astype(np.float32)


@pytest.fixture(scope="module")
def look() -> Look:
    return Look.of(np.stack([look_features(picture) for picture in pictures(400, seed=0)]))


def test_all_but_one_in_200_training_pictures_lie_within_the_limit(look):
    outside = sum(look.distance(picture) > look.limit for picture in pictures(400, seed=0))
    assert 0 < outside <= 2


def test_most_new_pictures_of_the_kind_lie_within_the_limit(look):
    assert sum(look.distance(picture) > look.limit for picture in pictures(400, seed=1)) < 12


@pytest.mark.parametrize("colour", [(0, 0, 0), (0.1, 0.3, 0.9), (1, 1, 1)])
def test_a_picture_of_one_flat_colour_lies_outside(colour, look):
    flat = np.broadcast_to(np.float32(colour)[:, None, None], (3, 8, 8))
    assert look.distance(flat) > 2 * look.limit


def test_features_are_means_then_deviations():
    picture = np.stack([np.full((2, 2), 0.25), np.array([[0, 1], [0, 1]]), np.zeros((2, 2))]).astype(np.float32)
    np.testing.assert_allclose(look_features(picture), [0.25, 0.5, 0, 0, 0.5, 0])


def test_pictures_that_are_all_alike_have_a_look_too():
    look = Look.of(np.tile([0.5, 0.5, 0.5, 0.1, 0.1, 0.1], (3, 1)) + 1e-9 * np.arange(3)[:, None])
    assert np.isfinite(look.distance(np.zeros((3, 4, 4), np.float32)))


@pytest.mark.parametrize("count", [1, 3])
def test_one_picture_or_the_same_again_has_a_look(count):
    picture = pictures(1, seed=0)[0]
    look = Look.of(np.tile(look_features(picture), (count, 1)))
    assert look.distance(picture) < look.limit
    assert look.distance(np.zeros((3, 4, 4), np.float32)) > look.limit


def test_a_look_of_another_number_of_features_is_refused():
    with pytest.raises(ValidationError):
        Look(mean=[0.5] * 5, inverse_covariance=[[0.0] * 5] * 5, limit=3)
