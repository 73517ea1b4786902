"""Sets of pictures with masks: the official layouts, every broken file named, lists by rule with their hash."""

from __future__ import annotations

import hashlib
import json
import re
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from tests.conftest import SHARED_DATA
from tests.mask_sets import draw_case

from lookonce.errors import InputError, UsageError
from lookonce.io.lists import read_subjects
from lookonce.io.mask_sets import read_case, read_mask_set
from lookonce.preparation import prepare_masks
from lookonce.preparation.mask_layouts import LAYOUTS
from lookonce.preparation.mask_splits import split_as
from lookonce.preparation.masks import _ends

#: Official places of picture and mask of one name.
PLACES = {
    "ph2": ("PH2 Dataset images/{0}/{0}_Dermoscopic_Image/{0}.bmp", "PH2 Dataset images/{0}/{0}_lesion/{0}_lesion.bmp"),
    "isic2017": ("ISIC-2017_Training_Data/{0}.jpg", "ISIC-2017_Training_Part1_GroundTruth/{0}_segmentation.png"),
    "isic2018": (
        "ISIC2018_Task1-2_Training_Input/{0}.jpg",
        "ISIC2018_Task1_Training_GroundTruth/{0}_segmentation.png",
    ),
    "segpc2021": ("train/x/{0}.bmp", "train/y/{0}_1.bmp"),
    "image-mask": ("images/{0}.png", "masks/{0}_mask.png"),
}
NAMES = {
    "ph2": [f"IMD{number:03d}" for number in (2, 3, 10, 427)],
    "isic2017": [f"ISIC_{number:07d}" for number in (0, 2, 3, 11)],
    "isic2018": [f"ISIC_{number:07d}" for number in (0, 2, 3, 11)],
    "segpc2021": ["9", "106", "1698", "1700"],
    "image-mask": ["a9", "a10", "b", "c"],
}


def save(path: Path, pixels: np.ndarray) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels).save(path)


def write_source(root: Path, kind: str, names: list[str] | None = None) -> Path:
    """A data set in its official layout, with what else lies there."""
    rng = np.random.default_rng(1)
    for name in names or NAMES[kind]:
        picture, mask = draw_case(rng)
        picture[rng.integers(24, size=200), rng.integers(40, size=200)] = rng.integers(0, 255, (200, 3))
        image_place, mask_place = PLACES[kind]
        save(root / image_place.format(name), picture)
        values = mask.astype(np.uint8) * 255
        if kind == "segpc2021":
            values = cell(mask)
            save(root / f"train/y/{name}_2.bmp", np.zeros_like(values))
        save(root / mask_place.format(name), values)
    if kind == "ph2":
        save(root / "PH2 Dataset images/IMD002/IMD002_roi/IMD002_R1_Label3.bmp", np.zeros((4, 4), np.uint8))
    if kind == "isic2017":
        save(root / "ISIC-2017_Training_Data/ISIC_0000000_superpixels.png", np.zeros((4, 4, 3), np.uint8))
        save(root / "ISIC-2017_Validation_Data/ISIC_0000099.jpg", np.zeros((4, 4, 3), np.uint8))
    return root


def cell(mask: np.ndarray) -> np.ndarray:
    """A plasma cell: cytoplasm 20 around a nucleus 40."""
    rows, columns = np.nonzero(mask)
    values = mask.astype(np.uint8) * 20
    values[(rows.min() + 3) : (rows.max() - 3), (columns.min() + 5) : (columns.max() - 5)] *= 2
    return values


@pytest.mark.parametrize("kind", PLACES)
def test_every_official_layout_becomes_pairs_of_one_size(kind, tmp_path):
    source, out = write_source(tmp_path / "source", kind), tmp_path / "out"
    result = prepare_masks(kind, source, out)
    assert not result.failed
    prepared = read_mask_set(out)
    assert [case.name for case in prepared.cases] == NAMES[kind]
    assert prepared.about.objects == ("many" if kind == "segpc2021" else "one")
    for case in prepared.cases:
        original = source / PLACES[kind][0].format(case.name)
        assert case.image.read_bytes() == original.read_bytes()
        picture, mask = read_case(case)
        assert picture.shape == (*mask.shape, 3)
        with Image.open(source / PLACES[kind][1].format(case.name)) as truth:
            np.testing.assert_array_equal(mask, np.asarray(truth) > 0)


def test_the_lists_are_written_with_their_hash_and_can_be_read(tmp_path):
    source, out = write_source(tmp_path / "source", "ph2"), tmp_path / "out"
    result = prepare_masks("ph2", source, out, sizes=(2, 1))
    assert result.lists == {"train": 2, "validation": 1, "test": 1}
    assert read_subjects(out / "train.txt") == {"IMD002", "IMD003"}
    about = json.loads((out / "masks.json").read_text())
    assert about["lists"]["train"] == hashlib.sha256(b"IMD002\nIMD003\n").hexdigest()
    assert "the first 2 train" in about["rule"]


def test_the_same_source_gives_the_same_set(tmp_path):
    source = write_source(tmp_path / "source", "image-mask")
    first, second = (prepare_masks("image-mask", source, tmp_path / name) for name in ("first", "second"))
    assert first.rows == second.rows
    assert first.about == second.about


@pytest.mark.parametrize(
    ("kind", "count", "ends"),
    [
        ("isic2018", 2594, (1815, 2074)),
        ("isic2017", 2000, (1399, 1599)),
        ("ph2", 200, (80, 100)),
        ("ph2", 100, (40, 50)),
        ("segpc2021", 298, (209, 238)),
    ],
)
def test_lists_have_the_papers_sizes_or_shares(kind, count, ends):
    assert _ends(LAYOUTS[kind], None, count) == ends


def damage(path: Path, how: str) -> None:
    if how == "cut short":
        path.write_bytes(path.read_bytes()[:100])
    elif how == "missing":
        path.unlink()
    elif how == "of another size":
        save(path, np.zeros((5, 6), np.uint8))
    elif how == "many values":
        save(path, np.arange(24 * 40, dtype=np.uint8).reshape(24, 40))
    elif how == "empty":
        save(path, np.zeros((24, 40), np.uint8))


@pytest.mark.parametrize(
    ("part", "how", "reason"),
    [
        (0, "cut short", "ISIC_0000002.jpg: "),
        (0, "missing", "no picture of ISIC_0000002"),
        (1, "missing", "no mask of ISIC_0000002"),
        (1, "of another size", r"differ in size \(40 x 24 and 6 x 5 pixels\)"),
        (1, "many values", "holds 256 values"),
        (1, "empty", "marks nothing"),
    ],
)
def test_what_cannot_be_used_is_named_and_the_rest_done(tmp_path, part, how, reason):
    source, out = write_source(tmp_path / "source", "isic2018"), tmp_path / "out"
    damage(source / PLACES["isic2018"][part].format("ISIC_0000002"), how)
    result = prepare_masks("isic2018", source, out)
    (failed,) = result.failed
    assert failed.name == "ISIC_0000002"
    assert re.search(reason, failed.reason)
    assert failed.remedy
    assert str(source) not in failed.reason
    assert sum(result.lists.values()) == 3
    assert [case.name for case in read_mask_set(out).cases] == ["ISIC_0000000", "ISIC_0000003", "ISIC_0000011"]


def test_two_pictures_of_one_name_are_named(tmp_path):
    source = write_source(tmp_path / "source", "image-mask")
    save(source / "images" / "b.bmp", np.zeros((24, 40, 3), np.uint8))
    (failed,) = prepare_masks("image-mask", source, tmp_path / "out").failed
    assert "are both the picture of b" in failed.reason


def test_near_duplicates_are_on_one_list(tmp_path):
    source = write_source(tmp_path / "source", "image-mask", [f"n{number}" for number in range(10)])
    twin = np.asarray(Image.open(source / "images/n1.png")).astype(float)
    save(source / "images" / "n8.png", np.clip(twin * 0.8 + 12, 0, 255).astype(np.uint8))
    result = prepare_masks("image-mask", source, tmp_path / "out", sizes=(3, 2))
    rows = {row.name: row for row in result.rows}
    assert rows["n8"].kin == rows["n1"].kin == "n1"
    assert rows["n8"].split == "train"
    assert result.near_duplicates == 1
    assert [rows[name].split for name in ("n2", "n3", "n9")] == ["train", "validation", "test"]


def test_another_form_of_a_set_is_split_as_the_first(tmp_path):
    names = [f"ISIC_{number:07d}" for number in range(10)]
    first = prepare_masks("isic2018", write_source(tmp_path / "small", "isic2018", names), tmp_path / "first")
    source = write_source(tmp_path / "large", "isic2018", [*names[3:9], "ISIC_0000020"])
    second = prepare_masks("isic2018", source, tmp_path / "second", like=tmp_path / "first")
    splits = {row.name: row.split for row in first.rows}
    assert all(row.split == splits.get(row.name, "test") for row in second.rows)


def test_what_the_first_form_tests_is_not_trained_on_in_another():
    kin = {"n1": "n1", "n8": "n1", "n3": "n3", "n9": "n3", "n20": "n20", "n21": "n20"}
    # In the first form n1 and n8 were not alike; of n3 and n9 it has the second, of n20 and n21 neither.
    first = {"n1": "train", "n2": "train", "n8": "test", "n9": "test", "n10": "validation"}
    lists = {"n1": "train", "n8": "test", "n3": "test", "n9": "test", "n20": "validation", "n21": "validation"}
    assert split_as(kin, first) == lists


def test_cells_of_a_picture_are_merged_and_other_values_refused(tmp_path):
    source = write_source(tmp_path / "source", "segpc2021")
    values = np.zeros((24, 40), np.uint8)
    values[:4, :4] = 40
    save(source / "train/y/106_3.bmp", values)
    save(source / "train/y/1698_2.bmp", np.full((24, 40), 60, np.uint8))
    result = prepare_masks("segpc2021", source, tmp_path / "out")
    (failed,) = result.failed
    assert failed.name == "1698"
    assert "holds the values 60; a cell is 40 (nucleus) and 20 (cytoplasm)" in f"{failed.reason}; {failed.remedy}"
    case = next(case for case in read_mask_set(tmp_path / "out").cases if case.name == "106")
    assert read_case(case)[1][:4, :4].all()


def test_a_nucleus_that_surrounds_its_cytoplasm_is_refused(tmp_path):
    source = write_source(tmp_path / "source", "segpc2021")
    for path in (source / "train/y").glob("*_1.bmp"):
        values = np.asarray(Image.open(path))
        save(path, np.choose(values // 20, [0, 40, 20]).astype(np.uint8))
    with pytest.raises(InputError, match="20 lies within 40"):
        prepare_masks("segpc2021", source, tmp_path / "out")


def test_merged_cells_are_read_too(tmp_path):
    picture, mask = draw_case(np.random.default_rng(0))
    save(tmp_path / "source/images/106.jpg", picture)
    save(tmp_path / "source/masks/106.png", mask.astype(np.uint8) * 255)
    result = prepare_masks("segpc2021", tmp_path / "source", tmp_path / "out")
    assert [row.state for row in result.rows] == ["done"]


@pytest.mark.parametrize("tail", ["", "_1"])
def test_names_of_cell_pictures_may_hold_underscores(tail, tmp_path):
    for name in ("smear_1", "smear_2"):
        picture, mask = draw_case(np.random.default_rng(len(name)))
        save(tmp_path / f"source/images/{name}.jpg", picture)
        save(tmp_path / f"source/masks/{name}{tail}.png", cell(mask))
    result = prepare_masks("segpc2021", tmp_path / "source", tmp_path / "out")
    assert [(row.name, row.state) for row in result.rows] == [("smear_1", "done"), ("smear_2", "done")]


def test_a_folder_of_something_else_says_what_is_needed(tmp_path):
    save(tmp_path / "source/photo.jpg", np.zeros((8, 8, 3), np.uint8))
    with pytest.raises(InputError, match=r"no picture in the layout of ph2, which is IMD"):
        prepare_masks("ph2", tmp_path / "source", tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_what_is_in_the_way_is_kept(tmp_path):
    source = write_source(tmp_path / "source", "image-mask")
    prepare_masks("image-mask", source, tmp_path / "out")
    with pytest.raises(UsageError, match="--overwrite"):
        prepare_masks("image-mask", source, tmp_path / "out")
    (source / "images/a9.png").unlink()
    prepare_masks("image-mask", source, tmp_path / "out", overwrite=True)
    assert not (tmp_path / "out/images/a9.png").exists()
    with pytest.raises(UsageError, match="is the data set itself"):
        prepare_masks("image-mask", source, source)
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine/notes.txt").touch()
    with pytest.raises(UsageError, match="did not write"):
        prepare_masks("image-mask", source, tmp_path / "mine")


def test_lists_that_do_not_fit_are_a_usage_error(tmp_path):
    source = write_source(tmp_path / "source", "image-mask")
    with pytest.raises(UsageError, match="there are only 4 pictures"):
        prepare_masks("image-mask", source, tmp_path / "out", sizes=(4, 1))
    assert not (tmp_path / "out").exists()
    with pytest.raises(UsageError, match="exclude each other"):
        prepare_masks("image-mask", source, tmp_path / "other", sizes=(1, 1), like=source)


@pytest.mark.data
@pytest.mark.parametrize(
    ("kind", "folder", "lists"),
    [
        ("ph2", "skin/PH2Dataset", {"train": 62, "validation": 15, "test": 76}),
        ("segpc2021", "cells/SegPC2021_full", {"train": 10, "validation": 1, "test": 3}),
    ],
)
def test_real_sets_are_prepared_whole(kind, folder, lists, tmp_path):
    if not (SHARED_DATA / folder).is_dir():
        pytest.skip("the shared development data are not beside this repository")
    result = prepare_masks(kind, SHARED_DATA / folder, tmp_path / "out")
    assert not result.failed
    assert result.lists == lists
