"""Requests made from the service's OpenAPI document, right and wrong ones: no answer may be a fault of its own.

Example: python -m benchmarks.serve_fuzz -n 2000
"""

from __future__ import annotations

import argparse
import tempfile
import time
import warnings
from collections import Counter
from pathlib import Path

from benchmarks.served import service
from hypothesis import HealthCheck, Phase, given, seed, settings
from tests.fuzzing import check_answer, requests_of


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("-n", type=int, default=2000, help="requests (default: %(default)s)")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    warnings.simplefilter("ignore")
    statuses: Counter[tuple[str, int]] = Counter()
    with tempfile.TemporaryDirectory() as folder, service(Path(folder)) as served:

        @seed(options.seed)
        @settings(
            max_examples=options.n,
            deadline=None,
            database=None,
            phases=[Phase.generate],
            suppress_health_check=list(HealthCheck),
        )
        @given(requests_of(f"{served.address}/openapi.json"))
        def check(case):
            statuses[f"{case.operation.method.upper()} {case.operation.path}", check_answer(case)] += 1

        started = time.perf_counter()
        check()
        seconds = time.perf_counter() - started
        peak = max(served.peak_mb().values())
    for (operation, status), count in sorted(statuses.items()):
        print(f"{count:5d}  {status}  {operation}")
    print(f"{statuses.total()} requests in {seconds:.0f} s, none a fault; most memory of one process {peak:.0f} MB")


if __name__ == "__main__":
    main()
