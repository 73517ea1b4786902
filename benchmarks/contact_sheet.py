"""Contact sheets: many scans on one picture, each with its labels, as half of all bugs show at a glance.

    python benchmarks/contact_sheet.py simulated -n 24 -o docs/figures/simulated.png
    python benchmarks/contact_sheet.py labelled --data spine/lumbar -o sheet.png              (the known labels)
    python benchmarks/contact_sheet.py labelled --data spine/lumbar --model discs -o sheet.png (and the model's)
    python benchmarks/contact_sheet.py labelled --data simulated --model discs --worst scores.json -n 5 -o worst.png

Keep a sheet that shows real scans out of the repository. The scores are what `lookonce evaluate --json` printed.
"""

from __future__ import annotations

import argparse
import json
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes

from lookonce.errors import LookOnceError
from lookonce.geometry import sagittal_slabs, scale_intensity, world_to_voxel
from lookonce.io.bids import labelled_scans, read_labels
from lookonce.io.lists import read_subjects
from lookonce.io.nifti import read_image
from lookonce.labeling import label
from lookonce.synth import simulate_slab


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=["simulated", "labelled"])
    parser.add_argument("-o", "--out", type=Path, required=True)
    parser.add_argument("-n", type=int, default=24, help="how many simulated slabs, or worst scans")
    parser.add_argument("--worst", type=Path, help="only the scans with most wrong discs in these scores")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--data", type=Path, nargs="*", default=[], help="BIDS trees with labels")
    parser.add_argument("--subjects", help="a list of ids, or a shipped one such as unseen")
    parser.add_argument("--model", help="draw this model's labels too")
    options = parser.parse_args()
    painters = list(_simulated(options.n, options.seed) if options.what == "simulated" else _labelled(options))
    columns = min(8, len(painters))
    rows = -(-len(painters) // columns)
    figure, axes = plt.subplots(rows, columns, figsize=(2.6 * columns, 3.4 * rows), squeeze=False)
    for axis in axes.flat:
        axis.axis("off")
    for axis, paint in zip(axes.flat, painters, strict=False):
        paint(axis)
    figure.tight_layout(pad=0.3)
    figure.savefig(options.out, dpi=80)


def _simulated(count: int, seed: int) -> Iterator:
    for index in range(count):
        slab = simulate_slab(np.random.default_rng([seed, index]))

        def paint(axis: Axes, slab=slab) -> None:
            axis.imshow(slab.image, cmap="gray")
            _points(axis, slab.points, slab.levels, "tab:red")
            axis.set_title(slab.field_of_view, fontsize=7)

        yield paint


def _labelled(options: argparse.Namespace) -> Iterator:
    subjects = None if options.subjects is None else set(read_subjects(options.subjects))
    if options.worst is not None:
        subjects = _worst(options.worst, options.n)
    for scan in (scan for root in options.data for scan in labelled_scans(root)):
        if subjects is not None and scan.subject not in subjects:
            continue

        def paint(axis: Axes, scan=scan) -> None:
            image, truth = read_image(scan.image), read_labels(scan.labels)
            slabs = sagittal_slabs(image.data, image.affine, spacing=1.0, lateral_step=4.0)
            places = world_to_voxel(truth.points, affine=slabs.affine)
            middle = int(np.clip(round(float(np.median(places[:, 0]))), 0, len(slabs.data) - 1))
            axis.imshow(scale_intensity(slabs.data)[middle], cmap="gray")
            _points(axis, places[:, 1:], [int(level) for level in truth.levels], "tab:red")
            axis.set_title(f"{scan.subject} {scan.suffix}", fontsize=7)
            if options.model is None:
                return
            try:
                result = label(image, model=options.model)
            except LookOnceError as error:
                axis.set_title(f"{scan.subject}: {error.kind}", fontsize=7)
                return
            found = world_to_voxel(result.labels.points, affine=slabs.affine)[:, 1:]
            axis.plot(found[:, 1], found[:, 0], "x", color="tab:cyan", markersize=4)
            for (row, column), disc in zip(found, result.labels, strict=True):
                axis.text(column - 8, row, disc.level.label, color="tab:cyan", fontsize=4, ha="right", va="center")
            state = "uncertain" if result.uncertain else "certain"
            sure = 100 * result.level_shift.get(0, 0)
            axis.set_title(f"{scan.subject} {scan.suffix}: {state} {sure:.0f} %", fontsize=7)

        yield paint


def _worst(scores: Path, number: int) -> set[str]:
    """The subjects with most missed, false and misnamed discs."""
    wrong: Counter[str] = Counter()
    for case in json.loads(scores.read_text())["cases"]:
        wrong[case["subject"]] += case["false_negatives"] + case["false_positives"] + case["wrong_names"]
    return {subject for subject, count in wrong.most_common(number) if count}


def _points(axis: Axes, places: np.ndarray, levels: list[int], colour: str) -> None:
    axis.plot(places[:, 1], places[:, 0], "+", color=colour, markersize=4)
    for (row, column), level in zip(places, levels, strict=True):
        axis.text(column + 4, row, str(level), color="gold", fontsize=4, va="center")


if __name__ == "__main__":
    main()
