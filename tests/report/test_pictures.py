"""Pictures of a labelled scan: sizes, and that discs and attention lie where they are."""

from __future__ import annotations

import io
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

from lookonce.errors import UsageError
from lookonce.labeling import LabelResult, SagittalView
from lookonce.landmarks import DiscLabels
from lookonce.report.pictures import HEADING, SCALE, SURE_FROM, attention_picture, grey_picture, heat_picture

SHAPE, SPACING = (60, 40), 1.5
POINTS = np.array([[15.0, 20.0], [40.0, 22.0]])


@pytest.fixture
def result() -> LabelResult:
    """Two discs on a dim ground; the attention is high around the first alone."""
    attention = np.zeros(SHAPE, dtype=np.float32)
    attention[10:21, 15:26] = 1
    view = SagittalView(np.full(SHAPE, 0.2, dtype=np.float32), POINTS, SPACING, attention)
    labels = DiscLabels.from_points({3: np.zeros(3), 4: np.array([0, 0, -18.0])})
    return LabelResult(labels, {0: 1.0}, uncertain=False, view=view)


def panels(png: bytes) -> list[np.ndarray]:
    sheet = np.asarray(Image.open(io.BytesIO(png)).convert("RGB")).astype(int)
    height, width = (round(pixels * SPACING * SCALE) for pixels in SHAPE)
    assert sheet.shape == (height + HEADING, 3 * width, 3)
    return [sheet[HEADING:, number * width : (number + 1) * width] for number in range(3)]


def place(point: np.ndarray) -> tuple[int, int]:
    row, column = np.rint((point + 0.5) * SPACING * SCALE).astype(int)
    return int(row), int(column)


def test_the_panels_are_the_scan_its_discs_and_the_attention(result):
    scan, labelled, looked = panels(attention_picture(result, title="sub-01"))
    assert np.ptp(scan) == 0
    changed = np.abs(labelled - scan).sum(axis=2) > 60
    for point in POINTS:
        row, column = place(point)
        assert changed[row - 5 : row + 6, column - 5 : column + 6].any()
    assert not changed[:20].any()
    red = looked[..., 0] - looked[..., 2]
    assert red[place(POINTS[0])] > 60
    assert abs(red[place(POINTS[1])]) < 10


def test_doubtful_discs_have_another_colour(result):
    doubtful = replace(result, labels=DiscLabels(replace(disc, confidence=SURE_FROM - 0.1) for disc in result.labels))
    sure, unsure = (panels(attention_picture(of, title=""))[1] for of in (result, doubtful))
    assert (sure[..., 2] - sure[..., 0]).max() > 60
    assert (unsure[..., 0] - unsure[..., 2]).max() > 60


def test_a_model_without_attention_is_refused(result):
    flat = replace(result.view, attention=np.ones(SHAPE, dtype=np.float32))
    for view in (flat, replace(flat, attention=None), None):
        with pytest.raises(UsageError, match="no attention"):
            attention_picture(replace(result, view=view), title="")


def test_heat_is_clear_where_there_is_none_and_values_beyond_are_clipped():
    heat = np.asarray(heat_picture(np.array([[0.0, 0.5, 2.0, np.nan]], dtype=np.float32)).convert("RGBA"))
    assert heat[0, :, 3].tolist()[0] == 0
    assert heat[0, 1, 3] < heat[0, 2, 3]
    assert np.asarray(grey_picture(np.array([[0.0, 1.0, 3.0, np.nan]], dtype=np.float32))).tolist() == [
        [0, 255, 255, 0]
    ]
