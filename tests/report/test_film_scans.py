"""The film of scans: labels find their scans, discs lie where they are, one bad scan does not stop the others."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from tests.blobs import CERVICAL, Phantom, make_phantom
from tests.conftest import orientations

from lookonce.errors import InputError
from lookonce.io.nifti import SpineImage, read_image, write_labels
from lookonce.labeling import LabelResult
from lookonce.landmarks import DiscLabels
from lookonce.report.film_scans import find_labelled, scans_film, spine_view
from lookonce.report.pictures import DISC_COLOUR, HEADING, UNSURE_COLOUR
from lookonce.results import plan_outputs, write_result

ENDING = "_label-discs_dlabel.nii.gz"


@pytest.fixture(scope="module")
def phantom() -> Phantom:
    return make_phantom()


def labels_of(phantom: Phantom) -> DiscLabels:
    return DiscLabels.from_points(dict(zip(phantom.levels, phantom.points, strict=True)))


def save_result(phantom: Phantom, scan: Path, folder: Path, stem: str, *, uncertain: bool = False) -> Path:
    """Labels as `lookonce label` writes them; returns the path of the full result."""
    image = SpineImage(phantom.image.data, phantom.image.affine, scan)
    result = LabelResult(labels_of(phantom), {0: 1.0}, uncertain=uncertain)
    return Path(write_result(image, result, folder, stem)["result"])


def save_labels(phantom: Phantom, path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    volume, _ = labels_of(phantom).to_volume(phantom.image.data.shape, affine=phantom.image.affine)
    write_labels(path, volume, phantom.image)
    return path


def test_a_result_is_preferred_to_label_files_wherever_they_are(phantom, tmp_path):
    scan = phantom.save(tmp_path / "sub-01" / "anat" / "sub-01_T2w.nii.gz")
    truth = save_labels(phantom, tmp_path / "derivatives" / "labels" / "sub-01" / "anat" / f"sub-01_T2w{ENDING}")
    assert find_labelled(tmp_path) == ({scan: truth}, [])
    result = save_result(phantom, scan, tmp_path / "out", "sub-01_T2w")
    assert find_labelled(tmp_path) == ({scan: result}, [])


def test_scans_that_are_called_alike_find_their_own_labels(phantom, tmp_path):
    scans = [phantom.save(tmp_path / site / "sub-01" / "T2.nii.gz") for site in ("here", "there", "over_there")]
    expected = {}
    for scan, (folder, stem) in plan_outputs(scans, tmp_path / "out").items():
        expected[scan] = save_result(phantom, scan, folder, stem)
    found, failures = find_labelled(tmp_path)
    # "there" is also the end of "over_there": no telling, so that scan is named rather than shown with any labels.
    for scan, labels in found.items():
        assert labels == expected[scan]
    assert {scan.parent.parent.name for scan in found} >= {"here", "over_there"}
    assert len(found) + len(failures) == 3


def test_labels_beside_a_scan_are_its_own_though_another_has_its_name(phantom, tmp_path):
    scans = [phantom.save(tmp_path / site / "T2.nii.gz") for site in ("a", "b")]
    expected = {scan: save_result(phantom, scan, scan.parent, "T2") for scan in scans}
    assert find_labelled(tmp_path) == (expected, [])


def test_hidden_folders_are_passed_over(phantom, tmp_path):
    scan = phantom.save(tmp_path / ".git" / "annex" / "T2.nii.gz")
    save_result(phantom, scan, scan.parent, "T2")
    with pytest.raises(InputError, match="neither a training run"):
        find_labelled(tmp_path)


def test_labels_without_a_scan_are_named(phantom, tmp_path):
    scan = phantom.save(tmp_path / "a" / "T2.nii.gz")
    lost = save_result(phantom, scan, tmp_path / "out", "T1")
    with pytest.raises(InputError, match="labels without their scans"):
        find_labelled(tmp_path)
    result = save_result(phantom, scan, tmp_path / "out", "T2")
    found, failures = find_labelled(tmp_path)
    assert found == {scan: result}
    assert [str(failure).startswith(f"{lost}: ") for failure in failures] == [True]


@given(orientations())
@settings(max_examples=12)
def test_the_view_goes_through_the_discs_however_the_scan_is_stored(orientation):
    phantom = make_phantom(off_middle=12.0).stored(orientation)
    view = spine_view(phantom.image, labels_of(phantom))
    rows, columns = np.rint(view.points).astype(int).T
    assert (np.diff(rows) > 0).all()
    at_discs = view.image[rows, columns]
    assert at_discs.min() > 0.4  # the painted bar is twice as bright as a disc
    assert np.median(view.image) < 0.05


def test_a_scan_whose_labels_hold_no_disc_shows_its_middle(phantom):
    view = spine_view(phantom.image, DiscLabels())
    assert view.points.shape == (0, 2)
    assert view.image.max() > 0.9


def coloured(frame: np.ndarray, colour: tuple[int, int, int]) -> np.ndarray:
    return np.abs(frame.astype(int) - colour).sum(axis=2) < 60


@pytest.mark.parametrize("width", [480, 333])
def test_a_frame_shows_every_disc_in_its_place(phantom, tmp_path, width):
    scan = phantom.save(tmp_path / "sub-01_T2w.nii.gz")
    save_result(phantom, scan, tmp_path, "sub-01_T2w")
    (frame,) = (np.asarray(frame) for frame in scans_film(tmp_path, width=width).frames)
    assert frame.shape[1] == width - width % 2
    assert frame.shape[0] % 2 == 0
    view = spine_view(read_image(scan), labels_of(phantom))
    scale = min(frame.shape[1] / view.image.shape[1], round((width - width % 2) * 1.35) / view.image.shape[0])
    left = (frame.shape[1] - round(view.image.shape[1] * scale)) // 2
    marked = coloured(frame, DISC_COLOUR)
    for row, column in (view.points + 0.5) * scale:
        down, across = round(row) + HEADING, round(column) + left
        assert marked[down - 8 : down + 9, across - 8 : across + 9].sum() > 10
    assert len(view.points) == len(CERVICAL)
    assert not coloured(frame, UNSURE_COLOUR).any()


def test_an_uncertain_numbering_is_written_on_the_frame(phantom, tmp_path):
    scan = phantom.save(tmp_path / "sub-01_T2w.nii.gz")
    save_result(phantom, scan, tmp_path, "sub-01_T2w", uncertain=True)
    (frame,) = (np.asarray(frame) for frame in scans_film(tmp_path).frames)
    assert coloured(frame, UNSURE_COLOUR)[:HEADING].sum() > 50


def test_a_scan_that_cannot_be_read_is_left_out_and_named(phantom, tmp_path):
    for name in ("a", "b", "c"):
        scan = phantom.save(tmp_path / f"{name}_T2w.nii.gz")
        save_result(phantom, scan, tmp_path, f"{name}_T2w")
    (tmp_path / "a_T2w.nii.gz").write_bytes(b"")
    (tmp_path / "b_T2w_discs.json").write_text("{}")
    film = scans_film(tmp_path)
    assert film.count == 3
    assert len(list(film.frames)) == 1
    messages = [str(failure) for failure in film.failures]
    assert messages[0].startswith(f"{tmp_path / 'a_T2w.nii.gz'}: is empty")
    assert messages[1].startswith(f"{tmp_path / 'b_T2w_discs.json'}: is no result of lookonce label")
    (tmp_path / "c_T2w.nii.gz").write_bytes(b"")
    with pytest.raises(InputError, match="c_T2w"):
        list(scans_film(tmp_path).frames)


def test_a_label_file_in_another_numbering_is_read_by_its_sidecar(phantom, tmp_path):
    scan = phantom.save(tmp_path / "sub-01_T2w.nii.gz")
    image = SpineImage(phantom.image.data, phantom.image.affine, scan)
    result = LabelResult(labels_of(phantom), {0: 1.0}, uncertain=False)
    written = write_result(image, result, tmp_path, "sub-01_T2w", numbering="totalspineseg")
    from_result = [np.asarray(frame) for frame in scans_film(tmp_path).frames]
    Path(written["result"]).unlink()
    from_volume = [np.asarray(frame) for frame in scans_film(tmp_path).frames]
    # The volume's points are rounded to voxels; the names and about all pixels are the same.
    assert np.mean(np.abs(from_result[0].astype(int) - from_volume[0]).max(axis=2) > 60) < 0.02
