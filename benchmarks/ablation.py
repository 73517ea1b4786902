"""What matters in training: short, equal runs of a lean network, each with one thing changed.

Trains on part of the training subjects and scores the others, whole and in pieces, on heat maps and names rather than
by right scans: after so few steps none is right. Runs are kept and gone on with, so the table can be made in several
sittings.

    python benchmarks/ablation.py --data spine --out runs/ablation --seeds 0 --rows base "real only"
"""

from __future__ import annotations

import argparse
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from fit_certainty import Piece, collect_pieces
from lookonce.evaluation import Selection
from lookonce.export.onnx import export_run
from lookonce.io.lists import read_subjects
from lookonce.runtime.session import DiscSession
from lookonce.runtime.weights import find_model
from lookonce.training.recipe import Recipe, load_recipe
from lookonce.training.run import WEIGHTS_FILE, train

#: Training subjects that these runs do not train on: the first of each set in the order of its list.
HELD_OUT = ("sub-errsm18", "sub-spider5", "sub-spider11", "sub-spider18", "sub-spider22")
#: A candidate this strong counts as found.
FOUND_FROM = 0.25
LEAN = ("model.options.widths=[16, 32, 64, 96, 128]", "epochs=10", "steps_per_epoch=100")
PEOPLE = 3000
#: Shares of simulated, cervical and lumbar pictures in the stream.
BOTH = (0.6, 0.12, 0.28)
NO_RANDOM_LOOK = [f"augmentation.{name}=0" for name in ("remap", "bias", "noise", "blur", "erase")]


@dataclass(frozen=True)
class Row:
    """One row: changes of the recipe, shares of its sources, and changes of how the trained network is used."""

    recipe: tuple[str, ...] = ()
    shares: tuple[float, float, float] = BOTH
    card: tuple[tuple[str, float], ...] = ()


ROWS = {
    "base": Row(),
    "simulated only": Row(shares=(1, 0, 0)),
    "real only": Row(shares=(0, 0.3, 0.7)),
    "no domain randomisation": Row(tuple(NO_RANDOM_LOOK)),
    "labels 2 mm off": Row(("augmentation.label_noise_mm=2",)),
    "pictures never shortened": Row(("augmentation.shorten=0",)),
    "no shape attention": Row(("model.name=unet",)),
    "attention hourglass": Row(("model={name: disc-net, options: {features: 48, stacks: 1}}",)),
    "twice as wide": Row(("model.options.widths=[32, 64, 128, 192, 256]",)),
    "names of anchors only": Row(("target.anchors_only=true",)),
    "pixels of 2 mm": Row(("input.spacing_mm=2.0", "input.shape=[160, 96]")),
    "slabs 8 mm apart, as trained": Row(card=(("lateral_step_mm", 8.0),)),
    "slabs 2 mm apart, as trained": Row(card=(("lateral_step_mm", 2.0),)),
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="folder with the sets cervical and lumbar")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0])
    parser.add_argument("--rows", nargs="+", choices=ROWS, default=list(ROWS))
    parser.add_argument("--set", dest="changes", action="append", default=[], metavar="KEY=VALUE", help="of all rows")
    options = parser.parse_args()
    print("| row | discs found % | false a view | names right % | log-probability of the name |")
    print("|---|---|---|---|---|")
    for name in options.rows:
        scores = np.array([_score(ROWS[name], name, seed, options) for seed in options.seeds])
        spread = scores.std(axis=0, ddof=1) if len(scores) > 1 else np.full(scores.shape[1], np.nan)
        cells = [
            f"{mean:.{digits}f}" + ("" if np.isnan(sd) else f" ± {sd:.{digits}f}")
            for mean, sd, digits in zip(scores.mean(axis=0), spread, (1, 2, 1, 2), strict=True)
        ]
        print(f"| {name} | {' | '.join(cells)} |", flush=True)


def _score(row: Row, name: str, seed: int, options: argparse.Namespace) -> tuple[float, ...]:
    recipe = _recipe(row, seed, options)
    # A row that changes only how the network is used shares the run of the base.
    run = options.out / f"{name.replace(' ', '-') if not row.card else 'base'}-{seed}"
    if not (run / WEIGHTS_FILE).exists():
        train(recipe, data=options.data, out=run, resume=True, cache=options.out / "pictures", progress=False)
    session = DiscSession(find_model(str(export_run(run, run / "discs.onnx", name="ablation"))))
    session.card = session.card.model_copy(update=dict(row.card))
    roots = [options.data / "cervical", options.data / "lumbar"]
    return _figures(list(collect_pieces(session, roots, Selection(subjects=frozenset(HELD_OUT)))))


def _recipe(row: Row, seed: int, options: argparse.Namespace) -> Recipe:
    options.out.mkdir(parents=True, exist_ok=True)
    sources = [f"{{kind: synth, pool: {PEOPLE}, weight: {row.shares[0]}}}"]
    for path, shipped, share in zip(
        ("cervical", "lumbar"), ("cervical_train", "spider_train"), row.shares[1:], strict=True
    ):
        kept = options.out / f"{shipped}.txt"
        kept.write_text("\n".join(sorted(read_subjects(shipped) - set(HELD_OUT))) + "\n")
        sources.append(f"{{kind: bids, path: {path}, subjects: {kept}, weight: {share}}}")
    used = [source for source, share in zip(sources, row.shares, strict=True) if share]
    recipe = load_recipe("discs", [*LEAN, f"data=[{', '.join(used)}]", f"seed={seed}", *row.recipe, *options.changes])
    assert isinstance(recipe, Recipe)
    return recipe


def _figures(pieces: list[Piece]) -> tuple[float, ...]:
    """The columns of the table."""
    strong = [piece.candidates.probability >= FOUND_FROM for piece in pieces]
    found = sum(len(set(piece.levels[kept].tolist()) - {0}) for piece, kept in zip(pieces, strong, strict=True))
    false = np.mean([np.count_nonzero(piece.levels[kept] == 0) for piece, kept in zip(pieces, strong, strict=True)])
    levels = np.concatenate([piece.levels for piece in pieces])
    evidence = np.concatenate([piece.candidates.evidence for piece in pieces])[levels > 0]
    true = levels[levels > 0]
    return (
        100 * found / sum(piece.discs for piece in pieces),
        float(false),
        100 * float((1 + evidence[:, 1:].argmax(axis=1) == true).mean()),
        float(evidence[np.arange(len(true)), true].mean()),
    )


if __name__ == "__main__":
    main()
