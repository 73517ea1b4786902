"""The tables of the two disc papers: every network with every way to sort out its maxima, beside the published figures.

Networks are trained by their recipes on pictures from the brain to T4: simulated ones, or with --data a folder that
`lookonce prepare spine-generic` wrote. The maxima of the test pictures are kept in --candidates, from which the tables
are made, in minutes. Distances are in the sagittal plane by the published code's rules (`protocol="paper"`): names do
not count. Nothing is told how many discs there are, but for the rows "told", which repeat what the published code does.

    python benchmarks/paper_tables.py                                      # the tables, from the maxima that are kept
    python benchmarks/paper_tables.py --train runs/paper                   # train, find the maxima, keep them
    python benchmarks/paper_tables.py --train runs/paper --short           # the same, trained for minutes on a GPU
    python benchmarks/paper_tables.py --train runs/paper --data prepared   # the same on the real Spine Generic

Maxima of networks and seeds that are not asked for stay as they are, so that the table can be made in several sittings.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path

import numpy as np
import torch

import postprocessing
from lookonce.datasets.augment import centred
from lookonce.datasets.samples import SlabSample
from lookonce.datasets.skeletons import PAPER_JOINTS, simulated_skeletons
from lookonce.decode.chain import decode_chain
from lookonce.decode.chain_scores import FIRST
from lookonce.decode.conditions import meet_conditions
from lookonce.decode.heatmaps import LevelMaxima, level_maxima
from lookonce.decode.skeleton import mean_skeleton, search_skeleton
from lookonce.io.lists import read_subjects
from lookonce.metrics.intervals import bootstrap_ratio
from lookonce.metrics.landmarks import PaperCase, paper_points
from lookonce.models.network import LandmarkNetwork
from lookonce.models.stored import StoredNetwork, write_network
from lookonce.runtime.points import PointSession
from lookonce.runtime.weights import POINT_MODEL, find_model
from lookonce.synth import simulate_slab
from lookonce.training.recipe import Recipe, load_recipe
from lookonce.training.run import load_run, train

CONTRASTS = {"T1w": "t1", "T2w": "t2"}
NETWORKS = {
    "Count-ception": "discs-countception",
    "hourglass": "discs-hourglass",
    "attention hourglass": "discs-attention-hourglass",
    "U-Net": "discs-unet",
    "shape U-Net": "discs-shape-unet",
}
#: What the papers claim: the first beats the second.
CLAIMS = (("attention hourglass", "hourglass"), ("shape U-Net", "U-Net"))
#: What names of networks end in: those of the published training, and of shorter ones.
SIZES = ("", ", short", ", lean")
#: A claim rests on so many seeds.
CLAIM_SEEDS = 3
#: DTT (standard deviation) mm, FNR %, FPR % of the real Spine Generic, by network and way.
PUBLISHED = {
    ("T1w", "Count-ception", "maxima"): "1.03 (2.81), 4.24, 0.9",
    ("T2w", "Count-ception", "maxima"): "1.78 (2.64), 3.88, 1.5",
    ("T1w", "attention hourglass", "skeleton, told"): "1.32 (1.33), 0.32, 0.0",
    ("T2w", "attention hourglass", "skeleton, told"): "1.31 (2.79), 1.2, 0.6",
    ("T1w", "U-Net", "look once"): "1.45 (2.70), 7.3, 1.2",
    ("T2w", "U-Net", "look once"): "1.80 (2.80), 5.4, 1.8",
    ("T1w", "shape U-Net", "look once"): "1.2 (1.90), 0.7, 0.0",
    ("T2w", "shape U-Net", "look once"): "1.28 (2.61), 0.9, 0.0",
}
#: Simulated test people are of a seed that no recipe uses.
TEST_SEED = 2000
#: Simulated people that a network learns from, and fewer for shorter trainings.
PEOPLE, SHORT_PEOPLE, LEAN_PEOPLE = 2000, 1000, 600
#: A maximum this high is a candidate, and the highest within so many mm.
THRESHOLD, RADIUS_MM = 0.2, 6.0
#: Fits a CPU: half the resolution, a fraction of the published networks' channels, and a short training.
LEAN = {
    "Count-ception": ("model.options={features: 16, patch: 16}",),  # 16 cells of 2 mm
    "hourglass": ("model.options={stacks: 2, blocks: 1, features: 64}",),
    "attention hourglass": ("model.options={stacks: 2, blocks: 1, features: 64}",),
    "U-Net": ("model.options.widths=[8, 16, 32, 64, 128]",),
    "shape U-Net": ("model.options.widths=[8, 16, 32, 64, 128]",),
}
LEAN_ALL = (
    "input.spacing_mm=2.0",
    "input.shape=[128, 128]",
    "target.sigma_mm=5",
    "target.first_sigma_mm=20",
    "optimizer={name: adamw, learning_rate: 2.0e-3, weight_decay: 1.0e-4, schedule: cosine, warmup_steps: 50}",
    "epochs=20",
)
#: The published networks and pictures, in an eighth of the steps and half of the pictures seen: for a GPU.
SHORT_ALL = (
    "target.first_sigma_mm=20",
    "optimizer={name: adamw, learning_rate: 1.0e-3, weight_decay: 1.0e-4, schedule: cosine, warmup_steps: 100}",
    "batch_size=12",
    "epochs=15",
    "precision=bf16-mixed",
)
#: Networks that find discs and do not name them, what shorter trainings of them begin with, and what can be done with
#: their maxima.
NAMELESS = ("Count-ception",)
NAMELESS_START = ("target.squared_until=0.5",)
NAMELESS_WAYS = ("maxima", "conditions", "look once")


@dataclass(frozen=True)
class Picture:
    """The truth of one test picture: joints (N,) from 0 at the papers' first, and places (N, 2), mm."""

    joint: np.ndarray
    places: np.ndarray


Way = Callable[[LevelMaxima, Picture], np.ndarray]


def main() -> None:
    options = _options()
    if options.train is not None:
        _find_maxima(options)
    ways = _ways()
    tables = {contrast: _read(options.candidates / f"{contrast}.npz") for contrast in options.contrasts}
    for contrast, stored in tables.items():
        _print_table(contrast, stored, ways)
    _print_claims(tables, ways)
    print("\n## Rejecting false candidates\n")
    postprocessing.print_tables(postprocessing.default_options(n=300, repeats=11))


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--candidates", type=Path, default=Path(__file__).parent / "paper_candidates")
    parser.add_argument("--train", type=Path, metavar="RUNS", help="train what is not yet there, and find maxima anew")
    parser.add_argument("--weights", type=Path, default=Path("weights"), help="where the published variants are kept")
    parser.add_argument("--data", type=Path, metavar="PREPARED", help="by default pictures are simulated")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--networks", nargs="+", choices=NETWORKS, default=list(NETWORKS))
    parser.add_argument("--contrasts", nargs="+", choices=CONTRASTS, default=list(CONTRASTS))
    size = parser.add_mutually_exclusive_group()
    size.add_argument("--lean", action="store_true", help="networks and pictures that a CPU can train")
    size.add_argument("--short", action="store_true", help="the published ones, trained for minutes on a GPU")
    parser.add_argument(
        "--set", dest="changes", action="append", default=[], metavar="KEY=VALUE", help="of all recipes"
    )
    parser.add_argument("-n", type=int, default=200, help="simulated test pictures of a contrast")
    return parser.parse_args()


# Training and the networks' answers


def _find_maxima(options: argparse.Namespace) -> None:
    """Train every network with every seed where that is not done, and keep the maxima of the test pictures."""
    options.candidates.mkdir(parents=True, exist_ok=True)
    for contrast in options.contrasts:
        samples = _test_samples(options, contrast)
        arrays: dict[str, np.ndarray] = {}
        for number, (sample, pixel_mm) in enumerate(samples):
            joint = sample.levels - FIRST
            inside = (joint >= 0) & (joint < PAPER_JOINTS)
            arrays[f"truth/{number}"] = np.column_stack([joint[inside], sample.points[inside] * pixel_mm])
        kept = options.candidates / f"{contrast}.npz"
        before = _read(kept) if kept.exists() else {}
        if all(_alike(before.get(key), truth) for key, truth in arrays.items()):
            arrays = before  # of the same pictures
        for name in options.networks:
            for seed in options.seeds:
                size = _size(options)
                print(f"{contrast}, {name}{size}, seed {seed}", flush=True)
                table = _maxima_of(name, contrast, seed, samples, options)
                arrays[f"maxima/{name}{size}/{seed}"] = table.astype(np.float32)
                np.savez_compressed(kept, **arrays)


def _alike(before: np.ndarray | None, now: np.ndarray) -> bool:
    """Whether two truths are of the same picture: machines may differ in the last digit."""
    return before is not None and before.shape == now.shape and np.allclose(before, now)


def _recipe(name: str, contrast: str, seed: int, options: argparse.Namespace) -> Recipe:
    people = LEAN_PEOPLE if options.lean else SHORT_PEOPLE if options.short else PEOPLE
    source = (
        f"{{kind: synth, pool: {people}, weight: 1.0, contrast: {CONTRASTS[contrast]}, field_of_view: spine-generic}}"
    )
    if options.data is not None:
        source = f"{{kind: prepared, path: pictures/{contrast}, subjects: {options.data / 'train.txt'}, weight: 1.0}}"
    recipe = load_recipe(NETWORKS[name], [f"data=[{source}]", f"seed={seed}", *_changes(name, options)])
    assert isinstance(recipe, Recipe)
    return recipe


def _size(options: argparse.Namespace) -> str:
    """What a network's name ends in: those of another size or training are another row."""
    return ", lean" if options.lean else ", short" if options.short else ""


def _changes(name: str, options: argparse.Namespace) -> tuple[str, ...]:
    """What a network's recipe is changed by, beside its data and seed."""
    shorter = (*LEAN_ALL, *LEAN[name]) if options.lean else SHORT_ALL if options.short else ()
    start = NAMELESS_START if shorter and name in NAMELESS else ()
    return (*shorter, *start, *options.changes)


def _maxima_of(
    name: str, contrast: str, seed: int, samples: list[tuple[SlabSample, np.ndarray]], options: argparse.Namespace
) -> np.ndarray:
    """Maxima of all pictures: rows of picture, joint, row and column in mm, height."""
    recipe = _recipe(name, contrast, seed, options)
    stem = f"{NETWORKS[name].removeprefix('discs-')}-{contrast}"
    run = options.train / f"{stem}-{seed}{_size(options).replace(', ', '-')}"
    # A finished run stays as it is; one of another recipe is refused.
    train(recipe, data=options.data, out=run, resume=True, cache=options.train / "pictures", progress=False)
    _, network = load_run(run)
    if seed == options.seeds[0] and name in CLAIMS[0] and not options.lean:
        trained_on = "simulated" if options.data is None else "Spine Generic"
        source = {"recipe": NETWORKS[name], "changes": " ".join(_changes(name, options)), "data": trained_on}
        _keep(network, recipe, source, options.weights / f"{stem}.safetensors")
    device = torch.accelerator.current_accelerator() or torch.device("cpu")
    network = network.to(device)
    spacing, stride = recipe.input.spacing_mm, network.output_stride
    counted = recipe.target.blob == "square"
    side = int(recipe.target.square_mm / spacing / stride) // 2 * 2 - 1 if counted else None
    rows = []
    for number, (sample, pixel_mm) in enumerate(samples):
        seen = centred(sample, recipe.input.shape, spacing)
        image = torch.from_numpy(seen.image).expand(1, recipe.input.channels, -1, -1).to(device)
        with torch.inference_mode():
            heat = network(image).scores[-1][0].cpu().numpy()
        radius = max(1, round(RADIUS_MM / spacing / stride))
        found = level_maxima(heat, stride=stride, radius=radius, threshold=THRESHOLD, square=side)
        # Back to the pixels of the picture that was cut, which start elsewhere.
        shift = (np.array(sample.image.shape) - 1) / 2 - spacing / sample.spacing * (np.array(seen.image.shape) - 1) / 2
        places = (found.places * spacing / sample.spacing + shift) * pixel_mm
        rows.append(np.column_stack([np.full(len(places), number), found.channel, places, found.height]))
    return np.concatenate(rows)


def _keep(network: LandmarkNetwork, recipe: Recipe, source: dict[str, str], path: Path) -> None:
    """Keep a published variant in half precision, as `lookonce.models.load` reads it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    model = {**recipe.model.options, "classes": recipe.target.classes, "in_channels": recipe.input.channels}
    halves = {
        name: value.half() if value.is_floating_point() else value for name, value in network.state_dict().items()
    }
    contiguous = {name: value.contiguous() for name, value in halves.items()}
    write_network(path, StoredNetwork(recipe.model.name, model, contiguous, source))


def _test_samples(options: argparse.Namespace, contrast: str) -> list[tuple[SlabSample, np.ndarray]]:
    """Test pictures and the size of their pixels, mm."""
    if options.data is None:
        return [_simulated(index, CONTRASTS[contrast]) for index in range(options.n)]
    subjects = read_subjects(options.data / "test.txt")
    paths = sorted((options.data / "pictures" / contrast).glob("*.npz"))
    return [_prepared(path) for path in paths if path.stem.partition("_")[0] in subjects]


def _simulated(index: int, contrast: str) -> tuple[SlabSample, np.ndarray]:
    rng = np.random.default_rng([TEST_SEED, index])
    slab = simulate_slab(rng, spacing=1.0, field_of_view="spine-generic", contrast=contrast, lateral=0.0)
    # What is cut away from the middle 256 mm does not count.
    whole = SlabSample(slab.image, slab.spacing, slab.points, slab.levels, slab.lateral)
    cut = centred(whole, (256, 256), 1.0)
    inside = ((cut.points >= 0) & (cut.points <= 255)).all(axis=1)
    return SlabSample(cut.image, 1.0, cut.points[inside], cut.levels[inside], cut.lateral[inside]), np.ones(2)


def _prepared(path: Path) -> tuple[SlabSample, np.ndarray]:
    with np.load(path, allow_pickle=False) as stored:
        levels = stored["levels"]
        sample = SlabSample(stored["image"], float(stored["spacing"]), stored["points"], levels, np.zeros(len(levels)))
        return sample, stored["pixel_mm"]


# The ways to sort out the maxima


def _ways() -> dict[str, Way]:
    """Which maxima stay, as their indices."""
    session = PointSession(find_model(POINT_MODEL), threads=2)
    mean = mean_skeleton([skeleton[:PAPER_JOINTS] for skeleton in simulated_skeletons(300, seed=0)])
    pairs = [(one, other) for one, other in combinations(range(PAPER_JOINTS), 2) if 3 <= other - one <= 6]
    return {
        "maxima": lambda found, _truth: np.arange(len(found.height)),
        "conditions": lambda found, _truth: np.flatnonzero(meet_conditions(found.places)),
        "skeleton": lambda found, _truth: _by_skeleton(found, mean),
        "skeleton, told": lambda found, truth: _by_skeleton(found, mean, visible=truth.joint.astype(int)),
        "skeleton, turned": lambda found, _truth: _by_skeleton(found, mean, pairs=pairs, turn=True),
        "look once": lambda found, _truth: np.flatnonzero(session(found.places) >= 0.5),
        "chain": lambda found, _truth: _by_chain(found),
    }


def _by_skeleton(found: LevelMaxima, mean: np.ndarray, *, visible: np.ndarray | None = None, **options) -> np.ndarray:
    joints = range(len(mean)) if visible is None else sorted(set(visible.tolist()))
    members = [np.flatnonzero(found.channel == joint) for joint in joints]
    match = search_skeleton([found.places[of_joint] for of_joint in members], mean[list(joints)], **options)
    kept = [of_joint[index] for of_joint, index in zip(members, match.choice, strict=True) if index >= 0]
    return np.array(sorted(kept), dtype=np.intp)


def _by_chain(found: LevelMaxima) -> np.ndarray:
    order = np.argsort(found.places[:, 0])
    candidates = postprocessing.as_candidates(found.places[order], FIRST + found.channel[order], found.height[order])
    return order[decode_chain(candidates).picked]


# Tables


def _read(path: Path) -> dict[str, np.ndarray]:
    with np.load(path, allow_pickle=False) as stored:
        return {name: stored[name] for name in stored.files}


def _pictures(stored: dict[str, np.ndarray]) -> list[Picture]:
    count = sum(name.startswith("truth/") for name in stored)
    truths = [stored[f"truth/{number}"] for number in range(count)]
    return [Picture(truth[:, 0], truth[:, 1:]) for truth in truths]


def _cases(table: np.ndarray, pictures: list[Picture], keep: Way) -> list[PaperCase]:
    """One network and way on all pictures."""
    cases = []
    for number, truth in enumerate(pictures):
        rows = table[table[:, 0] == number].astype(np.float64)
        found = LevelMaxima(rows[:, 1].astype(np.intp), rows[:, 2:4], rows[:, 4])
        kept = keep(found, truth) if len(rows) else np.zeros(0, dtype=np.intp)
        cases.append(paper_points(_in_world(truth.places), _in_world(found.places[kept])))
    return cases


def _in_world(places: np.ndarray) -> np.ndarray:
    return np.column_stack([np.zeros(len(places)), -places[:, 1], -places[:, 0]])


def _networks(stored: dict[str, np.ndarray]) -> dict[str, list[np.ndarray]]:
    """Tables of maxima of all seeds, by network and size."""
    networks: dict[str, list[np.ndarray]] = {}
    for name, table in stored.items():
        if name.startswith("maxima/"):
            networks.setdefault(name.split("/")[1], []).append(table)
    return dict(sorted(networks.items(), key=lambda item: list(NETWORKS).index(_plain(item[0]))))


def _plain(name: str) -> str:
    """The name without the size."""
    return name.partition(",")[0]


def _print_table(contrast: str, stored: dict[str, np.ndarray], ways: dict[str, Way]) -> None:
    pictures = _pictures(stored)
    networks = _networks(stored)
    print(f"\n## {contrast}: {len(pictures)} pictures, mean over seeds (standard deviation between them)\n")
    print("| network | seeds | way | DTT mm | its spread mm | FNR % | FPR % | published: DTT (spread), FNR, FPR |")
    print("|---|---|---|---|---|---|---|---|")
    for name, tables in networks.items():
        for way, keep in ways.items():
            if _plain(name) in NAMELESS and way not in NAMELESS_WAYS:
                continue
            figures = np.array([_figures(_cases(table, pictures, keep)) for table in tables])
            spread = figures.std(axis=0, ddof=1) if len(figures) > 1 else np.full(4, np.nan)
            cells = [
                f"{mean:.2f}" + ("" if np.isnan(sd) else f" ({sd:.2f})")
                for mean, sd in zip(figures.mean(axis=0), spread, strict=True)
            ]
            published = PUBLISHED.get((contrast, _plain(name), way), "-")
            print(f"| {name} | {len(tables)} | {way} | {' | '.join(cells)} | {published} |")


def _figures(cases: list[PaperCase]) -> tuple[float, float, float, float]:
    distances = np.concatenate([case.distances for case in cases])
    discs = sum(case.true for case in cases)
    return (
        float(distances.mean()),
        float(distances.std()),
        100 * sum(case.false_negatives for case in cases) / discs,
        100 * sum(case.false_positives for case in cases) / discs,
    )


def _print_claims(tables: dict[str, dict[str, np.ndarray]], ways: dict[str, Way]) -> None:
    """Whether attention and shape help: paired differences of the errors a disc, bootstrap over pictures."""
    print("\n## Does it help?\n")
    print("Errors (missed and false) per 100 discs, seeds pooled, 95 % by bootstrap over pictures.\n")
    print("| contrast | way | better? | than | difference | verdict |\n|---|---|---|---|---|---|")
    for contrast, stored in tables.items():
        pictures, networks = _pictures(stored), _networks(stored)
        claims = [(better + size, worse + size) for better, worse in CLAIMS for size in SIZES]
        for better, worse in claims:
            if better not in networks or worse not in networks:
                continue
            for way in ("maxima", "skeleton, turned", "chain"):
                errors = {
                    name: sum(np.array(_errors(_cases(table, pictures, ways[way]))) for table in networks[name])
                    / len(networks[name])
                    for name in (better, worse)
                }
                gain = 100 * (errors[better] - errors[worse])
                discs = [len(picture.joint) for picture in pictures]
                low, high = bootstrap_ratio(gain.tolist(), discs, range(len(pictures))) or (np.nan, np.nan)
                verdict = "yes" if high < 0 else "no, worse" if low > 0 else "inconclusive"
                seeds = min(len(networks[name]) for name in (better, worse))
                if seeds < CLAIM_SEEDS:
                    verdict = f"inconclusive: {seeds} of {CLAIM_SEEDS} seeds"
                difference = f"{gain.sum() / sum(discs):+.2f} ({low:+.2f} to {high:+.2f})"
                print(f"| {contrast} | {way} | {better} | {worse} | {difference} | {verdict} |")


def _errors(cases: list[PaperCase]) -> list[int]:
    return [case.false_negatives + case.false_positives for case in cases]


if __name__ == "__main__":
    main()
