"""Overlays: the outline lies on the object's border, whatever the picture's size."""

from __future__ import annotations

import numpy as np
import pytest
from tests.shade_model import dark_discs

from lookonce.report.overlays import DOUBTFUL_COLOUR, LONGEST, OUTLINE_COLOUR, overlay_picture
from lookonce.segmentation import Mask
from lookonce.segmentation.mask import describe_objects


def mask_of(truth: np.ndarray, *, sure: float = 0.95, kind: str = "one") -> Mask:
    labels, probability = truth.astype(np.uint16), np.full(truth.shape, sure, np.float32)
    objects = describe_objects(labels, probability, margin=(1, 1), mm_per_pixel=None)
    return Mask(labels, probability, objects, kind)


@pytest.mark.parametrize("shape", [(60, 80), (900, 700), (1200, 3400)])
def test_the_line_follows_the_border_of_the_object(shape):
    centre, radius = (shape[0] * 0.45, shape[1] * 0.55), min(shape) * 0.3
    pixels, truth = dark_discs(shape, (*centre, radius))
    sheet = overlay_picture(pixels, mask_of(truth))
    assert max(sheet.size) <= LONGEST
    scale = sheet.width / shape[1]
    rows, columns = np.nonzero((np.asarray(sheet) == OUTLINE_COLOUR).all(axis=2))
    away = np.hypot(rows + 0.5 - centre[0] * scale, columns + 0.5 - centre[1] * scale)
    assert len(rows) > 4 * radius * scale
    np.testing.assert_allclose(away, radius * scale, atol=max(2.0, 3 * scale, max(sheet.size) / 300))


def test_a_doubtful_object_has_another_colour():
    pixels, truth = dark_discs((90, 90), (45, 45, 20))
    colours = np.asarray(overlay_picture(pixels, mask_of(truth, sure=0.6)))
    assert (colours == DOUBTFUL_COLOUR).all(axis=2).any()
    assert not (colours == OUTLINE_COLOUR).all(axis=2).any()


def test_many_objects_bear_their_numbers():
    pixels, truth = dark_discs((90, 90), (45, 45, 20))
    one, many = (np.asarray(overlay_picture(pixels, mask_of(truth, kind=kind))) for kind in ("one", "many"))
    changed = np.argwhere((one != many).any(axis=2))
    np.testing.assert_allclose(changed.mean(axis=0), 45, atol=3)


def test_a_mask_without_objects_leaves_the_picture_as_it_is():
    pixels, truth = dark_discs((50, 60))
    np.testing.assert_array_equal(np.asarray(overlay_picture(pixels, mask_of(truth))), pixels)
