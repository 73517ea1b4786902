"""What the service makes of hostile uploads: status and reason of each, time, memory, and whether it lives on.

Example: python -m benchmarks.serve_hostile
"""

from __future__ import annotations

import argparse
import tempfile
import threading
import time
import warnings
from pathlib import Path

import httpx
from benchmarks.served import Served, service
from tests.hostile_files import HOSTILE

MOST_MB = 1000.0


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", metavar="WORD", default="", help="uploads whose name holds a word")
    only = parser.parse_args().only
    warnings.simplefilter("ignore")  # pydicom warns about what is meant here
    with tempfile.TemporaryDirectory() as folder, service(Path(folder)) as served:
        memory = _Watch(served)
        worst, wrong = 0.0, []
        for name, make in HOSTILE.items():
            if only not in name:
                continue
            content = make()
            started = time.perf_counter()
            answer = httpx.post(f"{served.address}/v1/label", content=content, timeout=300)
            seconds = time.perf_counter() - started
            worst = max(worst, seconds)
            print(f"{answer.status_code}  {seconds:5.2f} s  {len(content) / 1e6:6.2f} MB  {name}: {_reason(answer)}")
            if not 400 <= answer.status_code < 500 or httpx.get(f"{served.address}/healthz").status_code != 200:
                wrong.append(name)
        memory.stop()
        left = [path.name for path in Path(folder).iterdir() if path != served.log]
    print(f"slowest {worst:.1f} s; most memory of one process {memory.most_of_one:.0f} MB, of all {memory.most:.0f} MB")
    print(f"processes replaced {memory.seen - 3}; files left behind {left or 'none'}; wrong {wrong or 'none'}")
    raise SystemExit(bool(wrong or left or memory.most_of_one > MOST_MB))


def _reason(answer: httpx.Response) -> str:
    error = answer.json().get("error", {})
    return f"[{error.get('kind')}] {error.get('message')}"


class _Watch:
    """Looks at the service's processes again and again, those that are killed on the way included."""

    def __init__(self, served: Served) -> None:
        self.most = self.most_of_one = 0.0
        self._served, self._pids, self._ended = served, set[int](), threading.Event()
        self._thread = threading.Thread(target=self._look, daemon=True)
        self._thread.start()

    @property
    def seen(self) -> int:
        """Processes seen so far."""
        return len(self._pids)

    def stop(self) -> None:
        self._ended.set()
        self._thread.join()

    def _look(self) -> None:
        while not self._ended.wait(0.02):
            peaks = self._served.peak_mb()
            self._pids |= set(peaks)
            self.most_of_one = max(self.most_of_one, *peaks.values())
            self.most = max(self.most, sum(peaks.values()))


if __name__ == "__main__":
    main()
