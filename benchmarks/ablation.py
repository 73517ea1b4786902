"""What matters in training: short, equal runs of a lean network that differ in one thing each.

Every run starts from nothing, sees the same number of pictures and is scored on real scans and pieces of them that no
run was trained on. Finished runs are kept in --out and not repeated, so the script can be stopped and started again.

    python benchmarks/ablation.py --data ../shared/data/spine --out runs/ablation
    python benchmarks/ablation.py --data ../shared/data/spine --out runs/ablation --only base shorten --seeds 0 1 2
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from lookonce.evaluation import Change, Selection, evaluate
from lookonce.export.onnx import export_run
from lookonce.io.lists import read_patients, read_subjects
from lookonce.training.recipe import Recipe, load_recipe
from lookonce.training.run import WEIGHTS_FILE, train

#: A lean network and a short run; all else is the recipe of the default model's second run.
LEAN = (
    "model.options={features: 48, stacks: 1}",
    "optimizer.learning_rate=3e-3",
    "batch_size=8",
    "epochs=5",
    "steps_per_epoch=100",
    "workers=1",
)
SIMULATED = "{kind: synth, pool: 6000, weight: 1}"
REAL = (
    "{kind: bids, path: cervical, subjects: cervical_train, weight: 0.13},"
    "{kind: bids, path: lumbar, subjects: spider_train, weight: 0.37}"
)
LOOKS = ("remap", "bias", "noise", "blur", "erase")
#: Name of the run, what it differs in, and how the recipe says so.
RUNS = {
    "base": ("simulated and real pictures", ()),
    "simulated": ("simulated pictures alone", (f"data=[{SIMULATED}]",)),
    "real": ("real pictures alone", (f"data=[{REAL}]",)),
    "whole": ("no shortened pictures", ("augmentation.shorten=0",)),
    "plain": (
        "no random looks",
        tuple(f"augmentation.{name}=0" for name in ("remap", "bias", "noise", "blur", "erase")),
    ),
    "sharp": ("heat maps of 3 mm instead of 4.5", ("target.sigma_mm=3",)),
    "fine": ("pixels of 1.25 mm instead of 1.5", ("input.spacing_mm=1.25", "input.shape=[224, 160]")),
    "coarse": ("pixels of 2 mm instead of 1.5", ("input.spacing_mm=2", "input.shape=[160, 96]")),
    "two-stacks": ("two hourglasses instead of one", ("model.options={features: 48, stacks: 2}",)),
    "wide": ("72 features instead of 48", ("model.options={features: 72, stacks: 1}",)),
}
#: Heading, change of the scans, repeats.
TESTS = (("whole scans", None, 1), ("pieces of 40 %", "crop=0.4", 2))
FIGURES = {"all_right_percent": "all right %", "fnr_percent": "FNR %", "fpr_percent": "FPR %", "dtt_mm": "DTT mm"}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="folder with cervical, lumbar and template")
    parser.add_argument("--out", type=Path, required=True, help="folder of the runs")
    parser.add_argument("--only", nargs="+", choices=list(RUNS), default=list(RUNS))
    parser.add_argument("--seeds", nargs="+", type=int, default=[0])
    options = parser.parse_args()
    heads = [f"{what}: {figure}" for what, *_ in TESTS for figure in FIGURES.values()]
    print(f"| run | seed | {' | '.join(heads)} |\n|{'---|' * (len(heads) + 2)}")
    for name in options.only:
        described, changes = RUNS[name]
        for seed in options.seeds:
            recipe = load_recipe("discs-refined", [*LEAN, *changes, f"seed={seed}"])
            model = _model(recipe, options.data, options.out / f"{name}-{seed}", options.out / "pictures")
            print(f"| {described} | {seed} | {' | '.join(_figures(model, options.data))} |", flush=True)


def _model(recipe: Recipe, data: Path, out: Path, cache: Path) -> Path:
    """The exported network of a run, trained unless it was."""
    if not (out / WEIGHTS_FILE).exists():
        print(f"training {out.name}", file=sys.stderr)
        train(recipe, data=data, out=out, resume=True, cache=cache, progress=False)
    return export_run(out, out / "discs.onnx", name=out.name)


def _figures(model: Path, data: Path) -> list[str]:
    selection = Selection(subjects=read_subjects("unseen"), patients=read_patients("lumbar_patients"))
    roots = [data / name for name in ("cervical", "lumbar", "template")]
    cells = []
    for _, change, repeats in TESTS:
        parsed = Change.parse(change) if change else None
        pooled = evaluate(str(model), roots, selection=selection, change=parsed, repeats=repeats).rows[-1]
        for name in FIGURES:
            value = pooled.figures[name].value
            cells.append("-" if value is None else f"{value:.1f}")
    return cells


if __name__ == "__main__":
    main()
