"""Segmenting: dark discs on light ground come back at the picture's own size, whatever that is."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from tests.shade_model import LOOK, dark_discs, write_shade_model

import lookonce
from lookonce.errors import InputError, NothingFoundError, UsageError
from lookonce.runtime.masks import MaskSession
from lookonce.runtime.weights import find_model
from lookonce.segmentation import Mask, segment


@pytest.fixture(scope="module")
def sessions(tmp_path_factory) -> dict[tuple[str, str], MaskSession]:
    """A session for each way to resize and kind of objects."""
    folder = tmp_path_factory.mktemp("models")
    return {
        (resize, objects): MaskSession(
            find_model(str(write_shade_model(folder / f"{resize}-{objects}.onnx", resize=resize, objects=objects))),
            threads=1,
        )
        for resize in ("stretch", "letterbox")
        for objects in ("one", "many")
    }


def dice(found: np.ndarray, truth: np.ndarray) -> float:
    return 2 * np.count_nonzero(found & truth) / (np.count_nonzero(found) + np.count_nonzero(truth))


@settings(max_examples=25)
@given(st.integers(20, 400), st.integers(20, 400), st.sampled_from(["stretch", "letterbox"]), st.floats(0.3, 0.7))
def test_the_mask_lies_where_the_object_is_at_the_picture_s_own_size(sessions, height, width, resize, place):
    radius = 0.28 * min(height, width)
    pixels, truth = dark_discs((height, width), (place * height, place * width, radius))
    mask = segment(pixels, model=sessions[resize, "one"])
    assert mask.mask.shape == mask.probability.shape == (height, width)
    # A long picture's object is a few of the network's pixels wide.
    assert dice(mask.mask, truth) > 0.97 - 0.02 * max(height, width) / min(height, width)
    (found,) = mask.objects
    assert found.area_px == np.count_nonzero(mask.mask) == mask.area_px


@pytest.mark.parametrize("objects", ["one", "many"])
def test_numbers_of_an_object_are_those_of_its_pixels(sessions, objects):
    pixels, _ = dark_discs((120, 200), (60, 50, 30), (60, 150, 25))
    mask = segment(pixels, model=sessions["letterbox", objects], mm_per_pixel=0.1)
    for found in mask.objects:
        own = mask.labels == found.number
        rows, columns = np.nonzero(own)
        assert found.box == (columns.min(), rows.min(), columns.max() + 1, rows.max() + 1)
        np.testing.assert_allclose(found.centre, (columns.mean() + 0.5, rows.mean() + 0.5))
        assert found.area_px == own.sum()
        assert found.area_mm2 == pytest.approx(own.sum() * 0.01)
        assert found.confidence == pytest.approx(mask.probability[own].mean(), abs=1e-4)
    assert mask.area_mm2 == pytest.approx(mask.mask.sum() * 0.01)


def test_a_model_of_one_object_leaves_specks_out_and_fills_holes(sessions):
    pixels, truth = dark_discs((128, 128), (60, 60, 40))
    pixels[50:62, 50:62] = 230
    pixels[115:119, 115:119] = 30
    mask = segment(pixels, model=sessions["stretch", "one"])
    assert dice(mask.mask, truth) > 0.98
    assert len(mask.outlines[1]) == 1


def test_a_model_of_one_object_keeps_its_large_parts_together(sessions):
    pixels, truth = dark_discs((128, 128), (40, 40, 25), (95, 95, 18))
    mask = segment(pixels, model=sessions["stretch", "one"])
    assert len(mask.objects) == 1
    assert dice(mask.mask, truth) > 0.97
    assert len(mask.outlines[1]) == 2


@pytest.mark.parametrize("scale", [0.4, 1, 6])
def test_cells_that_touch_are_counted_and_numbered_in_reading_order(sessions, scale):
    discs = [(20, 24, 9), (20, 39, 9), (44, 12, 8), (46, 40, 11)]
    pixels, truth = dark_discs(
        (round(64 * scale), round(56 * scale)), *(tuple(scale * value for value in disc) for disc in discs)
    )
    mask = segment(pixels, model=sessions["letterbox", "many"])
    assert len(mask.objects) == 4
    assert mask.labels.dtype == np.uint16
    assert dice(mask.mask, truth) > 0.9
    centres = np.array([found.centre[::-1] for found in mask.objects]) / scale
    np.testing.assert_allclose(np.sort(centres, axis=0), np.sort(np.array(discs)[:, :2], axis=0), atol=1.5)
    tops = [found.box[1] for found in mask.objects]
    assert tops == sorted(tops)


def test_a_lone_cell_beside_a_clump_of_many_is_counted(tmp_path):
    path = write_shade_model(tmp_path / "cells.onnx", size=(128, 128), objects="many")
    clump = [(20 + 15 * row, 20 + 15 * column, 8) for row in range(4) for column in range(4)]
    pixels, _ = dark_discs((128, 128), *clump, (110, 110, 7))
    mask = segment(pixels, model=path)
    assert len(mask.objects) == len(clump) + 1
    assert mask.objects[-1].centre == pytest.approx((110, 110), abs=1)


def test_a_gap_as_large_as_a_cell_among_many_is_no_cell(tmp_path):
    path = write_shade_model(tmp_path / "cells.onnx", size=(128, 128), objects="many")
    around = [(64 + 40 * np.sin(turn), 64 + 40 * np.cos(turn), 9) for turn in np.arange(16) * np.pi / 8]
    inner = [(64 + 20 * np.sin(turn), 64 + 20 * np.cos(turn), 12) for turn in np.arange(8) * np.pi / 4]
    pixels, truth = dark_discs((128, 128), *around, *inner)
    assert not truth[60:68, 60:68].any()
    assert not segment(pixels, model=path).mask[60:68, 60:68].any()


def test_a_picture_without_cells_counts_none_and_without_a_lesion_is_an_error(sessions):
    blank = np.full((50, 60, 3), 230, np.uint8)
    mask = segment(blank, model=sessions["stretch", "many"])
    assert (mask.objects, mask.area_px, mask.confidence) == ([], 0, None)
    assert mask.outlines == {}
    with pytest.raises(NothingFoundError, match="nothing was found in the picture") as caught:
        segment(blank, model=sessions["stretch", "one"])
    assert caught.value.exit_code == 4


@pytest.mark.parametrize("place", [(0, 50), (100, 50), (50, 0), (50, 100)])
def test_an_object_at_any_border_is_said_to_touch_it(sessions, place):
    pixels, _ = dark_discs((100, 100), (*place, 25))
    mask = segment(pixels, model=sessions["stretch", "one"])
    assert mask.touches_border
    assert any("touches the border" in warning for warning in mask.warnings)


def test_an_object_away_from_the_border_does_not_touch_it(sessions):
    pixels, _ = dark_discs((100, 100), (50, 50, 45))
    mask = segment(pixels, model=sessions["stretch", "one"])
    assert not mask.touches_border
    assert mask.warnings == []


def test_a_picture_unlike_the_training_pictures_is_said_to_be_so(sessions):
    pixels, _ = dark_discs((100, 100), (50, 50, 30))
    usual = segment(pixels, model=sessions["stretch", "one"])
    assert not usual.unlike
    pixels[..., 1:] = 0
    strange = segment(pixels, model=sessions["stretch", "one"])
    assert strange.unlike
    assert strange.distance > LOOK.limit
    assert any("looks unlike those that" in warning for warning in strange.warnings)


def test_a_pale_object_is_said_to_be_doubtful(sessions):
    _, truth = dark_discs((100, 100), (50, 50, 30))
    pixels = np.where(truth[..., None], np.uint8(112), np.uint8(230)) * np.ones(3, np.uint8)
    mask = segment(pixels, model=sessions["stretch", "one"])
    assert mask.confidence < 0.75
    assert any("doubtful" in warning for warning in mask.warnings)


def test_a_file_a_picture_and_an_array_give_the_same(sessions, tmp_path):
    pixels, _ = dark_discs((70, 90), (30, 40, 20))
    Image.fromarray(pixels).save(tmp_path / "a.png")
    session = sessions["stretch", "one"]
    masks = [segment(tmp_path / "a.png", model=session), segment(str(tmp_path / "a.png"), model=session)]
    masks.append(segment(pixels, model=session))
    assert all(np.array_equal(mask.labels, masks[0].labels) for mask in masks)


def test_a_model_is_found_by_its_path_and_told_with_its_licence(tmp_path):
    pixels, _ = dark_discs((70, 90), (30, 40, 20))
    path = write_shade_model(tmp_path / "shade.onnx", licence="CC-BY-NC-4.0")
    mask = lookonce.segment(pixels, model=path)
    assert isinstance(mask, lookonce.Mask)
    assert mask.model["name"] == "shade"
    assert mask.model["licence"] == "CC-BY-NC-4.0"
    assert mask.seconds > 0


@pytest.mark.parametrize("size", [0, -1, float("nan"), float("inf")])
def test_a_pixel_without_a_size_is_a_usage_error(sessions, size):
    with pytest.raises(UsageError, match="a positive number of millimetres"):
        segment(np.zeros((20, 20), np.uint8), model=sessions["stretch", "one"], mm_per_pixel=size)


def test_what_is_no_picture_is_an_input_error(sessions):
    with pytest.raises(InputError, match="an array of shape"):
        segment(np.zeros((20, 20, 2)), model=sessions["stretch", "one"])


def test_segmenting_twice_gives_the_same_bits(sessions):
    pixels, _ = dark_discs((90, 70), (40, 30, 20), (60, 50, 18))
    first, second = (segment(pixels, model=sessions["letterbox", "many"]) for _ in range(2))
    assert isinstance(first, Mask)
    np.testing.assert_array_equal(first.labels, second.labels)
    np.testing.assert_array_equal(first.probability, second.probability)
