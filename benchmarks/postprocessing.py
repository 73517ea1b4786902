"""Rejecting false candidates: the conditions, the skeleton search, look once and the chain on the paper's noise.

As arXiv 2204.02943, section 3.1, has it: twenty points a picture of 256 pixels, false ones around the true discs. The
people were never trained on: simulated ones of another seed and, with --data, subjects of real label sets. The skeleton
search and the chain know from which level's heat map a point comes, conditions and look once know its place alone;
nothing knows how many discs there are. Times are medians over pictures with 1 to 1000 false points, one thread.

    python benchmarks/postprocessing.py --data lumbar --data cervical --subjects unseen
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from itertools import combinations
from pathlib import Path

import numpy as np

from lookonce.datasets.points import Noise, PointSet, among_false_points, paper_view
from lookonce.datasets.skeletons import PAPER_JOINTS, labelled_skeletons, simulated_skeletons
from lookonce.decode.chain import decode_chain
from lookonce.decode.chain_scores import FIRST, LAST
from lookonce.decode.conditions import meet_conditions
from lookonce.decode.heatmaps import Candidates
from lookonce.decode.skeleton import search_skeleton
from lookonce.io.lists import read_subjects
from lookonce.metrics.certainty import auroc
from lookonce.runtime.points import PointSession
from lookonce.runtime.weights import POINT_MODEL, find_model

#: F1, accuracy, specificity, sensitivity, AUC, as published.
PUBLISHED = {
    "conditions": (0.850, 0.881, 0.891, 0.902, 0.890),
    "skeleton": (0.902, 0.921, 0.925, 0.914, 0.920),
    "look once": (0.942, 0.958, 0.967, 0.942, 0.955),
}
FALSE_COUNTS = (1, 20, 50, 100, 1000)
#: These grow with the square or the cube of the candidates, of which the pipeline never has more than 60.
SLOW, MOST_FOR_SLOW = ("conditions", "skeleton, turned", "chain"), 200
#: As `--decoder skeleton` has them: joints three to six apart.
REFERENCE_PAIRS = [(one, other) for one, other in combinations(range(PAPER_JOINTS), 2) if 3 <= other - one <= 6]
#: How sure a heat map is of the level of its own candidates.
OWN_LEVEL = 0.9

Method = Callable[[PointSet], np.ndarray]


def main() -> None:
    print_tables(_parser().parse_args())


def default_options(**changes) -> argparse.Namespace:
    """The command line's options, with changes."""
    return argparse.Namespace(**{**vars(_parser().parse_args([])), **changes})


def print_tables(options: argparse.Namespace) -> None:
    """Print the scores of every set of people, then the times."""
    session = PointSession(find_model(options.model), threads=options.threads)
    mean = np.array(session.card.mean_skeleton)[:PAPER_JOINTS]
    methods: dict[str, Method] = {
        "conditions": lambda drawn: meet_conditions(drawn.points).astype(float),
        "skeleton": lambda drawn: _skeleton(drawn, mean),
        "skeleton, turned": lambda drawn: _skeleton(drawn, mean, pairs=REFERENCE_PAIRS, turn=True),
        "look once": lambda drawn: session(drawn.points),
        "chain": _chain,
    }
    people = {"simulated": simulated_skeletons(options.n, options.seed)}
    for root in options.data or []:
        subjects = read_subjects(options.subjects) if options.subjects else None
        known = labelled_skeletons(root, subjects)
        people[root.name] = [one for one in known if np.isfinite(one[:PAPER_JOINTS]).all(axis=1).sum() >= 4]
    for name, skeletons in people.items():
        if skeletons:
            _print_scores(name, _draw(skeletons, options.n, options.seed), methods)
    _print_times(people["simulated"], methods, options)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", default=POINT_MODEL)
    parser.add_argument("--data", type=Path, action="append", help="BIDS tree with labels; may be given several times")
    parser.add_argument("--subjects", help="only these: a list's name or file")
    parser.add_argument("-n", type=int, default=500, help="pictures a set")
    parser.add_argument("--seed", type=int, default=1000)
    parser.add_argument("--repeats", type=int, default=21, help="pictures that are timed")
    parser.add_argument("--threads", type=int, default=1, help="of the point network")
    return parser


def _draw(skeletons: list[np.ndarray], number: int, seed: int) -> list[PointSet]:
    """Pictures with fresh noise, each person as often as another."""
    rng = np.random.default_rng(seed)
    noise = Noise()
    views = (paper_view(skeletons[index % len(skeletons)], noise, rng) for index in range(number))
    return [among_false_points(places, joints, noise, rng) for places, joints in views]


def _skeleton(drawn: PointSet, mean: np.ndarray, **options) -> np.ndarray:
    members = [np.flatnonzero(drawn.joint == joint) for joint in range(len(mean))]
    match = search_skeleton([drawn.points[of_joint] for of_joint in members], mean, **options)
    kept = np.zeros(len(drawn.points))
    kept[[of_joint[index] for of_joint, index in zip(members, match.choice, strict=True) if index >= 0]] = 1
    return kept


def _chain(drawn: PointSet) -> np.ndarray:
    order = np.argsort(drawn.points[:, 0])
    chain = decode_chain(as_candidates(drawn.points[order], FIRST + drawn.joint[order], np.full(len(order), 0.5)))
    kept = np.zeros(len(order))
    kept[order[chain.picked]] = 1
    return kept


def as_candidates(places: np.ndarray, levels: np.ndarray, height: np.ndarray) -> Candidates:
    """Candidates from places (N, 2) in mm, from the head down, of heat maps that show one level each."""
    world = np.column_stack([np.zeros(len(places)), -places[:, 1], -places[:, 0]])
    evidence = np.full((len(places), LAST + 1), np.log((1 - OWN_LEVEL) / LAST))
    evidence[np.arange(len(places)), levels] = np.log(OWN_LEVEL)
    return Candidates(world, world, height, evidence)


def _print_scores(name: str, pictures: list[PointSet], methods: dict[str, Method]) -> None:
    true = np.concatenate([drawn.true for drawn in pictures])
    print(f"\n{name}: {len(pictures)} pictures, {len(true)} points, {100 * true.mean():.0f} % of them discs\n")
    print("| method | F1 | accuracy | specificity | sensitivity | AUC | published (real Spine Generic) |")
    print("|---|---|---|---|---|---|---|")
    for method, keep in methods.items():
        probability = np.concatenate([keep(drawn) for drawn in pictures])
        kept = probability >= 0.5
        right = kept == true
        figures = (
            2 * (kept & true).sum() / (kept.sum() + true.sum()),
            right.mean(),
            right[~true].mean(),
            right[true].mean(),
            auroc(probability, true),
        )
        published = " / ".join(f"{figure:.3f}" for figure in PUBLISHED.get(method, ()))
        print(f"| {method} | {' | '.join(f'{figure:.3f}' for figure in figures)} | {published or '-'} |")


def _print_times(skeletons: list[np.ndarray], methods: dict[str, Method], options: argparse.Namespace) -> None:
    print(f"\nmilliseconds, median of {options.repeats} (worst), by the number of false points\n")
    print(f"| method | {' | '.join(map(str, FALSE_COUNTS))} |")
    print("|---" * (len(FALSE_COUNTS) + 1) + "|")
    rng = np.random.default_rng(options.seed)
    pictures: dict[int, list[PointSet]] = {}
    for false in FALSE_COUNTS:
        pictures[false] = []
        for skeleton in skeletons[: options.repeats]:
            crowd = Noise(points=false + PAPER_JOINTS, from_discs=0, from_false=0)
            view = paper_view(skeleton, crowd, rng)
            exact = crowd.model_copy(update={"points": false + len(view[0])})
            pictures[false].append(among_false_points(*view, exact, rng))
    for method, keep in methods.items():
        cells = []
        for false in FALSE_COUNTS:
            if method in SLOW and false > MOST_FOR_SLOW:
                cells.append("-")
                continue
            keep(pictures[false][0])
            times = np.array([_milliseconds(keep, drawn) for drawn in pictures[false]])
            cells.append(f"{np.median(times):.2f} ({times.max():.2f})")
        print(f"| {method} | {' | '.join(cells)} |")


def _milliseconds(keep: Method, drawn: PointSet) -> float:
    started = time.perf_counter()
    keep(drawn)
    return 1000 * (time.perf_counter() - started)


if __name__ == "__main__":
    main()
