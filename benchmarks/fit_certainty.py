"""Choose the chain decoder's settings and the certainty's calibration on scans that were not trained on.

Every scan is labelled whole and in random pieces of 60, 40 and 20 % of its height. Over a grid of settings, those are
chosen under which the true numbering is most probable on average; a logistic function then turns the decoder's
probability into a calibrated one (with --plain only where an anchor is cut off). The last figures are cross-fitted:
each patient is scored by what the others chose.

    python benchmarks/fit_certainty.py discs --data lumbar --subjects unseen --most 0.96 --figure r.png
"""

from __future__ import annotations

import argparse
import itertools
import json
import sys
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from lookonce.decode.certainty import SUREST, Calibration
from lookonce.decode.chain import decode_chain
from lookonce.decode.chain_scores import ChainSettings
from lookonce.decode.evidence import Evidence, anchors_in_view
from lookonce.decode.heatmaps import Candidates
from lookonce.errors import LookOnceError
from lookonce.evaluation import Change, Selection
from lookonce.evaluation.changes import KnownScan
from lookonce.evaluation.run import selected_scans
from lookonce.geometry import world_to_voxel
from lookonce.io.bids import read_labels
from lookonce.io.lists import read_patients, read_subjects
from lookonce.io.nifti import read_image
from lookonce.labeling import CLEAR_FROM, FEWEST_CLEAR, look
from lookonce.metrics.certainty import auroc, brier_score, calibration_error, reliability
from lookonce.metrics.intervals import bootstrap_statistic
from lookonce.metrics.landmarks import sagittal_frame
from lookonce.numbering import CERTAIN_FROM, room_beyond
from lookonce.runtime.session import DiscSession
from lookonce.runtime.weights import find_model

#: Share of the height that is left, and how many pieces of it.
PIECES = {1.0: 1, 0.6: 3, 0.4: 3, 0.2: 3}
GRID = {
    "name_weight": (0.3, 0.4, 0.5, 0.7, 1.0),
    "name_doubt": (0.1, 0.2, 0.3),
    "anchor_doubt": (0.02, 0.05, 0.1),
    "name_floor": (0.01, 0.05),
    "end_missed": (-0.5, -1.0, -2.0),
}
FOLDS = 5
#: A candidate this close to a true disc in the sagittal plane is that disc.
SAME_DISC_MM = 6.0


@dataclass(frozen=True)
class Piece:
    """One piece of a scan as the decoder sees it, which shows `discs` discs.

    `levels` holds each candidate's true SCT value, 0 for none.
    """

    patient: str
    share: float
    discs: int
    candidates: Candidates
    room: tuple[float, float]
    levels: np.ndarray
    places_mm: tuple[np.ndarray, np.ndarray]


@dataclass(frozen=True)
class Outcome:
    """What the decoder says of a piece, and what is true."""

    stated: float
    true_share: float
    right: bool
    evidence: Evidence


@dataclass(frozen=True)
class Form:
    """What is asked of the calibration: no logistic function, and the surest that it may say."""

    plain: bool
    most: float


def main() -> None:
    options = _options()
    pieces = list(collect_pieces(DiscSession(find_model(options.model)), options.data, _selection(options)))
    patients = sorted({piece.patient for piece in pieces})
    fold_of = {patient: number % FOLDS for number, patient in enumerate(patients)}
    fold = np.array([fold_of[piece.patient] for piece in pieces])
    grid = [dict(zip(GRID, values, strict=True)) for values in itertools.product(*GRID.values())]
    rng = np.random.default_rng(0)
    chosen = [grid[index] for index in rng.permutation(len(grid))[: options.tries]]
    settings = [ChainSettings(), *(ChainSettings(**values) for values in chosen)]
    outcomes = []
    for number, setting in enumerate(settings):
        print(f"[{number + 1}/{len(settings)}]", end="\r", file=sys.stderr)
        outcomes.append([outcome_of(piece, setting) for piece in pieces])
    weights = _weights(pieces)
    score = np.array([[np.log(max(of.true_share, 1e-3)) for of in row] for row in outcomes]) * weights
    crossed, right = _report(pieces, outcomes, settings, score, fold, Form(options.plain, options.most))
    if options.figure:
        _draw(options.figure, crossed, right)
    if options.enter:
        fitted = _fitted(outcomes[0], weights, Form(options.plain, options.most))
        _enter(find_model(options.model).path.with_suffix(".json"), fitted)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model")
    parser.add_argument("--data", type=Path, action="append", required=True)
    parser.add_argument("--subjects")
    parser.add_argument("--patients")
    parser.add_argument("--tries", type=int, default=60, help="settings of the grid to try (default: %(default)s)")
    parser.add_argument(
        "--figure", type=Path, help="where to draw the reliability diagram of the cross-fitted certainty"
    )
    parser.add_argument("--plain", action="store_true", help="no logistic function where no anchor is in view")
    parser.add_argument(
        "--most", type=float, default=SUREST, help="without an anchor in view, the surest (default: %(default)s)"
    )
    parser.add_argument("--enter", action="store_true", help="write the fitted calibration into the model's card")
    return parser.parse_args()


def _selection(options: argparse.Namespace) -> Selection:
    return Selection(
        subjects=read_subjects(options.subjects) if options.subjects else None,
        patients=read_patients(options.patients) if options.patients else {},
    )


def collect_pieces(session: DiscSession, data: list[Path], selection: Selection):
    """The scans whole and in pieces, as the network sees them."""
    for row, scan in selected_scans(data, selection):
        print(scan.image.name, file=sys.stderr)
        patient = f"{row['data_set']} {row['patient']}"
        whole = KnownScan(read_image(scan.image), read_labels(scan.labels), scan.annotated)
        for share, count in PIECES.items():
            for repeat in range(count):
                rng = np.random.default_rng([repeat, round(100 * share), len(whole.truth)])
                known = Change("crop", share).apply(whole, rng)
                piece = None if known is None else _piece(known, patient, share, session)
                if piece is not None:
                    yield piece


def _piece(known: KnownScan, patient: str, share: float, session: DiscSession) -> Piece | None:
    try:
        slabs, _, candidates = look(known.image, session)
    except LookOnceError as error:  # a piece too small to be a scan
        print(f"    {share}: {error}", file=sys.stderr)
        return None
    normal = sagittal_frame(known.image.data.shape, affine=known.image.affine).normal
    offsets = candidates.world_mm[:, None] - known.truth.points
    gaps = np.linalg.norm(offsets - (offsets @ normal)[..., None] * normal, axis=2)
    if not (gaps <= SAME_DISC_MM).any():
        return None
    values = np.array([level.nifti_value for level in known.truth.levels])
    levels = np.where(gaps.min(axis=1) <= SAME_DISC_MM, values[gaps.argmin(axis=1)], 0)
    rows = world_to_voxel(candidates.world_mm, affine=slabs.affine)[:, 1]
    spacing = session.card.spacing_mm
    places = rows * spacing, (slabs.data.shape[1] - 1 - rows) * spacing
    return Piece(patient, share, len(known.truth), candidates, room_beyond(candidates, slabs), levels, places)


def outcome_of(piece: Piece, settings: ChainSettings) -> Outcome:
    """What the decoder says of a piece."""
    above, below = piece.room
    chain = decode_chain(piece.candidates, room_above_mm=above, room_below_mm=below, settings=settings)
    clear = np.count_nonzero(piece.candidates.probability[chain.picked] >= CLEAR_FROM)
    true = piece.levels[chain.picked]
    known = true > 0
    if clear < FEWEST_CLEAR or not known.any():  # no answer: neither certain nor right
        return Outcome(0.0, 0.0, False, Evidence())
    (shift, count), *_ = Counter((true - chain.levels)[known].tolist()).most_common(1)
    stated = chain.level_shift.get(0, 0.0)
    heights = (heights_mm[chain.picked] for heights_mm in piece.places_mm)
    evidence = Evidence(*anchors_in_view(chain.levels.tolist(), *heights))
    right = shift == 0 and 2 * count > known.sum()
    return Outcome(stated, chain.level_shift.get(shift, 0.0), right, evidence)


def _enter(card: Path, calibration: Calibration) -> None:
    fields = json.loads(card.read_text())
    fields["certainty"] = calibration.model_dump()
    card.write_text(json.dumps(fields, indent=1, ensure_ascii=False) + "\n")


def logit(probability: float) -> float:
    """Logarithm of the odds, finite for 0 and 1 too."""
    share = min(max(probability, 1e-4), 1 - 1e-4)
    return float(np.log(share / (1 - share)))


def _weights(pieces: list[Piece]) -> np.ndarray:
    """Every patient counts alike, whatever the number of pieces."""
    counts = Counter(piece.patient for piece in pieces)
    return np.array([1 / counts[piece.patient] for piece in pieces])


def logistic(features: np.ndarray, right: np.ndarray, weights: np.ndarray, ridge: float = 0.02) -> np.ndarray:
    """Coefficients of a logistic regression by Newton's method; the intercept is not shrunk."""
    penalty = np.diag([0.0, *[ridge] * (features.shape[1] - 1)])
    coefficients = np.zeros(features.shape[1])
    for _ in range(50):
        share = 1 / (1 + np.exp(-features @ coefficients))
        slope = features.T @ (weights * (right - share)) - penalty @ coefficients
        bend = (features * (weights * share * (1 - share))[:, None]).T @ features + penalty
        step = np.linalg.solve(bend + 1e-9 * np.eye(len(bend)), slope)
        coefficients += step
        if np.abs(step).max() < 1e-8:
            break
    return coefficients


def _report(
    pieces: list[Piece],
    outcomes: list[list[Outcome]],
    settings: list[ChainSettings],
    score: np.ndarray,
    fold: np.ndarray,
    form: Form,
) -> tuple[np.ndarray, np.ndarray]:
    """Print everything; the cross-fitted certainty under the default settings, and which pieces are right."""
    weights = _weights(pieces)
    best = int(score.sum(axis=1).argmax())
    print(f"pieces {len(pieces)}, patients {len({piece.patient for piece in pieces})}")
    mean = score.sum(axis=1) / weights.sum()
    print(f"mean log-probability of the truth: default {mean[0]:.3f}, best {mean[best]:.3f}")
    print(f"best settings: {settings[best]}")
    for name, index in (("default settings", 0), ("best settings", best)):
        stated = np.array([outcome.stated for outcome in outcomes[index]])
        _print_figures(f"{name}, as the decoder states", pieces, stated, _right(outcomes[index]))
    crossed = _cross_fitted(outcomes, score, fold, weights, form)
    _print_figures("cross-fitted settings and calibration", pieces, *crossed)
    forms = [Form(choice, form.most) for choice in (False, True)]
    both = [_cross_fitted(outcomes[:1], score[:1], fold, weights, of) for of in forms]
    for name, of in zip(("with", "without"), both, strict=True):
        _print_figures(f"default settings, cross-fitted calibration {name} the logistic function", pieces, *of)
    for name, index in (("default settings", 0), ("best settings", best)):
        print(f"{name}: {_fitted(outcomes[index], weights, form)}")
    return both[form.plain]


def _cross_fitted(
    outcomes: list[list[Outcome]],
    score: np.ndarray,
    fold: np.ndarray,
    weights: np.ndarray,
    form: Form,
) -> tuple[np.ndarray, np.ndarray]:
    """Certainty of every piece by settings and calibration that the other folds chose, and whether it is right."""
    crossed, right = np.zeros(len(fold)), np.zeros(len(fold), dtype=bool)
    for number in range(FOLDS):
        inside, outside = fold == number, fold != number
        chosen = int(score[:, outside].sum(axis=1).argmax())
        others = [outcome for outcome, kept in zip(outcomes[chosen], outside, strict=True) if kept]
        calibration = _fitted(others, weights[outside], form)
        print(f"without fold {number}: {calibration}")
        crossed[inside] = [
            calibration.probability(outcome.stated, outcome.evidence)
            for outcome, kept in zip(outcomes[chosen], inside, strict=True)
            if kept
        ]
        right[inside] = _right(outcomes[chosen])[inside]
    return crossed, right


def _right(outcomes: list[Outcome]) -> np.ndarray:
    return np.array([outcome.right for outcome in outcomes])


def _fitted(outcomes: list[Outcome], weights: np.ndarray, form: Form) -> Calibration:
    """The calibration of outcomes: one share where an anchor is cut off; a logistic fit without any, unless plain."""
    anchors = np.array([bool(outcome.evidence.anchors) for outcome in outcomes])
    cut = np.array([bool(outcome.evidence.cut) for outcome in outcomes]) & ~anchors
    none = ~anchors & ~cut
    right = _right(outcomes).astype(float)
    features = np.array([(1.0, logit(outcome.stated)) for outcome in outcomes])
    intercept, slope = logistic(features[none], right[none], weights[none])
    share = (weights[cut] @ right[cut] + 0.5) / (weights[cut].sum() + 1)  # half a patient right, half a one wrong
    function = {} if form.plain else {"intercept": round(float(intercept), 2), "slope": round(float(slope), 2)}
    return Calibration(cut=round(float(share), 2), most=form.most, **function)


def _print_figures(title: str, pieces: list[Piece], stated: np.ndarray, right: np.ndarray) -> None:
    both = [[row] for row in zip(stated, right, strict=True)]
    patients = [piece.patient for piece in pieces]
    print(title)
    for name, measure in (("calibration error", calibration_error), ("Brier score", brier_score), ("AUROC", auroc)):

        def of_rows(rows: np.ndarray, measure=measure) -> float:
            value = measure(rows[:, 0], rows[:, 1] == 1)
            return np.nan if value is None else value

        interval = bootstrap_statistic(both, patients, of_rows)
        ends = "" if interval is None else f" ({interval[0]:.3f}-{interval[1]:.3f})"
        print(f"    {name} {of_rows(np.array([stated, right]).T):.3f}{ends}")
    for share in PIECES:
        of = np.array([piece.share == share for piece in pieces])
        certain = of & (stated >= CERTAIN_FROM)
        of_certain = f"{right[certain].mean():.1%}" if certain.any() else "-"
        silent = (certain & ~right).sum() / of.sum()
        print(
            f"    {share:.0%}: {of.sum()} pieces, right {right[of].mean():.1%}, "
            f"certain {certain.sum() / of.sum():.1%}, of them right {of_certain}, silently wrong {silent:.1%}"
        )


def _draw(path: Path, stated: np.ndarray, right: np.ndarray) -> None:
    """Stated certainty against the share that is right; the numbers are pieces."""
    import matplotlib.pyplot as plt

    levels = reliability(stated, right)
    figure, axes = plt.subplots(figsize=(4.2, 4.2))
    axes.plot([0, 1], [0, 1], color="0.7", linewidth=1)
    axes.plot([level.stated for level in levels], [level.right for level in levels], marker="o", color="tab:blue")
    for level in levels:
        axes.annotate(str(level.cases), (level.stated, level.right), xytext=(4, -12), textcoords="offset points")
    axes.set(xlim=(0, 1), ylim=(0, 1.02), xlabel="stated certainty of the numbering", ylabel="share that is right")
    figure.tight_layout()
    figure.savefig(path, dpi=100)


if __name__ == "__main__":
    main()
