"""Simulated studies: BIDS trees that the rest of the program reads."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from lookonce.errors import OutputError, UsageError
from lookonce.io.bids import labelled_scans, read_labels, read_participants, read_sidecar
from lookonce.io.nifti import read_image
from lookonce.landmarks import DiscLabels
from lookonce.simulated import FIELDS_OF_VIEW, SUFFIXES, truth, write_study
from lookonce.synth import simulate_scan

LUMBAR = {"count": 2, "seed": 5, "contrast": "t2", "field_of_view": "lumbar"}


@pytest.fixture(scope="module")
def study(tmp_path_factory) -> Path:
    out = tmp_path_factory.mktemp("study")
    written = list(write_study(out, **LUMBAR))
    assert [path.relative_to(out).as_posix() for path in written] == [
        f"sub-sim5n{index:04d}/anat/sub-sim5n{index:04d}_T2w.nii.gz" for index in (0, 1)
    ]
    return out


def contents(folder: Path) -> dict[str, bytes]:
    """Every file below a folder."""
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_a_study_is_a_bids_tree_of_labelled_scans(study):
    scans = labelled_scans(study)
    assert [(scan.subject, scan.session, scan.suffix) for scan in scans] == [
        ("sub-sim5n0000", None, "T2w"),
        ("sub-sim5n0001", None, "T2w"),
    ]
    assert json.loads((study / "dataset_description.json").read_text())["BIDSVersion"]
    for scan in scans:
        levels = [int(level) for level in read_labels(scan.labels).levels]
        assert levels == list(range(levels[0], levels[-1] + 1))
        assert scan.annotated == (levels[0], levels[-1])


def test_everybody_is_in_the_table_and_those_of_another_call_stay(study, tmp_path):
    for row in read_participants(study).values():
        assert row == {"contrast": "t2", "field_of_view": "lumbar", "variant": "n/a"}
    for seed in (6, 5):
        list(write_study(tmp_path, **{**LUMBAR, "count": 1, "seed": seed}))
    assert list(read_participants(tmp_path)) == ["sub-sim5n0000", "sub-sim6n0000"]


def test_labels_lie_on_the_image_at_the_exact_points_up_to_a_voxel(study):
    for scan in labelled_scans(study):
        image, labels = read_image(scan.image), read_labels(scan.labels)
        assert image.warnings == []
        exact = DiscLabels.from_records(read_sidecar(scan.labels)["Points"])
        assert exact.levels == labels.levels
        sizes = np.linalg.norm(image.affine[:3, :3], axis=0)
        assert np.linalg.norm(exact.points - labels.points, axis=1).max() <= np.linalg.norm(sizes) / 2 + 1e-3


def test_the_same_seed_gives_the_same_bytes_and_a_scan_does_not_depend_on_how_many_there_are(study, tmp_path):
    list(write_study(tmp_path, **{**LUMBAR, "count": 1}))
    again, before = contents(tmp_path), contents(study)
    assert again.pop("participants.tsv") != before["participants.tsv"]
    assert len(again) == 4
    assert all(before[name] == content for name, content in again.items())


def test_another_seed_gives_another_scan(study, tmp_path):
    (image,) = write_study(tmp_path, **{**LUMBAR, "count": 1, "seed": 6})
    first = read_image(labelled_scans(study)[0].image)
    assert read_image(image).data.shape != first.data.shape or not np.array_equal(read_image(image).data, first.data)


def test_the_truth_of_a_scan_is_its_points():
    scan = simulate_scan(
        np.random.default_rng(0), field_of_view="lumbar", contrast="t1", slice_thickness=5.0, lateral_extent=10.0
    )
    labels = truth(scan)
    assert [int(level) for level in labels.levels] == scan.levels.tolist()
    assert labels.points == pytest.approx(scan.points)


@pytest.mark.parametrize(("option", "value"), [("contrast", "flair"), ("field_of_view", "knee")])
def test_an_unknown_choice_lists_what_there_is_and_writes_nothing(option, value, tmp_path):
    with pytest.raises(UsageError, match=f"'{value}' is not one of .*, random"):
        list(write_study(tmp_path / "out", **{**LUMBAR, option: value}))
    assert not (tmp_path / "out").exists()


def test_a_study_that_cannot_be_written_says_where(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(OutputError, match="file"):
        list(write_study(tmp_path / "file" / "out", **LUMBAR))


def test_every_contrast_and_field_of_view_has_a_name_on_the_command_line():
    from typing import get_args

    from lookonce.cli.synth import Contrast, FieldOfView

    assert set(get_args(Contrast)) == {*SUFFIXES, "random"}
    assert get_args(FieldOfView) == FIELDS_OF_VIEW
