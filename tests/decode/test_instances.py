"""Objects that touch: round ones come apart, long, uneven and lone ones stay whole."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays
from tests.shade_model import dark_discs

from lookonce.decode.instances import grow, separate, squared_distance
from lookonce.decode.regions import label_regions

MASKS = arrays(bool, array_shapes(min_dims=2, max_dims=2, min_side=1, max_side=12))
SURE = np.ones((80, 120), np.float32)


@given(MASKS.filter(lambda mask: not mask.all()))
def test_distances_are_those_to_the_nearest_pixel_outside(mask):
    outside = np.argwhere(~mask)
    nearest = ((np.argwhere(mask)[:, None] - outside) ** 2).sum(axis=2).min(axis=1)
    distance = squared_distance(mask)
    np.testing.assert_array_equal(distance[mask], nearest)
    assert not distance[~mask].any()


def test_a_mask_without_an_outside_is_far_from_it():
    assert (squared_distance(np.ones((3, 4), bool)) >= 49).all()


@pytest.mark.parametrize("radius", [7, 10, 14])
@pytest.mark.parametrize("apart", [1.5, 1.7, 1.9])
def test_two_discs_that_overlap_are_two(radius, apart):
    _, mask = dark_discs(SURE.shape, (40, 40, radius), (40, 40 + apart * radius, radius))
    labels = separate(mask, SURE)
    assert labels.max() == 2
    middle = round(40 + apart * radius / 2)
    assert len(np.unique(labels[:, : middle - 1])) == len(np.unique(labels[:, middle + 2 :])) == 2


@given(st.integers(0, 1000))
def test_a_disc_with_an_uneven_border_is_one(seed):
    rng = np.random.default_rng(seed)
    rows, columns = np.mgrid[:80, :120]
    angle = np.arctan2(rows - 40, columns - 60)
    waves = sum(rng.uniform(0, 1.2 / n) * np.cos(n * angle + rng.uniform(0, 6)) for n in range(2, 9))
    mask = np.hypot(rows - 40, columns - 60) < 22 + waves
    assert separate(mask, SURE).max() == 1


def test_an_ellipse_is_one():
    rows, columns = np.mgrid[:80, :120]
    assert separate(((rows - 40) / 12) ** 2 + ((columns - 60) / 45) ** 2 < 1, SURE).max() == 1


def test_a_doubtful_seam_separates_what_the_shape_alone_would_not():
    mask = np.zeros((80, 120), bool)
    mask[20:60, 20:100] = True
    probability = SURE.copy()
    probability[:, 57:63] = 0.55
    assert separate(mask, SURE).max() == 1
    assert separate(mask, probability).max() == 2


@given(MASKS)
def test_objects_cover_the_mask_and_never_join_its_regions(mask):
    labels = separate(mask, np.ones(mask.shape, np.float32))
    np.testing.assert_array_equal(labels > 0, mask)
    regions = label_regions(mask, corners=True)
    for number in range(1, labels.max(initial=0) + 1):
        assert len(np.unique(regions[labels == number])) == 1


@given(MASKS)
def test_without_a_limit_what_touches_is_one_object(mask):
    labels = separate(mask, np.ones(mask.shape, np.float32), same_from=0)
    assert labels.max(initial=0) == label_regions(mask, corners=True).max(initial=0)


def test_growing_changes_nothing_that_is_labelled():
    labels = np.zeros((9, 9), np.int32)
    labels[4, 2], labels[4, 6] = 1, 2
    grown = grow(labels, steps=2)
    assert (grown[2:7, 0:4] == 1).all()
    assert (grown[2:7, 5:9] == 2).all()
    assert grown[0].max() == 0
