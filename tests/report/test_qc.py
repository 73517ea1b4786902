import errno
import json
import multiprocessing
import re
import shutil
import subprocess
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest

from lookonce.anatomy import Level
from lookonce.errors import OutputError
from lookonce.labeling import LabelResult, SagittalView
from lookonce.landmarks import Disc, DiscLabels
from lookonce.report import qc
from lookonce.report.qc import add_to_qc

TEMPLATES = Path(qc.__file__).with_name("templates")
NODE = shutil.which("node")


def made_up_result(level_shift=None, *, uncertain=False, confidence=0.95, attention=False, **fields):
    image = np.linspace(0, 1, 60 * 40, dtype=np.float32).reshape(60, 40)
    discs = [Disc(Level(3 + step), (0.0, -10.0, 50.0 - 15 * step), confidence) for step in range(3)]
    points = np.array([[10.0, 20.0], [25.0, 20.0], [40.0, 39.0]])
    return LabelResult(
        DiscLabels(discs),
        {0: 0.98, 1: 0.02} if level_shift is None else level_shift,
        uncertain=uncertain,
        view=SagittalView(image, points, 1.5, image if attention else None),
        **fields,
    )


class Page(HTMLParser):
    """Elements of a page, as a browser would see them."""

    def __init__(self, path):
        super().__init__()
        self.tags = []
        self.headings = []
        self._in_heading = False
        self.text = path.read_text(encoding="utf-8")
        self.feed(self.text)

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))
        self._in_heading = tag == "h2"

    def handle_data(self, data):
        if self._in_heading:
            self.headings.append(data)
            self._in_heading = False

    def all(self, tag, **wanted):
        return [attrs for name, attrs in self.tags if name == tag and wanted.items() <= attrs.items()]


def test_a_scan_gets_a_card_with_picture_points_and_numbering(tmp_path):
    result = made_up_result(
        {0: 0.75, 1: 0.23, -1: 0.02}, uncertain=True, attention=True, warnings=["the sacrum is cut"]
    )
    page = Page(add_to_qc(tmp_path / "qc", name="sub-01_T2w", source="sub-01_T2w.nii.gz", result=result))
    assert page.headings == ["sub-01_T2w"]
    assert len(page.all("circle")) == 3
    assert page.all("circle")[0]["cx"] == f"{100 * 20.5 / 40:.2f}%"
    assert [len(page.all("img")), len(page.all("img", **{"class": "attention"}))] == [2, 1]
    assert all(picture["alt"] for picture in page.all("img"))
    for text in ("uncertain: runner-up +1 at 23 %", "C2/C3 would be C3/C4", "the sacrum is cut", "C4/C5"):
        assert text in page.text


def test_a_certain_numbering_says_so(tmp_path):
    page = Page(add_to_qc(tmp_path, name="a", source="a.nii", result=made_up_result()))
    assert "Numbering certain<" in page.text
    assert page.all("button", id="toggle-attention")[0].keys() >= {"disabled"}


def test_the_least_certain_comes_first(tmp_path):
    add_to_qc(tmp_path, name="sure", source="1", result=made_up_result({0: 0.99}))
    add_to_qc(tmp_path, name="less sure", source="2", result=made_up_result({0: 0.9}))
    add_to_qc(tmp_path, name="weak disc", source="3", result=made_up_result({0: 0.9}, confidence=0.3))
    add_to_qc(tmp_path, name="uncertain", source="4", result=made_up_result({0: 0.95}, uncertain=True))
    nothing = LabelResult(DiscLabels(), {}, uncertain=True)
    page = Page(add_to_qc(tmp_path, name="nothing", source="5", result=nothing))
    assert page.headings == ["nothing", "uncertain", "weak disc", "less sure", "sure"]


HOSTILE = "</h2><script>alert(1)</script>\"'><img src=x onerror=alert(2)>{{ 7 * 7 }}"


def test_hostile_names_are_inert(tmp_path):
    result = made_up_result(warnings=[HOSTILE], variant=HOSTILE, model={"name": HOSTILE})
    page = Page(add_to_qc(tmp_path, name=HOSTILE, source=HOSTILE, result=result))
    assert page.headings == [HOSTILE]
    assert page.all("article")[0]["data-file"] == HOSTILE
    assert len(page.all("script")) == 1
    assert len(page.all("img")) == 1
    assert not [name for _, attrs in page.tags for name in attrs if name.startswith("on")]
    assert len(list((tmp_path / "cards").glob("*.json"))) == 1


@pytest.mark.parametrize("name", ["../../escape", "", "CON", "sub-\udcff", "é" * 300, "a/b\\c:d*"])
def test_any_name_gives_a_card_file_inside_the_folder(tmp_path, name):
    page = Page(add_to_qc(tmp_path / "qc", name=name, source=name, result=made_up_result()))
    assert len(page.all("article")) == 1
    (card,) = (tmp_path / "qc" / "cards").glob("*.json")
    assert re.fullmatch(r"[A-Za-z0-9._-]{1,80}", card.name)
    assert [path.name for path in tmp_path.iterdir()] == ["qc"]


def test_adding_a_scan_again_replaces_its_card(tmp_path):
    add_to_qc(tmp_path, name="a", source="a.nii", result=made_up_result(warnings=["first"]))
    page = Page(add_to_qc(tmp_path, name="a", source="a.nii", result=made_up_result(warnings=["second"])))
    assert page.headings == ["a"]
    assert "second" in page.text
    assert "first<" not in page.text


def test_scans_of_one_name_and_different_files_keep_their_cards(tmp_path):
    add_to_qc(tmp_path, name="T2w", source="sub-01/T2w.nii", result=made_up_result())
    page = Page(add_to_qc(tmp_path, name="T2w", source="sub-02/T2w.nii", result=made_up_result()))
    assert page.headings == ["T2w", "T2w"]


def test_a_verdict_counts_for_the_labels_it_was_given_to(tmp_path):
    def digest(result):
        page = Page(add_to_qc(tmp_path, name="a", source="a.nii", result=result))
        return page.all("article")[0]["data-digest"]

    assert digest(made_up_result()) == digest(made_up_result(seconds=3.0))
    assert digest(made_up_result()) != digest(made_up_result(confidence=0.5))


def test_eight_processes_at_once_lose_no_card(tmp_path):
    context = multiprocessing.get_context("spawn")
    writers = [
        context.Process(
            target=add_to_qc,
            args=(tmp_path,),
            kwargs={"name": f"scan {index}", "source": f"{index}.nii", "result": made_up_result()},
        )
        for index in range(8)
    ]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join(60)
    assert [writer.exitcode for writer in writers] == [0] * 8
    assert Page(tmp_path / "index.html").headings == [f"scan {index}" for index in range(8)]
    assert not list(tmp_path.rglob("*.part"))


def test_the_page_needs_nothing_from_outside(tmp_path):
    page = Page(add_to_qc(tmp_path, name="a", source="a.nii", result=made_up_result(attention=True)))
    assert not re.search(r"https?:|@import|url\(|\bfetch\(", page.text)
    links = [attrs[key] for _, attrs in page.tags for key in ("src", "href") if key in attrs]
    assert len(links) == 3
    assert all(link.startswith("data:") for link in links)
    (policy,) = page.all("meta", **{"http-equiv": "Content-Security-Policy"})
    assert policy["content"].startswith("default-src 'none';")


def test_every_key_is_documented_and_every_control_has_a_label(tmp_path):
    page = Page(add_to_qc(tmp_path, name="a", source="a.nii", result=made_up_result()))
    for key in "jk→←1230oae":
        assert f"<kbd>{key}</kbd>" in page.text
    for words in ("Overlay", "Attention", "Export", "Import", "Pass", "Fail", "Artefact", "Clear", "Comment"):
        assert re.search(rf">\s*{words}\b", page.text)


def test_a_damaged_card_is_named_and_does_not_stop_the_others(tmp_path):
    add_to_qc(tmp_path, name="a", source="a.nii", result=made_up_result())
    for name, text in {"half.json": '{"format": 1, "ra', "list.json": "[]", "new.json": '{"format": 99}'}.items():
        (tmp_path / "cards" / name).write_text(text, encoding="utf-8")
    page = Page(add_to_qc(tmp_path, name="b", source="b.nii", result=made_up_result()))
    assert page.headings == ["a", "b"]
    assert all(f"The card file {name} cannot be read" in page.text for name in ("half.json", "list.json", "new.json"))


def test_a_page_that_shows_these_very_cards_is_not_written_again(tmp_path):
    page = add_to_qc(tmp_path, name="a", source="a.nii", result=made_up_result())
    before = page.stat()
    assert qc.rebuild(tmp_path) == page
    assert (page.stat().st_ino, page.stat().st_mtime_ns) == (before.st_ino, before.st_mtime_ns)
    page.unlink()
    assert qc.rebuild(tmp_path).exists()


def test_an_unwritable_folder_is_one_clear_error(tmp_path):
    (tmp_path / "file").write_text("in the way", encoding="utf-8")
    with pytest.raises(OutputError, match=r"file.qc.* cannot be written"):
        add_to_qc(tmp_path / "file" / "qc", name="a", source="a.nii", result=made_up_result())
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


def test_a_full_disk_leaves_the_page_as_it_was(tmp_path, monkeypatch):
    page = add_to_qc(tmp_path, name="a", source="a.nii", result=made_up_result())
    before = page.read_bytes()

    def full(_):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("os.fsync", full)
    with pytest.raises(OutputError, match="No space left on device"):
        add_to_qc(tmp_path, name="b", source="b.nii", result=made_up_result())
    assert page.read_bytes() == before
    assert len(list((tmp_path / "cards").glob("*.json"))) == 1
    assert not list(tmp_path.rglob("*.part"))


def run_verdicts(expression):
    script = (TEMPLATES / "verdicts.js").read_text(encoding="utf-8")
    code = f"{script}\nprocess.stdout.write(JSON.stringify({expression}));"
    done = subprocess.run([NODE, "-e", code], capture_output=True, timeout=60, check=True)
    return json.loads(done.stdout)


VERDICTS = [
    {"file": "sub-01_T2w.nii.gz", "verdict": "pass", "comment": ""},
    {"file": "odd: name # 'x' \"y\" \x7f\u2028é.nii", "verdict": "fail", "comment": 'off by one: # "L5"\n- it\'s L6'},
    {"file": "C:\\data\\sub-02.nii", "verdict": "artefact", "comment": "- moved"},
    {"file": "sub-03.nii", "verdict": "none", "comment": "later"},
]


def test_the_exported_lists_carry_the_names_that_sct_users_know():
    script = (TEMPLATES / "verdicts.js").read_text(encoding="utf-8")
    assert all(name in script for name in ("FILES_PASS", "FILES_FAIL", "FILES_ARTEFACT"))


@pytest.mark.skipif(NODE is None, reason="runs the page's script in node")
def test_exported_verdicts_are_yaml_and_come_back():
    yaml = pytest.importorskip("yaml")
    text = run_verdicts(f"toYaml({json.dumps(VERDICTS)})")
    lists = yaml.safe_load(text)
    assert lists["FILES_PASS"] == ["sub-01_T2w.nii.gz"]
    assert lists["FILES_FAIL"] == [VERDICTS[1]["file"]]
    assert lists["FILES_ARTEFACT"] == [VERDICTS[2]["file"]]
    assert lists["COMMENTS"] == {entry["file"]: entry["comment"] for entry in VERDICTS[1:]}
    assert run_verdicts(f"fromYaml({json.dumps(text)})") == VERDICTS
    assert yaml.safe_load(run_verdicts("toYaml([])")) == {
        "FILES_PASS": [],
        "FILES_FAIL": [],
        "FILES_ARTEFACT": [],
        "COMMENTS": {},
    }


@pytest.mark.skipif(NODE is None, reason="runs the page's script in node")
def test_lists_written_by_hand_are_read():
    text = (
        "FILES_FAIL:\r\n- sub-01_T2w.nii.gz  # blurred\r\n  - 'it''s.nii'\n"
        "FILES_SEG:\n- other.nii\nFILES_PASS:\n- a#b.nii\n"
    )
    assert run_verdicts(f"fromYaml({json.dumps(text)})") == [
        {"file": "sub-01_T2w.nii.gz", "verdict": "fail", "comment": "blurred"},
        {"file": "it's.nii", "verdict": "fail", "comment": ""},
        {"file": "a#b.nii", "verdict": "pass", "comment": ""},
    ]
