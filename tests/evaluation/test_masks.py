"""Scoring masks of a prepared set: a folder of any tool's, a model, and what is missing."""

from __future__ import annotations

import csv
import io
import json

import numpy as np
import pytest
from PIL import Image
from tests.mask_sets import write_set
from tests.shade_model import write_shade_model

from lookonce.errors import InputError, UsageError
from lookonce.evaluation.masks import evaluate_masks
from lookonce.io.mask_sets import read_case, read_mask_set


@pytest.fixture
def data(tmp_path):
    return write_set(tmp_path / "drawn")


def write_predictions(data, folder, *, tail: str = "", change=lambda values: values, ending: str = ".png"):
    folder.mkdir(parents=True)
    for case in read_mask_set(data).cases:
        values = read_case(case)[1].astype(np.uint8) * 255
        Image.fromarray(change(values)).save(folder / f"{case.name}{tail}{ending}")
    return folder


@pytest.mark.parametrize("tail", ["", "_mask", "_segmentation"])
@pytest.mark.parametrize("protocol", ["strict", "paper"])
def test_perfect_masks_of_any_naming_score_perfectly(data, tmp_path, tail, protocol):
    folder = write_predictions(data, tmp_path / "found" / "deep", tail=tail).parent
    (row,) = evaluate_masks(folder, [data], protocol=protocol).rows
    assert row.pictures == 10
    least = 1.0 if protocol == "strict" else 0.97  # the opening rounds corners
    assert row.pooled["dice"].value >= least
    assert row.per_image["dice"].value >= least


def test_only_the_pictures_of_a_list_are_scored(data, tmp_path):
    folder = write_predictions(data, tmp_path / "found")
    test = evaluate_masks(folder, [data], split="test")
    assert [case.name for case in test.cases] == ["case-008", "case-009"]
    chosen = evaluate_masks(folder, [data], subjects=frozenset({"case-001"}))
    assert [case.name for case in chosen.cases] == ["case-001"]
    with pytest.raises(UsageError, match="no picture to score"):
        evaluate_masks(folder, [data], split="toast")


def test_a_missing_or_damaged_mask_counts_as_empty_and_is_named(data, tmp_path):
    folder = write_predictions(data, tmp_path / "found")
    (folder / "case-000.png").unlink()
    (folder / "case-001.png").write_bytes(b"no picture")
    cases = evaluate_masks(folder, [data]).cases
    assert "no case-000.png or case-000_mask.png" in cases[0].problem
    assert "case-001.png" in cases[1].problem
    assert not any(case.problem for case in cases[2:])
    for case in cases[:2]:
        assert case.counts[0] == case.counts[1] == 0
        assert case.hd95 == pytest.approx(np.hypot(24, 40))


def test_probabilities_are_cut_at_a_half_and_another_size_is_stretched(data, tmp_path):
    def as_shades(values):
        shades = np.where(values > 0, 140, 110).astype(np.uint8)  # 0.55 and 0.43
        shades[0, 0] = 90
        return np.asarray(Image.fromarray(shades).resize((80, 48), Image.Resampling.NEAREST))

    folder = write_predictions(data, tmp_path / "found", change=as_shades)
    (row,) = evaluate_masks(folder, [data]).rows
    assert row.pooled["dice"].value > 0.97


def test_a_picture_that_is_all_object_scores_as_such_in_a_mask_of_ones(data, tmp_path):
    folder = write_predictions(data, tmp_path / "found", change=np.ones_like)
    (row,) = evaluate_masks(folder, [data]).rows
    assert row.pooled["sensitivity"].value == 1
    assert row.pooled["specificity"].value == 0


def test_two_masks_of_one_picture_are_a_usage_error(data, tmp_path):
    folder = write_predictions(data, tmp_path / "found" / "a").parent
    write_predictions(data, folder / "b")
    with pytest.raises(UsageError, match="has two masks"):
        evaluate_masks(folder, [data])


def test_a_masks_own_name_goes_before_the_pictures(data, tmp_path):
    folder = write_predictions(data, tmp_path / "found", tail="_mask")
    write_predictions(data, folder / "pictures", change=lambda values: 255 - values)
    (row,) = evaluate_masks(folder, [data]).rows
    assert row.pooled["dice"].value == 1


def test_the_records_hold_every_picture(data, tmp_path):
    result = evaluate_masks(write_predictions(data, tmp_path / "found"), [data], protocol="strict")
    record = json.loads(json.dumps(result.to_json()))
    assert record["rows"][0]["pooled"]["dice"] == {"value": 1.0, "low": 1.0, "high": 1.0}
    lines = list(csv.DictReader(io.StringIO(result.to_csv())))
    assert len(lines) == len(record["cases"]) == 10
    assert lines[0]["dice"] == "1.0"
    assert record["cases"][0]["name"] == "case-000"


def test_what_is_no_prepared_set_or_protocol_is_named(data, tmp_path):
    with pytest.raises(InputError, match="no prepared masks"):
        evaluate_masks(data, [tmp_path])
    with pytest.raises(UsageError, match="--protocol loose"):
        evaluate_masks(data, [data], protocol="loose")


@pytest.mark.parametrize("protocol", ["strict", "paper"])
@pytest.mark.parametrize("resize", ["stretch", "letterbox"])
def test_a_model_is_scored_alike_by_its_mask_and_its_probabilities(data, tmp_path, protocol, resize):
    model = write_shade_model(tmp_path / "shade.onnx", resize=resize)
    result = evaluate_masks(str(model), [data], protocol=protocol)
    assert not any(case.problem for case in result.cases)
    assert result.rows[0].pooled["dice"].value > 0.93


def test_a_picture_in_which_a_model_sees_nothing_counts_as_empty(data, tmp_path):
    bright = np.full((24, 40, 3), 250, np.uint8)
    Image.fromarray(bright).save(data / "images" / "case-003.png")
    (case,) = evaluate_masks(
        str(write_shade_model(tmp_path / "shade.onnx")), [data], subjects=frozenset({"case-003"})
    ).cases
    assert case.counts[:2] == (0, 0)
    assert case.problem == ""
