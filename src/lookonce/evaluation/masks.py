"""How good a model's or any tool's masks are, on prepared sets of pictures with masks."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lookonce.errors import InputError, NothingFoundError, UsageError
from lookonce.io.fitting import fitted, unfitted
from lookonce.io.mask_sets import MASK_TAILS, MaskCase, read_grey, read_mask_set
from lookonce.io.pictures import Picture, read_picture
from lookonce.metrics import masks as metrics
from lookonce.metrics.masks import MEASURES, PAPER_SIZE, MaskRow, count_pixels, hausdorff95, published_mask
from lookonce.metrics.summary import Figure

PROTOCOLS = ("strict", "paper")
#: Of predicted masks; photos are not among them.
_MASK_ENDINGS = (".png", ".bmp", ".tif", ".tiff")

Progress = Callable[[int, int, str], None]
#: From a case to its mask, or to probabilities, of any size.
Predict = Callable[[MaskCase], NDArray[Any]]


@dataclass(frozen=True)
class MaskEvaluation:
    """Scored pictures and their table."""

    source: str
    protocol: str
    cases: list[metrics.MaskCase]
    rows: list[MaskRow]

    def to_json(self) -> dict[str, Any]:
        """The table and the cases, for programs; a figure's value, low and high are null where undefined."""
        return {
            "source": self.source,
            "protocol": self.protocol,
            "rows": [
                {
                    "data": row.data_set,
                    "pictures": row.pictures,
                    "pooled": {name: _record(figure) for name, figure in row.pooled.items()},
                    "per_image": {name: _record(figure) for name, figure in row.per_image.items()},
                }
                for row in self.rows
            ],
            "cases": [case_record(case) for case in self.cases],
        }

    def to_csv(self) -> str:
        """One line a picture."""
        text = io.StringIO()
        records = [case_record(case) for case in self.cases]
        writer = csv.DictWriter(text, fieldnames=list(records[0]), lineterminator="\n")
        writer.writeheader()
        writer.writerows(records)
        return text.getvalue()


def evaluate_masks(
    source: str | Path,
    data: Sequence[Path],
    *,
    subjects: frozenset[str] | None = None,
    split: str | None = None,
    protocol: str = "strict",
    progress: Progress | None = None,
) -> MaskEvaluation:
    """Score a model or a folder of masks.

    Parameters
    ----------
    source : str or Path
        A model, or a folder of masks, found by the picture's name at any depth (``NAME.png``, ``NAME_mask.png``). A
        mask of another size is stretched to the picture's; of more than two values it is taken for probabilities.
    data : sequence of Path
        Prepared sets; each gets its own row.
    subjects : frozenset of str, optional
        Names to score; by default all.
    split : str, optional
        List to score.
    protocol : {"strict", "paper"}
        strict: what `lookonce segment` gives, at each picture's own size. paper: as TMUnet was evaluated, at 256 x 256
        pixels, cut at 0.43, opened and filled.
    progress : callable, optional
        Called with the pictures done, those in all and the one in hand.

    Raises
    ------
    UsageError
        If the protocol is unknown, nothing is left to score, or a picture has two masks in the folder.
    InputError
        If a set cannot be read. A prediction that cannot be read counts as an empty one.
    WeightsError
        If the model cannot be loaded.
    """
    if protocol not in PROTOCOLS:
        raise UsageError(f"--protocol {protocol}: choose one of {', '.join(PROTOCOLS)}")
    predict = _folder(Path(source)) if Path(source).is_dir() else _model(str(source), protocol)
    chosen = _chosen(data, subjects, split)
    cases = []
    for done, (name, case) in enumerate(chosen):
        if progress:
            progress(done, len(chosen), case.name)
        cases.append(_scored(name, case, predict, protocol))
    return MaskEvaluation(str(source), protocol, cases, metrics.summarise_masks(cases))


def case_record(case: metrics.MaskCase) -> dict[str, Any]:
    """One case as a flat record, for CSV and JSON; a share that is undefined is null."""
    counts = np.array(case.counts, dtype=np.float64)
    values = {name: float(measure(counts)) for name, measure in MEASURES.items()}
    record = asdict(case)
    pixels = dict(zip(("true_positive", "false_positive", "false_negative", "true_negative"), case.counts, strict=True))
    return {
        **{key: record[key] for key in ("data_set", "name", "kin")},
        **{name: value if np.isfinite(value) else None for name, value in values.items()},
        "hd95_px": case.hd95,
        **pixels,
        "problem": case.problem,
    }


def _chosen(data: Sequence[Path], subjects: frozenset[str] | None, split: str | None) -> list[tuple[str, MaskCase]]:
    names = [path.resolve().name for path in data]
    names = names if len(set(names)) == len(names) else [str(path) for path in data]
    chosen = [
        (name, case)
        for name, root in zip(names, data, strict=True)
        for case in read_mask_set(root).cases
        if (subjects is None or case.name in subjects) and (split is None or case.split == split)
    ]
    if not chosen:
        raise UsageError(f"{', '.join(map(str, data))}: no picture to score; check --data, --subjects and --split")
    return chosen


def _model(name: str, protocol: str) -> Predict:
    """Runner of a model: for `strict` the mask of `lookonce segment`, for `paper` its probabilities."""
    from lookonce.runtime.masks import MaskSession
    from lookonce.runtime.weights import find_model
    from lookonce.segmentation import segment

    session = MaskSession(find_model(name))
    card = session.card

    def probabilities(picture: Picture) -> NDArray[np.float32]:
        found = session(fitted(picture.pixels, card.size, card.resize)).mask
        return unfitted(found, (picture.pixels.shape[0], picture.pixels.shape[1]), card.resize)

    def predict(case: MaskCase) -> NDArray[Any]:
        picture = read_picture(case.image)
        return probabilities(picture) if protocol == "paper" else segment(picture, model=session).mask

    return predict


def _folder(folder: Path) -> Predict:
    """Reader of the masks below a folder."""
    files = [path for path in sorted(folder.rglob("*")) if path.suffix.lower() in _MASK_ENDINGS]
    by_stem: dict[str, list[Path]] = {}
    for path in files:
        by_stem.setdefault(path.stem, []).append(path)

    def predict(case: MaskCase) -> NDArray[Any]:
        found = next((by_stem[case.name + tail] for tail in MASK_TAILS if case.name + tail in by_stem), [])
        if not found:
            raise InputError(f"no {case.name}.png or {case.name}_mask.png below {folder}")
        if len(found) > 1:
            raise UsageError(f"{case.name} has two masks, {found[0]} and {found[1]}; give a folder with one of them")
        values = read_grey(found[0])
        shades = np.unique(values)
        # A picture that is all object has no 0; of a mask of 0 and 1 it is all 1.
        two_values = (len(shades) <= 2 and shades[0] == 0) or shades[-1] == 1
        return values > 0 if two_values else values.astype(np.float32) / 255

    return predict


def _scored(data_set: str, case: MaskCase, predict: Predict, protocol: str) -> metrics.MaskCase:
    truth = read_grey(case.mask) > 127
    problem = ""
    try:
        found = predict(case)
    except NothingFoundError:
        found = np.zeros_like(truth)
    except InputError as error:
        found, problem = np.zeros_like(truth), str(error)
    if protocol == "paper":
        truth = fitted(truth.astype(np.uint8) * 255, PAPER_SIZE, "stretch") > 127
        mask = published_mask(_at_size(found, PAPER_SIZE))
    else:
        mask = _at_size(found, (truth.shape[0], truth.shape[1])) >= 0.5
    counts = count_pixels(truth, mask)
    return metrics.MaskCase(data_set, case.name, case.kin, counts, hausdorff95(truth, mask), problem)


def _at_size(found: NDArray[Any], shape: tuple[int, int]) -> NDArray[np.float32]:
    """A mask or probabilities as the latter, of another size."""
    values = found.astype(np.float32)
    return values if values.shape == shape else unfitted(values, shape, "stretch")


def _record(figure: Figure) -> dict[str, float | None]:
    low, high = figure.interval or (None, None)
    return {"value": figure.value, "low": low, "high": high}
