"""Segmentation networks side by side: each recipe trained with the same budget, exported, scored and timed.

Prints a row a recipe: figures of the test pictures by the published protocol (pooled) and of each picture's own mask as
`lookonce segment` gives it (mean), parameters, and time and peak memory of a process that only runs the network in ONNX
Runtime. Runs that are finished are not trained again, those that were interrupted go on.

    python benchmarks/mask_table.py --data prepared --out runs/peers skin-tmunet skin-mask-unet skin-mcgunet
    python benchmarks/mask_table.py --data prepared --out runs/lean --lean skin-tmunet-small skin-mask-unet
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from lookonce.runtime.masks import MaskSession
from lookonce.runtime.weights import find_model

# The process that is measured runs this file too: torch must not count there.
if TYPE_CHECKING:
    from lookonce.metrics.masks import MaskRow
    from lookonce.training.recipe import MaskRecipe

POOLED = ("dice", "sensitivity", "specificity", "accuracy", "iou", "mean_iou")
PER_IMAGE = ("dice", "iou", "hd95_px")
#: Fits a CPU: small pictures, few of them, and the optimizer and loss of skin-tmunet-small for all.
LEAN = (
    "data=[{path: isic2018}]",
    "input.size=[128, 128]",
    "batch_size=16",
    "epochs=3",
    "steps_per_epoch=100",
    "optimizer={name: adamw, learning_rate: 1.0e-3, weight_decay: 1.0e-2, schedule: cosine, warmup_steps: 100,"
    " clip_norm: 5.0, average_decay: 0.98}",
    "loss={mask: 0.7, regions: 0.1, boundary: 0.2, dice: 0.3}",
    "threshold=0.5",
)
#: A quarter of the published widths.
LEAN_WIDTHS = {
    "skin-mask-unet": (16, 32, 64, 128, 256),
    "skin-mask-attention-unet": (16, 32, 64, 128, 256),
    "skin-mcgunet": (16, 32, 64, 128),
    "skin-frcunet": (16, 32, 64, 128, 256),
}


def main() -> None:
    options = _options()
    if options.time is not None:
        print(json.dumps(_time(options.time, options.repeats, options.threads)))
        return
    recipes = {name: _recipe(name, options) for name in options.recipes}
    pictures = {recipe.steps * recipe.batch_size for recipe in recipes.values()}
    if len(pictures) > 1:
        raise SystemExit(f"budgets differ ({sorted(pictures)} pictures); give all the same with --set")
    tests = [options.data / name for name in options.test] or _own_sets(recipes, options.data)
    print(f"{pictures.pop()} pictures of training each; seed {next(iter(recipes.values())).seed}; ", end="")
    print(f"tested on {', '.join(path.name for path in tests)}\n")
    _print_head()
    for name, recipe in recipes.items():
        _print_rows(name, recipe, tests, options)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("recipes", nargs="*", metavar="RECIPE")
    parser.add_argument("--data", type=Path, help="folder of the sets that `lookonce prepare` wrote")
    parser.add_argument("--out", type=Path, default=Path("runs/peers"), help="folder of the runs")
    parser.add_argument("--test", nargs="+", default=[], metavar="SET", help="by default those that are trained on")
    parser.add_argument("--split", default="test", help="list that is scored (default: %(default)s)")
    parser.add_argument("--lean", action="store_true", help="networks, pictures and a budget that a CPU can train")
    parser.add_argument("--set", dest="changes", action="append", default=[], metavar="KEY=VALUE", help="of all")
    parser.add_argument("--repeats", type=int, default=9, help="pictures timed, after one to warm up")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--time", type=Path, metavar="MODEL", help="time one exported model in this process, as JSON")
    options = parser.parse_args()
    if options.time is None and not (options.recipes and options.data):
        parser.error("give recipes and --data")
    return options


def _recipe(name: str, options: argparse.Namespace) -> MaskRecipe:
    from lookonce.training.recipe import MaskRecipe, load_recipe

    changes = [*(LEAN if options.lean else ()), *options.changes]
    if options.lean and name in LEAN_WIDTHS:
        changes.append(f"model.options.widths={list(LEAN_WIDTHS[name])}")
    recipe = load_recipe(name, changes)
    if not isinstance(recipe, MaskRecipe):
        raise SystemExit(f"recipe {name}: does not train on masks; choose one of skin-* or cells-*")
    # A network that learns places has its size as an option, which must be the picture's.
    if "size" in recipe.model.options:
        recipe = load_recipe(name, [*changes, f"model.options.size={recipe.input.size[0]}"])
    return recipe


def _own_sets(recipes: dict[str, MaskRecipe], data: Path) -> list[Path]:
    names = {part.path for recipe in recipes.values() for part in recipe.data}
    return [data if name is None else data / name for name in sorted(names, key=str)]


def _print_head() -> None:
    columns = [
        "recipe",
        "parameters (M)",
        *(f"{name}, pooled" for name in POOLED),
        *(f"{name}, per image" for name in PER_IMAGE),
        "ms a picture",
        "peak MB",
    ]
    print(f"| {' | '.join(columns)} |")
    print("|---" * len(columns) + "|", flush=True)


def _print_rows(name: str, recipe: MaskRecipe, tests: list[Path], options: argparse.Namespace) -> None:
    """A row for every test set, and one for all of them where there are several."""
    from lookonce.evaluation.masks import evaluate_masks

    model, parameters = _trained(name, recipe, options)
    published = evaluate_masks(model, tests, split=options.split, protocol="paper").rows
    own = evaluate_masks(model, tests, split=options.split).rows
    usage = _usage(model, options)
    for one, other in zip(published, own, strict=True):
        label = name if len(published) == 1 else f"{name}, {one.data_set}"
        cells = [label, f"{parameters / 1e6:.2f}", *_figures(one, other)]
        cells += [f"{usage['ms']:.0f}", f"{usage['peak_mb']:.0f}"]
        print(f"| {' | '.join(cells)} |", flush=True)


def _trained(name: str, recipe: MaskRecipe, options: argparse.Namespace) -> tuple[Path, int]:
    """The exported model of a recipe, trained where that is not done, and its number of parameters."""
    from lookonce.export.onnx import export_run
    from lookonce.training.run import CHECKPOINT_FILE, RECORD_FILE, load_run, train

    run, cache = options.out / name, options.out / "pictures"
    if not (run / RECORD_FILE).exists():
        resume = (run / CHECKPOINT_FILE).exists()
        train(recipe, data=options.data, out=run, resume=resume, cache=cache, progress=sys.stderr.isatty())
    recorded, network = load_run(run)
    if recorded != recipe:
        raise SystemExit(f"{run}: was trained by another recipe; choose another --out")
    return export_run(run, run / f"{name}.onnx", name=name), sum(each.numel() for each in network.parameters())


def _figures(published: MaskRow, own: MaskRow) -> list[str]:
    figures = [published.pooled[name] for name in POOLED] + [own.per_image[name] for name in PER_IMAGE]
    return ["-" if figure.value is None else f"{figure.value:.4f}" for figure in figures]


def _usage(model: Path, options: argparse.Namespace) -> dict[str, float]:
    """Time and memory of a process that does nothing but segment."""
    itself = [sys.executable, __file__, "--time", str(model)]
    limits = ["--repeats", str(options.repeats), "--threads", str(options.threads)]
    return json.loads(subprocess.run([*itself, *limits], check=True, capture_output=True, text=True).stdout)


def _time(model: Path, repeats: int, threads: int) -> dict[str, float]:
    session = MaskSession(find_model(str(model)), threads=threads)
    picture = np.random.default_rng(0).integers(0, 256, (*session.card.size, 3), dtype=np.uint8)
    session(picture)
    seconds = []
    for _ in range(repeats):
        begun = time.perf_counter()
        session(picture)
        seconds.append(time.perf_counter() - begun)
    return {"ms": 1e3 * statistics.median(seconds), "peak_mb": _peak_mb()}


def _peak_mb() -> float:
    """Peak memory of this process since its program began, on Linux; getrusage would count what it was forked from."""
    status = Path("/proc/self/status").read_text().splitlines()
    (kilobytes,) = (int(line.split()[1]) for line in status if line.startswith("VmHWM:"))
    return kilobytes * 1024 / 1e6


if __name__ == "__main__":
    main()
