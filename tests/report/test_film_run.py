"""The film of a run: heat, crosses and the learning curve stand where they should, in frames of every size."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lookonce.errors import InputError
from lookonce.io.snapshots import FilmPictures, Snapshot, write_pictures, write_snapshot
from lookonce.report.film_run import CURVE, GAP, run_film
from lookonce.report.pictures import DISC_COLOUR, HEADING


def write_run(run, heats, *, shape=(32, 24), points=None, losses=None, epochs=None) -> None:
    """A run on black pictures; `heats` is (epochs, N, h, w), 0..1."""
    heats = np.asarray(heats)
    points = tuple(np.zeros((0, 2)) for _ in heats[0]) if points is None else points
    images = np.zeros((heats.shape[1], *shape), dtype=np.uint8)
    write_pictures(run, FilmPictures(images, points, epochs or len(heats)))
    for epoch, heat in enumerate(heats):
        loss = 1.0 if losses is None else losses[epoch]
        write_snapshot(run, Snapshot(epoch, np.rint(255 * heat).astype(np.uint8), loss))


def frames(run, width=None) -> list[np.ndarray]:
    return [np.asarray(frame).astype(int) for frame in run_film(run, width=width).frames]


def middle(weights: np.ndarray) -> np.ndarray:
    """Centre of mass (row, column) of what a frame shows, in pixels from its edge."""
    rows, columns = np.mgrid[: weights.shape[0], : weights.shape[1]] + 0.5
    return np.array([(weights * rows).sum(), (weights * columns).sum()]) / weights.sum()


@given(data=st.data(), stride=st.sampled_from([1, 2, 4]))
@settings(max_examples=20)
def test_heat_lies_where_the_network_saw_it_whatever_its_stride(tmp_path, data, stride):
    height, width = 16, 12
    row = data.draw(st.integers(3, height - 4))
    column = data.draw(st.integers(3, width - 4))
    heat = np.zeros((1, 1, height, width))
    heat[0, 0, row, column] = 1
    write_run(tmp_path, heat, shape=(height * stride, width * stride))
    (frame,) = frames(tmp_path, 480)
    scale = (480 - 2 * GAP) / (width * stride)
    panel = frame[HEADING : HEADING + round(height * stride * scale), GAP : 480 - GAP, 0]
    expected = (stride * np.array([row, column]) + 0.5) * scale
    np.testing.assert_allclose(middle(panel), expected, atol=0.15 * stride * scale)


def test_crosses_lie_on_the_true_discs_of_their_own_picture(tmp_path):
    points = (np.array([[10.0, 12.0]]), np.array([[20.0, 4.0], [28.0, 20.0]]))
    write_run(tmp_path, np.zeros((1, 2, 32, 24)), points=points)
    (frame,) = frames(tmp_path, 800)
    panel = (800 - 3 * GAP) // 2
    scale = panel / 24
    marked = (np.abs(frame - DISC_COLOUR).sum(axis=2) < 30)[: HEADING + round(32 * scale)]
    for number, of_picture in enumerate(points):
        left = GAP + number * (panel + GAP)
        for row, column in (of_picture + 0.5) * scale:
            down, across = round(row) + HEADING, round(column) + left
            around = marked[down - 40 : down + 41, across - 40 : across + 41]
            np.testing.assert_allclose(middle(around), (40.5, 40.5), atol=1.5)
        inside = marked[:, left : left + panel]
        assert (inside.sum() > 0) == bool(len(of_picture))


def test_the_curve_grows_with_the_epochs_and_falls_with_the_loss(tmp_path):
    write_run(tmp_path, np.zeros((4, 1, 32, 24)), losses=[4.0, 3.0, math.nan, 1.0])
    dots = []
    for frame in frames(tmp_path, 300):
        rows, columns = np.nonzero(frame[-CURVE + 20 : -GAP].min(axis=2) > 200)
        last = columns.max()
        dots.append((last, rows[columns > last - 3].mean()))
    ends, heights = np.array(dots).T
    assert ends[0] < ends[1] == ends[2] < ends[3] == pytest.approx(300 - GAP, abs=4)
    assert heights[0] < heights[1] < heights[3]


@given(
    count=st.integers(1, 6),
    shape=st.sampled_from([(32, 24), (24, 64), (15, 7), (256, 256)]),
    width=st.integers(160, 900),
)
@settings(max_examples=25)
def test_every_frame_has_the_same_even_size(tmp_path, count, shape, width):
    heats = np.zeros((2, count, max(1, shape[0] // 2), max(1, shape[1] // 2)))
    write_run(tmp_path, heats, shape=shape, losses=[math.nan, math.inf])
    sizes = {frame.size for frame in run_film(tmp_path, width=width).frames}
    assert len(sizes) == 1
    found_width, found_height = sizes.pop()
    assert found_width == width - width % 2
    assert found_height % 2 == 0
    assert np.asarray(next(run_film(tmp_path, width=width).frames)).max() == 255


def test_a_run_that_goes_on_is_filmed_as_far_as_it_is(tmp_path):
    write_run(tmp_path, np.zeros((3, 1, 8, 8)), epochs=40)
    film = run_film(tmp_path)
    assert film.count == len(list(film.frames)) == 3


def test_a_mixed_film_folder_is_refused(tmp_path):
    write_run(tmp_path, np.zeros((2, 2, 8, 8)))
    write_snapshot(tmp_path, Snapshot(1, np.zeros((3, 8, 8), dtype=np.uint8), 1.0))
    with pytest.raises(InputError, match="more than one run"):
        run_film(tmp_path)
