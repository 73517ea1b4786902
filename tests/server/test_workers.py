"""Worker processes: each lives alone, can be killed, and is replaced."""

from __future__ import annotations

import os
import signal
from dataclasses import replace
from pathlib import Path

import pytest
from tests.blobs import make_phantom

from lookonce.errors import WeightsError
from lookonce.server.refusals import TimeLimitError, WorkerLostError
from lookonce.server.schema import LabelOptions
from lookonce.server.settings import Limits, Settings
from lookonce.server.tasks import Task

pytest.importorskip("prometheus_client")
from lookonce.server.workers import Workers

SETTINGS = Settings(workers=1, threads=1)


@pytest.fixture(scope="module")
def scan(tmp_path_factory) -> Path:
    """A scan without a spine that the shipped model knows."""
    return make_phantom().save(tmp_path_factory.mktemp("scan") / "upload.nii")


def task(path: Path) -> Task:
    return Task(path=path, label=LabelOptions())


def test_a_process_that_dies_is_replaced_and_the_next_task_is_done(scan):
    losses: list[str] = []
    with Workers(SETTINGS, losses.append) as workers:
        os.kill(workers._all[0]._process.pid, signal.SIGKILL)
        with pytest.raises(WorkerLostError, match="the process that worked on the upload died"):
            workers.do(task(scan))
        assert losses == ["died"]
        assert workers.do(task(scan))["error"]["kind"] == "nothing-found"


def test_work_beyond_the_time_limit_is_stopped(scan):
    losses: list[str] = []
    with Workers(replace(SETTINGS, limits=Limits(job_seconds=0.001)), losses.append) as workers:
        first = workers._all[0]._process
        with pytest.raises(TimeLimitError, match="took longer than 0 s and was stopped"):
            workers.do(task(scan))
        assert not first.is_alive()
        assert workers._all[0]._process.is_alive()
    assert losses == ["time"]


def test_no_process_outlives_the_service():
    with Workers(SETTINGS) as workers:
        process = workers._all[0]._process
        assert process.is_alive()
    assert not process.is_alive()


def test_a_process_that_cannot_start_is_told_at_once():
    with pytest.raises((WeightsError, WorkerLostError)), Workers(replace(SETTINGS, limits=Limits(memory_bytes=1))):
        pass


def test_a_process_that_starts_too_slowly_is_the_service_s_fault(monkeypatch):
    monkeypatch.setattr("lookonce.server.workers._START_SECONDS", 0.001)
    with pytest.raises(WorkerLostError, match="did not start"), Workers(SETTINGS):
        pass


@pytest.mark.skipif(os.name == "nt", reason="signals are those of POSIX")
def test_a_system_too_short_of_memory_to_start_a_process_gets_another_try(scan, monkeypatch):
    def fail(process):
        raise OSError("Cannot allocate memory")

    with Workers(SETTINGS) as workers:
        os.kill(workers._all[0]._process.pid, signal.SIGKILL)
        with monkeypatch.context() as short:
            short.setattr("multiprocessing.context.SpawnProcess._Popen", staticmethod(fail))
            with pytest.raises(OSError, match="Cannot allocate memory"):
                workers.do(task(scan))
        with pytest.raises(WorkerLostError):
            workers.do(task(scan))
        assert workers.do(task(scan))["error"]["kind"] == "nothing-found"
