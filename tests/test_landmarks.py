import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.conftest import ALL_ORIENTATIONS, Scan, make_scan, orientations, scans

from lookonce.anatomy import NUMBERINGS, REGULAR_LEVELS, USUAL_COUNT, VARIANT_SHARES, Level
from lookonce.geometry import voxel_to_world
from lookonce.landmarks import Disc, DiscLabels, nearest_voxel

WORLD = st.tuples(*[st.floats(-400, 400)] * 3)


@st.composite
def disc_labels(draw: st.DrawFn, levels=tuple(Level)) -> DiscLabels:
    chosen = draw(st.lists(st.sampled_from(levels), unique=True, max_size=12))
    return DiscLabels(Disc(level, draw(WORLD), draw(st.floats(0, 1))) for level in chosen)


def labels_in(scan: Scan, seed: int, levels=REGULAR_LEVELS) -> DiscLabels:
    """Six discs at different voxels of a scan, not quite at their centres."""
    rng = np.random.default_rng(seed)
    chosen = rng.choice(len(levels), 6, replace=False)
    voxels = np.column_stack([rng.permutation(length)[:6] for length in scan.data.shape]) + rng.uniform(
        -0.4, 0.4, (6, 3)
    )
    points = voxel_to_world(voxels, affine=scan.affine)
    return DiscLabels(Disc(levels[index], tuple(point)) for index, point in zip(chosen, points, strict=True))


@given(scans(), orientations(), st.integers(0, 999), st.sampled_from(NUMBERINGS))
@settings(max_examples=40)
def test_a_label_volume_holds_each_disc_within_half_a_voxel(scan, orientation, seed, numbering):
    stored = scan.stored(orientation)
    labels = labels_in(stored, seed, REGULAR_LEVELS[2:])
    volume, warnings = labels.to_volume(stored.data.shape, affine=stored.affine, numbering=numbering)
    back = DiscLabels.from_volume(volume, affine=stored.affine, numbering=numbering)
    assert warnings == []
    assert back.levels == labels.levels
    half = np.linalg.norm(stored.affine[:3, :3], axis=0) / 2
    assert np.linalg.norm(back.points - labels.points, axis=1).max() <= np.linalg.norm(half)


def test_label_volumes_mean_the_same_in_all_48_orientations():
    scan = make_scan()
    labels = labels_in(scan, 5)
    expected = None
    for orientation in ALL_ORIENTATIONS:
        stored = scan.stored(orientation)
        volume, _ = labels.to_volume(stored.data.shape, affine=stored.affine)
        found = DiscLabels.from_volume(volume, affine=stored.affine)
        expected = expected or found
        assert found.levels == expected.levels
        assert found.points == pytest.approx(expected.points, abs=1e-9)


def test_float_labels_are_rounded_and_other_values_passed_over():
    volume = np.zeros((9, 9, 9), dtype=np.float32)
    volume[1, 2, 3], volume[4, 4, 4], volume[5, 5, 5], volume[6, 6, 6] = 5.9999, 49.0, 0.2, -3.0
    assert DiscLabels.from_volume(volume, affine=np.eye(4)) == DiscLabels([Disc(Level.C5_C6, (1, 2, 3))])


def test_several_voxels_of_one_disc_are_averaged():
    volume = np.zeros((9, 9, 9), dtype=np.uint8)
    volume[1, 2, 3:6] = 7
    assert DiscLabels.from_volume(volume, affine=np.eye(4))[7].world_mm == (1, 2, 4)


def test_numeric_variants_get_a_neighbours_value_and_a_warning():
    labels = DiscLabels([Disc(Level.L5_L6, (1, 1, 8)), Disc(Level.L6_S1, (1, 1, 1)), Disc(Level.L4_L5, (1, 1, 9))])
    volume, warnings = labels.to_volume((3, 3, 12), affine=np.eye(4))
    assert (volume[1, 1, 9], volume[1, 1, 8], volume[1, 1, 1]) == (24, 25, 25)
    assert len(warnings) == 2
    assert "L6/S1 has no SCT value; the label file says 25" in warnings[1]
    volume, warnings = labels.to_volume((3, 3, 12), affine=np.eye(4), numbering="totalspineseg")
    assert np.count_nonzero(volume) == 1
    assert "L5/L6 has no totalspineseg value and is missing" in warnings[0]


@pytest.mark.parametrize("variant", [("T12/T13", "T13/L1"), ("L5/L6", "L6/S1"), ("T12/L1", "L5/S1")])
def test_spineps_volumes_tell_numeric_variants_from_regular_spines(variant):
    labels = DiscLabels(Disc(Level.from_label(name), (1, 1, 9 - 4 * i)) for i, name in enumerate(variant))
    volume, warnings = labels.to_volume((3, 3, 12), affine=np.eye(4), numbering="spineps")
    assert warnings == []
    assert DiscLabels.from_volume(volume, affine=np.eye(4), numbering="spineps") == labels


def test_discs_without_a_voxel_of_their_own_are_told():
    labels = DiscLabels.from_points({3: (1, 1, 1), 4: (1.2, 1, 1), 5: (1, 1, 30)})
    volume, warnings = labels.to_volume((3, 3, 12), affine=np.eye(4))
    assert volume[1, 1, 1] == 4
    assert [text.split()[0] for text in warnings] == ["C3/C4", "C4/C5"]
    assert "outside the image" in warnings[1]


@given(disc_labels())
def test_tables_and_records_read_back(labels):
    for back in (
        DiscLabels.from_csv(labels.to_csv()),
        DiscLabels.from_records(json.loads(json.dumps(labels.to_records()))),
    ):
        assert back.levels == labels.levels
        assert back.points == pytest.approx(labels.points, abs=6e-4)
        assert [disc.confidence for disc in back] == pytest.approx([disc.confidence for disc in labels], abs=6e-5)


def test_the_table_is_readable():
    labels = DiscLabels([Disc(Level.T13_L1, (1, 2, 3), 0.5), Disc(Level.C2_C3, (-1.25, 0, 40), 0.98765)])
    assert labels.to_csv() == (
        "level,name,x_mm,y_mm,z_mm,confidence\n3,C2/C3,-1.250,0.000,40.000,0.9877\n,T13/L1,1.000,2.000,3.000,0.5000\n"
    )


def test_a_table_without_confidences_is_read():
    table = "name,x_mm,y_mm,z_mm\nL5/S1,1,2,3\n"
    assert DiscLabels.from_csv(table) == DiscLabels.from_points({25: np.array([1.0, 2, 3])})


@given(disc_labels())
def test_discs_come_from_the_head_down(labels):
    order = [level for level in labels.levels if level in REGULAR_LEVELS]
    assert order == sorted(order)


def test_variants_stand_where_they_lie_in_the_spine():
    shuffled = [Level.L6_S1, Level.L1_L2, Level.T12_T13, Level.T11_T12, Level.L5_L6, Level.T13_L1, Level.L4_L5]
    labels = DiscLabels(Disc(level, (0, 0, 0)) for level in shuffled)
    names = "T11/T12 T12/T13 T13/L1 L1/L2 L4/L5 L5/L6 L6/S1"
    assert [level.label for level in labels.levels] == names.split()


def test_a_level_given_twice_is_an_error_that_names_it():
    with pytest.raises(ValueError, match=r"twice.*C2/C3"):
        DiscLabels([Disc(Level.C2_C3, (0, 0, 0)), Disc(Level.C2_C3, (0, 0, 1))])


def test_discs_are_found_by_level_or_number():
    labels = DiscLabels.from_points({8: (0, 0, 0), 9: (0, 0, -20)})
    assert labels[8] is labels[Level.C7_T1]
    assert Level.C7_T1 in labels
    assert 10 not in labels
    assert len(labels) == 2
    with pytest.raises(KeyError):
        labels[10]


@given(st.lists(st.floats(-50, 60), min_size=3, max_size=3))
def test_the_nearest_voxel_is_always_one_of_the_image(point):
    voxel = nearest_voxel(tuple(point), (5, 6, 7), affine=np.diag([2.0, 2, 2, 1]))
    assert all(0 <= index < length for index, length in zip(voxel, (5, 6, 7), strict=True))


@pytest.mark.parametrize("count", [USUAL_COUNT, *VARIANT_SHARES], ids=lambda count: str(count.name))
def test_a_label_volume_and_the_variant_beside_it_read_back_every_level_of_a_whole_spine(count):
    levels = [level for level in count.levels if level.nifti_value >= 16]
    labels = DiscLabels(Disc(level, (4.0, 5.0, 225.0 - 20 * place)) for place, level in enumerate(levels))
    volume, _ = labels.to_volume((10, 10, 230), affine=np.eye(4))
    assert DiscLabels.from_volume(volume, affine=np.eye(4)).recounted(count.name) == labels


def test_voxels_of_one_disc_are_averaged_however_they_are_spread():
    volume = np.zeros((10, 10, 40))
    volume[3, 3, (20, 27)] = 25
    (disc,) = DiscLabels.from_volume(volume, affine=np.eye(4))
    assert (disc.level, disc.world_mm) == (Level.L5_S1, (3.0, 3.0, 23.5))
