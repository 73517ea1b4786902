"""How fast `lookonce segment` does a folder of pictures: images per second and peak memory of the whole process.

    python benchmarks/segment_speed.py --data ../shared/data/skin/PH2Dataset -n 100 --broken
    python benchmarks/segment_speed.py --model cells.onnx --megapixels 40 -n 5

Without --data the pictures are painted, at any size. With --broken one file among them is cut in half; the call must
then name it, do all the others and end with exit code 3.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
from PIL import Image

from mask_sheet import find_pairs

ROOT = Path(__file__).parents[1]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, help="pictures with masks, in any of the layouts of mask_sheet.py")
    parser.add_argument("-n", type=int, default=100, help="how many pictures (default: %(default)s)")
    parser.add_argument("--model", default="skin", help="as in `lookonce segment` (default: %(default)s)")
    parser.add_argument("--megapixels", type=float, default=0.4, help="size of painted pictures (default: %(default)s)")
    parser.add_argument("--broken", action="store_true", help="cut one of the files in half")
    parser.add_argument("--repeats", type=int, default=3, help="after one to warm up (default: %(default)s)")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name) / "pictures"
        folder.mkdir()
        if options.data is None:
            # In a process of its own: what this one ever took would count as the measured one's memory.
            painter = multiprocessing.Process(target=_paint, args=(folder, options.n, options.megapixels))
            painter.start()
            painter.join()
        else:
            _copy(folder, options.data, options.n)
        files = sorted(folder.iterdir())
        if options.broken:
            content = files[len(files) // 2].read_bytes()
            files[len(files) // 2].write_bytes(content[: len(content) // 2])
        runs = [_segment(folder, Path(name) / f"out{run}", options) for run in range(options.repeats + 1)][1:]
    done, wall, cpu, memory = sorted(runs, key=lambda run: run[1])[len(runs) // 2]
    print(f"{len(files)} pictures, {done} segmented, {len(os.sched_getaffinity(0))} cores, model {options.model}")
    print(f"{done / wall:.1f} images per second ({wall:.1f} s in all, {cpu:.1f} s of processor), peak {memory:.0f} MB")


def _copy(folder: Path, root: Path, count: int) -> None:
    pairs = find_pairs(root)[:count]
    if len(pairs) < count:
        raise SystemExit(f"{root}: has {len(pairs)} pictures with masks, not {count}")
    for picture, _ in pairs:
        (folder / picture.name).write_bytes(picture.read_bytes())


def _paint(folder: Path, count: int, megapixels: float) -> None:
    """Photographs of a dark spot on light ground, three by four, as JPEG."""
    height = round((megapixels * 1e6 * 3 / 4) ** 0.5)
    width = round(height * 4 / 3)
    rows, columns = np.mgrid[:height, :width].astype(np.float32) / height
    for number in range(count):
        rng = np.random.default_rng(number)
        row, column = rng.uniform(0.35, 0.65, 2)
        spot = np.hypot(rows - row, columns - column * 4 / 3) < rng.uniform(0.1, 0.3)
        shade = np.where(spot, 70, 200)[..., None] + rng.integers(-20, 20, (height, width, 3))
        Image.fromarray(shade.astype(np.uint8)).save(folder / f"{number:04d}.jpg", quality=90)


def _segment(folder: Path, out: Path, options: argparse.Namespace) -> tuple[int, float, float, float]:
    """Pictures segmented, seconds of wall and processor time, and peak memory in MB of one call."""
    command = [sys.executable, "-m", "lookonce", "segment", str(folder), "-o", str(out), "--model", options.model]
    environment = os.environ | {"PYTHONPATH": str(ROOT / "src")}
    started = time.perf_counter()
    with (out.parent / "stdout").open("w") as stdout:
        process = subprocess.Popen([*command, "--json"], env=environment, stdout=stdout, stderr=subprocess.DEVNULL)
        _, status, used = os.wait4(process.pid, 0)
    wall = time.perf_counter() - started
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode != (3 if options.broken else 0):
        raise SystemExit(f"{' '.join(command)} ended with {process.returncode}")
    results = json.loads((out.parent / "stdout").read_text())["results"]
    kilobytes = used.ru_maxrss / (1024 if sys.platform == "darwin" else 1)
    done = sum("error" not in result for result in results)
    return done, wall, used.ru_utime + used.ru_stime, kilobytes * 1024 / 1e6


if __name__ == "__main__":
    main()
