"""How labelling stands harder scans: noise, bias, blur, motion, coarse or thick sampling, cuts, a header that lies.

A Markdown table of the pooled figures; run it on scans that were not trained on.

    python benchmarks/robustness.py --data ../shared/data/spine/lumbar --subjects unseen --patients lumbar_patients
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from lookonce.evaluation import Change, Selection, evaluate
from lookonce.io.lists import read_patients, read_subjects
from lookonce.metrics.summary import Figure

#: The mild forms, which should change nothing, then the strong ones.
MILD = (
    *("noise=0.03", "bias=0.4", "blur=0.7", "motion=1", "resolution=0.4", "resolution=1.5"),
    *("thickness=1", "thickness=5"),
)
STRONG = ("noise=0.1", "bias=0.8", "blur=1.5", "motion=3", "resolution=2", "thickness=6", "inverted=1", "turned=1")
CROPS = ("crop=0.6", "crop=0.4", "crop=0.2")
#: Heading and digits after the point of each figure.
COLUMNS = {
    "all_right_percent": ("all right %", 0),
    "fnr_percent": ("FNR %", 1),
    "fpr_percent": ("FPR %", 1),
    "certain_percent": ("certain %", 0),
    "right_of_certain_percent": ("of them right %", 0),
    "silent_shift_percent": ("silent shifts %", 1),
    "calibration_error_percent": ("calibration error %", 1),
    "auroc": ("AUROC", 2),
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", default="discs", help="as in `lookonce evaluate` (default: %(default)s)")
    parser.add_argument(
        "--data", type=Path, action="append", required=True, help="BIDS tree; may be given several times"
    )
    parser.add_argument("--subjects", help="as in `lookonce evaluate`")
    parser.add_argument("--patients", help="as in `lookonce evaluate`")
    parser.add_argument("--crops", action="store_true", help="pieces of 60, 40 and 20 %% of the height instead")
    parser.add_argument("--repeats", type=int, default=1, help="changes per scan (default: %(default)s)")
    options = parser.parse_args()
    selection = Selection(
        subjects=read_subjects(options.subjects) if options.subjects else None,
        patients=read_patients(options.patients) if options.patients else {},
    )
    print(
        f"| change | scans | {' | '.join(heading for heading, _ in COLUMNS.values())} |\n|{'---|' * (len(COLUMNS) + 2)}"
    )
    for text in CROPS if options.crops else ("", *MILD, *STRONG):
        print(text or "as they are", file=sys.stderr)
        result = evaluate(
            options.model,
            options.data,
            selection=selection,
            change=Change.parse(text) if text else None,
            repeats=options.repeats,
        )
        pooled = result.rows[-1]
        cells = (_cell(pooled.figures[name], digits) for name, (_, digits) in COLUMNS.items())
        print(f"| {text or 'as they are'} | {pooled.scans} | {' | '.join(cells)} |", flush=True)


def _cell(figure: Figure, digits: int) -> str:
    if figure.value is None:
        return "-"
    interval = f" ({figure.interval[0]:.{digits}f}–{figure.interval[1]:.{digits}f})" if figure.interval else ""
    return f"{figure.value:.{digits}f}{interval}"


if __name__ == "__main__":
    main()
