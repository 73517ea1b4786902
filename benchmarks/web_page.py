"""How heavy the web page is, how soon it shows and is ready, and how long it takes from a dropped file to its result.

Example: python -m benchmarks.web_page --repeats 5
         python -m benchmarks.web_page --mode skin mole.jpg
"""

from __future__ import annotations

import argparse
import os
import shutil
import statistics
import time
from importlib import resources
from pathlib import Path
from typing import Any

from playwright.sync_api import Page, sync_playwright
from tests.server.conftest import served

from lookonce.server.page import page_folder

SHARED_SCAN = Path(__file__).parents[2] / "shared/data/spine/cervical/sub-errsm11/anat/sub-errsm11_T2w.nii.gz"
#: Chromium draws with the processor: a machine for benchmarks need have no graphics.
ARGUMENTS = ["--no-sandbox", "--use-gl=angle", "--use-angle=swiftshader", "--enable-unsafe-swiftshader"]

#: The part of the page that belongs to its mode.
SHOWN = ".mode:not([hidden])"
FIRST_PAINT = """new Promise(resolve => new PerformanceObserver(
    list => resolve(list.getEntries()[0].startTime)).observe({type: "paint", buffered: true}))"""


def main() -> None:
    options = _options()
    fetched: set[str] = set()
    loads: list[tuple[float, float]] = []
    drops: list[tuple[float, float, float]] = []
    with served(page=page_folder()) as client, sync_playwright() as driver:
        address = f"{client.base_url}/"
        for _ in range(options.repeats):
            browser = driver.chromium.launch(executable_path=shutil.which("chromium"), args=ARGUMENTS)
            context = browser.new_context(viewport={"width": 1280, "height": 800})
            context.on("request", lambda request: fetched.add(request.url.removeprefix(address)))
            page = context.new_page()
            loads.append(_load(page, f"{address}#{options.mode}"))
            drops.append(_drop(page, options.file))
            browser.close()
    weight = sum(_stored_size(name or "index.html") for name in fetched)
    print(f"fetched until ready: {weight / 1e6:.1f} MB; first paint, ready (s): {_medians(loads)}")
    print(f"{options.file.name}: drop to result, processor time of the page and of drawing (s): {_medians(drops)}")
    print(f"load of the machine: {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores")


def _stored_size(name: str) -> int:
    root = Path(str(resources.files("lookonce"))) if name.startswith("weights/") else page_folder()
    return (root / name).stat().st_size


def _load(page: Page, address: str) -> tuple[float, float]:
    started = time.perf_counter()
    page.goto(address)
    page.wait_for_selector("body[data-ready]", timeout=180_000)
    ready = time.perf_counter() - started
    return page.evaluate(FIRST_PAINT) / 1000, ready


def _drop(page: Page, file: Path) -> tuple[float, float, float]:
    before, started = _processor_time(), time.perf_counter()
    page.set_input_files(f"{SHOWN} input[type=file] >> nth=0", str(file))
    page.wait_for_selector(f"{SHOWN} .panel :is(table, .figures dd)", timeout=180_000)
    seconds, after = time.perf_counter() - started, _processor_time()
    return seconds, after["renderer"] - before["renderer"], after["gpu-process"] - before["gpu-process"]


def _processor_time() -> dict[str, float]:
    """Seconds of processor time that the browser's processes have taken, by kind; Linux alone."""
    ticks = os.sysconf("SC_CLK_TCK")
    spent = {"renderer": 0.0, "gpu-process": 0.0}
    for process in Path("/proc").glob("[0-9]*"):
        try:
            command = (process / "cmdline").read_text()
            fields = (process / "stat").read_text().rpartition(")")[2].split()
        except OSError:
            continue  # ended meanwhile
        for kind in spent:
            if f"--type={kind}" in command:
                spent[kind] += (int(fields[11]) + int(fields[12])) / ticks
    return spent


def _medians(rows: list[Any]) -> str:
    return ", ".join(f"{statistics.median(column):.2f} [{max(column):.2f}]" for column in zip(*rows, strict=True))


def _options() -> argparse.Namespace:
    example = Path(str(resources.files("lookonce.examples") / "sub-simulated_T2w.nii.gz"))
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    scan = SHARED_SCAN if SHARED_SCAN.is_file() else example
    parser.add_argument("file", type=Path, nargs="?", default=scan, help="a scan, or a picture for another mode")
    parser.add_argument("--mode", default="discs", help="discs, skin or cells")
    parser.add_argument("--repeats", type=int, default=3)
    return parser.parse_args()


if __name__ == "__main__":
    main()
