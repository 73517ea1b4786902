"""Can a small network tell simulated from real scans, people apart? Prints the AUC and draws what gave them away.

Half of the people, real and simulated, train the network and it is asked about the other half, both ways round. Pieces
of 96 mm around discs, T2w, lumbar and cervical as the real scans are. 0.5 is what a perfect simulator would give. The
sheet shows pieces of real scans (kept out of the repository).

    python benchmarks/realism.py --data ../shared/data/spine/cervical --data ../shared/data/spine/lumbar -o sheet.png
"""

from __future__ import annotations

import argparse
import itertools
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import nn

from lookonce.datasets.augment import centred
from lookonce.datasets.samples import SlabSample
from lookonce.datasets.sources import BidsSource
from lookonce.io.bids import labelled_scans
from lookonce.io.lists import read_patients
from lookonce.metrics.certainty import auroc
from lookonce.synth import simulate_slab

SIZE, SPACING_MM = 64, 1.5
PIECES = 12
JITTER_MM = 10.0
BATCH = 32


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, action="append", required=True, help="BIDS tree with disc labels")
    parser.add_argument("--patients", help="who is one person, as in `lookonce evaluate`")
    parser.add_argument("-o", "--out", type=Path, help="where to draw the pieces that the network is surest of")
    parser.add_argument("--steps", type=int, default=400, help="training steps of each half (default: %(default)s)")
    options = parser.parse_args()
    rng = np.random.default_rng(0)
    torch.manual_seed(0)
    patients = read_patients(options.patients) if options.patients else {}
    real = [person for root in options.data for person in _real_people(root, patients, rng)]
    simulated = [_simulated_person(number, rng) for number in range(len(real))]
    people = np.stack(real + simulated)
    is_real = np.arange(len(people)) < len(real)
    half = rng.permutation(len(people)) % 2 == 0
    score = np.zeros(people.shape[:2])
    for train in (half, ~half):
        network = _trained(people[train], is_real[train], options.steps, rng)
        score[~train] = _scores(network, people[~train])
    print(f"people: {len(real)} real, {len(simulated)} simulated, none in both halves")
    print(f"AUC of single pieces {auroc(score.ravel(), np.repeat(is_real, PIECES)):.3f}")
    print(f"AUC of people (mean of {PIECES} pieces) {auroc(score.mean(axis=1), is_real):.3f}")
    if options.out:
        _draw(options.out, people, is_real, score)


def _real_people(root: Path, patients: dict[str, str], rng: np.random.Generator) -> list[np.ndarray]:
    """Pieces of every T2w scan, one scan a person."""
    scans = {scan.subject for scan in labelled_scans(root) if scan.suffix == "T2w"}
    one_each = {patients.get(subject, subject): subject for subject in sorted(scans)}
    source = BidsSource(root, one_each.values())
    people = []
    for stack in source.stacks:
        source.stacks = [stack]
        people.append(np.stack([_piece(source.draw(rng), rng) for _ in range(PIECES)]))
    return people


def _simulated_person(number: int, rng: np.random.Generator) -> np.ndarray:
    """Pieces of one simulated person, each in a plane of its own, spread as those of real scans are."""
    view = "cervical" if number % 10 == 0 else "lumbar"
    pieces = []
    for _ in range(PIECES):
        aside = rng.normal(0, 3) if rng.random() < 0.75 else rng.uniform(-16, 16)
        seeded = np.random.default_rng([99, number])
        slab = simulate_slab(seeded, field_of_view=view, contrast="t2", lateral=aside)
        pieces.append(_piece(SlabSample(slab.image, slab.spacing, slab.points, slab.levels, slab.lateral), rng))
    return np.stack(pieces)


def _piece(sample: SlabSample, rng: np.random.Generator) -> np.ndarray:
    """A piece around one of the discs in view, 0..1."""
    height, width = sample.image.shape
    margin = 12 / sample.spacing
    inside = [p for p in sample.points if margin < p[0] < height - margin and margin < p[1] < width - margin]
    row, column = (inside or [np.array(sample.image.shape) / 2])[rng.integers(max(len(inside), 1))]
    row, column = np.array([row, column]) + rng.uniform(-JITTER_MM, JITTER_MM, 2) / sample.spacing
    half = round(SIZE * SPACING_MM / sample.spacing / 2)
    padded = np.pad(np.asarray(sample.image, dtype=np.float32), half + 20)
    top, left = round(row) + 20, round(column) + 20
    cut = padded[max(top, 0) : top + 2 * half, max(left, 0) : left + 2 * half]
    empty = np.zeros((0, 2))
    piece = SlabSample(cut, sample.spacing, empty, np.zeros(0, dtype=int), np.zeros(0))
    return np.asarray(centred(piece, (SIZE, SIZE), SPACING_MM).image, dtype=np.float32)


def _trained(people: np.ndarray, is_real: np.ndarray, steps: int, rng: np.random.Generator) -> nn.Module:
    widths = (1, 16, 32, 64)
    layers: list[nn.Module] = []
    for before, after in itertools.pairwise(widths):
        layers += [nn.Conv2d(before, after, 5, stride=2, padding=2), nn.BatchNorm2d(after), nn.ReLU()]
    network = nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Dropout(0.3), nn.Linear(widths[-1], 1))
    optimizer = torch.optim.AdamW(network.parameters(), lr=2e-3, weight_decay=1e-2)
    for _ in range(steps):
        drawn = rng.integers(len(people), size=BATCH), rng.integers(PIECES, size=BATCH)
        answer = torch.from_numpy(is_real[drawn[0]].astype(np.float32))
        # Brightness alone shall not decide: scanners differ in it more than simulator and world do.
        images = people[drawn] ** np.exp(rng.normal(0, 0.2, (BATCH, 1, 1))).astype(np.float32)
        logits = network(torch.from_numpy(images)[:, None])[:, 0]
        loss = nn.functional.binary_cross_entropy_with_logits(logits, answer)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    return network.eval()


@torch.no_grad()
def _scores(network: nn.Module, people: np.ndarray) -> np.ndarray:
    """Logit of being real, (people, pieces)."""
    pieces = torch.from_numpy(people.reshape(-1, 1, SIZE, SIZE))
    return network(pieces)[:, 0].numpy().reshape(people.shape[:2])


def _draw(path: Path, people: np.ndarray, is_real: np.ndarray, score: np.ndarray) -> None:
    """Rows: simulated and taken for simulated, simulated and taken for real, real for simulated, real for real."""
    rows = []
    for real in (False, True):
        pieces, marks = people[is_real == real].reshape(-1, SIZE, SIZE), score[is_real == real].ravel()
        order = np.argsort(marks)
        rows += [np.hstack(pieces[order[:12]]), np.hstack(pieces[order[-12:]])]
    sheet = Image.fromarray((255 * np.clip(np.vstack(rows), 0, 1)).astype(np.uint8))
    sheet.resize((sheet.width * 2, sheet.height * 2)).save(path)


if __name__ == "__main__":
    main()
