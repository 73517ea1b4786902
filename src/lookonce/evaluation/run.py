"""Scoring every scan of BIDS trees with known labels, as it is or changed.

A scan without a prediction counts as missed, so leaving out the hard ones never makes a table look better.
"""

from __future__ import annotations

import csv
import io
import logging
import zlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from lookonce.errors import LookOnceError, UsageError, WeightsError
from lookonce.evaluation.changes import Change, KnownScan
from lookonce.evaluation.predictors import Prediction, folder_predictor, model_predictor
from lookonce.io.bids import LabelledScan, labelled_scans, read_labels, read_participants
from lookonce.io.files import read_start
from lookonce.io.headers import image_affine, image_shape, parse_header
from lookonce.io.nifti import SpineImage, label_stem, read_image
from lookonce.landmarks import DiscLabels
from lookonce.metrics.certainty import reliability
from lookonce.metrics.landmarks import STRICT_TOLERANCE_MM, SagittalFrame, paper_case, sagittal_frame, strict_case
from lookonce.metrics.summary import PROTOCOLS, CaseRow, Figure, TableRow, stated_certainty, summarise

if TYPE_CHECKING:
    from lookonce.decoders import DecoderName

#: Stands in a table where a scan has no value in the column that groups it.
NO_VALUE = "n/a"
#: Enough for a NIfTI-1 or NIfTI-2 header.
HEADER_BYTES = 540

Progress = Callable[[int, int, str], None]

_logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Selection:
    """Which scans to score, whom they show and how they are grouped.

    Attributes
    ----------
    subjects : frozenset of str, optional
        Subject ids to keep, with or without ``sub-``; by default all.
    split : str, optional
        Keep the subjects with this value in the column ``split`` of participants.tsv.
    by : str, optional
        Column of participants.tsv to group by; by default the contrast (BIDS suffix).
    patients : mapping of str to str
        Subject id to patient, where several subjects are one person. By default participants.tsv's column
        ``patient_id`` where there is one, else every subject is a patient.
    """

    subjects: frozenset[str] | None = None
    split: str | None = None
    by: str | None = None
    patients: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Evaluation:
    """Scored scans and their table; `change` is what was done to the scans before they were labelled."""

    source: str
    protocol: str
    cases: list[CaseRow]
    rows: list[TableRow]
    change: Change | None = None

    def to_json(self) -> dict[str, Any]:
        """The table and the cases, for programs; a figure's value, low and high are null where undefined."""
        tolerance = {"tolerance_mm": STRICT_TOLERANCE_MM} if self.protocol == "strict" else {}
        cases = [case_record(case, self.protocol) for case in self.cases]
        return {
            "source": self.source,
            "protocol": self.protocol,
            "change": None if self.change is None else str(self.change),
            **tolerance,
            "rows": [_row_record(row) for row in self.rows],
            "reliability": [asdict(level) for level in reliability(*stated_certainty(self.cases))],
            "cases": cases,
        }

    def to_csv(self) -> str:
        """One line a case: a scan, or one changed form of it, told apart by `repeat`."""
        text = io.StringIO()
        records = [case_record(case, self.protocol) for case in self.cases]
        writer = csv.DictWriter(text, fieldnames=list(records[0]), lineterminator="\n")
        writer.writeheader()
        writer.writerows(records)
        return text.getvalue()


def evaluate(
    source: str | Path,
    data: Sequence[Path],
    *,
    selection: Selection | None = None,
    protocol: str = "strict",
    change: Change | None = None,
    repeats: int = 1,
    seed: int = 0,
    decoder: DecoderName = "chain",
    progress: Progress | None = None,
) -> Evaluation:
    """Score a model or a folder of predictions, on discs: the top of C1, which label files may hold too, is none.

    Parameters
    ----------
    source : str or Path
        A folder of label files, found by the image's stem at any depth (``<stem>_*dlabel.nii.gz``), or a model.
    data : sequence of Path
        BIDS trees with disc labels; each gets its own rows.
    selection : Selection, optional
    protocol : {"strict", "paper"}
    change : Change, optional
        What is done to every scan before a model labels it.
    repeats, seed : int
        How often each scan is changed, and the seed of what is drawn at random; a scan is changed alike whatever else
        is scored, and once where nothing is random.
    decoder : str
        What picks and names the discs where a model labels.
    progress : callable, optional
        Called with the scans done, the scans in all and the scan in hand.

    Raises
    ------
    UsageError
        If an option names nothing: an unknown protocol, column or split, no scan is left, or labels in a folder are to
        be scored on changed scans or with another decoder.
    InputError
        If the truth cannot be read. A prediction that cannot be read counts as missed.
    WeightsError
        If the model cannot be loaded.
    """
    if protocol not in PROTOCOLS:
        raise UsageError(f"--protocol {protocol}: choose one of {', '.join(PROTOCOLS)}")
    predict = _predictor(source, change, decoder)
    scans = selected_scans(data, selection or Selection())
    cases = []
    for done, (row, scan) in enumerate(scans):
        if progress:
            progress(done, len(scans), label_stem(scan.image))
        truth = read_labels(scan.labels).without_c1_top()
        if not truth:
            _logger.warning("%s: holds no disc, so there is nothing to score; passed over", scan.labels)
        elif change is None:
            cases.append(_scored(row, scan, truth, predict))
        else:
            cases.extend(_scored_changed(row, scan, truth, predict, change, repeats, seed))
    if not cases and change is not None:
        raise UsageError(f"--change {change}: no scan is left with discs to score; make it milder")
    if not cases:
        raise UsageError(f"{', '.join(map(str, data))}: no label file holds a disc that could be scored")
    return Evaluation(str(source), protocol, cases, summarise(cases, protocol=protocol), change)


def case_record(case: CaseRow, protocol: str = "strict") -> dict[str, Any]:
    """One case as a flat record, for CSV and JSON."""
    keys = ("data_set", "subject", "session", "suffix", "patient", "group")
    record: dict[str, Any] = {key: getattr(case, key) for key in keys}
    if protocol == "paper":
        figures = ("true", "false_negatives", "false_positives", "dtt_median", "dtt_mean", "dtt_std", "z_mean")
        record |= {key: getattr(case.paper, key) for key in figures}
    else:
        counts = ("true", "found", "false_negatives", "false_positives", "wrong_names", "dtt_mean", "level_shift")
        record |= {key: getattr(case.strict, key) for key in (*counts, "all_right")}
        record |= {"uncertain": case.uncertain, "certainty": case.certainty, "silent_shift": case.silent_shift}
    return {**record, "repeat": case.repeat, "problem": case.problem}


def selected_scans(data: Sequence[Path], selection: Selection) -> list[tuple[dict[str, str], LabelledScan]]:
    """Scans to score, each with the fields of its `CaseRow` that do not depend on the prediction.

    Raises
    ------
    UsageError
        If no scan is left, or a column is not there.
    """
    tables = [read_participants(root) for root in data]
    _check_columns(tables, [column for column in (selection.by, "split" if selection.split else None) if column])
    wanted = None if selection.subjects is None else {_full(subject) for subject in selection.subjects}
    chosen = []
    for root, name, table in zip(data, _names(data), tables, strict=True):
        for scan in labelled_scans(root):
            row = table.get(scan.subject, {})
            listed = wanted is None or scan.subject in wanted
            if listed and (selection.split is None or row.get("split") == selection.split):
                chosen.append(({"data_set": name} | _fields_of(scan, row, selection), scan))
    if not chosen:
        raise UsageError(
            f"{', '.join(map(str, data))}: no labelled scan to score; check --data, --subjects and --split"
        )
    return chosen


def _fields_of(scan: LabelledScan, row: Mapping[str, str], selection: Selection) -> dict[str, str]:
    patients = {_full(subject): patient for subject, patient in selection.patients.items()}
    return {
        "subject": scan.subject,
        "session": scan.session or "",
        "suffix": scan.suffix,
        "patient": patients.get(scan.subject) or row.get("patient_id") or scan.subject,
        "group": (row.get(selection.by) or NO_VALUE) if selection.by else scan.suffix,
    }


def _predictor(source: str | Path, change: Change | None, decoder: DecoderName) -> Callable[[Any], Prediction]:
    if not Path(source).is_dir():
        return model_predictor(str(source), decoder)
    if change is not None:
        raise UsageError(f"--change needs a model to label the changed scans; {source} is a folder of labels")
    if decoder != "chain":
        raise UsageError(f"--decoder needs a model whose candidates it decodes; {source} is a folder of labels")
    return folder_predictor(Path(source))


def _scored(
    row: Mapping[str, str], scan: LabelledScan, truth: DiscLabels, predict: Callable[[Any], Prediction]
) -> CaseRow:
    return _case(row, truth, scan.annotated, _frame_of(scan.labels), _attempt(predict, scan.image))


def _scored_changed(
    row: Mapping[str, str],
    scan: LabelledScan,
    truth: DiscLabels,
    predict: Callable[[Any], Prediction],
    change: Change,
    repeats: int,
    seed: int,
) -> Iterator[CaseRow]:
    """Cases of one scan, changed `repeats` times; a change that leaves nothing to score gives none."""
    try:
        known = KnownScan(read_image(scan.image), truth, scan.annotated)
    except LookOnceError as error:
        problem = Prediction(DiscLabels(), problem=str(error))
        yield _case(row, truth, scan.annotated, _frame_of(scan.labels), problem)
        return
    frame = _frame_of(scan.labels)  # what is known right-left does not depend on how the scan is cut
    for repeat in range(repeats if change.is_random else 1):
        rng = np.random.default_rng([seed, repeat, zlib.crc32(label_stem(scan.image).encode())])
        changed = change.apply(known, rng)
        if changed is None:
            _logger.warning("%s: %s leaves too little of it; passed over", scan.image, change)
            return
        yield _case(row, changed.truth, changed.annotated, frame, _attempt(predict, changed.image), repeat)


def _attempt(predict: Callable[[Any], Prediction], image: Path | SpineImage) -> Prediction:
    try:
        prediction = predict(image)
        return replace(prediction, labels=prediction.labels.without_c1_top())
    except (UsageError, WeightsError):  # would fail for every scan alike
        raise
    except LookOnceError as error:
        return Prediction(DiscLabels(), problem=str(error))


def _case(
    row: Mapping[str, str],
    truth: DiscLabels,
    annotated: tuple[int, int] | None,
    frame: SagittalFrame,
    prediction: Prediction,
    repeat: int = 0,
) -> CaseRow:
    return CaseRow(
        **row,
        repeat=repeat,
        strict=strict_case(truth, prediction.labels, annotated=annotated, normal=frame.strict_normal),
        paper=paper_case(truth, prediction.labels, normal=frame.normal, axis=frame.axis),
        uncertain=prediction.uncertain,
        certainty=prediction.certainty,
        problem=prediction.problem,
    )


def _frame_of(labels: Path) -> SagittalFrame:
    """Sagittal slices of a scan, from its label file's header: it has the same grid, and the scan need not be there."""
    header = parse_header(labels, read_start(labels, HEADER_BYTES))
    shape, _ = image_shape(labels, header)
    affine, _ = image_affine(labels, header, shape)
    return sagittal_frame(shape, affine=affine)


def _check_columns(tables: Sequence[Mapping[str, Mapping[str, str]]], wanted: Sequence[str]) -> None:
    known = sorted({column for table in tables for row in table.values() for column in row})
    for column in wanted:
        if column not in known:
            raise UsageError(f"no participants.tsv has a column {column!r}; there are: {', '.join(known) or 'none'}")


def _names(data: Sequence[Path]) -> list[str]:
    """Short names of the data sets; whole paths where two would be the same."""
    names = [path.resolve().name for path in data]
    return names if len(set(names)) == len(names) else [str(path) for path in data]


def _full(subject: str) -> str:
    return subject if subject.startswith("sub-") else f"sub-{subject}"


def _row_record(row: TableRow) -> dict[str, Any]:
    figures = {name: _figure_record(figure) for name, figure in row.figures.items()}
    return {"data": row.data_set, "group": row.group, "scans": row.scans, "patients": row.patients, **figures}


def _figure_record(figure: Figure) -> dict[str, float | None]:
    low, high = figure.interval or (None, None)
    return {"value": figure.value, "low": low, "high": high}
