"""The shipped weights on real scans that they were not trained on; skipped where the development data are absent."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from nibabel.orientations import apply_orientation, inv_ornt_aff
from tests.conftest import ALL_ORIENTATIONS, rotation

from lookonce.evaluation import Evaluation, Selection, evaluate
from lookonce.geometry import voxel_to_world
from lookonce.io.lists import read_subjects
from lookonce.io.nifti import SpineImage, read_image
from lookonce.labeling import LabelResult, label
from lookonce.runtime.session import DiscSession
from lookonce.runtime.weights import find_model

pytestmark = [pytest.mark.data, pytest.mark.slow]


@pytest.fixture(scope="module")
def shipped() -> DiscSession:
    return DiscSession(find_model())


@pytest.fixture(scope="module")
def lumbar(spine_data: Path) -> SpineImage:
    return read_image(spine_data / "lumbar" / "sub-ivd25" / "anat" / "sub-ivd25_T2w.nii.gz")


@pytest.fixture(scope="module")
def answer(lumbar, shipped) -> LabelResult:
    return label(lumbar, model=shipped)


@pytest.fixture(scope="module")
def unseen(spine_data: Path) -> Evaluation:
    sets = [spine_data / name for name in ("cervical", "lumbar", "template")]
    return evaluate("discs", sets, selection=Selection(subjects=read_subjects("unseen")))


def test_unseen_scans_keep_the_aims_of_the_default_weights(unseen):
    true = sum(case.strict.true for case in unseen.cases)
    assert sum(case.strict.false_negatives for case in unseen.cases) <= 0.1 * true
    assert np.mean([case.strict.all_right for case in unseen.cases]) >= 0.6
    assert np.mean([case.strict.dtt_mean for case in unseen.cases if case.strict.found]) <= 2.5


def test_no_unseen_scan_is_shifted_in_silence_though_most_are_certain(unseen):
    assert not any(case.silent_shift for case in unseen.cases)
    assert np.mean([not case.uncertain for case in unseen.cases]) >= 0.7


def test_all_48_orientations_of_a_real_scan_give_the_same_world_points(lumbar, shipped, answer):
    for orientation in ALL_ORIENTATIONS:
        data = np.ascontiguousarray(apply_orientation(lumbar.data, orientation))
        affine = lumbar.affine @ inv_ornt_aff(orientation, lumbar.data.shape)
        found = label(SpineImage(data, affine), model=shipped).labels
        assert found.levels == answer.labels.levels
        assert np.linalg.norm(found.points - answer.labels.points, axis=1).max() < 0.5


@pytest.mark.parametrize(
    ("axis", "degrees"), [((1, 0, 0), 25), ((0, 1, 0), -20), ((0, 0, 1), 30), ((1, 1, 1), 22), ((3, -2, 1), -28)]
)
def test_an_oblique_affine_turns_the_points_of_a_real_scan_with_it(axis, degrees, lumbar, shipped, answer):
    turn = np.eye(4)
    turn[:3, :3] = rotation(np.array(axis), degrees)
    turn[:3, 3] = (12.0, -7.0, 30.0)
    found = label(SpineImage(lumbar.data, turn @ lumbar.affine), model=shipped).labels
    assert found.levels == answer.labels.levels
    expected = voxel_to_world(answer.labels.points, affine=turn)
    assert np.linalg.norm(found.points - expected, axis=1).max() < 0.5
