"""What the web page is held to: vectors that are still Python's answers, and a page built from these sources."""

from __future__ import annotations

import hashlib
import json
import sys
from importlib import import_module
from pathlib import Path

import pytest

from lookonce import __version__

ROOT = Path(__file__).parents[1]
WEB = ROOT / "web"
PAGE = ROOT / "src" / "lookonce" / "server" / "page"
if not WEB.is_dir():
    pytest.skip("the page's sources are not here", allow_module_level=True)


if str(ROOT) not in sys.path:
    sys.path.append(str(ROOT))
scripts = [import_module(f"benchmarks.{name}") for name in ("web_vectors", "web_mask_vectors")]
ANSWERS = {stage: answer for script in scripts for stage, answer in script.ANSWERS.items()}


@pytest.mark.parametrize("stage", ANSWERS)
def test_python_still_gives_the_answers_that_the_page_is_held_to(stage):
    for case in scripts[0].load(stage):
        answer = json.loads(json.dumps(ANSWERS[stage](case["input"])))
        assert_alike(answer, case["answer"])


def assert_alike(one: object, other: object) -> None:
    """The same but for the last digits of numbers."""
    if isinstance(one, dict):
        assert isinstance(other, dict)
        assert one.keys() == other.keys()
        for key, value in one.items():
            assert_alike(value, other[key])
    elif isinstance(one, list):
        assert isinstance(other, list)
        assert len(one) == len(other)
        for value, its_other in zip(one, other, strict=True):
            assert_alike(value, its_other)
    elif isinstance(one, float | int):
        assert one == pytest.approx(other, rel=1e-5, abs=1e-5)
    elif str(one) != str(other):
        # Arrays packed as text may differ in the last of 65536 steps.
        assert len(str(one)) > 100
        assert len(str(one)) == len(str(other))


def test_the_built_page_is_that_of_these_sources():
    # As the plugin in web/vite.config.ts computes it; `make web` builds the page anew.
    digest = hashlib.sha256(__version__.encode())
    sources = [path.relative_to(WEB).as_posix() for path in (WEB / "src").rglob("*") if path.is_file()]
    for name in sorted([*sources, "index.html", "package-lock.json", "vite.config.ts"]):
        digest.update(f"{name}\n".encode() + (WEB / name).read_bytes())
    assert (PAGE / "sources.sha256").read_text().strip() == digest.hexdigest()


def test_the_page_asks_no_other_host_for_anything():
    html = (PAGE / "index.html").read_text()
    assert "http:" not in html
    assert "https:" not in html
    assert "<script>" not in html  # the policy allows no script in the page itself


def test_the_page_is_small_enough_to_ship():
    sizes = [path.stat().st_size for path in PAGE.rglob("*") if path.is_file()]
    assert max(sizes) < 25e6
    assert sum(sizes) < 15e6


def test_the_lock_file_names_no_machine():
    lock = json.loads((WEB / "package-lock.json").read_text())
    assert all("resolved" not in entry for entry in lock["packages"].values())
