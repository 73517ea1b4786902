"""The painted anatomy: the truth lies exactly where the tissues say, in a slab's plane and in a scan's."""

from __future__ import annotations

import numpy as np
import pytest

from lookonce.synth.geometry import truth_points
from lookonce.synth.person import Person, draw_person, paint_person
from lookonce.synth.sheet import Sheet, lay_grid
from lookonce.synth.texture import draw_textures
from lookonce.synth.tissues import Tissue

DISC = {Tissue.ANNULUS, Tissue.NUCLEUS}
BEHIND = {Tissue.LIGAMENT, Tissue.EPIDURAL_FAT, Tissue.CSF, Tissue.NERVE, Tissue.CORD}
PIXEL = 0.25


def paint_box(person: Person, centre: np.ndarray, half: float, pixel: float, x: float) -> Sheet:
    """Paint the plane at x around a world point; every tissue has its own signal."""
    y = centre[1] + half - pixel * np.arange(round(2 * half / pixel) + 1)
    z = centre[2] + half - pixel * np.arange(round(2 * half / pixel) + 1)
    grid = lay_grid(person.spine.curve, y, z)
    signal = np.linspace(0, 1, len(Tissue)).astype(np.float32)
    sheet = grid.blank(x, signal, draw_textures(np.random.default_rng(0), grid.s.shape, pixel))
    paint_person(sheet, person)
    return sheet


@pytest.mark.parametrize("seed", range(5))
def test_a_point_is_the_posterior_end_of_its_disc(seed: int) -> None:
    person = draw_person(np.random.default_rng(seed))
    points, levels, _ = truth_points(person.spine)
    curve = person.spine.curve
    for point in points[levels >= 3]:
        sheet = paint_box(person, point, 3.0, PIXEL, point[0])
        s, _ = curve.project(point[1:2], point[2:3])
        angle = np.interp(s[0], curve.s, curve.angle)
        forward = np.array([np.cos(angle), -np.sin(angle)])
        labels = {}
        for step in (0.8, -0.8):
            y, z = point[1:] + step * forward
            row, column = round((sheet.z[0] - z) / PIXEL), round((sheet.y[0] - y) / PIXEL)
            labels[step] = Tissue(sheet.label[row, column])
        assert labels[0.8] in DISC
        assert labels[-0.8] in BEHIND


def test_the_sacral_remnants_are_not_among_the_points() -> None:
    person = draw_person(np.random.default_rng(1))
    points, levels, negatives = truth_points(person.spine)
    assert levels.tolist() == list(range(1, 26))
    assert negatives.shape == (3, 3)
    assert np.all(negatives[:, 2] < points[-1, 2])


def test_a_slab_and_a_scan_show_the_same_anatomy() -> None:
    """Two grids, one coarser and cut elsewhere, agree where they meet: anatomy is a function of world points."""
    person = draw_person(np.random.default_rng(4))
    points, _, _ = truth_points(person.spine)
    centre = points[20]
    fine = paint_box(person, centre, 30.0, 0.5, centre[0])
    coarse = paint_box(person, centre, 40.0, 1.0, centre[0])
    for tissues in (sorted(DISC), [Tissue.CSF, Tissue.NERVE]):
        first, second = np.isin(fine.label[::2, ::2], tissues), np.isin(coarse.label[10:-10, 10:-10], tissues)
        assert 2 * (first & second).sum() / (first.sum() + second.sum()) > 0.9


def test_the_image_is_a_mixture_only_at_borders() -> None:
    person = draw_person(np.random.default_rng(6))
    points, _, _ = truth_points(person.spine)
    sheet = paint_box(person, points[22], 25.0, 0.5, points[22, 0])
    cord_or_fluid = np.isin(sheet.label, [Tissue.CSF])
    assert cord_or_fluid.any()
    assert sheet.image.min() >= 0
    assert sheet.image.max() <= 1
    assert np.median(np.abs(sheet.image[cord_or_fluid] - sheet.signal[Tissue.CSF])) < 0.05


def test_off_the_mid_line_the_canal_gives_way_to_pedicles_and_foramina() -> None:
    person = draw_person(np.random.default_rng(3))
    points, _, _ = truth_points(person.spine)
    centre = points[22]
    middle = paint_box(person, centre, 20.0, 0.5, centre[0])
    aside = paint_box(person, centre, 20.0, 0.5, centre[0] + 18)
    assert np.mean(middle.label == Tissue.CSF) > 0.05
    assert np.mean(aside.label == Tissue.CSF) < 0.1 * np.mean(middle.label == Tissue.CSF)
    assert np.mean(aside.label == Tissue.NERVE) > 0
