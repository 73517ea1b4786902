"""Outlines: polygons and pixels are two forms of the same mask."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis.extra.numpy import array_shapes, arrays

from lookonce.decode.outlines import Polygon, signed_area, trace_outlines
from lookonce.decode.regions import label_regions

MASKS = arrays(bool, array_shapes(min_dims=2, max_dims=2, min_side=1, max_side=12))


def painted(polygons: list[Polygon], shape: tuple[int, ...]) -> np.ndarray:
    """The pixels whose centres lie within polygons: those with an odd number of upright sides to the left."""
    crossings = np.zeros(shape, int)
    for ring in (ring for polygon in polygons for ring in polygon):
        for (x, y), (x_to, y_to) in pairwise(ring):
            if x == x_to:
                crossings[min(y, y_to) : max(y, y_to), x:] += 1
    return crossings % 2 == 1


@given(MASKS)
def test_painting_the_polygons_gives_the_mask_again(mask):
    np.testing.assert_array_equal(painted(trace_outlines(mask), mask.shape), mask)


@given(MASKS)
def test_each_part_is_a_polygon_whose_area_is_its_number_of_pixels(mask):
    sizes = np.bincount(label_regions(mask).ravel())[1:]
    areas = [sum(map(signed_area, polygon)) for polygon in trace_outlines(mask)]
    assert sorted(areas) == sorted(sizes)


@given(MASKS)
def test_the_outer_ring_comes_first_and_goes_the_other_way_round_than_the_holes(mask):
    for outer, *holes in trace_outlines(mask):
        assert signed_area(outer) > 0
        assert all(signed_area(hole) < 0 for hole in holes)


@given(MASKS)
def test_rings_are_closed_turn_at_every_corner_and_never_touch_themselves(mask):
    for ring in (ring for polygon in trace_outlines(mask) for ring in polygon):
        assert ring[0].tolist() == ring[-1].tolist()
        corners = [tuple(corner) for corner in ring[:-1].tolist()]
        assert len(set(corners)) == len(corners) >= 4
        steps = np.diff(np.concatenate([ring, ring[1:2]]), axis=0)
        assert ((steps != 0).sum(axis=1) == 1).all()
        assert (np.einsum("ni,ni->n", steps[:-1], steps[1:]) == 0).all()


def test_pixels_that_share_a_corner_are_two_polygons():
    assert len(trace_outlines(np.eye(2, dtype=bool))) == 2


def test_holes_that_share_a_corner_are_two_rings_of_one_polygon():
    mask = np.ones((4, 4), bool)
    mask[1, 1] = mask[2, 2] = False
    ((outer, *holes),) = trace_outlines(mask)
    assert signed_area(outer) == 16
    assert [signed_area(hole) for hole in holes] == [-1, -1]


def test_parts_that_close_a_circle_at_corners_keep_their_own_borders():
    mask = np.array([[0, 1, 0], [1, 0, 1], [0, 1, 0]], bool)
    assert [len(polygon) for polygon in trace_outlines(mask)] == [1] * 4


@pytest.mark.parametrize("shape", [(0, 0), (1, 1), (5, 7)])
def test_an_empty_mask_has_no_outline(shape):
    assert trace_outlines(np.zeros(shape, bool)) == []
