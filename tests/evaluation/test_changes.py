"""Changed scans: the truth stays on the discs, and what is asked for can be answered."""

from __future__ import annotations

import numpy as np
import pytest

from lookonce.errors import UsageError
from lookonce.evaluation.changes import CHANGES, CUT_DISC_MM, Change, KnownScan
from lookonce.geometry import voxel_sizes, world_to_voxel
from lookonce.io.nifti import SpineImage
from lookonce.landmarks import DiscLabels

#: Voxel to world of scans stored in other axis orders, one of them oblique, voxels of 4 x 1 x 1.5 mm.
AFFINES = {
    "RAS": np.diag([4.0, 1.5, 1.0, 1.0]),
    "PIR": np.array([[0, 0, 4.0, -20], [-1.5, 0, 0, 60], [0, -1.0, 0, 90], [0, 0, 0, 1]]),
    "oblique": np.array([[3.94, 0.26, 0, 5], [-0.69, 1.477, 0, -3], [0, 0, 1.0, 8], [0, 0, 0, 1]]),
}
SHAPES = {"RAS": (9, 60, 140), "PIR": (60, 140, 9), "oblique": (9, 60, 140)}


@pytest.fixture(params=AFFINES)
def scan(request) -> KnownScan:
    """Seven discs, 18 mm apart, each a bright ball on a dim ground."""
    affine, shape = AFFINES[request.param], SHAPES[request.param]
    middle = (np.array(shape) - 1) / 2
    centre = affine[:3, :3] @ middle + affine[:3, 3]
    points = {level: centre + np.array([0, 0, 54.0 - 18 * (level - 3)]) for level in range(3, 10)}
    index = np.stack(np.meshgrid(*map(np.arange, shape), indexing="ij"), axis=-1)
    world = index @ affine[:3, :3].T + affine[:3, 3]
    data = 10 + sum(90 * np.exp(-0.5 * ((world - point) ** 2).sum(-1) / 9) for point in points.values())
    return KnownScan(SpineImage(data.astype(np.float32), affine), DiscLabels.from_points(points), (3, 9))


def changed(scan: KnownScan, text: str, seed: int = 0) -> KnownScan:
    result = Change.parse(text).apply(scan, np.random.default_rng(seed))
    assert result is not None
    return result


def brightness_at_discs(scan: KnownScan) -> np.ndarray:
    places = np.rint(world_to_voxel(scan.truth.points, affine=scan.image.affine)).astype(int)
    return scan.image.data[tuple(places.T)]


@pytest.mark.parametrize(
    "text",
    [
        *("crop=0.6", "noise=0.02", "bias=0.3", "blur=0.5", "motion=0.5", "resolution=0.8", "resolution=1.6"),
        *("thickness=4", "turned=1", "turned=2", "turned=3"),
    ],
)
def test_the_truth_stays_on_the_discs(scan, text):
    after = changed(scan, text)
    assert (brightness_at_discs(after) > 0.5 * np.percentile(after.image.data, 99.9)).all()


def test_inverted_discs_are_dark(scan):
    after = changed(scan, "inverted=1")
    assert (brightness_at_discs(after) < np.median(after.image.data)).all()


@pytest.mark.parametrize("seed", range(8))
@pytest.mark.parametrize("share", [0.6, 0.45])
def test_a_crop_has_its_height_and_asks_for_whole_discs_alone(scan, share, seed):
    after = changed(scan, f"crop={share}", seed)
    height = after.image.data.shape[1] * voxel_sizes(after.image.affine)[1]
    assert height == pytest.approx(140 * share, abs=1)
    rows = world_to_voxel(after.truth.points, affine=after.image.affine)[:, 1]
    assert len(after.truth) >= 2
    assert rows.min() >= CUT_DISC_MM
    assert rows.max() <= after.image.data.shape[1] - 1 - CUT_DISC_MM
    levels = [int(level) for level in after.truth.levels]
    assert after.annotated == (levels[0], levels[-1])
    assert all(after.truth[level].world_mm == scan.truth[level].world_mm for level in levels)


def test_crops_lie_anywhere(scan):
    firsts = {int(changed(scan, "crop=0.4", seed).truth.levels[0]) for seed in range(40)}
    assert len(firsts) >= 4


def test_a_piece_without_two_discs_is_none(scan):
    assert Change.parse("crop=0.1").apply(scan, np.random.default_rng(0)) is None


def test_sampling_is_as_asked_and_covers_the_same_space(scan):
    for text, axis, size in (("resolution=2", 1, 2.0), ("resolution=2", 2, 2.0), ("thickness=6", 0, 6.0)):
        after = changed(scan, text)
        assert voxel_sizes(after.image.affine)[axis] == pytest.approx(size)
        before = Change("noise", 0.0).apply(scan, np.random.default_rng(0))
        extent = before.image.data.shape[axis] * voxel_sizes(before.image.affine)[axis]
        assert after.image.data.shape[axis] * size == pytest.approx(extent, abs=size / 2 + 1e-6)


@pytest.mark.parametrize("text", ["noise=0", "bias=0", "motion=0", "inverted=0", "blur=0", "crop=1"])
def test_a_change_of_no_strength_changes_nothing(scan, text):
    before, after = changed(scan, "noise=0"), changed(scan, text)
    np.testing.assert_allclose(after.image.data, before.image.data, rtol=1e-3, atol=1e-2)
    assert after.truth == scan.truth


@pytest.mark.parametrize("name", CHANGES)
def test_the_same_seed_changes_alike(scan, name):
    strength = max(CHANGES[name].lowest, 0.6 if name == "crop" else 1.0)
    one, two = changed(scan, f"{name}={strength}"), changed(scan, f"{name}={strength}")
    np.testing.assert_array_equal(one.image.data, two.image.data)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("fog=1", "choose one of crop, noise"),
        ("crop", "takes a number"),
        ("crop=much", "takes a number"),
        ("crop=2", "takes a number from 0.05 to 1"),
        ("noise=nan", "takes a number from 0 to 100"),
        ("motion=inf", "takes a number from 0 to 100"),
        ("turned=1.5", "takes a whole number from 1 to 3"),
    ],
)
def test_a_change_that_is_none_is_a_usage_error(text, message):
    with pytest.raises(UsageError, match=message):
        Change.parse(text)
