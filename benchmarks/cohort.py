"""What `lookonce cohort` does with a big study: speed, restarts after SIGKILL, Dask, memory; each as a table.

Example: python benchmarks/cohort.py -n 200 --work cohort-study
"""

from __future__ import annotations

import argparse
import os
import random
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import psutil
from rich.console import Console
from rich.table import Table

ROOT = Path(__file__).resolve().parents[1]
SUFFIXES = ("T1w", "T2w", "PDw", "T2starw")
PARTS = ("speed", "kills", "dask")
#: Numbers of finished scans at which to tell the memory used so far.
MEMORY_AT = (10, 100, 200)


def main() -> None:
    options = _options()
    with ExitStack() as stack:
        work = options.work or Path(stack.enter_context(tempfile.TemporaryDirectory()))
        data = work / "study"
        _make_study(data, options.count, options.distinct, options.broken, options.seed)
        cohort = Cohort(data, options.model)
        for part in options.parts:
            for out in work.glob(f"out-{part}*"):
                shutil.rmtree(out)
        undisturbed = work / "out-speed-1"
        if "speed" in options.parts or not undisturbed.exists():
            _speed(cohort, work, options)
        if "kills" in options.parts:
            _kills(cohort, work, undisturbed, options)
        if "dask" in options.parts:
            _dask(cohort, work, undisturbed, options.count)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("-n", "--count", type=int, default=200, help="scans in the study (default: %(default)s)")
    parser.add_argument("--distinct", type=int, default=40, help="simulated ones; the others are copies (%(default)s)")
    parser.add_argument("--broken", type=int, default=5, help="how many of them cannot be read (default: %(default)s)")
    parser.add_argument("--kills", type=int, default=5, help="SIGKILLs at random times (default: %(default)s)")
    parser.add_argument("--jobs", type=int, nargs="+", default=[1, 2], help="numbers of processes to time")
    parser.add_argument("--parts", nargs="+", choices=PARTS, default=PARTS, help="what to measure (default: all)")
    parser.add_argument("--model", default="discs", help="as in `lookonce cohort` (default: %(default)s)")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--work", type=Path, help="keep the study and the results here, and use a study that is here")
    return parser.parse_args()


def _make_study(data: Path, count: int, distinct: int, broken: int, seed: int) -> None:
    """A BIDS tree of simulated scans of all contrasts and fields of view, the first ones of which are damaged."""
    from lookonce.simulated import write_study

    if len(list(data.glob("sub-*"))) == count:
        return
    shutil.rmtree(data, ignore_errors=True)
    made = list(write_study(data / "sourcedata", count=min(distinct, count), seed=seed))
    for index in range(count):
        source = made[index % len(made)]
        subject = f"sub-{index:04d}"
        target = data / subject / "anat" / f"{subject}_{source.name.split('_')[-1]}"
        target.parent.mkdir(parents=True)
        content = source.read_bytes()
        damages = (content[: len(content) // 2], b"", b"no image", content[:400], bytes(1000))
        target.write_bytes(damages[index % len(damages)] if index < broken else content)


class Cohort:
    """`lookonce cohort` on one study."""

    def __init__(self, data: Path, model: str) -> None:
        self.data, self.model = data, model

    def start(self, out: Path, *words: object) -> subprocess.Popen[str]:
        """Start it, in a group of processes of its own."""
        call = [
            sys.executable,
            "-m",
            "lookonce",
            "cohort",
            self.data,
            out,
            "participant",
            "group",
            "--model",
            self.model,
        ]
        return subprocess.Popen(
            [*map(str, call), "--suffix", *SUFFIXES, *map(str, words)],
            env=_environment(),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )

    def run(self, out: Path, *words: object) -> tuple[float, list[Peaks]]:
        """Run it to its end; seconds, and the memory used so far at each scan that was reported."""
        started = time.perf_counter()
        process = self.start(out, *words)
        assert process.stderr is not None
        complaints, at_scan = "", []
        with _sampled(process.pid) as peaks:
            for line in process.stderr:
                complaints += line
                if line.startswith("["):
                    at_scan.append(Peaks(peaks.own, peaks.worker))
        if process.wait() not in (0, 1, 3) or not (out / "manifest.tsv").exists():  # 1, 3: scans that failed
            raise SystemExit(complaints)
        return time.perf_counter() - started, at_scan


@dataclass
class Peaks:
    """Most memory so far, resident, MB: of the main process and of its largest worker."""

    own: float = 0.0
    worker: float = 0.0


@contextmanager
def _sampled(pid: int) -> Iterator[Peaks]:
    """Peaks of a process and its children, brought up to date as long as the block lasts."""
    peaks, ended = Peaks(), threading.Event()

    def sample() -> None:
        watched = psutil.Process(pid)
        while not ended.wait(0.2):
            try:
                peaks.own = max(peaks.own, watched.memory_info().rss / 1e6)
                workers = (each.memory_info().rss / 1e6 for each in watched.children(recursive=True))
                peaks.worker = max([peaks.worker, *workers])
            except psutil.Error:
                pass  # ended meanwhile

    thread = threading.Thread(target=sample)
    thread.start()
    try:
        yield peaks
    finally:
        ended.set()
        thread.join()


def _environment() -> dict[str, str]:
    return os.environ | {"PYTHONPATH": os.pathsep.join([str(ROOT / "src"), str(ROOT)])}


def _speed(cohort: Cohort, work: Path, options: argparse.Namespace) -> None:
    rows, memory = [], []
    for jobs in options.jobs:
        out = work / f"out-speed-{jobs}"
        seconds, peaks = cohort.run(out, "--jobs", jobs)
        states = Counter(row.split("\t")[4] for row in _manifest(out))
        again, _ = cohort.run(out, "--jobs", jobs)
        for size in sorted({min(size, len(peaks)) for size in MEMORY_AT}):
            memory.append([str(jobs), str(size), f"{peaks[size - 1].own:.0f}", f"{peaks[size - 1].worker:.0f}"])
        rows.append(
            [
                *(str(jobs), str(sum(states.values())), str(states["done"]), str(states["failed"])),
                *(f"{seconds:.0f}", f"{60 * options.count / seconds:.1f}", f"{again:.1f}"),
                _same(out, work / f"out-speed-{options.jobs[0]}"),
            ]
        )
    columns = ("jobs", "rows", "done", "failed", "seconds", "scans a minute", "called again, s", "same bytes")
    _print("A whole run", columns, rows)
    _print("Its peak memory, resident", ("jobs", "after scans", "main process MB", "largest worker MB"), memory)
    failed = [row.split("\t") for row in _manifest(work / f"out-speed-{options.jobs[0]}") if "\tfailed\t" in row]
    _print("Its failures", ("scan", "kind", "message"), [[row[0], row[6], row[7]] for row in failed])


def _kills(cohort: Cohort, work: Path, undisturbed: Path, options: argparse.Namespace) -> None:
    """Kill it at random numbers of finished scans, a random while after each."""
    out, rng, rows = work / "out-kills", random.Random(options.seed), []
    for kill in range(options.kills):
        process = cohort.start(out, "--jobs", 2)
        seen = _wait_for(process, rng.randint(1, max(1, options.count // (options.kills + 1))))
        time.sleep(rng.random())
        process.send_signal(signal.SIGKILL)
        process.wait()
        finished = _finished(out)
        rows.append([str(kill + 1), str(seen), str(len(finished)), str(_torn(out))])
    before = _finished(out)
    cohort.run(out, "--jobs", 2)
    after = _finished(out)
    twice = sum(after[place] != when for place, when in before.items())
    rows.append(["end", "-", str(len(after)), str(_torn(out))])
    _print("Killed and started again", ("kill", "scans reported", "records", "half files"), rows)
    print(
        f"finished scans done twice after the last kill: {twice}; same bytes as undisturbed: {_same(out, undisturbed)}"
    )


def _dask(cohort: Cohort, work: Path, undisturbed: Path, count: int) -> None:
    from functools import partial

    from lookonce.cohort.dask import connected
    from lookonce.cohort.engines import LocalEngine

    out = work / "out-dask"
    with _dask_workers(2) as (scheduler, workers):
        started = time.perf_counter()
        process = cohort.start(out, "--engine", "dask", "--scheduler", scheduler)
        _wait_for(process, count // 2)
        workers[0].kill()
        process.communicate()
        seconds = time.perf_counter() - started
    states = Counter(row.split("\t")[4] for row in _manifest(out))
    row = [str(states["done"]), str(states["failed"]), f"{60 * count / seconds:.1f}", _same(out, undisturbed)]
    _print("Dask, one of two workers killed half-way", ("done", "failed", "scans a minute", "same bytes"), [row])
    nothing = partial(max, 0)
    rows = []
    with (
        _dask_workers(2) as (scheduler, _),
        connected(scheduler=scheduler, cluster=None, jobs=1, shared_folder=work) as engine,
    ):
        list(engine(nothing, range(20)))
        rows.append(["dask, 2 workers", f"{_overhead(engine, nothing, count):.1f}"])
    rows.append(["local, 2 processes", f"{_overhead(LocalEngine(2), nothing, count):.1f}"])
    _print("Overhead of the engines, with their start where they start something", ("engine", "ms a task"), rows)


def _overhead(engine, work, count: int) -> float:
    started = time.perf_counter()
    list(engine(work, range(count)))
    return 1000 * (time.perf_counter() - started) / count


@contextmanager
def _dask_workers(count: int) -> Iterator[tuple[str, list[subprocess.Popen[str]]]]:
    """A scheduler on loopback and workers of one thread each."""

    def start(*words: str, stderr: int = subprocess.DEVNULL) -> subprocess.Popen[str]:
        call = [sys.executable, "-m", f"distributed.cli.{words[0]}", *words[1:]]
        process = subprocess.Popen(call, env=_environment(), stderr=stderr, text=True)
        stack.callback(process.wait)
        stack.callback(process.kill)
        return process

    with ExitStack() as stack:
        words = ("--host", "127.0.0.1", "--port", "0", "--no-dashboard", "--no-show")
        scheduler = start("dask_scheduler", *words, stderr=subprocess.PIPE)
        assert scheduler.stderr is not None
        address = next(line.split()[-1] for line in scheduler.stderr if "Scheduler at" in line)
        options = ("--no-nanny", "--nthreads", "1", "--no-dashboard")
        yield address, [start("dask_worker", address, *options) for _ in range(count)]


def _wait_for(process: subprocess.Popen[str], scans: int) -> int:
    """Wait until it has reported so many scans, or ends; how many it has."""
    assert process.stderr is not None
    seen = 0
    while seen < scans and (line := process.stderr.readline()):
        seen += line.startswith("[")
    return seen


def _manifest(out: Path) -> list[str]:
    return (out / "manifest.tsv").read_text().splitlines()[1:]


def _finished(out: Path) -> dict[str, int]:
    """When each scan's record was written."""
    folder = out / ".lookonce"
    return {str(path.relative_to(folder)): path.stat().st_mtime_ns for path in folder.rglob("*.json")}


def _torn(out: Path) -> int:
    """Results that are not whole."""
    import json

    import nibabel as nib

    torn = 0
    for path in out.rglob("*"):
        try:
            if path.name.endswith(".nii.gz"):
                nib.load(path).get_fdata()
            elif path.suffix == ".json":
                json.loads(path.read_text())
        except Exception:  # whatever a half file raises
            torn += 1
    return torn


def _same(one: Path, other: Path) -> str:
    return "yes" if _contents(one) == _contents(other) else "NO"


def _contents(out: Path) -> dict[str, bytes]:
    """Every result by its place, without the times."""
    found = {}
    for path in out.rglob("*"):
        place = path.relative_to(out)
        if path.is_file() and place.parts[0] != ".lookonce" and path.name != ".lock":
            content = re.sub(rb'"seconds": [\d.]+', b"", path.read_bytes())
            found[str(place)] = re.sub(rb'name="lookonce-cards" content="\w+"', b"", content)
    return found


def _print(title: str, columns: tuple[str, ...], rows: list[list[str]]) -> None:
    table = Table(title=title, title_justify="left")
    for column in columns:
        table.add_column(column, overflow="fold")
    for row in rows:
        table.add_row(*row)
    Console(width=140).print(table)


if __name__ == "__main__":
    main()
