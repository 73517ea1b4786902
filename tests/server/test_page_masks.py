"""The web page's modes for pictures in a real browser, without a network: masks and files are `lookonce segment`'s.

Lesions and cells are drawn by the tests. Cells need a network of their own, which here is one that finds what is dark.
"""

from __future__ import annotations

import csv
import json
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import ExifTags, Image
from tests.conftest import SHARED_DATA
from tests.shade_model import dark_discs, write_shade_model
from tests.web_browser import (
    LARGEST_PAGE_MB,
    NEEDS_PAGE,
    PAGE,
    PATIENCE_MS,
    Opened,
    cut_off,
    nameless,
    opened_page,
    width_on_a_phone,
)

from lookonce.cli.app import app
from lookonce.runtime.weights import MASK_MODELS, model_names

pytestmark = [*NEEDS_PAGE, pytest.mark.skipif("skin" not in model_names(), reason="the skin weights are not here")]

#: What the page and the program may differ by.
LEAST_DICE = 0.999
MOST_AREA = 0.001


@dataclass
class PicturePage(Opened):
    """A mode that segments pictures."""

    #: The network for cells.
    model: Path = Path()

    @property
    def section(self) -> str:
        """Selector of the mode that is shown."""
        return ".mode:not([hidden])"

    def drop(self, path: Path) -> None:
        self.page.set_input_files(f"{self.section} input[type=file]", str(path))

    def segment(self, path: Path) -> None:
        """Open a picture and wait until it is segmented."""
        if heading := self.page.query_selector(f"{self.section} .panel h2"):
            heading.evaluate("heading => heading.textContent = ''")  # the last one may have had the same name
        self.drop(path)
        self.page.locator(f"{self.section} .panel h2", has_text=re.compile(f"^{re.escape(path.name)}$")).wait_for(
            timeout=PATIENCE_MS
        )
        self.page.wait_for_selector(f"{self.section} .working", state="hidden", timeout=PATIENCE_MS)

    def download(self, what: str, folder: Path) -> Path:
        return self.save(f"{self.section} [data-download={what}]", folder)[0]

    def mask(self, folder: Path) -> np.ndarray:
        return np.asarray(Image.open(self.download("mask", folder)))

    def row(self, folder: Path) -> dict[str, str]:
        """The picture's row in the table that the page saves."""
        return _rows(self.download("table", folder))[0]

    def text(self) -> str:
        return self.page.inner_text(f"{self.section} .panel")


@pytest.fixture(scope="module")
def opened(tmp_path_factory) -> Iterator[PicturePage]:
    """The page, ready for skin lesions; it offers cells too, with a network that finds what is dark."""
    pytest.importorskip("onnx", reason="onnx is not installed (extra train)")
    model = tmp_path_factory.mktemp("weights") / "cells.onnx"
    write_shade_model(model, size=(128, 128), objects="many", resize="letterbox")

    def offer_cells(context: Any) -> None:
        html = re.sub('data-pictures="[a-z ]*"', 'data-pictures="skin cells"', (PAGE / "index.html").read_text())
        context.route(re.compile(r"/$"), lambda route: route.fulfill(response=route.fetch(), body=html))
        for ending in (".onnx", ".json"):
            context.route(f"**/weights/cells{ending}", _answer(model.with_suffix(ending)))

    with opened_page("skin", kind=PicturePage, prepare=offer_cells) as page:
        page.model = model
        yield page


def _answer(path: Path) -> Callable[[Any], None]:
    return lambda route: route.fulfill(path=path)


@pytest.fixture
def skin(opened) -> Iterator[PicturePage]:
    """The page in the mode for skin lesions, cut off from the network."""
    opened.enter("skin")
    with cut_off(opened):
        yield opened


@pytest.fixture
def cells(opened) -> Iterator[PicturePage]:
    opened.enter("cells")
    with cut_off(opened):
        yield opened


def lesion(height: int = 420, width: int = 560, *, place: tuple[float, float] = (0.5, 0.45)) -> np.ndarray:
    """A dark blot with an uneven border on skin, lighter to one side."""
    rng = np.random.default_rng(3)
    rows, columns = np.mgrid[:height, :width] / min(height, width)
    away = np.stack([rows - place[0] * height / min(height, width), columns - place[1] * width / min(height, width)])
    turn = np.arctan2(*away)
    edge = 0.24 + 0.03 * np.sin(3 * turn) + 0.02 * np.sin(7 * turn + 1)
    inside = 1 / (1 + np.exp((np.hypot(*away) - edge) * 60))
    skin, blot = np.array([205, 165, 150]), np.array([105, 65, 55])
    colours = skin + inside[..., None] * (blot - skin) + 12 * (columns - rows)[..., None]
    return np.clip(colours + rng.normal(0, 4, (height, width, 1)), 0, 255).astype(np.uint8)


def _save(path: Path, pixels: np.ndarray, **options: Any) -> Path:
    Image.fromarray(pixels).save(path, **options)
    return path


def _segmented(path: Path, out: Path, *arguments: str) -> tuple[dict, np.ndarray]:
    """What `lookonce segment` says of a picture, and its mask."""
    from typer.testing import CliRunner

    result = CliRunner().invoke(app, ["segment", str(path), "-o", str(out), "--json", *arguments])
    assert result.exit_code == 0, result.output
    record = json.loads(result.stdout)["results"][0]
    return record, np.asarray(Image.open(record["outputs"]["mask"]))


def _rows(path: Path) -> list[dict[str, str]]:
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def assert_same_result(page: PicturePage, path: Path, folder: Path, *arguments: str) -> dict:
    """The page's mask and row are those of the program; returns the program's record."""
    folder.mkdir(parents=True, exist_ok=True)
    record, mask = _segmented(path, folder / "program", *arguments)
    found, row = page.mask(folder), page.row(folder)
    assert found.shape == mask.shape
    assert found.dtype == np.uint8
    both, either = np.count_nonzero(found & mask), np.count_nonzero(found) + np.count_nonzero(mask)
    assert 2 * both / either >= LEAST_DICE
    assert int(row["area_px"]) == np.count_nonzero(found)
    assert int(row["area_px"]) == pytest.approx(record["area_px"], rel=MOST_AREA)
    assert float(row["confidence"]) == pytest.approx(record["confidence"], abs=0.002)
    assert float(row["distance"]) == pytest.approx(record["distance"], rel=0.01)
    for flag in ("touches_border", "unlike"):
        assert row[flag] == str(record[flag]).lower()
    assert (row["width"], row["height"]) == (str(record["width"]), str(record["height"]))
    assert len(row["warnings"].split("; ")) == len("; ".join(record["warnings"]).split("; "))
    return record


def test_offers_what_the_package_comes_with_and_nothing_else():
    offered = re.search('data-pictures="([a-z ]*)"', (PAGE / "index.html").read_text())
    assert offered
    assert offered[1].split() == sorted(set(MASK_MODELS) & set(model_names()))


def test_fetches_the_network_of_its_mode_and_no_viewer_of_scans(tmp_path):
    with opened_page("skin", kind=PicturePage) as page:
        names = [url.removeprefix(page.address) for url in page.fetched]
        assert page.weight_mb() <= LARGEST_PAGE_MB
        assert "weights/skin.onnx" in names
        assert not [name for name in names if re.search("viewer|converter|dcm2niix|discs", name)]
        assert page.page.evaluate("crossOriginIsolated")
        assert "default-src 'none'" in page.headers["content-security-policy"]
        with cut_off(page):
            page.segment(_save(tmp_path / "mole.png", lesion()))
            assert "Share" in page.text()


FORMS: dict[str, dict[str, Any]] = {
    "mole.png": {},
    "mole.jpg": {"quality": 95},
    "mole.bmp": {},
    "mole.tif": {"compression": "tiff_lzw"},
    "mole.webp": {"lossless": True},
}


@pytest.mark.parametrize("name", FORMS)
def test_outlines_a_lesion_as_the_program_does_whatever_the_form_of_its_file(name, skin, tmp_path):
    path = _save(tmp_path / name, lesion(), **FORMS[name])
    skin.segment(path)
    record = assert_same_result(skin, path, tmp_path)
    assert 0.1 < record["area_share"] < 0.4  # the drawing is one that the network takes for a lesion


@pytest.mark.parametrize("ending", ["jpg", "tif", "png"])
@pytest.mark.parametrize("orientation", [3, 5, 6])
def test_a_picture_is_turned_once_as_its_exif_says(ending, orientation, skin, tmp_path):
    exif = Image.Exif()
    exif[ExifTags.Base.Orientation] = orientation
    path = _save(tmp_path / f"turned{orientation}.{ending}", lesion(300, 420, place=(0.4, 0.35)), exif=exif)
    skin.segment(path)
    record = assert_same_result(skin, path, tmp_path)
    assert (record["width"] == 420) == (orientation == 3)
    assert "turned as its EXIF says" in skin.text()


def test_what_is_transparent_is_white_and_deep_greys_use_their_own_depth(skin, tmp_path):
    pixels = lesion()
    alpha = np.full(pixels.shape[:2], 255, np.uint8)
    alpha[:, -160:] = 0
    grey = pixels.mean(axis=2)
    files = [
        _save(tmp_path / "clear.png", np.dstack([pixels, alpha])),
        _save(tmp_path / "deep.png", (grey * 15).astype(np.uint16)),
        _save(tmp_path / "deep.tif", (grey * 15).astype(np.uint16)),
    ]
    for path in files:
        skin.segment(path)
        assert_same_result(skin, path, tmp_path / path.stem / path.suffix[1:])


def test_saves_the_files_that_the_program_saves(skin, tmp_path):
    path = _save(tmp_path / "mole.png", lesion())
    skin.segment(path)
    size = skin.page.locator(f"{skin.section} .size")
    size.fill("0.02")
    try:
        record = assert_same_result(skin, path, tmp_path, "--mm-per-pixel", "0.02")
        ours, theirs = skin.download("outline", tmp_path), json.loads(Path(record["outputs"]["outline"]).read_text())
        outline = json.loads(ours.read_text())
        assert ours.name == "mole_outline.geojson"
        assert outline.keys() == theirs.keys()
        assert outline["generated_by"] == theirs["generated_by"]
        (found,), (true,) = outline["features"], theirs["features"]
        assert found["properties"].keys() == true["properties"].keys()
        assert found["properties"]["area_mm2"] == pytest.approx(true["properties"]["area_mm2"], rel=MOST_AREA)
        assert found["geometry"]["type"] == "MultiPolygon"
        header = (tmp_path / "program" / "segmentation.csv").read_text().splitlines()[0]
        assert skin.download("table", tmp_path).read_text().splitlines()[0] == header
        overlay = Image.open(skin.download("overlay", tmp_path))
        assert (overlay.format, overlay.size) == ("JPEG", (560, 420))
        assert f"{true['properties']['area_mm2']:.4g}"[:3] in skin.text()
    finally:
        size.fill("")


def test_says_when_a_lesion_is_cut_by_the_border_and_when_a_picture_is_of_something_else(skin, tmp_path):
    cut = _save(tmp_path / "cut.png", lesion(place=(0.1, 0.5)))
    skin.segment(cut)
    assert assert_same_result(skin, cut, tmp_path)["touches_border"]
    assert "touches the border" in skin.text()
    green = _save(tmp_path / "green.png", (lesion() * [0.3, 1, 0.3]).astype(np.uint8))
    skin.segment(green)
    assert assert_same_result(skin, green, tmp_path / "green")["unlike"]
    assert "looks unlike" in skin.text()


def test_a_photograph_of_40_megapixels_is_outlined(skin, tmp_path):
    small = Image.fromarray(lesion(525, 762))
    path = tmp_path / "photograph.jpg"
    small.resize((7620, 5250), Image.Resampling.BICUBIC).save(path, quality=85)
    skin.segment(path)
    assert_same_result(skin, path, tmp_path)


HOSTILE: dict[str, tuple[Callable[[bytes], bytes], str]] = {
    "empty.png": (lambda _: b"", "is empty"),
    "cut.png": (lambda file: file[: len(file) // 2], "damaged or cut short"),
    "text.jpg": (lambda _: b"no picture\n" * 100, "no picture that this browser can read"),
    "photo.heic": (lambda _: b"\x00\x00\x00\x18ftypheic" + bytes(300), "HEIC"),
    "study.zip": (lambda _: b"PK\x03\x04" + bytes(300), "unpack it"),
    "bomb.png": (lambda file: file[:16] + b"\x00\x00\xff\xff\x00\x00\xff\xff" + file[24:], "million pixels"),
    "damaged.tif": (lambda _: b"II*\x00" + b"\xff" * 300, "damaged or cut short"),
    "tiny.png": (lambda file: file[:16] + b"\x00\x00\x00\x02\x00\x00\x00\x02" + file[24:], "too small"),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_a_bad_picture_is_refused_with_a_reason(name, skin, tmp_path):
    make, reason = HOSTILE[name]
    whole = _save(tmp_path / "whole.png", lesion(60, 80)).read_bytes()
    (tmp_path / name).write_bytes(make(whole))
    skin.drop(tmp_path / name)
    skin.page.locator("#alert", has_text=re.compile(reason)).wait_for(timeout=PATIENCE_MS)


def test_a_picture_that_is_cut_is_never_half_read(skin, tmp_path):
    for ending, options in (("jpg", {}), ("bmp", {}), ("webp", {}), ("gif", {}), ("tif", {"compression": "tiff_lzw"})):
        whole = _save(tmp_path / f"whole.{ending}", lesion(120, 160), **options).read_bytes()
        (tmp_path / f"cut.{ending}").write_bytes(whole[: 2 * len(whole) // 3])
        skin.drop(tmp_path / f"cut.{ending}")
        skin.page.locator("#alert", has_text=re.compile(rf"cut\.{ending}.*damaged or cut short")).wait_for(
            timeout=PATIENCE_MS
        )


def test_a_picture_without_a_lesion_says_so_and_saves_nothing(skin, tmp_path):
    skin.segment(_save(tmp_path / "bare.png", np.full((90, 120, 3), (205, 165, 150), np.uint8)))
    assert "bare.png: nothing was found" in skin.page.inner_text("#alert")
    assert not skin.page.is_visible(f"{skin.section} [data-download=mask]")


def test_a_picture_without_cells_counts_none(cells, tmp_path):
    cells.segment(_save(tmp_path / "blank.png", np.full((90, 120, 3), 230, np.uint8)))
    assert "Cells\n0" in cells.text()
    assert cells.row(tmp_path)["area_px"] == "0"


def test_counts_and_tables_cells_as_the_program_does(cells, tmp_path):
    rng = np.random.default_rng(1)
    discs = [(rng.uniform(10, 290), rng.uniform(10, 390), rng.uniform(10, 24)) for _ in range(30)]
    path = _save(tmp_path / "smear.png", dark_discs((300, 400), *discs)[0])
    cells.segment(path)
    record = assert_same_result(cells, path, tmp_path, "--model", str(cells.model))
    assert len(record["objects"]) > 10
    numbers = Image.open(cells.download("objects", tmp_path))
    assert np.array_equal(np.asarray(numbers), np.asarray(Image.open(record["outputs"]["objects"])))
    table = _rows(cells.download("cells", tmp_path))
    theirs = _rows(tmp_path / "program" / "segmentation_objects.csv")
    assert [{**row, "input": ""} for row in table] == [{**row, "input": ""} for row in theirs]
    cells.page.click(f"{cells.section} .objects tr:nth-child(3) button")
    assert cells.page.get_attribute(f"{cells.section} .objects tr:nth-child(3) button", "aria-pressed") == "true"


def test_modes_keep_what_is_open_and_links_lead_to_them(opened, tmp_path):
    opened.enter("skin")
    path = _save(tmp_path / "kept.png", lesion())
    opened.segment(path)
    opened.enter("cells")
    assert opened.page.get_attribute("#modes a[href='#cells']", "aria-current") == "page"
    with cut_off(opened):
        opened.page.click("#modes a[href='#skin']")
        opened.page.wait_for_selector("body[data-ready=skin]")
        assert "kept.png" in opened.text()


def test_keys_and_the_slider_change_what_is_drawn(skin, tmp_path):
    skin.segment(_save(tmp_path / "mole.png", lesion()))
    canvas = skin.page.locator(f"{skin.section} canvas")
    drawn = [canvas.screenshot()]
    skin.page.keyboard.press("o")
    drawn.append(canvas.screenshot())
    skin.page.locator(f"{skin.section} .fill").focus()
    skin.page.keyboard.press("End")
    drawn.append(canvas.screenshot())
    assert len(set(drawn)) == 3
    skin.page.keyboard.press("o")
    skin.page.locator(f"{skin.section} .fill").fill("10")
    assert canvas.screenshot() == drawn[0]


def test_everything_has_a_name_and_fits_a_phone(skin, tmp_path):
    skin.segment(_save(tmp_path / "mole.png", lesion()))
    assert nameless(skin.page) == []
    assert width_on_a_phone(skin.page) <= 360


@pytest.mark.data
def test_outlines_real_lesions_as_the_program_does(skin, tmp_path):
    pictures = sorted((SHARED_DATA / "skin" / "PH2Dataset").rglob("*_Dermoscopic_Image/*.bmp"))
    if not pictures:
        pytest.skip("the shared development data are not beside this repository")
    for path in pictures[:3]:
        skin.segment(path)
        assert_same_result(skin, path, tmp_path / path.stem)
