"""The chain against every labelling there is, and what its answers must mean."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from tests.spines import CLASSES, FLAT, candidates_at, counted_spine, named, says, spine

from lookonce.anatomy import ADULT_SPACING, USUAL_COUNT, VARIANT_SHARES, Level
from lookonce.decode.chain import SMALLEST_SHARE, _Lattice, decode_chain
from lookonce.decode.chain_scores import FIRST, LAST, ChainSettings


@st.composite
def small_problems(draw: st.DrawFn) -> _Lattice:
    """Lattices of up to four candidates in a rough column, with any heights, evidence and room."""
    count = draw(st.integers(1, 4))
    steps = [draw(st.floats(8, 60)) for _ in range(count)]
    sideways = [(draw(st.floats(-25, 25)), draw(st.floats(-25, 25))) for _ in range(count)]
    points = np.column_stack([np.array(sideways), -np.cumsum(steps)])
    probability = np.array([draw(st.floats(0.05, 0.99)) for _ in range(count)])
    logits = np.random.default_rng(draw(st.integers(0, 2**32 - 1))).normal(0, 2, (count, CLASSES))
    evidence = logits - np.log(np.exp(logits).sum(axis=1, keepdims=True))
    room = st.one_of(st.just(np.inf), st.floats(0, 120))
    first = draw(st.one_of(st.none(), st.integers(FIRST, LAST)))
    settings_ = ChainSettings(most_missed=draw(st.integers(0, 2)), end_missed=draw(st.sampled_from([-1.0, -0.2])))
    return _Lattice(
        candidates_at(points, probability, evidence),
        draw(room),
        draw(room),
        first,
        draw(st.sampled_from([USUAL_COUNT, *VARIANT_SHARES])),
        ADULT_SPACING,
        settings_,
    )


def labellings(count: int, levels: int, jumps: int):
    """Every non-empty choice of candidates from the head down with rising levels, as [(candidate, level), ...]."""
    for size in range(1, count + 1):
        for picked in itertools.combinations(range(count), size):
            for first in range(levels):
                for rises in itertools.product(range(1, jumps + 1), repeat=size - 1):
                    named_levels = list(itertools.accumulate(rises, initial=first))
                    if named_levels[-1] < levels:
                        yield list(zip(picked, named_levels, strict=True))


def weight(lattice: _Lattice, labelling) -> NDArray:
    """Weight (statures,) of one labelling, factor by factor."""
    (first, top), (last, bottom) = labelling[0], labelling[-1]
    product = lattice.prior * lattice.start[:, top, first] * lattice.end[:, bottom, last]
    for candidate, level in labelling:
        product = product * lattice.node[level, candidate]
    for (i, level), (j, next_level) in itertools.pairwise(labelling):
        pair = np.flatnonzero((lattice.source == i) & (lattice.target == j))
        step = lattice.steps[next_level - level - 1][:, level, pair]
        product = product * (step[:, 0] if len(pair) else 0.0)
    return product


@given(small_problems())
@settings(max_examples=40)
def test_the_chain_finds_the_best_of_all_labellings_and_their_exact_shares(lattice):
    levels, count = lattice.node.shape
    best, total = 1.0, 1.0  # picking nothing
    shares = np.zeros((count, levels))
    for labelling in labellings(count, levels, len(lattice.steps)):
        weights = weight(lattice, labelling)
        best = max(best, weights.max())
        share = weights.sum()
        total += share
        for state in labelling:
            shares[state] += share
    posterior, log_evidence = lattice.posterior()
    assert posterior == pytest.approx(shares / total, abs=1e-9)
    assert log_evidence == pytest.approx(np.log(total))
    picked, places = lattice.best()
    found = weight(lattice, list(zip(picked, places, strict=True))).max() if len(picked) else 1.0
    assert found == pytest.approx(best, rel=1e-9)


def test_the_statures_are_a_distribution():
    lattice = _Lattice(candidates_at([(0, 0, 0)]), np.inf, np.inf, None, USUAL_COUNT, ADULT_SPACING, ChainSettings())
    assert lattice.prior.sum() == pytest.approx(1)
    assert np.exp(np.log(lattice.statures) @ lattice.prior) == pytest.approx(1)


@given(st.lists(st.tuples(st.floats(5, 70), st.floats(0, 1)), min_size=1, max_size=12))
@settings(max_examples=40)
def test_levels_rise_and_every_probability_is_one(steps):
    distances, probability = np.array(steps).T
    points = np.column_stack([np.zeros((len(steps), 2)), -np.cumsum(distances)])
    chain = decode_chain(candidates_at(points, probability), room_above_mm=40, room_below_mm=40)
    assert np.all(np.diff(chain.picked) > 0)
    assert np.all(np.diff(chain.levels) > 0)
    assert np.all((chain.levels >= FIRST) & (chain.levels <= LAST))
    assert np.all((chain.confidence >= 0) & (chain.confidence <= 1 + 1e-9))
    assert sum(chain.level_shift.values()) == pytest.approx(1 if len(chain.picked) else 0)
    assert (0 in chain.level_shift) == (len(chain.picked) > 0)


def test_no_candidates_give_an_empty_chain():
    chain = decode_chain(candidates_at(np.zeros((0, 3))), room_above_mm=0, room_below_mm=0)
    assert (len(chain.picked), len(chain.levels), len(chain.confidence)) == (0, 0, 0)
    assert chain.level_shift == {}


def test_weak_candidates_that_fit_no_spine_give_an_empty_chain():
    points = [(0, 0, 0), (0, 0, -3), (40, 0, -5)]
    assert len(decode_chain(candidates_at(points, 0.1)).picked) == 0


@given(st.floats(0.85, 1.2), st.sampled_from([(0, Level.C2_C3), (7, Level.L5_S1)]))
@settings(max_examples=25)
def test_a_spine_with_an_anchor_at_one_end_is_numbered_from_there(stature, anchor):
    position, level = anchor
    levels = list(range(level - position, level - position + 8))
    chain = decode_chain(candidates_at(spine(levels, stature), evidence=named(levels, {position: int(level)})))
    assert chain.levels.tolist() == levels


@pytest.mark.parametrize("first", range(3, 17))
def test_a_spine_of_usual_size_named_at_one_end_is_numbered_from_there(first):
    levels = list(range(first, first + 8))
    for position in (0, len(levels) - 1):
        evidence = named(levels, {position: levels[position]})
        chain = decode_chain(candidates_at(spine(levels), evidence=evidence))
        assert chain.levels.tolist() == levels


@pytest.mark.parametrize("count", [5, 8])
def test_neighbours_that_contradict_an_anchor_together_leave_the_numbering_in_doubt(count):
    levels = np.arange(26 - count, 26)
    evidence = np.array([*(says(level - 1, 0.8) for level in levels[:-1]), says(25, 0.97)])
    chain = decode_chain(candidates_at(spine(levels), evidence=evidence))
    assert chain.level_shift[0] < 0.9
    assert {int(chain.levels[-1]) + shift for shift, share in chain.level_shift.items() if share > 0.1} == {24, 25}


@given(st.integers(4, 16))
@settings(max_examples=13)
def test_evidence_for_the_level_below_shifts_every_name(first):
    levels = np.arange(first, first + 7)
    for shift in (-1, 1):
        evidence = np.array([says(level + shift) for level in levels])
        chain = decode_chain(candidates_at(spine(levels), evidence=evidence))
        assert chain.levels.tolist() == (levels + shift).tolist()


def test_a_false_candidate_is_rejected():
    levels = list(range(3, 10))
    points = spine(levels)
    evidence = np.array([says(level, 0.6) for level in levels])
    between, beside = (points[3] + points[4]) / 2, points[2] + (0, 30, 0.5)
    for false in (between, beside):
        everything = np.vstack([points, false])
        order = np.argsort(-everything[:, 2], kind="stable")
        candidates = candidates_at(
            everything[order], np.append(np.full(7, 0.9), 0.3)[order], np.vstack([evidence, FLAT])[order]
        )
        chain = decode_chain(candidates)
        assert chain.levels.tolist() == levels
        assert candidates.world_mm[chain.picked] == pytest.approx(points)


def test_a_place_that_the_network_calls_no_disc_is_rejected():
    levels = list(range(20, 26))
    points = np.vstack([spine(levels), spine([25]) - (0, 0, 27)])
    evidence = np.vstack([np.array([says(level) for level in levels]), says(0, 0.97)])
    chain = decode_chain(candidates_at(points, np.append(np.full(6, 0.9), 0.4), evidence))
    assert chain.picked.tolist() == list(range(6))
    assert chain.levels.tolist() == levels


@pytest.mark.parametrize("missing", [1, 3, 5])
def test_a_missed_level_leaves_a_gap_in_the_numbering_not_a_shift(missing):
    levels = [level for level in range(10, 18) if level != 10 + missing]
    chain = decode_chain(candidates_at(spine(levels), evidence=named(levels, {0: 10, 6: 17})))
    assert chain.levels.tolist() == levels
    chain = decode_chain(candidates_at(spine(levels), evidence=named(levels, {0: 10})))
    assert chain.levels.tolist() == levels


def test_flat_evidence_spreads_the_level_shift_and_says_so():
    chain = decode_chain(candidates_at(spine(range(10, 15))))
    assert sum(chain.level_shift.values()) == pytest.approx(1)
    assert chain.level_shift[0] < 0.5
    assert len(chain.level_shift) >= 5
    assert min(share for shift, share in chain.level_shift.items() if shift) >= SMALLEST_SHARE


def test_clear_evidence_makes_the_numbering_certain():
    levels = list(range(3, 11))
    evidence = np.array([says(level, 0.8) for level in levels])
    chain = decode_chain(candidates_at(spine(levels), evidence=evidence))
    assert chain.level_shift[0] > 0.99
    assert chain.confidence.min() > 0.95


def test_the_share_of_a_shift_is_what_contrary_evidence_makes_it():
    levels = np.arange(10, 16)
    own, below = (np.array([says(level + shift) for level in levels]) for shift in (0, 1))
    chain = decode_chain(candidates_at(spine(levels), evidence=np.logaddexp(own, below) - np.log(2)))
    first, second = sorted(chain.level_shift.values())[-2:]
    assert first + second > 0.95
    assert set(sorted(chain.level_shift, key=chain.level_shift.get)[-2:]) in ({0, 1}, {0, -1})


@pytest.mark.parametrize("probability", [0.85, 0.93, 0.99])
@pytest.mark.parametrize("first", [2, 3, 9, 20])
def test_the_first_level_settles_the_numbering_of_clear_discs(first, probability):
    levels = np.arange(first, first + 6)
    room = {"room_above_mm": 30, "room_below_mm": 20}
    chain = decode_chain(candidates_at(spine(levels), probability), **room, first_level=first)
    assert chain.levels.tolist() == levels.tolist()
    assert chain.level_shift[0] > 0.95
    contrary = np.array([says(min(level + 1, LAST), 0.5) for level in levels])
    chain = decode_chain(candidates_at(spine(levels), probability, contrary), **room, first_level=first)
    assert chain.levels.tolist() == levels.tolist()


def test_with_the_first_level_given_a_doubtful_topmost_disc_is_still_in_doubt():
    levels = list(range(9, 15))
    chain = decode_chain(candidates_at(spine(levels), [0.4, *[0.95] * 5]), room_above_mm=5, first_level=9)
    assert chain.levels[0] == 9
    assert 0.05 < chain.level_shift[0] < 0.95


def test_a_first_level_does_not_make_a_disc_of_c1_c2():
    """Who calls C2/C3 the topmost disc is right, though the network sees the joint above it too."""
    levels = list(range(2, 9))
    evidence = np.array([says(level, 0.8) for level in levels])
    chain = decode_chain(candidates_at(spine(levels), evidence=evidence), first_level=3)
    assert chain.picked.tolist() == list(range(1, 7))
    assert chain.levels.tolist() == levels[1:]


def test_levels_that_the_picture_has_room_for_are_missed():
    """Without names the ends of the picture decide: nothing below the last disc says that it is L5/S1."""
    points = spine(range(20, 26))
    free = decode_chain(candidates_at(points), room_above_mm=10, room_below_mm=150)
    closed = decode_chain(candidates_at(points), room_above_mm=10, room_below_mm=10)
    assert free.levels.tolist() == list(range(20, 26))
    assert free.level_shift[0] > closed.level_shift[0]


def test_a_name_counts_more_than_the_room():
    points = spine(range(16, 22))
    evidence = np.array([says(level) for level in range(16, 22)])
    chain = decode_chain(candidates_at(points, evidence=evidence), room_above_mm=10, room_below_mm=150)
    assert chain.levels.tolist() == list(range(16, 22))


def test_candidates_at_one_height_never_follow_each_other():
    points = np.column_stack([np.zeros(5), -20.0 * np.arange(5), np.zeros(5)])
    assert len(decode_chain(candidates_at(points)).picked) <= 1


def test_candidates_of_known_level_number_all_the_others():
    points, evidence = spine(range(10, 16)), named(range(10, 16), {place: 11 + place for place in range(6)})
    chain = decode_chain(candidates_at(points, evidence=evidence), known=np.array([0, 0, 12, 13, 0, 0]))
    assert chain.levels.tolist() == list(range(10, 16))
    assert chain.level_shift[0] > 0.95
    assert chain.confidence[2] > 0.95


@pytest.mark.parametrize("count", [USUAL_COUNT, *VARIANT_SHARES], ids=lambda count: str(count.name))
@pytest.mark.parametrize("stature", [0.9, 1.0, 1.12])
def test_a_spine_named_at_both_ends_tells_how_many_vertebrae_it_has(count, stature):
    candidates = counted_spine(count, stature)
    chains = {other: decode_chain(candidates, count=other) for other in (USUAL_COUNT, *VARIANT_SHARES)}
    best = max(chains, key=lambda other: chains[other].log_evidence)
    assert best.extra == count.extra
    assert chains[count].levels.tolist() == list(count.levels[1:])
