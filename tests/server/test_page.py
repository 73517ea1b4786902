"""The web page in a real browser, without a network once it is ready: its labels are those of `lookonce label`.

One browser and one page serve the whole file, as loading runtime and network takes most of the time.
"""

from __future__ import annotations

import gzip
import json
import re
import zipfile
from collections.abc import Callable, Iterator
from functools import cache
from importlib import resources
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
from tests.web_browser import (
    LARGEST_PAGE_MB,
    NEEDS_PAGE,
    PATIENCE_MS,
    Opened,
    cut_off,
    nameless,
    opened_page,
    width_on_a_phone,
)

from lookonce.io.bids import read_labels
from lookonce.labeling import LabelResult, label
from lookonce.results import placed_by_hand

pytestmark = NEEDS_PAGE

SAME_POINT_MM = 0.5


class DiscPage(Opened):
    """The mode that labels discs."""

    def drop(self, *paths: Path) -> None:
        self.page.set_input_files("#choose-files", [str(path) for path in paths])

    def label(self, *paths: Path) -> None:
        """Open files and wait until their scan is labelled."""
        self.drop(*paths)
        self.page.wait_for_selector("#panel h2", timeout=PATIENCE_MS)
        self.page.wait_for_selector("#working", state="hidden", timeout=PATIENCE_MS)

    def download(self, what: str, folder: Path, files: int = 1) -> list[Path]:
        return self.save(f"#download-{what}", folder, files)

    def record(self, folder: Path) -> dict:
        """The full result as the page saves it."""
        return json.loads(self.download("json", folder)[0].read_text())

    def restore(self) -> None:
        """Take back every correction."""
        while self.page.is_enabled("#undo"):
            self.page.click("#undo")


@pytest.fixture(scope="module")
def opened() -> Iterator[DiscPage]:
    """The page, ready."""
    with opened_page(kind=DiscPage) as page:
        yield page


@pytest.fixture(autouse=True)
def _nothing_leaves_the_page(opened: DiscPage) -> Iterator[None]:
    with cut_off(opened):
        yield


@cache
def example() -> Path:
    return Path(str(resources.files("lookonce.examples") / "sub-simulated_T2w.nii.gz"))


@cache
def expected(path: Path) -> LabelResult:
    return label(path)


@pytest.fixture
def simulated(opened) -> DiscPage:
    """The page with the simulated scan, labelled and not corrected."""
    if opened.page.query_selector("#panel h2") is None or opened.page.inner_text("#panel h2") != example().name:
        opened.label(example())
    opened.restore()
    return opened


def points_of(record: dict) -> dict[int, np.ndarray]:
    return {disc["level"]: np.array(disc["world_mm"]) for disc in record["discs"]}


def assert_same_labels(record: dict, result: LabelResult) -> None:
    found, true = points_of(record), {disc.level.sct: np.array(disc.world_mm) for disc in result.labels}
    assert list(found) == list(true)
    assert max(np.linalg.norm(found[level] - true[level]) for level in true) <= SAME_POINT_MM
    sure = [disc.confidence for disc in result.labels]
    assert np.allclose([disc["confidence"] for disc in record["discs"]], sure, atol=0.02)
    shifts = {int(shift): share for shift, share in record["level_shift"].items()}
    assert shifts.get(0, 0) == pytest.approx(result.level_shift[0], abs=0.02)
    assert record["uncertain"] == result.uncertain
    assert record["counted_from"] == result.counted_from
    assert record["variant"] == result.variant


def test_runs_isolated_under_a_strict_policy_and_weighs_little(opened):
    assert opened.weight_mb() <= LARGEST_PAGE_MB
    assert opened.page.evaluate("crossOriginIsolated")  # what threads need
    policy = opened.headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "connect-src 'self'" in policy


def test_labels_a_scan_as_the_program_does(simulated, tmp_path):
    assert_same_labels(simulated.record(tmp_path), expected(example()))
    assert "Numbering certain" in simulated.page.inner_text("#panel")


def test_saves_the_files_that_the_program_saves(simulated, tmp_path):
    labels, sidecar = simulated.download("labels", tmp_path, files=2)
    assert [labels.name, sidecar.name] == [
        "sub-simulated_T2w_label-discs_dlabel.nii.gz",
        "sub-simulated_T2w_label-discs_dlabel.json",
    ]
    scan, volume = nib.load(example()), nib.load(labels)
    assert volume.shape == scan.shape
    assert np.array_equal(volume.affine, scan.affine)
    assert read_labels(labels).levels == expected(example()).labels.levels
    assert not placed_by_hand(labels)
    (table,) = simulated.download("csv", tmp_path)
    assert table.read_text().splitlines()[0] == "level,name,x_mm,y_mm,z_mm,confidence"
    (markups,) = simulated.download("slicer", tmp_path)
    assert json.loads(markups.read_text())["markups"][0]["coordinateSystem"] == "LPS"


def test_a_dragged_point_alone_moves_and_undo_brings_it_back(simulated, tmp_path):
    before = simulated.record(tmp_path)
    box = simulated.page.locator("button.mark[data-level='L2/L3']").bounding_box()
    x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
    mouse = simulated.page.mouse
    mouse.move(x, y)
    mouse.down()
    mouse.move(x - 10, y + 15, steps=4)
    mouse.move(x - 20, y + 30, steps=4)
    mouse.up()
    after = simulated.record(tmp_path)
    moves = {level: point - points_of(before)[level] for level, point in points_of(after).items()}
    assert [level for level, move in moves.items() if np.abs(move).max() > 0] == [22]
    right, front, up = moves[22]
    # Down in the picture is down in the body, and the face looks left.
    assert abs(right) < 3
    assert up < -10
    assert front > 5
    assert after["by_hand"]
    assert simulated.page.inner_text("#numbering") == "Corrected by hand"
    simulated.page.keyboard.press("Control+z")
    assert simulated.record(tmp_path)["discs"] == before["discs"]


def test_keys_shift_the_numbering_and_move_a_point(simulated, tmp_path):
    before = points_of(simulated.record(tmp_path))
    simulated.page.focus("button.mark[data-level='L3/L4']")
    simulated.page.keyboard.press("ArrowUp")
    simulated.page.keyboard.press("[")
    after = points_of(simulated.record(tmp_path))
    assert list(after) == [level - 1 for level in before]
    assert np.allclose(after[22] - before[23], [0, 0, 1], atol=2e-3)
    simulated.page.keyboard.press("Control+z")
    assert list(points_of(simulated.record(tmp_path))) == list(before)


def test_a_deleted_disc_is_added_again_under_its_name(simulated, tmp_path):
    before = points_of(simulated.record(tmp_path))
    mark = simulated.page.locator("button.mark[data-level='L3/L4']")
    box = mark.bounding_box()
    mark.focus()
    simulated.page.keyboard.press("Delete")
    assert 23 not in points_of(simulated.record(tmp_path))
    simulated.page.click("#add")
    simulated.page.mouse.click(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    after = points_of(simulated.record(tmp_path))
    assert np.linalg.norm(after[23][1:] - before[23][1:]) < 3


def test_corrected_labels_count_as_placed_by_hand_and_load_back(simulated, tmp_path):
    simulated.page.select_option("#level-25", label="L6/S1")
    simulated.page.focus("button.mark[data-level='L1/L2']")
    simulated.page.keyboard.press("Shift+ArrowDown")
    saved = simulated.download("labels", tmp_path, files=2)
    assert placed_by_hand(saved[0])  # what keeps them from `lookonce label` and `lookonce cohort`
    corrected = points_of(simulated.record(tmp_path))
    simulated.restore()
    simulated.drop(saved[0])
    simulated.page.wait_for_selector("text=labels loaded from")
    loaded = points_of(simulated.record(tmp_path))
    size = np.linalg.norm(nib.load(example()).affine[:3, :3], axis=0).max()
    assert np.linalg.norm(loaded[21] - corrected[21]) <= size
    assert len(loaded) == len(corrected)


def test_everything_has_a_name_and_fits_a_phone(simulated):
    assert nameless(simulated.page) == []
    assert width_on_a_phone(simulated.page) <= 360


HOSTILE: dict[str, tuple[Callable[[bytes], bytes], str]] = {
    "empty.nii.gz": (lambda _: b"", "is empty"),
    "cut.nii.gz": (lambda scan: gzip.compress(scan)[:2000], "gzip data are damaged|ends after"),
    "zeros.nii": (lambda scan: scan[:352] + bytes(len(scan) - 352), "holds only zeros"),
    "text.txt": (lambda _: b"no scan\n" * 100, "neither NIfTI nor DICOM"),
    "damaged.zip": (lambda _: b"PK\x03\x04" + b"\xff" * 300, "zip is damaged"),
    "noise.dcm": (lambda _: b"\x00" * 128 + b"DICM" + b"\xff" * 300, "DICOM"),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_a_bad_file_is_refused_with_a_reason(name, opened, tmp_path):
    make, reason = HOSTILE[name]
    (tmp_path / name).write_bytes(make(gzip.decompress(example().read_bytes())))
    opened.drop(tmp_path / name)
    # Nothing that compiles text in the page: its policy forbids that to tests too.
    opened.page.locator("#alert", has_text=re.compile(reason)).wait_for(timeout=PATIENCE_MS)
    opened.errors.clear()  # libraries log what they could not read


def test_a_zip_of_dicom_files_gives_the_labels_of_its_scan(opened, tmp_path):
    pytest.importorskip("pydicom", reason="pydicom is not installed (extra dicom)")
    from tests.dicom_files import dicom_volume, save_series, slices

    image = nib.load(example())
    data = np.asarray(image.dataobj).astype(np.int16)
    save_series(slices(dicom_volume(data, image.affine)), tmp_path / "series")
    with zipfile.ZipFile(tmp_path / "study.zip", "w") as archive:
        for file in sorted((tmp_path / "series").iterdir()):
            archive.write(file, f"study/{file.name}")
    opened.page.evaluate("document.querySelector('#panel h2').remove()")
    opened.label(tmp_path / "study.zip")
    assert_same_labels(opened.record(tmp_path), expected(example()))


@pytest.mark.data
@pytest.mark.parametrize("name", ["cervical/sub-errsm11", "lumbar/sub-spider5", "lumbar/sub-ivd20"])
def test_labels_real_scans_as_the_program_does(name, opened, spine_data, tmp_path):
    (scan,) = (spine_data / name / "anat").glob("*_T2w.nii.gz")
    opened.page.evaluate("document.querySelector('#panel h2')?.remove()")
    opened.label(scan)
    assert_same_labels(opened.record(tmp_path), expected(scan))
