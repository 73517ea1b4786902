"""Agreement of masks: hand-checked figures, the published clean-up, pooled against per picture."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.spatial.distance import cdist

from lookonce.metrics import masks
from lookonce.metrics.masks import MEASURES, MaskCase, count_pixels, hausdorff95, published_mask, summarise_masks

TRUTH = np.zeros((4, 5), bool)
TRUTH[:2, :3] = True  # 6 pixels
FOUND = np.zeros((4, 5), bool)
FOUND[:2, 1:5] = True  # 8 pixels, 4 of them right


@st.composite
def pairs(draw):
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    shape = draw(st.tuples(st.integers(1, 20), st.integers(1, 20)))
    share = draw(st.floats(0, 1))
    return rng.random(shape) < share, rng.random(shape) < 0.5


def test_figures_of_a_hand_checked_pair():
    counts = np.array(count_pixels(TRUTH, FOUND))
    assert counts.tolist() == [4, 4, 2, 10]
    found = {name: float(measure(counts)) for name, measure in MEASURES.items()}
    expected = {
        "dice": 8 / 14,
        "iou": 4 / 10,
        "mean_iou": (4 / 10 + 10 / 16) / 2,
        "sensitivity": 4 / 6,
        "specificity": 10 / 14,
        "accuracy": 14 / 20,
    }
    assert found == pytest.approx(expected)
    assert hausdorff95(TRUTH, FOUND) == 2.0


def test_two_empty_masks_agree_and_an_empty_one_is_as_far_off_as_can_be():
    empty = np.zeros((3, 4), bool)
    counts = np.array(count_pixels(empty, empty))
    assert masks.dice(counts) == masks.iou(counts) == masks.accuracy(counts) == 1
    assert np.isnan(masks.sensitivity(counts))
    assert hausdorff95(empty, empty) == 0
    assert hausdorff95(empty, ~empty) == hausdorff95(~empty, empty) == 5


@given(pairs())
def test_figures_hold_together_for_any_masks(pair):
    truth, found = pair
    counts = np.array(count_pixels(truth, found))
    assert counts.min() >= 0
    assert counts.sum() == truth.size
    overlap = float(masks.iou(counts))
    assert float(masks.dice(counts)) == pytest.approx(2 * overlap / (1 + overlap))
    assert masks.dice(np.array(count_pixels(found, truth))) == masks.dice(counts)
    assert hausdorff95(truth, found) == hausdorff95(found, truth)
    assert hausdorff95(truth, truth) == 0


@given(pairs())
def test_the_distance_of_outlines_is_that_of_all_pairs_of_pixels(pair):
    truth, found = pair
    if not truth.any() or not found.any():
        return
    outlines = []
    for mask in pair:
        padded = np.pad(mask, 1)
        inside = padded[:-2, 1:-1] & padded[2:, 1:-1] & padded[1:-1, :-2] & padded[1:-1, 2:]
        outlines.append(np.argwhere(mask & ~inside))
    apart = cdist(*outlines)
    expected = max(np.percentile(apart.min(axis=1), 95), np.percentile(apart.min(axis=0), 95))
    assert hausdorff95(truth, found) == pytest.approx(expected)


def test_the_published_mask_is_cut_opened_and_filled():
    probability = np.zeros((40, 40), np.float32)
    probability[5:25, 5:25] = 0.44  # above 0.43
    probability[12:14, 12:14] = 0  # a hole that is filled
    probability[30:35, 30:35] = 1  # smaller than the opening
    probability[5:25, 30:36] = 0.42  # below
    expected = np.zeros((40, 40), bool)
    expected[5:25, 5:25] = True
    np.testing.assert_array_equal(published_mask(probability), expected)


def case(name: str, counts: tuple[int, int, int, int], data_set: str = "a", kin: str | None = None) -> MaskCase:
    return MaskCase(data_set, name, kin or name, counts, hd95=float(counts[1]))


def test_pooled_figures_weigh_pixels_and_others_pictures():
    cases = [case("large", (900, 0, 100, 1000)), case("small", (10, 0, 30, 100))]
    (row,) = summarise_masks(cases)
    assert row.pictures == 2
    assert row.pooled["dice"].value == pytest.approx(2 * 910 / (2 * 910 + 130))
    assert row.per_image["dice"].value == pytest.approx((1800 / 1900 + 20 / 50) / 2)
    low, high = row.per_image["dice"].interval
    assert low == pytest.approx(20 / 50)
    assert high == pytest.approx(1800 / 1900)
    assert row.per_image["hd95_px"].value == 0
    assert "hd95_px" not in row.pooled


def test_a_value_that_a_picture_does_not_define_is_left_out_of_the_mean():
    (row,) = summarise_masks([case("no cell", (0, 0, 0, 50)), case("cells", (8, 0, 2, 40))])
    assert row.per_image["sensitivity"].value == 0.8
    assert row.per_image["dice"].value == pytest.approx((1 + 16 / 18) / 2)


def test_near_duplicates_are_redrawn_together():
    twins = [case("one", (9, 0, 1, 90), kin="one"), case("two", (1, 0, 9, 90), kin="one")]
    (row,) = summarise_masks(twins)
    assert row.per_image["dice"].interval is None  # one kin says nothing of others
    assert row.pooled["dice"].interval is None


def test_several_sets_are_pooled_at_the_end():
    rows = summarise_masks([case("x", (9, 0, 1, 90)), case("x", (1, 0, 9, 90), data_set="b")])
    assert [row.data_set for row in rows] == ["a", "b", "pooled, all"]
    assert rows[-1].pooled["sensitivity"].value == 0.5
    assert rows[-1].pooled["sensitivity"].interval is not None
