"""Work that kills its worker; a module of its own, so that other processes can import it."""

from __future__ import annotations

import os
import signal
from functools import partial
from pathlib import Path

from lookonce.cohort.sessions import label_session


def double_or_die(number: int, deadly: int) -> int:
    if number == deadly:
        os.kill(os.getpid(), signal.SIGKILL)
    return 2 * number


def always_die(number: int) -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def complain(number: int) -> int:
    raise ValueError(f"{number}")


def die_once(number: int, marker: Path) -> int:
    _die_once(marker, number == 3)
    return 2 * number


def label_or_die_once(session, job, marker: Path):
    _die_once(marker, session.name == "sub-02")
    return label_session(session, job)


class DyingEngine:
    """An engine whose worker is killed while it is at sub-02, the first time."""

    def __init__(self, engine, marker: Path) -> None:
        self.engine, self.marker = engine, marker

    def __call__(self, work, tasks):
        assert work.func is label_session
        return self.engine(partial(label_or_die_once, job=work.keywords["job"], marker=self.marker), tasks)


def _die_once(marker: Path, is_time: bool) -> None:
    if is_time and not marker.exists():
        marker.touch()
        os.kill(os.getpid(), signal.SIGKILL)
