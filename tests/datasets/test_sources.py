"""Sources: what a BIDS tree, a prepared set and the simulator hand to the stream, from disk and back."""

from __future__ import annotations

from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
from tests import spine_generic_tree
from tests.labelled_tree import DISCS, SHAPE, SIZES, add_scan

from lookonce.anatomy import VARIANT_SHARES, Level
from lookonce.datasets import sources
from lookonce.datasets.augment import centred
from lookonce.datasets.samples import UNNAMED, SlabSample
from lookonce.datasets.sources import FARTHEST_MM, BidsSource, PreparedSource, SimulatedSource, nameable_levels
from lookonce.errors import InputError
from lookonce.io.lists import read_subjects
from lookonce.preparation import prepare_spine_generic
from lookonce.training.recipe import load_recipe


def paint_disc(root: Path, subject: str, voxel: tuple[int, int, int]) -> None:
    """Replace the scan's brightness by one blob about a voxel."""
    path = root / subject / "anat" / f"{subject}_T2w.nii.gz"
    image = nib.load(path)
    away = [(np.arange(n) - at) * size for n, at, size in zip(SHAPE, voxel, SIZES, strict=True)]
    x, y, z = np.meshgrid(*away, indexing="ij")
    blob = np.exp(-0.5 * (x**2 / 40**2 + (y**2 + z**2) / 4**2))
    nib.save(nib.Nifti1Image((1000 * blob).astype(np.int16), image.affine), path)


def same_sample(first: SlabSample, second: SlabSample) -> bool:
    return all(np.array_equal(getattr(first, name), getattr(second, name)) for name in SlabSample.__dataclass_fields__)


@pytest.fixture
def tree(tmp_path) -> Path:
    add_scan(tmp_path, "sub-01")
    add_scan(tmp_path, "sub-02", {20: (8, 25, 50), 21: (8, 27, 28)})
    return tmp_path


def test_a_bids_scan_s_points_lie_where_its_discs_are_seen(tree):
    paint_disc(tree, "sub-01", DISCS[5])
    picture = BidsSource(tree, ["sub-01"]).draw(np.random.default_rng(0))
    weight = np.where(picture.image > 0.5, picture.image.astype(np.float64), 0)
    rows, columns = np.mgrid[: weight.shape[0], : weight.shape[1]]
    seen = np.array([(rows * weight).sum(), (columns * weight).sum()]) / weight.sum()
    assert picture.levels.tolist() == [4, 5, 6]
    assert np.abs(seen - picture.points[1]).max() < 0.3
    assert picture.spacing == sources.STORED_SPACING_MM
    assert not picture.complete


def test_a_slab_knows_how_far_it_lies_from_each_disc(tree):
    source = BidsSource(tree, ["sub-01"])
    for seed in range(30):
        picture = source.draw(np.random.default_rng(seed))
        # Brightness rises by one step a slice, so the mean brightness tells the plane.
        plane = float(picture.image.mean()) * (SHAPE[0] - 1)
        expected = [(disc[0] - plane) * SIZES[0] for disc in DISCS.values()]
        np.testing.assert_allclose(picture.lateral, expected, atol=0.1)
        assert np.abs(picture.lateral).max() < FARTHEST_MM + 6


def test_only_the_wanted_subjects_are_read(tree):
    rng = np.random.default_rng(0)
    assert {stack.subject for stack in BidsSource(tree).stacks} == {"sub-01", "sub-02"}
    levels = {tuple(BidsSource(tree, ["sub-02"]).draw(rng).levels) for _ in range(5)}
    assert levels == {(20, 21)}


def test_a_tree_without_the_wanted_subjects_says_so(tree):
    with pytest.raises(InputError, match="no labelled scan of the subjects"):
        BidsSource(tree, ["sub-77"])


def test_a_label_file_without_a_disc_is_passed_over(tree):
    add_scan(tree, "sub-03", {})
    assert {stack.subject for stack in BidsSource(tree).stacks} == {"sub-01", "sub-02"}
    with pytest.raises(InputError, match="no labelled scan"):
        BidsSource(tree, ["sub-03"])


def test_a_simulated_picture_depends_on_seed_and_index_alone():
    forth, back = SimulatedSource(3, seed=5), SimulatedSource(3, seed=5)
    first = [forth.picture(index) for index in (0, 1, 2)]
    second = [back.picture(index) for index in (2, 1, 0)][::-1]
    assert all(map(same_sample, first, second))
    assert not same_sample(first[0], SimulatedSource(3, seed=6).picture(0))


def test_a_simulated_source_can_be_of_one_kind_and_sees_other_people_then():
    anybody = [SimulatedSource(6, seed=5, field_of_view=view).picture(0) for view in ("random", "lumbar", "cervical")]
    assert not any(same_sample(anybody[0], other) for other in anybody[1:])
    lumbar = SimulatedSource(6, seed=5, field_of_view="lumbar", contrast="dixon")
    # T11/T12 has the SCT value 19: a lumbar view shows nothing above the chest.
    assert min(level for index in range(6) for level in lumbar.picture(index).levels if level > 0) > 12


def test_a_simulated_picture_is_the_same_from_the_cache(tmp_path, monkeypatch):
    fresh = SimulatedSource(2, seed=5, store=tmp_path / "a" / "pictures").picture(1)
    assert [path.name for path in (tmp_path / "a" / "pictures").iterdir()] == ["1.npz"]

    def never(_rng, **_options):
        raise AssertionError("simulated although it is in the cache")

    monkeypatch.setattr(sources, "simulate_slab", never)
    cached = SimulatedSource(2, seed=5, store=tmp_path / "a" / "pictures").picture(1)
    assert same_sample(fresh, cached)
    assert cached.image.dtype == np.float16
    assert cached.complete


def test_two_workers_that_simulate_the_same_picture_do_not_disturb_each_other(tmp_path, monkeypatch):
    simulate = sources.simulate_slab
    other = SimulatedSource(2, seed=5, store=tmp_path)

    def while_another_does_the_same(rng, **options):
        monkeypatch.setattr(sources, "simulate_slab", simulate)
        other.picture(0)
        return simulate(rng, **options)

    monkeypatch.setattr(sources, "simulate_slab", while_another_does_the_same)
    assert same_sample(SimulatedSource(2, seed=5, store=tmp_path).picture(0), other.picture(0))
    assert [path.name for path in tmp_path.iterdir()] == ["0.npz"]


def test_a_simulated_source_draws_from_its_pool():
    source = SimulatedSource(2, seed=0)
    rng = np.random.default_rng(0)
    drawn = [source.draw(rng) for _ in range(8)]
    assert {id(sample) for sample in drawn} == {id(source.picture(0)), id(source.picture(1))}


def test_a_prepared_set_gives_back_what_was_stored(tmp_path):
    generator = np.random.default_rng(0)
    stored = {}
    for name in ("sub-01", "sub-02"):
        image = generator.random((20, 30)).astype(np.float32)
        stored[name] = {"image": image, "spacing": 0.9, "points": generator.random((2, 2)), "levels": np.array([3, 4])}
        np.savez(tmp_path / f"{name}.npz", **stored[name])
    sample = PreparedSource(tmp_path, ["sub-02"]).draw(np.random.default_rng(0))
    for field, value in stored["sub-02"].items():
        np.testing.assert_array_equal(getattr(sample, field), value)
    assert sample.lateral.tolist() == [0, 0]
    assert not sample.complete
    assert len(PreparedSource(tmp_path).paths) == 2


def test_a_prepared_picture_called_after_its_scan_belongs_to_the_subject(tmp_path):
    for stem in ("sub-01_T1w", "sub-01_ses-2_T2w", "sub-011_T2w"):
        np.savez(tmp_path / f"{stem}.npz", image=np.zeros((2, 2)))
    assert [path.stem for path in PreparedSource(tmp_path, ["sub-01"]).paths] == ["sub-01_T1w", "sub-01_ses-2_T2w"]


def test_a_prepared_data_set_is_read_in_both_forms(tmp_path):
    for stem in ("sub-amu01_T2w", "sub-amu02_T2w"):
        spine_generic_tree.add_scan(tmp_path / "data", stem)
    out = tmp_path / "out"
    prepare_spine_generic(tmp_path / "data", out)
    train = read_subjects(out / "train.txt")
    assert [stack.subject for stack in BidsSource(out, train).stacks] == ["sub-amu01"]
    picture = PreparedSource(out / "pictures" / "T2w", train).draw(np.random.default_rng(0))
    recipe = load_recipe("discs-hourglass").input
    seen = centred(picture, recipe.shape, recipe.spacing_mm)
    np.testing.assert_allclose(seen.image, picture.image, atol=1e-4)  # the published networks see it as it is
    np.testing.assert_allclose(seen.points, picture.points)
    assert picture.levels.tolist() == list(spine_generic_tree.DISCS)


def test_an_empty_prepared_set_says_so(tmp_path):
    with pytest.raises(InputError, match="holds no prepared pictures"):
        PreparedSource(tmp_path)


@pytest.mark.parametrize("count", VARIANT_SHARES, ids=lambda count: count.name)
def test_of_a_variant_only_what_every_spine_has_is_named(count):
    levels = np.array(count.levels, dtype=int)
    taught = nameable_levels(levels, count.name)
    assert taught[-1] == Level.L5_S1
    assert taught[levels <= Level.T9_T10].tolist() == list(range(2, 18))
    assert set(taught[16:-1]) == {UNNAMED}


def test_a_usual_spine_is_named_throughout():
    levels = np.arange(2, 26)
    assert nameable_levels(levels, None).tolist() == levels.tolist()
