"""What a run tells: its metrics as CSV and TensorBoard, and to the user no more than progress on stderr."""

from __future__ import annotations

import csv
import logging
import sys
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stdout
from pathlib import Path

from lightning.pytorch.loggers import CSVLogger, Logger, TensorBoardLogger
from lightning.pytorch.utilities import rank_zero_only

METRICS_FILE = "metrics.csv"


def open_loggers(out: Path, *, done_steps: int) -> list[Logger]:
    """Loggers of a run folder; a resumed run goes on in the files of the stopped one.

    Parameters
    ----------
    out : Path
    done_steps : int
        Optimizer steps of the checkpoint that the run goes on from, 0 for a new run. What a killed run logged after its
        checkpoint is dropped, since the steps are taken again.
    """
    return [
        _csv_logger(out, _rows_before(out / METRICS_FILE, done_steps)),
        TensorBoardLogger(out, name="", version="", purge_step=done_steps or None),
    ]


@contextmanager
def only_progress() -> Iterator[None]:
    """Send what is printed to stderr, stdout being for results, and silence Lightning's advertisements and hints."""
    loggers = [logging.getLogger(name) for name in ("lightning.pytorch", "lightning.fabric")]
    before = [logger.level for logger in loggers]
    for logger in loggers:
        logger.setLevel(logging.WARNING)
    try:
        with warnings.catch_warnings(), redirect_stdout(sys.stderr):
            warnings.filterwarnings("ignore", module=r"lightning\.")
            yield
    finally:
        for logger, level in zip(loggers, before, strict=True):
            logger.setLevel(level)


def _rows_before(path: Path, steps: int) -> list[dict[str, str]]:
    if steps == 0 or not path.exists():
        return []
    with path.open(newline="") as file:
        rows = [row for row in csv.DictReader(file) if (row["step"] or "").isdigit() and int(row["step"]) < steps]
    return [{name: value for name, value in row.items() if value} for row in rows]


def _csv_logger(out: Path, rows: list[dict[str, str]]) -> CSVLogger:
    logger = CSVLogger(out, name="", version="")
    if rank_zero_only.rank == 0:
        # The logger deletes an earlier table when it starts, so its rows are handed in anew.
        logger.experiment.metrics.extend(rows)
        logger.save()
    return logger
