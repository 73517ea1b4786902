"""Many clients at once: throughput, latency, whether every answer is right, and whether the queue keeps its bound.

Example: python -m benchmarks.serve_load --clients 20 --seconds 60
"""

from __future__ import annotations

import argparse
import gzip
import statistics
import tempfile
import threading
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import nibabel as nib
import numpy as np
from benchmarks.served import Served, service

from lookonce.server.settings import Settings
from lookonce.synth import simulate_scan

#: Different scans, so that an answer to another's request would show.
SCANS = 4


@dataclass
class Tally:
    """What the clients have seen."""

    statuses: Counter[int] = field(default_factory=Counter)
    seconds: list[float] = field(default_factory=list)
    wrong: int = 0
    lost: int = 0
    lock: threading.Lock = field(default_factory=threading.Lock)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--clients", type=int, default=20)
    parser.add_argument("--seconds", type=float, default=60.0)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder, service(Path(folder)) as served:
        scans = [_scan(seed) for seed in range(SCANS)]
        expected = [_told(httpx.post(f"{served.address}/v1/label", content=scan, timeout=120)) for scan in scans]
        tally, ended = Tally(), threading.Event()
        clients = [
            threading.Thread(target=_client, args=(number, served, scans, expected, tally, ended))
            for number in range(options.clients)
        ]
        started = time.perf_counter()
        for client in clients:
            client.start()
        most_under_way = _watch(served, started + options.seconds)
        ended.set()
        for client in clients:
            client.join()
        seconds = time.perf_counter() - started
        peak = served.peak_mb()
    _print(options.clients, seconds, tally, most_under_way, peak)
    bound = Settings().workers + Settings().limits.waiting
    raise SystemExit(bool(tally.wrong or tally.lost or most_under_way > bound or set(tally.statuses) - {200, 429}))


def _scan(seed: int) -> bytes:
    """A simulated scan of a neck, packed."""
    scan = simulate_scan(
        np.random.default_rng(seed), field_of_view="cervical", contrast="t2", spacing=1.0, slice_thickness=3.3
    )
    return gzip.compress(nib.Nifti1Image((scan.image * 4095).astype(np.int16), scan.affine).to_bytes())


def _told(answer: httpx.Response) -> dict[str, Any]:
    answer.raise_for_status()
    return {name: value for name, value in answer.json().items() if name != "seconds"}


def _client(
    number: int,
    served: Served,
    scans: list[bytes],
    expected: list[dict[str, Any]],
    tally: Tally,
    ended: threading.Event,
) -> None:
    """Ask again and again; when told to come back later, do so."""
    rng = np.random.default_rng(number)
    with httpx.Client(timeout=300) as client:
        while not ended.is_set():
            which = int(rng.integers(len(scans)))
            started = time.perf_counter()
            try:
                answer = client.post(f"{served.address}/v1/label", content=scans[which])
            except httpx.HTTPError:
                with tally.lock:
                    tally.lost += 1
                continue
            with tally.lock:
                tally.statuses[answer.status_code] += 1
                if answer.status_code == 200:
                    tally.seconds.append(time.perf_counter() - started)
                    tally.wrong += _told(answer) != expected[which]
            if answer.status_code == 429:
                ended.wait(float(answer.headers["retry-after"]) * rng.uniform(0.5, 1.0))


def _watch(served: Served, until: float) -> int:
    """Most requests that the service had under way at once."""
    most = 0
    while time.perf_counter() < until:
        figures = dict(
            line.rsplit(" ", 1)
            for line in httpx.get(f"{served.address}/metrics").text.splitlines()
            if not line.startswith("#")
        )
        most = max(most, int(float(figures["lookonce_jobs_running"]) + float(figures["lookonce_jobs_waiting"])))
        time.sleep(0.2)
    return most


def _print(clients: int, seconds: float, tally: Tally, most_under_way: int, peak: dict[int, float]) -> None:
    done, times = len(tally.seconds), sorted(tally.seconds)
    print(f"{clients} clients, {seconds:.0f} s: {done} scans labelled, {60 * done / seconds:.1f} a minute")
    print(f"time to an answer: median {statistics.median(times):.2f} s, p95 {times[int(0.95 * (done - 1))]:.2f} s")
    print(f"told to come back later {tally.statuses[429]} times; wrong answers {tally.wrong}, lost {tally.lost}")
    print(f"other statuses {dict(tally.statuses - Counter({200: done, 429: tally.statuses[429]})) or 'none'}")
    print(f"most requests under way {most_under_way}; memory {', '.join(f'{mb:.0f} MB' for mb in peak.values())}")


if __name__ == "__main__":
    main()
