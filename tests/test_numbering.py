"""Which disc is which, and how many vertebrae there are, from candidates alone."""

from __future__ import annotations

import numpy as np
import pytest
from tests.spines import counted_spine

from lookonce.anatomy import USUAL_COUNT, VARIANT_SHARES, Level
from lookonce.decode.heatmaps import Candidates
from lookonce.geometry import SlabStack
from lookonce.numbering import Numbering, number_discs


def numbered(candidates: Candidates, *, above: float = 60.0, below: float = 60.0, **hints) -> Numbering:
    """Number candidates in a picture that goes on this far, mm, beyond the first and the last of them."""
    rows = candidates.world_mm[:, 2].max() - candidates.world_mm[:, 2] + above
    places = Candidates(
        slab=np.column_stack([np.zeros(len(rows)), rows, np.zeros(len(rows))]),
        world_mm=candidates.world_mm,
        probability=candidates.probability,
        evidence=candidates.evidence,
    )
    height = round(rows.max() + below) + 1
    affine = np.array([[4.0, 0, 0, 0], [0, 0, -1.0, 0], [0, -1.0, 0, 0], [0, 0, 0, 1.0]])
    return number_discs(places, SlabStack(np.zeros((1, height, 8), np.float32), affine), **hints)


@pytest.mark.parametrize("count", VARIANT_SHARES, ids=lambda count: count.name)
def test_an_unusual_number_of_vertebrae_is_reported_where_both_ends_are_in_view(count):
    numbering = numbered(counted_spine(count, share=0.9))
    assert numbering.variant in {other.name for other in VARIANT_SHARES if other.extra == count.extra}
    assert any("check the numbering" in doubt for doubt in numbering.doubts)
    assert len(numbering.picked) == 23 + count.extra
    assert numbering.levels[0] == Level.C2_C3
    assert numbering.counted_from == "C2 and the sacrum, both in view"


@pytest.mark.parametrize("count", VARIANT_SHARES, ids=lambda count: count.name)
def test_an_unusual_number_is_reported_where_the_border_cuts_the_ends(count):
    numbering = numbered(counted_spine(count, share=0.9), above=8.0, below=8.0)
    assert numbering.variant in {other.name for other in VARIANT_SHARES if other.extra == count.extra}
    assert len(numbering.picked) == 23 + count.extra


def test_a_usual_spine_without_its_first_discs_is_no_variant():
    whole = counted_spine(USUAL_COUNT, share=0.9)
    lower = Candidates(*(values[2:] for values in (whole.slab, whole.world_mm, whole.probability, whole.evidence)))
    numbering = numbered(lower, above=10.0)
    assert numbering.variant is None
    assert numbering.levels.tolist() == list(range(5, 26))


def test_the_usual_number_is_no_variant():
    numbering = numbered(counted_spine(USUAL_COUNT, share=0.9))
    assert numbering.variant is None
    assert numbering.doubts == []
    assert numbering.levels.tolist() == list(range(3, 26))


@pytest.mark.parametrize("count", VARIANT_SHARES, ids=lambda count: count.name)
def test_where_one_end_is_out_of_view_no_variant_is_reported_and_none_excluded(count):
    whole = counted_spine(count, share=0.9)
    lower = Candidates(*(values[-8:] for values in (whole.slab, whole.world_mm, whole.probability, whole.evidence)))
    numbering = numbered(lower, above=10.0)
    assert numbering.variant is None
    assert numbering.levels.tolist() == list(range(18, 26))
    assert "other counts cannot be excluded" in numbering.counted_from


def test_with_the_first_level_given_nothing_is_said_of_variants():
    count = next(iter(VARIANT_SHARES))
    assert numbered(counted_spine(count), first_level=int(Level.C2_C3)).variant is None
