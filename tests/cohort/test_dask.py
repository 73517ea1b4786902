"""A real scheduler and real workers on loopback, one of which is killed at work."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import pytest
from tests.blobs import make_phantom, write_blob_model
from tests.cohort.studies import in_order, results
from tests.cohort.work import DyingEngine, always_die, double_or_die

import lookonce
from lookonce.cohort.engines import WorkerLostError
from lookonce.cohort.plan import Selection, find_study
from lookonce.cohort.run import label_study, make_job, summarise_study
from lookonce.errors import UsageError

pytest.importorskip("distributed")
import psutil  # which distributed brings

from lookonce.cohort.dask import ClusterError, connected

ROOT = Path(__file__).parents[2]


def start(stack: ExitStack, *words: str, stderr: int = subprocess.DEVNULL) -> subprocess.Popen:
    """Start a process of Dask that ends with the test."""
    paths = [str(Path(lookonce.__file__).parents[1]), str(ROOT)]
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(paths), "OMP_NUM_THREADS": "1"}
    process = subprocess.Popen(
        [sys.executable, "-m", "distributed.cli." + words[0], *words[1:]],
        env=environment,
        stdout=subprocess.DEVNULL,
        stderr=stderr,
        text=True,
    )
    stack.callback(process.wait)
    stack.callback(process.kill)
    return process


@dataclass(frozen=True)
class Running:
    """A scheduler on loopback and its workers of one thread each."""

    address: str
    process: subprocess.Popen
    workers: list[subprocess.Popen]


@contextmanager
def running(*words: str) -> Iterator[Running]:
    """A scheduler with two workers, which are started with some more words."""
    with ExitStack() as stack:
        listen = ("--host", "127.0.0.1", "--port", "0", "--no-dashboard", "--no-show")
        process = start(stack, "dask_scheduler", *listen, stderr=subprocess.PIPE)
        address = next(line.split()[-1] for line in process.stderr if "Scheduler at" in line)
        options = ("--nthreads", "1", "--no-dashboard", *words)
        yield Running(address, process, [start(stack, "dask_worker", address, *options) for _ in range(2)])


@pytest.fixture
def scheduler() -> Iterator[str]:
    """Address of a scheduler with two workers that nobody starts again."""
    with running("--no-nanny") as found:
        yield found.address


def connect(found: Running, folder: Path):
    return connected(scheduler=found.address, cluster=None, jobs=1, shared_folder=folder)


def test_a_worker_killed_at_work_loses_nothing(scheduler, tmp_path):
    model = write_blob_model(tmp_path / "blobs.onnx", first_level=3)
    scan = make_phantom().save(tmp_path / "in/sub-01/anat/sub-01_T2w.nii.gz")
    for subject in ("sub-02", "sub-03"):
        (tmp_path / "in" / subject / "anat").mkdir(parents=True)
        shutil.copy(scan, tmp_path / "in" / subject / "anat" / f"{subject}_T2w.nii.gz")
    study = find_study(tmp_path / "in", Selection())
    job = make_job(tmp_path / "in", tmp_path / "out", model=str(model), suffixes=("T2w",))
    with connected(scheduler=scheduler, cluster=None, jobs=1, shared_folder=job.bids_dir) as engine:
        found = label_study(job, study, DyingEngine(engine, tmp_path / "died"), whole=study)
    assert (tmp_path / "died").exists()
    assert {standing.state for standing in found.values()} == {"done"}
    summarise_study(job, study, whole=study)
    here = replace(job, out_dir=tmp_path / "here")
    label_study(here, study, in_order, whole=study)
    summarise_study(here, study, whole=study)
    assert results(here.out_dir) == results(job.out_dir)


@pytest.mark.slow
def test_a_task_that_kills_every_worker_is_reported_and_those_beside_it_are_done(tmp_path, monkeypatch):
    monkeypatch.setenv("DASK_DISTRIBUTED__SCHEDULER__ALLOWED_FAILURES", "0")  # of the scheduler: each death is blamed
    with running("--nanny") as found, connect(found, tmp_path) as engine:
        done = list(engine(partial(double_or_die, deadly=3), range(8)))
    results = dict(done)
    assert len(done) == 8
    assert isinstance(results[3], WorkerLostError)
    assert "--retry-failed" in str(results.pop(3))
    assert results == {number: 2 * number for number in (0, 1, 2, 4, 5, 6, 7)}


@pytest.mark.slow
def test_without_any_worker_left_the_run_ends_with_a_remedy(scheduler, tmp_path, monkeypatch):
    monkeypatch.setattr("lookonce.cohort.dask.SILENCE_SECONDS", 0.5)
    with connected(scheduler=scheduler, cluster=None, jobs=1, shared_folder=tmp_path) as engine:
        monkeypatch.setattr("lookonce.cohort.dask.FIRST_WORKER_SECONDS", 0.5)
        with pytest.raises(ClusterError, match="no Dask worker is left"):
            list(engine(always_die, range(4)))


@pytest.mark.slow
def test_without_a_scheduler_any_more_the_run_ends_with_a_remedy(tmp_path, monkeypatch):
    monkeypatch.setattr("lookonce.cohort.dask.CONNECT_SECONDS", 2)
    with running("--no-nanny") as found, connect(found, tmp_path) as engine:
        work = engine(partial(double_or_die, deadly=-1), range(50))
        next(work)
        found.process.kill()
        with pytest.raises(ClusterError, match="scheduler is lost"):
            list(work)


def test_a_scheduler_that_does_not_answer_is_an_error_with_a_remedy(tmp_path, monkeypatch):
    monkeypatch.setattr("lookonce.cohort.dask.CONNECT_SECONDS", 1)
    with (
        pytest.raises(ClusterError, match="dask scheduler"),
        connected(scheduler="tcp://127.0.0.1:9", cluster=None, jobs=1, shared_folder=tmp_path),
    ):
        pass


@pytest.mark.slow
def test_jobs_of_a_batch_system_do_the_work_and_end_with_it(tmp_path):
    path = tmp_path / "cluster.yaml"
    path.write_text(f"jobqueue: {{local: {{cores: 1, processes: 1, memory: 1GB, log-directory: {tmp_path}}}}}")
    with connected(scheduler=None, cluster=path, jobs=1, shared_folder=tmp_path) as engine:
        assert dict(engine(partial(double_or_die, deadly=-1), range(5))) == {number: 2 * number for number in range(5)}
        (worker,) = map(psutil.Process, engine.client.run(os.getpid).values())
    _, alive = psutil.wait_procs([worker], timeout=60)
    assert alive == []


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("{", "YAML"),
        ("3", "jobqueue"),
        ("slurm: {cores: 1}", "slurm, pbs"),
        ("jobqueue: {nosuch: {}}", "slurm, pbs"),
        ("jobqueue: {slurm: {}, pbs: {}}", "one of"),
        ("jobqueue: {slurm: [4]}", "cores: 4"),
        ("jobqueue: {slurm: }", "cores: 4"),
        ("jobqueue: {local: {cores: 1, memory: 1GB, wall-time: 2}}", "no option 'wall-time'; there are .*memory"),
        ("jobqueue: {local: {cores: 1}}", "memory"),
        ("jobqueue: {local: {memory: 1GB}}", "cores"),
        ("jobqueue: {local: {cores: 1, memory: much}}", "much"),
        ("jobqueue: {slurm: {cores: 1, memory: 1GB}}", "sbatch.*login node"),
    ],
)
def test_a_configuration_that_starts_no_cluster_says_what_is_wrong(text, complaint, tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))  # without any batch system
    path = tmp_path / "cluster.yaml"
    path.write_text(text)
    with (
        pytest.raises(UsageError, match=rf"cluster\.yaml: .*{complaint}"),
        connected(scheduler=None, cluster=path, jobs=1, shared_folder=tmp_path),
    ):
        pass


def test_dask_needs_a_scheduler_or_a_cluster(tmp_path):
    with (
        pytest.raises(UsageError, match="--scheduler"),
        connected(scheduler=None, cluster=None, jobs=1, shared_folder=tmp_path),
    ):
        pass
