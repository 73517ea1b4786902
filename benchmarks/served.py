"""A `lookonce serve` of its own for the benchmarks of the service, and what its processes take."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]


@dataclass(frozen=True)
class Served:
    """A running service.

    Attributes
    ----------
    address : str
        Without the last slash.
    process : Popen
    log : Path
    """

    address: str
    process: subprocess.Popen[str]
    log: Path

    def peak_mb(self) -> dict[int, float]:
        """Most memory that each process, alive now, has had at once (Linux)."""
        return {pid: peak for pid in [self.process.pid, *_children(self.process.pid)] if (peak := _peak_mb(pid))}


@contextmanager
def service(folder: Path) -> Iterator[Served]:
    """Start a service on a free port, end it as an operator would, and complain if it does not end well."""
    log = folder / "log.jsonl"
    command = [sys.executable, "-m", "lookonce", "serve", "--port", "0"]
    environment = os.environ | {"PYTHONPATH": str(ROOT / "src"), "TMPDIR": str(folder)}
    with (
        log.open("w") as errors,
        subprocess.Popen(command, stdout=subprocess.PIPE, stderr=errors, text=True, env=environment) as process,
    ):
        assert process.stdout is not None
        found = re.search(r"http://\S+(?=/)", process.stdout.readline())
        if found is None:
            raise SystemExit(f"the service did not start: {log.read_text()}")
        try:
            yield Served(found[0], process, log)
        finally:
            process.terminate()
            if process.wait(120) != 0:
                raise SystemExit(f"the service ended with {process.returncode}")


def _children(pid: int) -> list[int]:
    return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def _peak_mb(pid: int) -> float:
    try:
        found = re.search(r"VmHWM:\s+(\d+) kB", Path(f"/proc/{pid}/status").read_text())
    except OSError:
        return 0.0
    return int(found[1]) * 1024 / 1e6 if found else 0.0
