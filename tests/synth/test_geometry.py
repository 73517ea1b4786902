"""Random spines: sizes against published ranges, and the curve's coordinates."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lookonce.anatomy import USUAL_COUNT, VARIANT_SHARES, Level, VertebraCount
from lookonce.synth.draw_spine import random_spine
from lookonce.synth.geometry import truth_points
from lookonce.synth.variants import disc_levels

#: Level above, and the range in which the mean distance to the next posterior tip must lie, mm.
#: Posterior body height plus disc height (Panjabi 1991, 1992; Gilad and Nissan 1986), widened by 10 %.
DISTANCES = {
    3: (15.5, 20),
    5: (14.5, 19),
    7: (15.5, 20),
    10: (19, 25),
    15: (23, 29),
    20: (29, 36),
    22: (31, 38),
    24: (27, 35),
}


@pytest.fixture(scope="module")
def distances() -> np.ndarray:
    points = [truth_points(random_spine(np.random.default_rng(seed)))[0] for seed in range(60)]
    return np.linalg.norm(np.diff(points, axis=1), axis=2)


@pytest.mark.parametrize(("level", "limits"), DISTANCES.items())
def test_mean_disc_distances_are_those_of_adults(
    distances: np.ndarray, level: int, limits: tuple[float, float]
) -> None:
    assert limits[0] < distances[:, level - 1].mean() < limits[1]


def test_spines_differ_as_people_do(distances: np.ndarray) -> None:
    spread = distances.std(axis=0) / distances.mean(axis=0)
    assert np.all((spread > 0.05) & (spread < 0.2))


@settings(max_examples=25)
@given(st.integers(0, 2**32 - 1))
def test_spine_coordinates_lead_back_to_the_same_point(seed: int) -> None:
    rng = np.random.default_rng(seed)
    curve = random_spine(rng).curve
    s, u = rng.uniform(0, curve.s[-1] - 160, 50), rng.uniform(-8, 15, 50)
    world = curve.to_world(s, u)
    back = curve.to_world(*curve.project(world[:, 1], world[:, 2]))
    assert np.abs(back - world)[:, 1:].max() < 0.3


@settings(max_examples=10)
@given(st.integers(0, 2**32 - 1))
def test_the_grid_shortcut_agrees_with_the_exact_projection_near_the_spine(seed: int) -> None:
    curve = random_spine(np.random.default_rng(seed)).curve
    inside = (curve.z < -100) & (curve.z > -350)
    y, z = np.median(curve.y[inside]) + np.linspace(60, -60, 61), np.linspace(-100, -350, 126)
    s, u = curve.project_grid(y, z)
    exact_s, exact_u = curve.project(*np.meshgrid(y, z))
    near = np.abs(exact_u) < 20
    along, across = np.abs(s - exact_s), np.abs(u - exact_u)
    # Where the spine bends most a few pixels are further off.
    assert np.quantile(along[np.abs(exact_u) < 10], 0.99) < 0.4
    assert np.quantile(along[near], 0.99) < 0.8
    assert np.quantile(across[near], 0.99) < 0.25
    assert along[near].max() < 8
    assert np.median(np.abs(u - exact_u)[near]) < 0.05


@pytest.mark.parametrize("count", VARIANT_SHARES, ids=lambda count: count.name)
def test_a_variant_has_a_disc_more_or_less_and_names_of_its_own(count: VertebraCount) -> None:
    points, levels, _ = truth_points(random_spine(np.random.default_rng(0), count))
    assert len(points) == len(levels) == 25 + count.extra
    assert np.array_equal(levels[1:], count.levels)
    assert np.all(np.diff(points[:, 2]) < 0), "from the head down"


@pytest.mark.parametrize("count", [USUAL_COUNT, *VARIANT_SHARES], ids=lambda count: str(count.name))
def test_one_end_alone_shows_no_variant(count: VertebraCount) -> None:
    from_above, from_below = (disc_levels(count, counted_from=end) for end in ("C2", "sacrum"))
    assert from_above[0] == Level.C2_C3
    assert from_below[-1] == Level.L5_S1
    assert np.all(np.diff(from_above) == 1)
    assert np.array_equal(from_above, from_below) == (count == USUAL_COUNT)
