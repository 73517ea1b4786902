"""Regions: as scipy finds them, on any mask."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays

from lookonce.decode.regions import fill_holes, keep_large, label_regions

ndimage = pytest.importorskip("scipy.ndimage")

MASKS = arrays(bool, array_shapes(min_dims=2, max_dims=2, min_side=1, max_side=12))


@given(MASKS, st.booleans())
def test_regions_are_those_that_scipy_finds(mask, corners):
    labels = label_regions(mask, corners=corners)
    expected, count = ndimage.label(mask, np.ones((3, 3)) if corners else None)
    assert labels.max(initial=0) == count
    assert len(set(zip(labels.ravel(), expected.ravel(), strict=True))) == len(np.unique(expected))


@given(MASKS)
def test_filled_holes_are_those_that_scipy_fills(mask):
    # A gap that reaches the outside over a corner is none.
    np.testing.assert_array_equal(fill_holes(mask), ndimage.binary_fill_holes(mask, np.ones((3, 3))))


def test_only_small_holes_are_filled_when_asked():
    mask = np.ones((9, 14), bool)
    mask[2:5, 2:5] = mask[3, 9] = False
    filled = fill_holes(mask, largest=8)
    assert filled[3, 9]
    assert not filled[2:5, 2:5].any()


def test_parts_smaller_than_a_tenth_of_the_largest_are_specks():
    mask = np.zeros((12, 12), bool)
    mask[:5, :6] = True
    mask[8, :3] = mask[10, 0] = mask[10, 2:4] = True
    kept = keep_large(mask)
    assert kept[8, :3].all()
    assert kept.sum() == 33


def test_an_empty_mask_stays_empty():
    empty = np.zeros((4, 5), bool)
    assert not keep_large(empty).any()
    assert not fill_holes(empty).any()


def test_a_spiral_is_one_region():
    mask = np.zeros((41, 41), bool)
    for ring in range(0, 20, 2):
        mask[ring, ring : 41 - ring] = mask[40 - ring, ring : 41 - ring] = True
        mask[ring : 41 - ring, 40 - ring] = mask[ring + 2 : 41 - ring, ring] = True
        mask[ring + 2, ring : ring + 3] = True
    assert label_regions(mask).max() == ndimage.label(mask)[1] == 1
