"""The decoders of the papers on candidates alone: what they name, and that the chain says how sure that is."""

from __future__ import annotations

import numpy as np
import pytest
from tests.point_model import write_point_model
from tests.spines import candidates_at, says, spine
from tests.test_numbering import numbered

from lookonce import decoders
from lookonce.decode.heatmaps import Candidates
from lookonce.decoders import find_decoder, look_once, match_skeleton
from lookonce.errors import WeightsError
from lookonce.runtime import weights
from lookonce.runtime.weights import PointModelCard

LEVELS = list(range(17, 26))


def lumbar_with_false_ones(share: float = 0.9) -> Candidates:
    """Discs of a lumbar spine called by their names, and two false ones in front of it called L2/L3 and L4/L5."""
    points, names = spine(LEVELS), LEVELS.copy()
    false = points[[4, 6]] + [0, 55, -9]
    points = np.concatenate([points, false])
    order = np.argsort(-points[:, 2])
    evidence = np.array([says(name, share) for name in [*names, 22, 24]])
    return candidates_at(points[order], evidence=evidence[order])


def places_of(candidates: Candidates) -> np.ndarray:
    return -candidates.world_mm[:, [2, 1]]


def is_true(candidates: Candidates) -> np.ndarray:
    return candidates.world_mm[:, 1] == 0


def skeleton_card() -> PointModelCard:
    mean = -spine(range(2, 26))[:, [2, 1]]
    return PointModelCard(
        name="m",
        version="1",
        sha256="",
        recipe={},
        about={},
        task="points",
        mean_skeleton=[(float(row), float(column)) for row, column in mean],
        first_level=2,
    )


@pytest.mark.parametrize("stature", [0.8, 1.0, 1.25])
@pytest.mark.parametrize("angle", [-25, 0, 25])
def test_the_skeleton_picks_the_column_at_any_size_and_angle(stature, angle):
    candidates = lumbar_with_false_ones()
    turn = np.deg2rad(angle)
    places = stature * places_of(candidates) @ [[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]]
    picked, levels = match_skeleton(candidates, places, card=skeleton_card())
    assert levels.tolist() == LEVELS
    assert picked.tolist() == np.flatnonzero(is_true(candidates)).tolist()


def test_look_once_drops_what_the_network_calls_false_and_counts_the_rest():
    candidates = lumbar_with_false_ones()
    picked, levels = look_once(candidates, places_of(candidates), session=lambda _: is_true(candidates) * 1.0)
    assert picked.tolist() == np.flatnonzero(is_true(candidates)).tolist()
    assert levels.tolist() == LEVELS


def test_the_chain_says_how_sure_another_decoder_s_numbering_is():
    candidates = lumbar_with_false_ones()
    right = numbered(candidates, decoder=lambda of, _: (np.flatnonzero(is_true(of)), np.array(LEVELS)))
    shifted = numbered(candidates, decoder=lambda of, _: (np.flatnonzero(is_true(of)), np.array(LEVELS) - 1))
    assert right.levels.tolist() == LEVELS
    assert shifted.levels.tolist() == [level - 1 for level in LEVELS]
    assert not right.doubts
    assert right.level_shift[0] > 0.9
    assert shifted.doubts
    assert shifted.level_shift[1] == pytest.approx(right.level_shift[0], abs=0.05)
    assert shifted.confidence.max() < 0.1 < 0.9 < right.confidence.min()


def test_a_first_level_moves_another_decoder_s_numbering():
    candidates = lumbar_with_false_ones()
    moved = numbered(candidates, first_level=16, decoder=lambda of, _: (np.flatnonzero(is_true(of)), np.array(LEVELS)))
    assert moved.levels.tolist() == [level - 1 for level in LEVELS]


def test_a_decoder_that_picks_nothing_is_answered_with_nothing():
    nothing = np.zeros(0, dtype=int)
    assert len(numbered(lumbar_with_false_ones(), decoder=lambda *_: (nothing, nothing)).picked) == 0


def test_a_numbering_that_the_chain_finds_impossible_is_uncertain():
    numbering = numbered(
        lumbar_with_false_ones(), decoder=lambda of, _: (np.flatnonzero(~is_true(of)), np.array([2, 3]))
    )
    assert numbering.doubts
    assert numbering.level_shift.get(0, 0.0) < 0.5


def test_decoders_are_found_by_name(tmp_path, monkeypatch):
    monkeypatch.setattr(decoders, "POINT_MODEL", str(write_point_model(tmp_path / "rows.onnx")))
    assert find_decoder("chain") is None
    candidates = lumbar_with_false_ones()
    for name in ("skeleton", "lookonce"):
        picked, levels = find_decoder(name)(candidates, places_of(candidates))
        assert len(picked) == len(levels) > 0


def test_without_the_point_model_only_the_chain_decodes(tmp_path, monkeypatch):
    monkeypatch.setattr(weights, "_shipped", lambda: tmp_path)
    assert find_decoder("chain") is None
    with pytest.raises(WeightsError, match=r"lookonce\.onnx: not there"):
        find_decoder("skeleton")
