"""`lookonce segment` as people call it."""

from __future__ import annotations

import csv
import json
import os
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from tests.shade_model import dark_discs, write_shade_model


@pytest.fixture
def model(tmp_path) -> Path:
    (tmp_path / "model").mkdir()
    return write_shade_model(tmp_path / "model" / "shade.onnx", resize="letterbox", licence="CC-BY-NC-4.0")


@pytest.fixture
def cells(tmp_path) -> Path:
    (tmp_path / "model").mkdir()
    return write_shade_model(tmp_path / "model" / "cells.onnx", objects="many")


@pytest.fixture
def photos(tmp_path) -> Path:
    (tmp_path / "photos").mkdir()
    return tmp_path / "photos"


def write_picture(path: Path, *discs: tuple[float, float, float], shape: tuple[int, int] = (80, 100)) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(dark_discs(shape, *(discs or ((40, 45, 20),)))[0]).save(path)
    return path


def rows_of(table: Path) -> list[dict[str, str]]:
    with table.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def test_a_picture_leaves_its_mask_overlay_outline_and_a_table(run_command, model, photos):
    path = write_picture(photos / "mole.png")
    code, stdout, _ = run_command("segment", path, "--model", model, "--mm-per-pixel", 0.1, "--json")
    assert code == 0
    (record,) = json.loads(stdout)["results"]
    assert record["input"] == str(path)
    assert (record["width"], record["height"]) == (100, 80)
    mask = np.asarray(Image.open(record["outputs"]["mask"]))
    assert mask.shape == (80, 100)
    assert set(np.unique(mask)) == {0, 255}
    assert record["area_px"] == np.count_nonzero(mask)
    assert record["area_px"] == pytest.approx(np.pi * 400, rel=0.03)
    assert record["area_mm2"] == pytest.approx(record["area_px"] * 0.01)
    assert record["area_share"] == pytest.approx(record["area_px"] / 8000, abs=1e-6)
    assert not record["touches_border"]
    assert record["confidence"] > 0.9
    assert record["model"]["licence"] == "CC-BY-NC-4.0"
    assert Image.open(record["outputs"]["overlay"]).size == (100, 80)
    (row,) = rows_of(photos / "segmentation.csv")
    assert row["input"] == str(path)
    assert int(row["area_px"]) == record["area_px"]
    assert row["touches_border"] == "false"
    assert row["mask"] == record["outputs"]["mask"]
    assert json.loads(stdout)["tables"] == [str(photos / "segmentation.csv")]


def test_the_outline_is_geojson_with_the_mask_s_area(run_command, model, photos):
    write_picture(photos / "mole.png", (30, 30, 14), (50, 75, 12))
    code, stdout, _ = run_command("segment", photos, "--model", model, "--json")
    assert code == 0
    (record,) = json.loads(stdout)["results"]
    collection = json.loads(Path(record["outputs"]["outline"]).read_text(encoding="utf-8"))
    assert collection["type"] == "FeatureCollection"
    assert collection["image"] == {"name": "mole.png", "width": 100, "height": 80}
    (feature,) = collection["features"]
    assert feature["geometry"]["type"] == "MultiPolygon"
    assert len(feature["geometry"]["coordinates"]) == 2
    area = 0.0
    for (ring,) in feature["geometry"]["coordinates"]:
        assert ring[0] == ring[-1]
        area += sum(x * y_to - x_to * y for (x, y), (x_to, y_to) in pairwise(ring)) / 2
    assert area == feature["properties"]["area_px"] == record["area_px"]


def test_cells_are_counted_numbered_and_tabled(run_command, cells, photos):
    write_picture(photos / "smear.png", (30, 30, 14), (30, 54, 14), (60, 80, 10))
    write_picture(photos / "empty.png", (-99, -99, 1))
    code, stdout, _ = run_command("segment", photos, "--model", cells, "--json")
    assert code == 0
    empty, smear = json.loads(stdout)["results"]
    assert (len(empty["objects"]), empty["area_px"], empty["confidence"]) == (0, 0, None)
    assert [cell["number"] for cell in smear["objects"]] == [1, 2, 3]
    labels = np.asarray(Image.open(smear["outputs"]["objects"]))
    assert [np.count_nonzero(labels == number) for number in (1, 2, 3)] == [
        cell["area_px"] for cell in smear["objects"]
    ]
    assert [row["objects"] for row in rows_of(photos / "segmentation.csv")] == ["0", "3"]
    table = rows_of(photos / "segmentation_objects.csv")
    assert [(row["input"], row["number"]) for row in table] == [(smear["input"], str(n)) for n in (1, 2, 3)]
    assert [float(row["x"]) for row in table] == pytest.approx([30, 54, 80], abs=1.5)


def test_one_bad_picture_among_many_is_named_and_the_rest_done(run_command, model, photos, tmp_path):
    for name in "abc":
        write_picture(photos / f"{name}.jpg")
    content = (photos / "b.jpg").read_bytes()
    (photos / "b.jpg").write_bytes(content[: len(content) // 2])
    code, stdout, stderr = run_command("segment", photos, "--model", model, "-o", tmp_path / "out", "--json")
    assert code == 3
    a, b, c = json.loads(stdout)["results"]
    assert b["error"]["kind"] == "unreadable"
    assert "b.jpg: is damaged or cut short" in b["error"]["message"]
    assert "lookonce: " in stderr
    assert a["area_px"] == c["area_px"] > 0
    names = sorted(path.name for path in (tmp_path / "out").iterdir())
    assert names == [
        *(f"a_{kind}" for kind in ("mask.png", "outline.geojson", "overlay.jpg")),
        *(f"c_{kind}" for kind in ("mask.png", "outline.geojson", "overlay.jpg")),
        "segmentation.csv",
    ]
    assert ["cut short" in row["error"] for row in rows_of(tmp_path / "out" / "segmentation.csv")] == [
        False,
        True,
        False,
    ]


def test_different_failures_are_one_exit_code_and_each_has_its_kind(run_command, model, photos):
    write_picture(photos / "blank.png", (-99, -99, 1))
    (photos / "bad.png").write_bytes(b"no picture")
    code, stdout, _ = run_command(
        "segment", photos, photos / "missing.png", photos.parent / "model", "--model", model, "--json"
    )
    assert code == 1
    kinds = {Path(record["input"]).name: record["error"]["kind"] for record in json.loads(stdout)["results"]}
    assert kinds == {
        "bad.png": "unreadable",
        "blank.png": "nothing-found",
        "missing.png": "unreadable",
        "model": "unreadable",
    }
    assert not list(photos.glob("*.csv"))


def test_a_picture_without_a_lesion_is_exit_code_4(run_command, model, photos):
    code, _, stderr = run_command("segment", write_picture(photos / "blank.png", (-99, -99, 1)), "--model", model)
    assert code == 4
    assert "blank.png: nothing was found" in stderr


def test_pictures_of_one_name_never_write_to_the_same_files(run_command, model, tmp_path):
    paths = [
        write_picture(tmp_path / "in" / folder / name, (40, 45, radius))
        for folder, name, radius in [("x", "a.png", 10), ("x", "a.bmp", 14), ("y", "a.png", 18), ("y", "b.png", 22)]
    ]
    code, stdout, _ = run_command("segment", *paths, "--model", model, "-o", tmp_path / "out", "--json")
    assert code == 0
    records = json.loads(stdout)["results"]
    masks = [record["outputs"]["mask"] for record in records]
    assert len(set(masks)) == 4
    assert Path(masks[0]).name == "a.png_mask.png"
    assert [np.count_nonzero(np.asarray(Image.open(path))) for path in masks] == [r["area_px"] for r in records]


def test_a_picture_named_in_two_ways_counts_once(run_command, model, photos, monkeypatch):
    write_picture(photos / "a.png")
    monkeypatch.chdir(photos)
    code, stdout, _ = run_command("segment", "a.png", photos / "a.png", photos, "--model", model, "--json")
    assert code == 0
    assert len(json.loads(stdout)["results"]) == 1


def test_a_second_call_replaces_nothing_unless_told_and_takes_no_result_for_a_picture(run_command, model, photos):
    write_picture(photos / "a.png")
    assert run_command("segment", photos, "--model", model)[0] == 0
    before = {path: path.stat().st_mtime_ns for path in photos.iterdir()}
    code, _, stderr = run_command("segment", photos, "--model", model)
    assert code == 1
    assert "a_mask.png: is there already; replace it with --overwrite" in stderr
    assert {path: path.stat().st_mtime_ns for path in photos.iterdir()} == before
    code, stdout, _ = run_command("segment", photos, "--model", model, "--overwrite", "--json")
    assert code == 0
    assert len(json.loads(stdout)["results"]) == 1
    assert set(photos.iterdir()) == set(before)


def test_a_call_never_replaces_its_own_input(run_command, model, photos):
    a, by_hand = write_picture(photos / "a.png"), write_picture(photos / "a_mask.png", (40, 45, 10))
    content = by_hand.read_bytes()
    code, _, stderr = run_command("segment", a, by_hand, "--model", model, "--overwrite")
    assert code == 1
    assert "a_mask.png: is a picture of this call and is not replaced" in stderr
    assert by_hand.read_bytes() == content
    assert (photos / "a_mask_mask.png").is_file()


def test_tables_of_further_calls_in_a_folder_are_numbered(run_command, model, photos, tmp_path):
    for name in ("a.png", "b.png"):
        code, _, _ = run_command("segment", write_picture(photos / name), "--model", model, "-o", tmp_path / "out")
        assert code == 0
    assert len(rows_of(tmp_path / "out" / "segmentation.csv")) == 1
    assert rows_of(tmp_path / "out" / "segmentation-2.csv")[0]["input"].endswith("b.png")


def test_the_table_lies_beside_the_first_picture_that_was_segmented(run_command, model, photos):
    path = write_picture(photos / "mole.png")
    missing = photos.parent / "foto" / "mole.png"
    code, stdout, _ = run_command("segment", missing, path, "--model", model, "--json")
    assert code == 3
    assert json.loads(stdout)["tables"] == [str(photos / "segmentation.csv")]
    assert not missing.parent.exists()


def test_what_a_broken_off_call_has_done_is_tabled(run_command, model, photos, tmp_path, monkeypatch):
    from lookonce.segmentation import pipeline

    for name in ("a.png", "b.png"):
        write_picture(photos / name)
    fitted = pipeline.fitted
    calls = []

    def broken_off(*arguments: object) -> np.ndarray:
        calls.append(arguments)
        if len(calls) == 2:
            raise KeyboardInterrupt
        return fitted(*arguments)

    monkeypatch.setattr(pipeline, "fitted", broken_off)
    code, _, _ = run_command("segment", photos, "--model", model, "-o", tmp_path / "out")
    assert code != 0
    assert len(rows_of(tmp_path / "out" / "segmentation.csv")) == 1


def test_the_printed_table_says_area_licence_and_warnings(run_command, model, photos):
    write_picture(photos / "mole.png", (0, 45, 20))
    code, stdout, _ = run_command("segment", photos / "mole.png", "--model", model, "--mm-per-pixel", "0.05")
    assert code == 0
    assert "mole.png" in stdout
    assert "touched" in stdout
    assert "! mole.png: the object touches the border" in stdout
    assert "shade 1, weights: CC-BY-NC-4.0" in stdout


def test_a_name_that_is_no_text_is_written_all_the_same(run_command, model, photos):
    name = os.fsdecode(b"m\xff[b].png")
    try:
        path = write_picture(photos / name)
    except OSError:
        pytest.skip("this file system takes only text")
    code, _, _ = run_command("segment", path, "--model", model)
    assert code == 0
    assert (photos / os.fsdecode(b"m\xff[b]_mask.png")).is_file()


def test_a_folder_that_cannot_be_written_to_leaves_nothing(run_command, model, photos, tmp_path):
    write_picture(photos / "a.png")
    (tmp_path / "out").write_text("a file, no folder")
    code, _, stderr = run_command("segment", photos, "--model", model, "-o", tmp_path / "out" / "deeper")
    assert code == 1
    assert "cannot be written" in stderr


@pytest.mark.parametrize(
    ("options", "code", "message"),
    [
        (("--model", "skim"), 2, "no model is called 'skim'"),
        (("--model", "discs"), 5, "is no segmentation model"),
        (("--mm-per-pixel", "-2"), 2, "a positive number of millimetres"),
    ],
)
def test_a_wrong_call_says_what_is_wrong(run_command, photos, options, code, message):
    left, _, stderr = run_command("segment", write_picture(photos / "a.png"), *options)
    assert left == code
    assert message in stderr


def test_without_installed_weights_the_default_model_says_so(run_command, photos, tmp_path, monkeypatch):
    monkeypatch.setattr("lookonce.runtime.weights._shipped", lambda: tmp_path)
    code, _, stderr = run_command("segment", write_picture(photos / "a.png"))
    assert code == 5
    assert "'skin' is not installed" in stderr
