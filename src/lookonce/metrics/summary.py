"""Tables of many scans: rates, distances and their 95 % intervals, by data set and group.

Proportions of scans (all right, certain, shifted) get Wilson's interval, unless a scan is scored in several forms;
rates per disc and distances get a bootstrap over patients.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from lookonce.geometry import FloatArray
from lookonce.metrics.certainty import auroc, brier_score, calibration_error
from lookonce.metrics.intervals import Interval, bootstrap_ratio, bootstrap_statistic, rate_interval, wilson
from lookonce.metrics.landmarks import PaperCase, StrictCase

POOLED = "pooled"
ALL = "all"


@dataclass(frozen=True)
class CaseRow:
    """One scored scan, or one changed form of it.

    Attributes
    ----------
    data_set, subject, session, suffix : str
        Where the scan is from; `session` is empty where there is none.
    repeat : int
        Which of several changed forms of the scan, from 0.
    patient : str
        Who it shows; scans of one patient are drawn together by the bootstrap.
    group : str
        Value of the column that the table is grouped by.
    strict : StrictCase
    paper : PaperCase
    uncertain : bool or None
        The result's own mark; None where the tool gives none or there is no result.
    certainty : float or None
        The stated probability that the numbering is right; None where the tool states none or there is no result.
    problem : str
        Why there is no prediction; empty when there is one.
    """

    data_set: str
    subject: str
    session: str
    suffix: str
    patient: str
    group: str
    strict: StrictCase
    paper: PaperCase
    uncertain: bool | None = None
    certainty: float | None = None
    problem: str = ""
    repeat: int = 0

    @property
    def numbering_right(self) -> bool:
        """Whether more discs bear their own name than another disc's."""
        return self.strict.found > self.strict.wrong_names

    @property
    def silent_shift(self) -> bool:
        """Whether the levels are shifted and the result does not warn of it."""
        return self.strict.level_shift and self.uncertain is not True


@dataclass(frozen=True)
class Figure:
    """A value and its 95 % interval; None where the scans do not define it."""

    value: float | None
    interval: Interval | None = None

    def times(self, factor: float) -> Figure:
        """The same figure in another unit."""
        value = None if self.value is None else self.value * factor
        return Figure(value, self.interval and (self.interval[0] * factor, self.interval[1] * factor))


@dataclass(frozen=True)
class TableRow:
    """Figures of one group of scans, by name; names end with their unit."""

    data_set: str
    group: str
    scans: int
    patients: int
    figures: dict[str, Figure]


def summarise(cases: Sequence[CaseRow], *, protocol: str = "strict", seed: int = 0) -> list[TableRow]:
    """Rows for every data set: its groups, then all of it; with several data sets, all of them pooled at the end.

    Parameters
    ----------
    cases : sequence of CaseRow
    protocol : {"strict", "paper"}
    seed : int
        Of the bootstrap.

    Raises
    ------
    ValueError
        If the protocol is unknown.
    """
    if protocol not in PROTOCOLS:
        raise ValueError(f"protocol {protocol!r} is not one of {', '.join(PROTOCOLS)}")
    rows = []
    data_sets = list(dict.fromkeys(case.data_set for case in cases))
    for data_set in data_sets:
        members = [case for case in cases if case.data_set == data_set]
        groups = sorted({case.group for case in members})
        for group in groups if len(groups) > 1 else []:
            rows.append(_row(data_set, group, [case for case in members if case.group == group], protocol, seed))
        rows.append(_row(data_set, ALL if len(groups) > 1 else groups[0], members, protocol, seed))
    if len(data_sets) > 1:
        rows.append(_row(POOLED, ALL, cases, protocol, seed))
    return rows


def strict_figures(cases: Sequence[CaseRow], *, seed: int = 0) -> dict[str, Figure]:
    """Figures of the strict protocol; rates per true disc and shares of scans in percent, distances in mm."""
    patients = _patients(cases)
    true = [case.strict.true for case in cases]
    distances = [list(case.strict.distances.values()) for case in cases]
    pooled = [distance for case in distances for distance in case]
    mean = bootstrap_ratio([sum(case) for case in distances], [len(case) for case in distances], patients, seed=seed)
    marked = any(case.uncertain is not None for case in cases)
    certain = [case for case in cases if case.uncertain is False]
    return {
        "dtt_mm": Figure(float(np.mean(pooled)) if pooled else None, mean),
        "dtt_std_mm": Figure(float(np.std(pooled)) if pooled else None),
        "fnr_percent": _rate([case.strict.false_negatives for case in cases], true, patients, seed),
        "fpr_percent": _rate([case.strict.false_positives for case in cases], true, patients, seed),
        "wrong_names_percent": _rate([case.strict.wrong_names for case in cases], true, patients, seed),
        "all_right_percent": _share(cases, lambda case: case.strict.all_right, seed),
        "certain_percent": _share(cases, lambda case: case.uncertain is False, seed) if marked else Figure(None),
        "right_of_certain_percent": _share(certain, lambda case: case.strict.all_right, seed),
        "level_shift_percent": _share(cases, lambda case: case.strict.level_shift, seed),
        "silent_shift_percent": _share(cases, lambda case: case.silent_shift, seed),
        **_certainty_figures(cases, seed),
    }


def paper_figures(cases: Sequence[CaseRow], *, seed: int = 0) -> dict[str, Figure]:
    """Figures of the published protocol: distances of all true discs pooled, in mm, and rates in percent."""
    patients = _patients(cases)
    true = [case.paper.true for case in cases]
    distances = [case.paper.distances for case in cases]
    pooled = [distance for case in distances for distance in case]
    axial = [distance for case in cases for distance in case.paper.axial]
    counts = [len(case) for case in distances]

    def of_all(statistic: Callable[..., np.floating], values: list[float]) -> float | None:
        return float(statistic(values)) if values else None

    median = bootstrap_statistic(distances, patients, lambda values: float(np.median(values)), seed=seed)
    mean = bootstrap_ratio([sum(case) for case in distances], counts, patients, seed=seed)
    along = bootstrap_ratio([sum(case.paper.axial) for case in cases], counts, patients, seed=seed)
    return {
        "dtt_median_mm": Figure(of_all(np.median, pooled), median),
        "dtt_mm": Figure(of_all(np.mean, pooled), mean),
        "dtt_std_mm": Figure(of_all(np.std, pooled)),
        "z_mm": Figure(of_all(np.mean, axial), along),
        "fnr_percent": _rate([case.paper.false_negatives for case in cases], true, patients, seed),
        "fpr_percent": _rate([case.paper.false_positives for case in cases], true, patients, seed),
    }


def stated_certainty(cases: Sequence[CaseRow]) -> tuple[FloatArray, NDArray[np.bool_]]:
    """Of every case that states how sure its numbering is: that probability, and whether the numbering is right."""
    stating = [case for case in cases if case.certainty is not None]
    stated = np.array([case.certainty for case in stating], dtype=np.float64)
    return stated, np.array([case.numbering_right for case in stating], dtype=bool)


def _certainty_figures(cases: Sequence[CaseRow], seed: int) -> dict[str, Figure]:
    """How true the stated certainty of the numbering is; intervals by bootstrap over patients."""
    stated, right = stated_certainty(cases)
    patients = _patients([case for case in cases if case.certainty is not None])
    pairs = [[(certainty, float(outcome))] for certainty, outcome in zip(stated.tolist(), right, strict=True)]

    def figure(measure: Callable[[FloatArray, NDArray[np.bool_]], float | None]) -> Figure:
        def of_pairs(drawn: FloatArray) -> float:
            value = measure(drawn[:, 0], drawn[:, 1] > 0)
            return np.nan if value is None else value

        return Figure(measure(stated, right), bootstrap_statistic(pairs, patients, of_pairs, seed=seed))

    return {
        "calibration_error_percent": figure(calibration_error).times(100),
        "brier": figure(brier_score),
        "auroc": figure(auroc),
    }


PROTOCOLS: dict[str, Callable[..., dict[str, Figure]]] = {"strict": strict_figures, "paper": paper_figures}


def _row(data_set: str, group: str, cases: Sequence[CaseRow], protocol: str, seed: int) -> TableRow:
    figures = PROTOCOLS[protocol](cases, seed=seed)
    return TableRow(data_set, group, len(cases), len(set(_patients(cases))), figures)


def _patients(cases: Sequence[CaseRow]) -> list[Hashable]:
    """Who each scan shows; one id in two data sets is two people."""
    return [(case.data_set, case.patient) for case in cases]


def _rate(events: Sequence[int], true: Sequence[int], patients: Sequence[Hashable], seed: int) -> Figure:
    total = sum(true)
    return Figure(sum(events) / total if total else None, rate_interval(events, true, patients, seed=seed)).times(100)


def _share(cases: Sequence[CaseRow], mark: Callable[[CaseRow], bool], seed: int) -> Figure:
    """Share of the cases with a mark, in percent; where a scan is scored in several forms, patients are redrawn."""
    if not cases:
        return Figure(None)
    flags = [mark(case) for case in cases]
    if any(case.repeat for case in cases):
        return _rate([int(flag) for flag in flags], [1] * len(flags), _patients(cases), seed)
    return Figure(sum(flags) / len(flags), wilson(sum(flags), len(flags))).times(100)
