"""Pictures with masks: decoded once and the same, changed together, and drawn alike after a restart."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from tests.mask_sets import draw_case, write_set

from lookonce.datasets import mask_store
from lookonce.datasets.mask_augment import MaskAugmentation, augmented, separated
from lookonce.datasets.mask_store import MaskStore
from lookonce.datasets.mask_stream import FixedMasks, MaskStream
from lookonce.errors import InputError
from lookonce.io.fitting import fitted
from lookonce.io.mask_sets import read_case, read_mask_set

SIZE = (32, 48)
LIKE = dict.fromkeys(("brightness", "contrast", "gamma", "tint", "saturation", "blur", "noise_share"), 0)
STILL = MaskAugmentation(**LIKE, mirror=0, rotation_degrees=0, scale=0, stretch=0, shift=0)


def pixels(seed: int = 0, shape: tuple[int, int] = SIZE) -> np.ndarray:
    picture, mask = draw_case(np.random.default_rng(seed), shape)
    return np.concatenate([picture, mask[..., None].astype(np.uint8) * 255], axis=2)


@pytest.fixture
def cases(tmp_path):
    return read_mask_set(write_set(tmp_path / "set")).cases


def store_of(cases, tmp_path) -> MaskStore:
    return MaskStore(cases, size=SIZE, resize="letterbox", cache=tmp_path / "cache")


def test_a_store_holds_every_picture_and_mask_at_the_wanted_size(cases, tmp_path):
    store = store_of(cases, tmp_path)
    assert len(store) == len(cases)
    for index, case in enumerate(cases):
        picture, mask = read_case(case)
        np.testing.assert_array_equal(store[index][..., :3], fitted(picture, SIZE, "letterbox"))
        np.testing.assert_array_equal(store[index][..., 3], fitted(mask.astype(np.uint8) * 255, SIZE, "letterbox"))


def test_pictures_are_decoded_once_for_all_runs(cases, tmp_path, monkeypatch):
    first = store_of(cases, tmp_path)
    monkeypatch.setattr(mask_store, "read_case", lambda _: pytest.fail("decoded again"))
    again = store_of(cases, tmp_path)
    assert again.path == first.path
    np.testing.assert_array_equal(again[3], first[3])


def test_a_changed_picture_is_decoded_again(cases, tmp_path):
    first = store_of(cases, tmp_path)
    cases[0].image.write_bytes(cases[1].image.read_bytes())
    second = store_of(cases, tmp_path)
    assert second.path != first.path
    np.testing.assert_array_equal(second[0][..., :3], first[1][..., :3])


def test_pictures_are_decoded_again_when_they_are_fitted_otherwise(cases, tmp_path, monkeypatch):
    first = store_of(cases, tmp_path)
    monkeypatch.setattr(mask_store, "fitted", lambda *arguments: 255 - fitted(*arguments))
    second = store_of(cases, tmp_path)
    assert second.path != first.path
    np.testing.assert_array_equal(second[0], 255 - first[0])


def test_a_damaged_picture_is_named_and_leaves_no_store(cases, tmp_path):
    cases[4].image.write_bytes(cases[4].image.read_bytes()[:200])
    with pytest.raises(InputError, match=r"case-004\.png"):
        store_of(cases, tmp_path)
    assert not list((tmp_path / "cache").iterdir())


def test_without_ranges_nothing_changes():
    image, mask = augmented(pixels(), STILL, np.random.default_rng(0))
    expected_image, expected_mask = separated(pixels())
    np.testing.assert_allclose(image, expected_image, atol=0.6 / 255)
    np.testing.assert_array_equal(mask, expected_mask)


@given(st.integers(0, 2**32 - 1))
def test_picture_and_mask_move_together(seed):
    """The drawn object is dark and its ground bright, wherever both are turned to."""
    image, mask = augmented(pixels(), MaskAugmentation(**LIKE), np.random.default_rng(seed))
    assert image.dtype == mask.dtype == np.float32
    assert image.shape == (3, *SIZE)
    assert set(np.unique(mask)) <= {0.0, 1.0}
    dark = image.mean(axis=0) < 0.5
    black = image.max(axis=0) < 0.05  # beyond the mirrored margin
    assert (dark == (mask[0] > 0))[~black].mean() > 0.93


@given(st.integers(0, 2**32 - 1))
def test_another_look_leaves_the_mask_and_the_range(seed):
    still = STILL.model_dump() | {
        name: value for name, value in MaskAugmentation().model_dump().items() if name in LIKE
    }
    image, mask = augmented(pixels(), MaskAugmentation(**still), np.random.default_rng(seed))
    np.testing.assert_array_equal(mask, separated(pixels())[1])
    assert 0 <= image.min() <= image.max() <= 1


def stream(cases, tmp_path, start: int, length: int, seed: int = 3) -> MaskStream:
    stores = [(store_of(cases[:4], tmp_path), 1.0), (store_of(cases[4:], tmp_path), 3.0)]
    return MaskStream(stores, augmentation=MaskAugmentation(), seed=seed, start=start, length=length)


def test_a_stream_goes_on_exactly_where_it_stopped(cases, tmp_path):
    whole, rest = stream(cases, tmp_path, 0, 12), stream(cases, tmp_path, 7, 5)
    for index in range(5):
        for name in ("image", "mask"):
            assert torch.equal(whole[7 + index][name], rest[index][name])
    assert not torch.equal(whole[0]["image"], whole[1]["image"])
    assert not torch.equal(whole[0]["image"], stream(cases, tmp_path, 0, 12, seed=4)[0]["image"])
    with pytest.raises(IndexError):
        rest[5]


def test_weights_are_those_of_each_picture(cases, tmp_path):
    # 4 pictures of weight 1 and 6 of weight 3.
    np.testing.assert_allclose(stream(cases, tmp_path, 0, 1).shares, [4 / 22, 18 / 22])


def test_fixed_pictures_are_spread_over_all_and_unchanged(cases, tmp_path):
    stores = [store_of(cases[:5], tmp_path), store_of(cases[5:], tmp_path)]
    few = FixedMasks(stores, 3)
    assert len(few) == 3
    np.testing.assert_array_equal(few[2]["image"], separated(stores[1][4])[0])
    assert len(FixedMasks(stores, 99)) == len(cases)
