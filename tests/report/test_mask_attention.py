"""Where a segmentation network looked: panels of one size, each map where it belongs on the picture."""

from __future__ import annotations

import io

import numpy as np
import pytest
from PIL import Image
from tests.shade_model import dark_discs

from lookonce.errors import UsageError
from lookonce.report.mask_attention import PANEL, mask_attention_picture
from lookonce.report.pictures import HEADING
from lookonce.runtime.masks import MaskMaps
from lookonce.segmentation import Mask
from lookonce.segmentation.mask import describe_objects

SHAPE, NETWORK = (120, 240), (64, 64)


def maps_of(*, boundary: bool = True, regions: bool = True) -> MaskMaps:
    """The border is seen in the middle of the network's picture, and the upper left of 4 x 4 patches counts."""
    border, patches = np.zeros(NETWORK, np.float32), np.zeros((4, 4), np.float32)
    border[30:34, 30:34] = 1
    patches[1, 0] = 1
    return MaskMaps(np.zeros(NETWORK, np.float32), border if boundary else None, patches if regions else None)


def panels(content: bytes) -> list[np.ndarray]:
    with Image.open(io.BytesIO(content)) as sheet:
        pixels = np.asarray(sheet).astype(int)
    assert pixels.shape[0] == PANEL * SHAPE[0] // SHAPE[1] + HEADING
    return [pixels[HEADING:, start : start + PANEL] for start in range(0, pixels.shape[1], PANEL)]


def redness(panel: np.ndarray) -> tuple[float, float]:
    """Row and column, as shares, of the middle of what is red."""
    rows, columns = np.nonzero(panel[..., 0] - panel[..., 2] > 40)
    return (rows.mean() + 0.5) / panel.shape[0], (columns.mean() + 0.5) / panel.shape[1]


@pytest.mark.parametrize(("resize", "patch"), [("stretch", (3 / 8, 1 / 8)), ("letterbox", (1 / 4, 1 / 8))])
def test_maps_lie_where_the_network_saw_them(resize, patch):
    pixels, truth = dark_discs(SHAPE, (60, 120, 30))
    objects = describe_objects(truth.astype(np.uint16), np.ones(SHAPE, np.float32), margin=(1, 1), mm_per_pixel=None)
    mask = Mask(truth.astype(np.uint16), truth.astype(np.float32), objects, "one")
    photo, outlined, border, attention = panels(mask_attention_picture(pixels, mask, maps_of(), resize, title="a.jpg"))
    assert np.abs(outlined - photo).sum() > 0
    assert redness(border) == pytest.approx((0.5, 0.5), abs=0.02)
    assert redness(attention) == pytest.approx(patch, abs=0.07)


def test_what_a_network_lacks_is_left_out_and_nothing_found_is_said():
    pixels, _ = dark_discs(SHAPE)
    content = mask_attention_picture(pixels, None, maps_of(boundary=False), "stretch", title="a.jpg")
    photo, outlined, _ = panels(content)
    np.testing.assert_array_equal(photo, outlined)
    with pytest.raises(UsageError, match="no contextual attention and no boundary"):
        mask_attention_picture(pixels, None, maps_of(boundary=False, regions=False), "stretch", title="a.jpg")
