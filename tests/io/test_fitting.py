"""Fitting: where a picture lies in the network's, and maps back at its own size."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lookonce.io.fitting import fit_box, fitted, unfitted

sides = st.integers(1, 90)
shapes = st.tuples(sides, sides)
resizes = st.sampled_from(["stretch", "letterbox"])


@given(shapes, shapes, resizes)
def test_a_fitted_picture_has_the_size_and_lies_in_the_middle(shape, size, resize):
    box = fit_box(shape, size, resize)
    mask = fitted(np.full(shape, 200, np.uint8), size, resize)
    assert mask.shape == size
    inside = mask[box.top : box.top + box.height, box.left : box.left + box.width]
    assert (inside == 200).all()
    assert (mask > 0).sum() == inside.size
    assert abs(box.top - (size[0] - box.height - box.top)) <= 1
    assert abs(box.left - (size[1] - box.width - box.left)) <= 1
    assert (box.height, box.width) == tuple(size) or resize == "letterbox"


@given(shapes, shapes, resizes)
def test_beside_a_picture_lies_its_ground(shape, size, resize):
    picture = np.full((*shape, 3), (208, 195, 209), np.uint8)
    assert (fitted(picture, size, resize) == (208, 195, 209)).all()


@given(shapes, shapes, resizes)
def test_a_map_comes_back_at_the_pictures_size(shape, size, resize):
    box = fit_box(shape, size, resize)
    values = np.zeros(size, np.float32)
    values[box.top : box.top + box.height, box.left : box.left + box.width] = 0.25
    back = unfitted(values, shape, resize)
    assert back.shape == shape
    np.testing.assert_allclose(back, 0.25, atol=1e-6)


@pytest.mark.parametrize("resize", ["stretch", "letterbox"])
@pytest.mark.parametrize("shape", [(60, 100), (100, 60), (31, 17)])
def test_an_object_comes_back_where_it_was(resize, shape):
    rows, columns = np.mgrid[: shape[0], : shape[1]]
    disc = (rows / shape[0] - 0.4) ** 2 + (columns / shape[1] - 0.6) ** 2 < 0.04
    back = unfitted(fitted(disc.astype(np.uint8) * 255, (64, 64), resize).astype(np.float32) / 255, shape, resize)
    assert ((back > 0.5) == disc).mean() > 0.985
