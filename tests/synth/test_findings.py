"""Findings: they are where they are said to be, and the truth stays on the disc."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from tests.synth.test_person import paint_box

from lookonce.synth.draw_spine import random_spine
from lookonce.synth.findings import draw_findings
from lookonce.synth.geometry import Spine, truth_points
from lookonce.synth.person import Person, draw_person
from lookonce.synth.tissues import Tissue

NAMES = list(random_spine(np.random.default_rng(0)).names)


def person_with(**findings: np.ndarray | float) -> tuple[Person, Spine]:
    """One and the same person, plain but for some findings."""
    person = draw_person(np.random.default_rng(12))
    count = len(person.spine.names)
    none = {"fusion": np.zeros(count), "screws": np.zeros(count, bool), "cage": np.zeros(count, bool)}
    plain = replace(person.spine.findings, dent=np.zeros((count, 4)), **{**none, **findings})
    spine = replace(person.spine, findings=plain)
    return replace(person, spine=spine), spine


def at_disc(body: str) -> np.ndarray:
    """True at one body alone."""
    return np.array([name == body for name in NAMES])


def share_of(person: Person, spine: Spine, tissue: Tissue) -> float:
    """How much of the plane around the disc L3/L4 is of a tissue."""
    points, _, _ = truth_points(spine)
    forward = points[22] + (0, 15, 0)
    sheet = paint_box(person, forward, 12.0, 0.5, float(points[22, 0]))
    return float(np.mean(sheet.label == tissue))


def test_a_fused_disc_is_bone():
    plain, fused = (person_with(fusion=amount * at_disc("L3")) for amount in (0.0, 1.0))
    assert share_of(*plain, Tissue.ANNULUS) > 0.05
    assert share_of(*fused, Tissue.ANNULUS) < 0.5 * share_of(*plain, Tissue.ANNULUS)
    assert share_of(*fused, Tissue.MARROW) > share_of(*plain, Tissue.MARROW)


def test_a_cage_takes_the_place_of_the_disc():
    metal = {"screws": at_disc("L3") | at_disc("L4"), "void": 0.1}
    plain, caged = person_with(**metal), person_with(**metal, cage=at_disc("L3"))
    assert share_of(*caged, Tissue.CORTEX) > share_of(*plain, Tissue.CORTEX) + 0.05


def test_screws_leave_a_void_beside_the_mid_line():
    (plain, spine), (metal, screwed) = person_with(), person_with(screws=at_disc("L3"), void=6.0)
    points, _, _ = truth_points(spine)
    centre = (points[21] + points[22]) / 2 + (0, 8, 0)
    voids = [
        np.mean(paint_box(person, centre, 10.0, 0.5, float(points[21, 0]) + 11).label == Tissue.AIR)
        for person in (plain, metal)
    ]
    assert voids[0] == 0
    assert voids[1] > 0.1
    assert screwed is not spine


def test_findings_leave_the_truth_where_it_is():
    plain, changed = person_with()[1], person_with(fusion=at_disc("L3"), screws=at_disc("L3"))[1]
    for first, second in zip(truth_points(plain), truth_points(changed), strict=True):
        np.testing.assert_array_equal(first, second)


@pytest.mark.parametrize("seed", range(30))
def test_findings_are_of_the_spine_and_never_of_the_sacrum(seed):
    findings = draw_findings(np.random.default_rng(seed), NAMES, 1.0)
    sacral = np.arange(len(NAMES)) >= NAMES.index("S1")
    for found in (findings.fusion, findings.wedge, findings.opened, findings.screws, findings.cage):
        assert not np.any(found[sacral])
    assert not np.any(findings.dent[sacral, 0])
    assert np.all(findings.dent[:, 0] >= 0)
