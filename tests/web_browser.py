"""The built web page in Chromium, as the service serves it, with an eye on what it asks the network for."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from importlib import resources
from pathlib import Path
from typing import Any, TypeVar

import pytest
from tests.server.conftest import served

from lookonce.server.page import page_folder

playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed (extra dev)")
PAGE = page_folder()
WEIGHTS = Path(str(resources.files("lookonce.weights")))
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
#: Marks of every test that needs the page.
NEEDS_PAGE = [
    pytest.mark.slow,
    pytest.mark.skipif(CHROMIUM is None, reason="no Chromium is installed"),
    pytest.mark.skipif(not (PAGE / "index.html").is_file(), reason="the page is not built; make web"),
]
#: Limits of one load of the page, runtime and network included.
LARGEST_PAGE_MB = 60
#: A machine that does other work at the same time is ten times slower.
PATIENCE_MS = 180_000


@dataclass
class Opened:
    """The page in the browser, and what it asked the network for."""

    page: playwright.Page
    address: str
    requests: list[str] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)
    headers: dict[str, str] = field(default_factory=dict)

    @property
    def fetched(self) -> list[str]:
        """Addresses of requests that leave the page; files that it makes itself are blobs."""
        return [url for url in self.requests if not url.startswith(("blob:", "data:"))]

    def weight_mb(self) -> float:
        """Megabytes of all that was fetched, as it lies on the disk."""
        names = {url.removeprefix(self.address).split("?")[0] or "index.html" for url in self.fetched}
        files = [WEIGHTS.parent / name if name.startswith("weights/") else PAGE / name for name in names]
        return sum(file.stat().st_size for file in files) / 1e6

    def enter(self, mode: str) -> None:
        """Go to a mode as a link does, and wait until it is ready."""
        self.page.evaluate(f"location.hash = '{mode}'")
        self.page.wait_for_selector(f"body[data-ready={mode}]", timeout=PATIENCE_MS)

    def save(self, button: str, folder: Path, files: int = 1) -> list[Path]:
        """Files that the page saves when a button is pressed."""
        saved: list[Any] = []
        with self.page.expect_event("download", lambda item: saved.append(item) or len(saved) == files):
            self.page.click(button)
        for item in saved:
            item.save_as(folder / item.suggested_filename)
        return [folder / item.suggested_filename for item in saved]


OpenedT = TypeVar("OpenedT", bound=Opened)


@contextmanager
def opened_page(
    mode: str = "discs", *, kind: type[OpenedT], prepare: Callable[[Any], None] = lambda context: None
) -> Iterator[OpenedT]:
    """The page in a mode, ready; `prepare` may change the browser's context before."""
    with served(page=PAGE) as client, playwright.sync_playwright() as driver:
        browser = driver.chromium.launch(
            executable_path=CHROMIUM,
            args=["--no-sandbox", "--use-gl=angle", "--use-angle=swiftshader", "--enable-unsafe-swiftshader"],
        )
        context = browser.new_context(viewport={"width": 1280, "height": 800}, accept_downloads=True)
        context.set_default_timeout(PATIENCE_MS)
        prepare(context)
        opened = kind(context.new_page(), f"{client.base_url}/")
        context.on("request", lambda request: opened.requests.append(request.url))
        opened.page.on("pageerror", lambda error: opened.errors.append(str(error)))
        opened.page.on("console", lambda entry: entry.type == "error" and opened.errors.append(entry.text))
        opened.headers = opened.page.goto(f"{opened.address}#{mode}").all_headers()
        opened.page.wait_for_selector(f"body[data-ready={mode}]", timeout=PATIENCE_MS)
        yield opened
        browser.close()


@contextmanager
def cut_off(opened: Opened) -> Iterator[None]:
    """Without a network, for which the page must not ask, and without an error in its console."""
    opened.page.context.set_offline(True)
    before = len(opened.fetched)
    try:
        yield
    finally:
        opened.page.context.set_offline(False)
    assert opened.fetched[before:] == []
    assert opened.errors == []


def nameless(page: playwright.Page) -> list[str]:
    """Controls that a screen reader has no name for."""
    names = "[...document.querySelectorAll('button, select, input, canvas, progress')].filter(e => !e.labels?.length)"
    return page.evaluate(f"{names}.filter(e => !(e.ariaLabel || e.textContent.trim())).map(e => e.outerHTML)")


def width_on_a_phone(page: playwright.Page) -> int:
    """Pixels across that the page takes on a screen of 360."""
    page.set_viewport_size({"width": 360, "height": 740})
    try:
        return page.evaluate("document.documentElement.scrollWidth")
    finally:
        page.set_viewport_size({"width": 1280, "height": 800})
