"""Processes of this machine that work, fail and die."""

from __future__ import annotations

from functools import partial

import pytest
from tests.cohort.work import complain, die_once, double_or_die

from lookonce.cohort.engines import LocalEngine, WorkerLostError


@pytest.mark.parametrize("jobs", [1, 2])
def test_a_task_that_always_kills_its_process_is_reported_and_stops_no_other(jobs):
    found = dict(LocalEngine(jobs)(partial(double_or_die, deadly=3), range(6)))
    assert isinstance(found.pop(3), WorkerLostError)
    assert found == {number: 2 * number for number in (0, 1, 2, 4, 5)}


def test_a_process_that_dies_by_chance_loses_nothing(tmp_path):
    found = dict(LocalEngine(2)(partial(die_once, marker=tmp_path / "died"), range(5)))
    assert found == {number: 2 * number for number in range(5)}


def test_an_error_of_the_work_itself_ends_the_run():
    with pytest.raises(ValueError, match="0"):
        list(LocalEngine(1)(complain, range(3)))


def test_nothing_to_do_starts_no_process():
    assert list(LocalEngine(2)(complain, [])) == []
