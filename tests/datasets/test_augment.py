"""Augmentation moves picture and points together, and changes looks without leaving the range of a picture."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from lookonce.datasets.augment import BEYOND_AN_END_MM, Augmentation, augmented, centred
from lookonce.datasets.samples import SlabSample

#: Everything that moves pixels at its default or stronger, nothing that changes their look but a grey curve.
MOVES = Augmentation(mirror=0.5, remap=0, bias=0, noise=0, blur=0, erase=0)
SHAPE, SPACING = (96, 80), 1.5

seeds = st.integers(0, 2**32 - 1)


def picture_with_blob(point: tuple[float, float], shape=(150, 120), spacing: float = 1.0) -> SlabSample:
    """A picture that is dark but for a Gaussian blob at one disc."""
    rows, columns = np.mgrid[: shape[0], : shape[1]]
    blob = np.exp(-0.5 * (np.hypot(rows - point[0], columns - point[1]) * spacing / 4) ** 2)
    points = np.array([point], dtype=np.float64)
    return SlabSample(blob.astype(np.float32), spacing, points, np.array([5]), np.zeros(1), negatives=points.copy())


def brightest_place(image: np.ndarray) -> np.ndarray:
    """Centre of mass of the bright half, row and column."""
    weight = np.where(image > 0.5 * image.max(), image, 0)
    return np.array([(grid * weight).sum() for grid in np.mgrid[: image.shape[0], : image.shape[1]]]) / weight.sum()


def nothing_but_noise(seed: int = 0, shape=(120, 100)) -> SlabSample:
    image = np.random.default_rng(seed).uniform(0.1, 1, shape).astype(np.float16)
    points = np.array([[30.0, 40.0], [70.0, 45.0]])
    return SlabSample(image, 1.0, points, np.array([4, 5]), np.zeros(2))


@given(st.floats(30, 120), st.floats(30, 90), st.sampled_from([0.8, 1.0, 1.25]), seeds)
def test_a_blob_painted_at_a_point_is_found_at_the_mapped_point(row, column, spacing, seed):
    sample = picture_with_blob((row, column), spacing=spacing)
    crop = augmented(sample, SHAPE, SPACING, MOVES, np.random.default_rng(seed))
    assert crop.image.shape == SHAPE
    assert crop.spacing == SPACING
    mapped = crop.points[0]
    assume(np.all((mapped > 9) & (mapped < np.array(SHAPE) - 10)))
    assert np.abs(brightest_place(crop.image) - mapped).max() < 0.5
    np.testing.assert_allclose(crop.negatives, crop.points)


@given(st.floats(40, 110), st.floats(40, 80), st.floats(0.7, 2.0))
def test_the_plain_crop_maps_its_points_too(row, column, spacing):
    crop = centred(picture_with_blob((row, column)), SHAPE, spacing)
    mapped = crop.points[0]
    assume(np.all((mapped > 12) & (mapped < np.array(SHAPE) - 13)))
    assert np.abs(brightest_place(crop.image) - mapped).max() < 0.3


def test_the_plain_crop_of_the_same_size_and_spacing_changes_nothing():
    sample = nothing_but_noise()
    same = centred(sample, sample.image.shape, sample.spacing)
    np.testing.assert_allclose(same.image, sample.image, atol=1e-4)
    np.testing.assert_allclose(same.points, sample.points)


@given(seeds)
def test_an_augmented_picture_depends_on_its_seed_alone(seed):
    first, second = (
        augmented(nothing_but_noise(), SHAPE, SPACING, Augmentation(mirror=0.5), np.random.default_rng(seed))
        for _ in range(2)
    )
    np.testing.assert_array_equal(first.image, second.image)
    np.testing.assert_array_equal(first.points, second.points)


@given(seeds)
def test_looks_stay_in_the_range_of_a_picture_and_the_outside_stays_black(seed):
    sample = nothing_but_noise(seed, shape=(60, 50))  # smaller than the crop, so that it has an outside
    crop = augmented(sample, SHAPE, SPACING, Augmentation(), np.random.default_rng(seed))
    assert crop.image.dtype == np.float32
    assert 0 <= crop.image.min() <= crop.image.max() <= 1
    assert (crop.image == 0).any()


@pytest.mark.parametrize("image", [np.zeros((80, 70)), np.full((80, 70), 0.5)], ids=["black", "grey"])
def test_a_picture_without_contrast_or_discs_is_no_reason_to_fail(image):
    empty = SlabSample(image, 1.0, np.zeros((0, 2)), np.zeros(0, dtype=int), np.zeros(0))
    for seed in range(20):
        crop = augmented(empty, SHAPE, SPACING, Augmentation(), np.random.default_rng(seed))
        assert np.isfinite(crop.image).all()
        assert crop.points.shape == (0, 2)


def test_levels_lateral_places_and_completeness_go_through_unchanged():
    sample = nothing_but_noise()
    crop = augmented(sample, SHAPE, SPACING, Augmentation(), np.random.default_rng(0))
    assert crop.levels is sample.levels
    assert crop.lateral is sample.lateral
    assert crop.complete


ONLY_SHORTER = Augmentation(remap=0, bias=0, noise=0, blur=0, erase=0, shorten=1, shortest_mm=30, longest_mm=60)


@given(seeds)
def test_a_shortened_picture_holds_a_band_and_only_the_points_in_it(seed):
    sample = nothing_but_noise(seed)
    crop = augmented(sample, SHAPE, SPACING, ONLY_SHORTER, np.random.default_rng(seed))
    bright = np.flatnonzero(crop.image.max(axis=1) > 0)
    assume(len(bright))
    assert len(bright) == bright[-1] - bright[0] + 1 <= 60 / SPACING + 1
    assert len(crop.points) == len(crop.levels) == len(crop.lateral)
    rows = crop.points[((crop.points >= 0) & (crop.points < SHAPE)).all(axis=1), 0]
    assert np.all((rows >= bright[0] - 1) & (rows <= bright[-1] + 1))


@given(seeds)
def test_a_shortened_picture_shows_a_disc_where_the_whole_one_does(seed):
    as_it_is = ONLY_SHORTER.model_copy(update={"shorten": 0})
    whole = augmented(nothing_but_noise(), SHAPE, SPACING, as_it_is, np.random.default_rng(seed))
    assume(np.any((whole.points[:, 0] >= 0) & (whole.points[:, 0] < SHAPE[0])))
    crop = augmented(nothing_but_noise(), SHAPE, SPACING, ONLY_SHORTER, np.random.default_rng(seed))
    assert len(crop.points) > 0


@given(seeds)
def test_a_picture_cut_at_an_end_of_the_spine_shows_that_end_and_less_than_50_mm_beyond(seed):
    rng = np.random.default_rng(seed)
    first = int(rng.integers(2, 23))  # C2/C3, L5/S1, or neither is among the four
    rows = 10.0 + 16 * np.arange(4)
    image = rng.uniform(0.2, 1, (80, 40))
    sample = SlabSample(image, 1.0, np.column_stack([rows, rows * 0 + 20]), first + np.arange(4), rows * 0)
    still = Augmentation(rotation_degrees=0, scale=0, shear=0, remap=0, bias=0, noise=0, blur=0, erase=0)
    whole = augmented(sample, (80, 40), 1.0, still, np.random.default_rng(seed))
    cut = augmented(sample, (80, 40), 1.0, still.model_copy(update={"cut_ends": 1}), np.random.default_rng(seed))
    inside = (whole.points[:, 0] >= 0) & (whole.points[:, 0] < 80)
    ends = np.isin(whole.levels, (3, 25)) & inside
    bright = np.flatnonzero(cut.image.max(axis=1) > 0)
    if not ends.any():
        np.testing.assert_array_equal(cut.levels, whole.levels)
        assert np.array_equal(bright, np.flatnonzero(whole.image.max(axis=1) > 0))
        return
    assert set(whole.levels[ends]) <= set(cut.levels)
    assume(len(bright))
    (row,) = whole.points[ends, 0]
    beyond = row - bright[0] if 3 in whole.levels[ends] else bright[-1] - row
    assert beyond <= BEYOND_AN_END_MM[1] + 1


def test_noisy_labels_are_off_by_the_stated_millimetres_and_the_picture_is_not():
    sample = SlabSample(np.ones((80, 60)), 1.0, np.full((400, 2), 30.0), np.full(400, 5), np.zeros(400))
    quiet = Augmentation(rotation_degrees=0, scale=0, shear=0)
    clean = augmented(sample, (80, 60), 1.0, quiet, np.random.default_rng(0))
    noisy = augmented(sample, (80, 60), 1.0, quiet.model_copy(update={"label_noise_mm": 2.0}), np.random.default_rng(0))
    assert np.std(noisy.points - clean.points) == pytest.approx(2.0, rel=0.1)
    assert np.ptp(clean.points, axis=0).max() < 1e-9


@given(seeds)
def test_with_every_range_at_zero_only_the_range_of_grey_values_changes(seed):
    sample = nothing_but_noise(seed)
    nothing = Augmentation(**dict.fromkeys(Augmentation.model_fields, 0))
    crop = augmented(sample, SHAPE, SPACING, nothing, np.random.default_rng(seed))
    middle = centred(sample, SHAPE, SPACING)
    np.testing.assert_allclose(crop.points, middle.points)
    between = (crop.image > 0) & (crop.image < 1)
    assert between.mean() > 0.4
    line = np.polyfit(middle.image[between], crop.image[between], 1)
    np.testing.assert_allclose(crop.image[between], np.polyval(line, middle.image[between]), atol=1e-4)
