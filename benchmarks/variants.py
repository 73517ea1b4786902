"""Whether counting from C2 to the sacrum finds spines with an unusual number of vertebrae.

Simulates whole spines, half of them with a variant, labels them, and keeps those whose truth shows C2 and the sacrum.
Prints how many of the variants were reported and how many usual spines were called one.

    python benchmarks/variants.py discs -n 60 --seed 2000
"""

from __future__ import annotations

import argparse
import sys

import numpy as np

from lookonce.anatomy import USUAL_COUNT, VARIANT_SHARES, Level
from lookonce.errors import NothingFoundError
from lookonce.io.nifti import SpineImage
from lookonce.labeling import label
from lookonce.runtime.session import DiscSession
from lookonce.runtime.weights import find_model
from lookonce.synth import SimulatedScan, simulate_scan

#: Six slices of a usual whole-spine protocol: wide enough for the mid-line, quick to paint.
PROTOCOL = {"field_of_view": "whole", "spacing": 0.9, "slice_thickness": 4.0, "lateral_extent": 24.0}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model")
    parser.add_argument("-n", type=int, default=60, help="scans of either kind that show both ends")
    parser.add_argument("--seed", type=int, default=2000)
    options = parser.parse_args()
    session = DiscSession(find_model(options.model))
    rows = []
    for unusual in (False, True):
        for scan, extra in _scans(options.n, options.seed, unusual=unusual):
            reported, right = _answer(scan, session)
            rows.append((unusual, extra, reported, right))
            print(f"{len(rows)} of {2 * options.n}", end="\r", file=sys.stderr)
    _report(np.array(rows, dtype=float))


def _scans(number: int, seed: int, *, unusual: bool):
    """Whole spines with both ends in view, and how many discs more than usual each has."""
    index = found = 0
    counts = list(VARIANT_SHARES)
    while found < number:
        count = counts[found % len(counts)] if unusual else USUAL_COUNT
        scan = simulate_scan(np.random.default_rng([seed, unusual, index]), **PROTOCOL, count=count)
        index += 1
        # A variant is named where both ends show it; level 25 alone may be one disc too high, counted from C2.
        if scan.variant if unusual else {Level.C2_C3, Level.L5_S1} <= set(scan.levels.tolist()):
            found += 1
            yield scan, count.extra


def _answer(scan: SimulatedScan, session: DiscSession) -> tuple[int, bool]:
    """Discs more than usual that are reported, 0 for none, and whether every level is right."""
    try:
        result = label(SpineImage(scan.image, scan.affine), model=session)
    except NothingFoundError:
        return 0, False
    extra = {count.name: count.extra for count in VARIANT_SHARES}.get(result.variant, 0)
    found = {int(level): point for level, point in zip(result.labels.levels, result.labels.points, strict=True)}
    near = [
        level in found and np.linalg.norm(found[level] - point) < 5
        for level, point in zip(scan.levels.tolist(), scan.points, strict=True)
        if level >= Level.C2_C3
    ]
    return extra, all(near)


def _report(rows: np.ndarray) -> None:
    unusual, extra, reported, right = rows.T
    variant, usual = unusual == 1, unusual == 0
    print("| | scans | reported as a variant | with the right number | every level right |")
    print("|---|---|---|---|---|")
    for name, of in (
        ("one disc more", variant & (extra > 0)),
        ("one disc less", variant & (extra < 0)),
        ("usual", usual),
    ):
        print(
            f"| {name} | {of.sum()} | {100 * (reported[of] != 0).mean():.0f} % | "
            f"{100 * (reported[of] == extra[of]).mean():.0f} % | {100 * right[of].mean():.0f} % |"
        )


if __name__ == "__main__":
    main()
