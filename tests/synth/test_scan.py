"""Simulated slabs and scans: what a training run may rely on."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lookonce.anatomy import VARIANT_SHARES, Level, VertebraCount
from lookonce.synth import SimulatedSlab, simulate_scan, simulate_slab

CONTRASTS = ["t1", "t2", "pd", "stir", "gre", "dixon", "random-tissue", "random"]
FIELDS = ["cervical", "thoracic", "lumbar", "whole", "spine-generic", "random"]
SEEDS = st.integers(0, 2**32 - 1)


def slab_of(seed: int, **options: object) -> SimulatedSlab:
    return simulate_slab(np.random.default_rng(seed), **{"spacing": 2.0, **options})


def test_the_same_seed_gives_the_same_bytes() -> None:
    first, second = slab_of(7), slab_of(7)
    assert first.image.tobytes() == second.image.tobytes()
    assert first.points.tobytes() == second.points.tobytes()
    assert first.image.tobytes() != slab_of(8).image.tobytes()


@pytest.mark.parametrize("contrast", CONTRASTS)
@pytest.mark.parametrize("field_of_view", FIELDS)
def test_every_contrast_runs_in_every_field_of_view(contrast: str, field_of_view: str) -> None:
    slab = slab_of(3, contrast=contrast, field_of_view=field_of_view)
    assert slab.image.std() > 0.01
    assert field_of_view in ("random", slab.field_of_view)


@settings(max_examples=30)
@given(SEEDS)
def test_the_view_of_spine_generic_reaches_from_the_brain_to_t4(seed: int) -> None:
    slab = slab_of(seed, field_of_view="spine-generic", contrast="t2")
    assert slab.image.shape[0] * slab.spacing == pytest.approx(256)
    assert slab.levels[0] <= Level.C1_C2
    assert Level.T1_T2 <= slab.levels[-1] <= Level.T6_T7


@settings(max_examples=60)
@given(SEEDS)
def test_a_slab_keeps_its_promises(seed: int) -> None:
    slab = slab_of(seed)
    rows, columns = slab.image.shape
    assert slab.image.dtype == np.float32
    assert np.isfinite(slab.image).all()
    assert slab.image.min() >= 0
    assert slab.image.max() <= 1
    assert len(slab.points) == len(slab.levels) == len(slab.lateral)
    for points in (slab.points, slab.negatives):
        assert points.dtype == np.float64
        assert points.shape[1:] == (2,)
        assert np.all((points >= 0) & (points <= (rows - 1, columns - 1)))
    values = [Level(int(level)).nifti_value for level in slab.levels]
    assert np.all(np.diff(values) > 0) or slab.variant
    assert len(set(slab.levels.tolist())) == len(slab.levels)
    assert np.all(np.diff(slab.points[:, 0]) > 0), "levels run from superior to inferior"


@settings(max_examples=25)
@given(SEEDS)
def test_levels_are_consecutive_where_nothing_is_cut_away_in_front_or_behind(seed: int) -> None:
    slab = slab_of(seed, field_of_view="lumbar")
    inner = (slab.points[:, 1] > 8) & (slab.points[:, 1] < slab.image.shape[1] - 8)
    if inner.all() and len(slab.levels):
        assert np.array_equal(slab.levels, np.arange(slab.levels[0], slab.levels[0] + len(slab.levels)))


def test_lateral_shifts_by_as_much_as_the_slab_does() -> None:
    left, right = (slab_of(11, field_of_view="thoracic", lateral=offset) for offset in (-6.0, 6.0))
    assert np.array_equal(left.levels, right.levels)
    assert np.allclose(left.lateral - right.lateral, 12.0)


@pytest.mark.parametrize("option", [{"contrast": "t3"}, {"field_of_view": "knee"}])
def test_an_unknown_choice_names_itself_and_the_choices(option: dict[str, str]) -> None:
    with pytest.raises(ValueError, match=next(iter(option.values()))):
        slab_of(0, **option)


def test_a_scan_holds_its_points_and_is_right_handed() -> None:
    scan = simulate_scan(
        np.random.default_rng(2),
        field_of_view="lumbar",
        contrast="t2",
        spacing=1.1,
        slice_thickness=5.0,
        lateral_extent=40,
    )
    assert scan.image.dtype == np.float32
    assert scan.image.shape[0] == 8
    assert np.linalg.det(scan.affine[:3, :3]) > 0
    assert np.allclose(np.linalg.norm(scan.affine[:3, :3], axis=0), (5.0, 1.1, 1.1))
    voxels = (np.c_[scan.points, np.ones(len(scan.points))] @ np.linalg.inv(scan.affine).T)[:, :3]
    assert np.all((voxels > -0.5) & (voxels < np.array(scan.image.shape) - 0.5))
    assert np.all(np.diff(voxels[:, 2]) < 0), "the third axis runs upwards, levels downwards"
    assert scan.contrast == "t2"
    again = simulate_scan(
        np.random.default_rng(2),
        field_of_view="lumbar",
        contrast="t2",
        spacing=1.1,
        slice_thickness=5.0,
        lateral_extent=40,
    )
    assert scan.image.tobytes() == again.image.tobytes()


@pytest.mark.parametrize("count", VARIANT_SHARES, ids=lambda count: count.name)
@pytest.mark.parametrize("field_of_view", ["whole", "lumbar"])
def test_a_variant_is_named_where_both_ends_show_it_and_counted_from_one_end_elsewhere(
    count: VertebraCount, field_of_view: str
) -> None:
    protocol = {"field_of_view": field_of_view, "spacing": 2.0, "slice_thickness": 5.0, "lateral_extent": 20.0}
    scans = [simulate_scan(np.random.default_rng(seed), **protocol, count=count) for seed in range(14)]
    assert any(scan.variant for scan in scans) == (field_of_view == "whole")
    for scan in scans:
        if scan.variant:
            assert scan.variant == count.name
            assert {Level.C2_C3, count.levels[-1]} <= set(scan.levels.tolist()) <= {Level.C1_TOP, *count.levels}
        else:
            assert np.all(np.diff(scan.levels) > 0)
            assert scan.levels.max(initial=0) <= Level.L5_S1
