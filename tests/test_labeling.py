"""The whole pipeline on painted scans whose answer is known, and on a simulated one with the shipped weights."""

from __future__ import annotations

from dataclasses import replace

import nibabel as nib
import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter
from tests.blobs import CARD, CERVICAL, Phantom, make_phantom, write_blob_model
from tests.conftest import ALL_ORIENTATIONS, rotation

import lookonce
from lookonce.anatomy import Level
from lookonce.errors import GeometryError, InputError, NothingFoundError, UsageError
from lookonce.geometry import SlabStack, voxel_to_world, world_to_voxel
from lookonce.io.nifti import SpineImage
from lookonce.labeling import MOST_SLABS, _view, label, look
from lookonce.landmarks import Disc, DiscLabels
from lookonce.runtime.session import DiscMaps, DiscSession
from lookonce.runtime.weights import find_model
from lookonce.synth import simulate_scan

#: Axis and angle in degrees of how a scanner's grid may lie to the body.
TURNS = [((1, 0, 0), 25), ((0, 1, 0), -20), ((0, 0, 1), 30), ((1, 1, 1), 22), ((3, -2, 1), -28)]


@pytest.fixture(scope="module")
def session(tmp_path_factory) -> DiscSession:
    """A model that finds painted blobs and knows nothing of their names."""
    return DiscSession(find_model(str(write_blob_model(tmp_path_factory.mktemp("model") / "blobs.onnx"))))


@pytest.fixture(scope="module")
def naming_session(tmp_path_factory) -> DiscSession:
    """A model that takes the topmost blob for C2/C3 and counts down from there."""
    path = tmp_path_factory.mktemp("model") / "naming.onnx"
    return DiscSession(find_model(str(write_blob_model(path, first_level=3))))


def distances(result, phantom: Phantom) -> NDArray:
    """Distance in mm of every disc from where it was painted; all must have been found under their own names."""
    assert [int(level) for level in result.labels.levels] == list(phantom.levels)
    return np.linalg.norm(result.labels.points - phantom.points, axis=1)


def test_painted_discs_are_found_named_and_placed(naming_session):
    phantom = make_phantom()
    result = label(phantom.image, model=naming_session)
    assert distances(result, phantom).max() < 0.5
    assert sum(result.level_shift.values()) == pytest.approx(1)
    assert not result.uncertain
    assert result.warnings == []
    assert result.variant is None
    assert min(disc.confidence for disc in result.labels) > 0.9
    assert result.model == naming_session.identity
    assert 0 < result.seconds < 30


def test_all_48_orientations_give_the_same_world_points(naming_session):
    phantom = make_phantom(turn=rotation(np.array([1, 2, 3]), 12))
    for orientation in ALL_ORIENTATIONS:
        assert distances(label(phantom.stored(orientation).image, model=naming_session), phantom).max() < 0.5


@pytest.mark.parametrize(("axis", "degrees"), TURNS)
def test_an_oblique_grid_moves_no_world_point(axis, degrees, session):
    phantom = make_phantom(turn=rotation(np.array(axis), degrees), width=60)
    assert distances(label(phantom.image, model=session, first_level=3), phantom).max() < 0.5


@pytest.mark.parametrize("sizes", [(5.5, 0.7, 0.7), (3.3, 1.6, 0.9), (1.0, 1.0, 1.0), (7.0, 0.4, 0.5)])
@pytest.mark.parametrize("off_middle", [-9.0, 4.0])
def test_any_voxel_size_will_do(sizes, off_middle, naming_session):
    phantom = make_phantom(sizes=sizes, off_middle=off_middle)
    assert distances(label(phantom.image, model=naming_session), phantom).max() < 1.0


@pytest.mark.parametrize("off_middle", [0.0, 60.0, -70.0])
def test_a_wide_volume_is_searched_coarsely_first_and_gives_the_same_discs(off_middle, naming_session):
    wide = make_phantom(width=220, sizes=(2.0, 1.1, 1.0), off_middle=off_middle)
    slabs, _, _ = look(wide.image, naming_session)
    assert len(slabs.data) <= MOST_SLABS
    assert slabs.lateral_step == pytest.approx(CARD["lateral_step_mm"], rel=0.2)
    assert distances(label(wide.image, model=naming_session), wide).max() < 0.5


def test_a_wide_volume_without_discs_is_searched_everywhere(session):
    empty = bars_only(make_phantom(width=220, sizes=(2.0, 1.1, 1.0)))
    slabs, _, candidates = look(empty, session)
    assert len(candidates) == 0
    assert len(slabs.data) * slabs.lateral_step == pytest.approx(220, abs=10)


def test_a_narrow_volume_is_looked_at_once(naming_session):
    narrow = make_phantom(width=60)
    slabs, _, _ = look(narrow.image, naming_session)
    assert len(slabs.data) == 15


def test_a_single_sagittal_slice_is_enough(naming_session, tmp_path):
    phantom = make_phantom(width=4, off_middle=0)
    assert phantom.image.data.shape[0] == 1
    flat = SpineImage(phantom.image.data, phantom.image.affine)
    result = label(flat, model=naming_session)
    assert np.abs(result.labels.points - phantom.points)[:, 1:].max() < 0.5


def test_a_two_dimensional_file_is_a_sagittal_slice(naming_session, tmp_path):
    phantom = make_phantom(width=4, off_middle=0)
    affine = phantom.image.affine[:, [1, 2, 0, 3]]  # the file's axes: anterior, superior, and the slice's own
    nib.save(nib.Nifti1Image(phantom.image.data[0], affine), tmp_path / "slice.nii.gz")
    assert nib.load(tmp_path / "slice.nii.gz").ndim == 2
    result = lookonce.label(tmp_path / "slice.nii.gz", model=naming_session)
    assert [int(level) for level in result.labels.levels] == list(CERVICAL)
    assert np.abs(result.labels.points - phantom.points)[:, 1:].max() < 0.5


@pytest.mark.parametrize("levels", [(20, 21, 22, 23, 24, 25), (8, 9, 10, 11, 12, 13, 14, 15)])
def test_the_first_level_names_any_part_of_the_spine(levels, session):
    phantom = make_phantom(levels)
    result = label(phantom.image, model=session, first_level=levels[0])
    assert distances(result, phantom).max() < 0.5
    assert not result.uncertain


def test_without_names_the_numbering_is_uncertain_and_the_warning_says_what_to_do(session):
    result = label(make_phantom().image, model=session)
    assert result.uncertain
    shift, share = result.runner_up
    assert result.level_shift[shift] == share
    (warning,) = result.warnings
    assert f"{shift:+d} level at {100 * share:.0f} %" in warning
    assert "--first-level" in warning


def part_of(phantom: Phantom, first: int, last: int) -> SpineImage:
    """The rows of a phantom from 14 mm above one disc to 14 mm below another: neither C2 nor S1 is in view."""
    rows = world_to_voxel(phantom.points, affine=phantom.image.affine)[:, 2]
    size = float(np.linalg.norm(phantom.image.affine[:3, 2]))
    upper, lower = (rows[phantom.levels.index(level)] for level in (first, last))
    bottom, top = round(lower - 14 / size), round(upper + 14 / size)
    affine = phantom.image.affine.copy()
    affine[:3, 3] = voxel_to_world(np.array([[0, 0, bottom]]), affine=affine)[0]
    return SpineImage(phantom.image.data[:, :, bottom:top], affine)


def test_a_localizer_numbers_a_part_that_shows_nothing_to_count_from(naming_session):
    whole = make_phantom(tuple(range(3, 13)))
    part = part_of(whole, 6, 11)
    alone = label(part, model=naming_session)  # this model takes the topmost blob for C2/C3
    assert alone.uncertain
    assert alone.labels.levels[0] == 3
    assert "what the border leaves of the axis" in alone.counted_from
    guided = label(part, model=naming_session, localizer=label(whole.image, model=naming_session))
    assert [int(level) for level in guided.labels.levels] == list(range(6, 12))
    assert not guided.uncertain
    assert guided.counted_from == "the localizer"
    assert guided.warnings == []


def test_the_doubts_of_a_localizer_are_those_of_the_scans_that_it_numbers(naming_session):
    whole = make_phantom(tuple(range(3, 13)))
    sure = label(whole.image, model=naming_session)
    unsure = replace(sure, level_shift={0: 0.7, 1: 0.3}, uncertain=True)
    guided = label(part_of(whole, 6, 11), model=naming_session, localizer=unsure)
    assert guided.uncertain
    assert guided.level_shift == pytest.approx({0: 0.7, 1: 0.3}, abs=0.01)
    assert max(disc.confidence for disc in guided.labels) <= 0.7
    assert "localizer is itself uncertain" in " ".join(guided.warnings)


def test_a_localizer_that_contradicts_the_scan_leaves_the_numbering_uncertain(naming_session):
    phantom = make_phantom()
    right = label(phantom.image, model=naming_session)
    assert not right.uncertain
    shifted = replace(right, labels=DiscLabels(Disc(Level(disc.level + 1), disc.world_mm) for disc in right.labels))
    result = label(phantom.image, model=naming_session, localizer=shifted)
    assert result.uncertain
    assert "contradicts" in result.warnings[0]


def test_a_first_level_and_a_localizer_together_are_refused(naming_session):
    phantom = make_phantom()
    with pytest.raises(UsageError, match="one of the two"):
        label(phantom.image, model=naming_session, first_level=3, localizer=label(phantom.image, model=naming_session))


def test_a_localizer_elsewhere_is_not_used_and_the_warning_says_so(naming_session):
    phantom = make_phantom()
    elsewhere = SpineImage(phantom.image.data, rotation_free_shift(phantom.image.affine, 400))
    result = label(phantom.image, model=naming_session, localizer=label(elsewhere, model=naming_session))
    assert distances(result, phantom).max() < 0.5
    assert "shares fewer than two discs" in result.warnings[0]
    assert not result.uncertain


def rotation_free_shift(affine: NDArray, by: float) -> NDArray:
    moved = affine.copy()
    moved[2, 3] += by
    return moved


def test_a_result_says_what_it_is_counted_from(naming_session):
    phantom = make_phantom()
    assert label(phantom.image, model=naming_session).counted_from == "C2"
    given = label(phantom.image, model=naming_session, first_level=3)
    assert given.counted_from == "the first level that was given"


def test_warnings_of_the_file_come_along(naming_session):
    image = make_phantom().image
    doubtful = SpineImage(image.data, image.affine, warnings=["the sform was used"])
    assert label(doubtful, model=naming_session).warnings == ["the sform was used"]


def bars_only(phantom: Phantom) -> SpineImage:
    data = phantom.image.data
    return SpineImage(np.where(data > 1500, data, 0), phantom.image.affine)


def test_an_image_without_discs_is_an_error(session):
    with pytest.raises(NothingFoundError, match="no spine was found"):
        label(bars_only(make_phantom()), model=session)


def test_faint_peaks_are_no_spine_however_well_they_are_spaced(session):
    phantom = make_phantom()
    faint = np.where(phantom.image.data <= 1000, 0.6 * phantom.image.data, phantom.image.data)
    with pytest.raises(NothingFoundError):
        label(SpineImage(faint, phantom.image.affine), model=session)


def test_a_lone_peak_is_no_spine(session):
    with pytest.raises(NothingFoundError):
        label(make_phantom((5,)).image, model=session)


def test_an_axial_stack_says_that_it_cannot_be_labelled(session):
    phantom = make_phantom(sizes=(1.0, 1.0, 8.0))
    with pytest.raises(GeometryError, match="axial stack"):
        label(phantom.image, model=session)


@pytest.mark.parametrize("first_level", [1, 0, 26, -3])
def test_a_first_level_that_is_no_disc_is_refused(first_level, session):
    with pytest.raises(UsageError, match="SCT value from 2"):
        label(make_phantom().image, model=session, first_level=first_level)


def test_a_file_is_read_with_the_volume_that_was_asked_for(naming_session, tmp_path):
    phantom = make_phantom()
    both = np.stack([np.zeros_like(phantom.image.data), phantom.image.data], axis=3)
    nib.save(nib.Nifti1Image(both, phantom.image.affine), tmp_path / "both.nii.gz")
    result = label(tmp_path / "both.nii.gz", model=naming_session, volume=1)
    assert distances(result, phantom).max() < 0.5
    with pytest.raises(InputError, match="--volume"):
        label(tmp_path / "both.nii.gz", model=naming_session)


def test_the_picture_shows_every_disc_where_its_point_is(naming_session):
    for phantom in (make_phantom(), make_phantom(width=220, sizes=(2.0, 1.0, 1.0), off_middle=50)):
        view = label(phantom.image, model=naming_session).view
        assert len(view.points) == len(phantom.levels)
        rows, columns = np.rint(view.points).astype(int).T
        assert view.image[rows, columns].min() > 0.45  # half the brightness of the bar, which is 1
        assert view.attention[rows, columns].min() > 0.8
        assert view.attention.shape == view.image.shape
        assert np.all(np.diff(rows) > 0)
        height = (phantom.points[0] - phantom.points[-1])[2]
        assert (view.points[-1, 0] - view.points[0, 0]) * view.spacing == pytest.approx(height, abs=0.5)


def test_the_picture_follows_a_spine_that_bends_sideways():
    data = np.zeros((5, 40, 30), dtype=np.float32)
    places = np.array([(0.0, 5.0, 9.0), (2.0, 20.0, 9.0), (4.0, 35.0, 9.0)])
    for slab, row, column in places.astype(int):
        data[slab, row, column] = 1
    slabs = SlabStack(data, np.diag([4.0, 1.25, 1.25, 1.0]))
    cells = data[:, ::2, ::2]
    view = _view(slabs, DiscMaps(cells, cells[:, None], cells), places, stride=2)
    assert view.image[[5, 20, 35], 9].tolist() == [1, 1, 1]


def test_points_lie_on_the_discs_of_a_curved_spine_not_beside_them(naming_session):
    """The smooth curve across the slabs must follow a bend that a spine can have."""
    phantom = make_phantom(tuple(range(3, 13)))
    bend = np.ptp(phantom.points[:, 0])
    assert bend > 3
    result = label(phantom.image, model=naming_session)
    assert np.abs(result.labels.points - phantom.points)[:, 0].max() < 0.5


def test_points_survive_the_voxel_grid_of_a_label_file(naming_session):
    phantom = make_phantom()
    labels = label(phantom.image, model=naming_session).labels
    volume, warnings = labels.to_volume(phantom.image.data.shape, affine=phantom.image.affine)
    assert warnings == []
    for disc in labels:
        (voxel,) = np.argwhere(volume == int(disc.level))
        offset = world_to_voxel(np.array([disc.world_mm]), affine=phantom.image.affine)[0] - voxel
        assert np.abs(offset).max() <= 0.5


# With the weights that the package ships.


@pytest.fixture(scope="module")
def simulated() -> Phantom:
    """A small simulated lumbar T2w scan with its truth."""
    rng = np.random.default_rng(5)
    view = {"field_of_view": "lumbar", "contrast": "t2"}
    scan = simulate_scan(rng, **view, spacing=1.0, slice_thickness=4.0, lateral_extent=24.0)
    return Phantom(SpineImage(scan.image, scan.affine), scan.points, tuple(scan.levels.tolist()))


@pytest.fixture(scope="module")
def shipped() -> DiscSession:
    return DiscSession(find_model())


@pytest.fixture(scope="module")
def answer(simulated, shipped):
    """What the shipped model says of the simulated scan."""
    return label(simulated.image, model=shipped)


def test_the_shipped_model_finds_and_names_the_discs_of_a_simulated_scan(simulated, answer):
    truth = dict(zip(simulated.levels, simulated.points, strict=True))
    right = [np.linalg.norm(truth[disc.level] - disc.world_mm) < 5 for disc in answer.labels if disc.level in truth]
    assert sum(right) >= len(truth) - 1
    assert len(answer.labels) <= len(truth) + 1


@pytest.mark.parametrize("decoder", ["skeleton", "lookonce"])
def test_the_papers_decoders_name_the_discs_of_a_simulated_scan(decoder, simulated, shipped):
    truth = dict(zip(simulated.levels, simulated.points, strict=True))
    found = label(simulated.image, model=shipped, decoder=decoder).labels
    right = [np.linalg.norm(truth[disc.level] - disc.world_mm) < 5 for disc in found if disc.level in truth]
    assert sum(right) >= len(truth) - 2
    assert len(found) <= len(truth) + 1


def test_the_shipped_model_gives_one_answer_in_all_48_orientations(simulated, shipped, answer):
    for orientation in ALL_ORIENTATIONS:
        found = label(simulated.stored(orientation).image, model=shipped).labels
        assert found.levels == answer.labels.levels
        assert found.points == pytest.approx(answer.labels.points, abs=0.5)


@pytest.mark.parametrize(("axis", "degrees"), TURNS)
def test_the_shipped_model_follows_an_oblique_header(axis, degrees, simulated, shipped, answer):
    turn = np.eye(4)
    turn[:3, :3] = rotation(np.array(axis), degrees)
    found = label(SpineImage(simulated.image.data, turn @ simulated.image.affine), model=shipped).labels
    assert found.levels == answer.labels.levels
    assert found.points == pytest.approx(voxel_to_world(answer.labels.points, affine=turn), abs=0.5)


def no_spines() -> dict[str, NDArray]:
    """Pictures (1, Y, Z) in which a network may see rows of discs and a person sees none."""
    rng = np.random.default_rng(0)
    y, z = np.meshgrid(np.linspace(-1, 1, 180), np.linspace(-1, 1, 200), indexing="ij")
    noise = 40 * np.abs(rng.standard_normal(y.shape))
    inside = (np.abs(y) < 0.8) & (np.abs(z) < 0.8)
    pictures = {
        "noise": noise,
        "ball": 700 * (y**2 + z**2 < 0.8) + noise,
        "two balls": 700 * (np.minimum((z - 0.4) ** 2, (z + 0.4) ** 2) + y**2 < 0.1) + noise,
        "grating": 700 * (inside & (np.round(20 * z) % 4 != 0)) + noise,
        "clouds": 1000 * gaussian_filter(rng.standard_normal(y.shape), 8),
    }
    return {name: picture[None].astype(np.float32) for name, picture in pictures.items()}


@pytest.mark.parametrize("name", no_spines())
def test_the_shipped_model_sees_no_spine_where_there_is_none(name, shipped):
    with pytest.raises(NothingFoundError):
        label(SpineImage(no_spines()[name], np.diag([4.0, 1, 1, 1])), model=shipped)


def test_the_shipped_card_says_what_the_model_is(shipped):
    assert shipped.card.name == "discs"
    assert shipped.card.about, "the card must say what the model was trained on"
