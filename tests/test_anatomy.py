import pytest
from hypothesis import given
from hypothesis import strategies as st

from lookonce.anatomy import ADULT_SPACING, NUMBERINGS, REGULAR_LEVELS, USUAL_COUNT, VARIANT_SHARES, Level

VARIANT_LEVELS = ("T12/T13", "T13/L1", "L5/L6", "L6/S1", "L4/S1", "T11/L1")
#: Discs that SPINEPS numbers like their regular neighbour, for it names a disc after the vertebra above it.
SPINEPS_TWINS = {Level.T12_T13, Level.L5_L6, Level.L4_S1, Level.T11_L1}


@pytest.mark.parametrize("numbering", NUMBERINGS)
def test_every_numbering_reads_back_what_it_writes(numbering):
    own = [level for level in Level if getattr(level, numbering) is not None]
    if numbering == "spineps":
        own = [level for level in own if level not in SPINEPS_TWINS]
    assert [Level.from_number(getattr(level, numbering), numbering) for level in own] == own
    assert len({getattr(level, numbering) for level in own}) == len(own)


def test_names_are_unique_and_read_back():
    assert [Level.from_label(level.label) for level in Level] == list(Level)


@pytest.mark.parametrize(
    ("label", "sct", "totalspineseg", "spineps"),
    [
        ("C1 top", 1, None, None),
        ("C2/C3", 3, 63, 102),
        ("C6/C7", 7, 67, 106),
        ("C7/T1", 8, 71, 107),
        ("T11/T12", 19, 82, 118),
        ("T12/L1", 20, 91, 119),
        ("L4/L5", 24, 95, 123),
        ("L5/S1", 25, 100, 124),
        ("T13/L1", None, None, 128),
        ("L6/S1", None, None, 125),
    ],
)
def test_numbers_are_those_of_the_other_tools(label, sct, totalspineseg, spineps):
    level = Level.from_label(label)
    assert (level.sct, level.totalspineseg, level.spineps) == (sct, totalspineseg, spineps)


def test_levels_of_numeric_variants_take_a_neighbours_value_in_label_files():
    assert [Level.from_label(name).nifti_value for name in VARIANT_LEVELS] == [20, 20, 25, 25, 25, 20]
    assert [level.nifti_value for level in REGULAR_LEVELS] == list(range(1, 26))


@given(st.sampled_from(REGULAR_LEVELS), st.floats(-0.49, 0.49))
def test_numbers_are_rounded_not_truncated(level, error):
    assert Level.from_number(level + error) is level


@pytest.mark.parametrize(("number", "numbering"), [(0, "sct"), (26, "sct"), (49, "sct"), (68, "totalspineseg")])
def test_a_number_without_a_disc_is_an_error_that_names_it(number, numbering):
    with pytest.raises(ValueError, match=f"{number} is no disc in the {numbering}"):
        Level.from_number(number, numbering)


def test_an_unknown_numbering_or_name_is_an_error_that_lists_the_choices():
    with pytest.raises(ValueError, match="sct, totalspineseg, spineps"):
        Level.from_number(3, "dicom")
    with pytest.raises(ValueError, match=r"'C9/T1'.*C2/C3"):
        Level.from_label("C9/T1")


@given(st.lists(st.integers(1, 25), min_size=3, max_size=3).map(sorted))
def test_distances_along_the_spine_add_up(levels):
    first, second, third = levels
    between = ADULT_SPACING.between
    assert between(first, third) == pytest.approx(between(first, second) + between(second, third))
    assert between(first, third) == pytest.approx(sum(ADULT_SPACING.mean[first - 1 : third - 1]))


def test_spacing_has_a_plausible_entry_for_every_pair_of_neighbours():
    assert len(ADULT_SPACING.mean) == len(REGULAR_LEVELS) - 1
    assert all(10 < step < 45 for step in ADULT_SPACING.mean)
    assert 400 < ADULT_SPACING.between(3, 25) < 620


@pytest.mark.parametrize("count", [USUAL_COUNT, *VARIANT_SHARES], ids=lambda count: str(count.name))
def test_the_discs_of_a_count_leave_out_no_vertebra(count):
    """Each disc is called by the vertebra above it and the one below it; neighbours share a vertebra."""
    names = [level.label.split("/") for level in count.levels]
    assert [below for _, below in names[:-1]] == [above for above, _ in names[1:]]
    assert len(names) == 24 + count.extra
    vertebrae = [below for _, below in names]
    assert sum(name.startswith("T") for name in vertebrae) == count.thoracic
    assert sum(name.startswith("L") for name in vertebrae) == count.lumbar


@pytest.mark.parametrize("count", [USUAL_COUNT, *VARIANT_SHARES], ids=lambda count: str(count.name))
def test_every_disc_of_a_count_has_a_usual_distance_to_the_next(count):
    steps = ADULT_SPACING.steps(count)
    assert len(steps) == len(count.levels) - 1
    assert set(steps) <= set(ADULT_SPACING.mean)
    usual = ADULT_SPACING.between(2, 25)
    assert sum(steps) - usual == pytest.approx(count.extra * 30, abs=6)
