"""A real scheduler and real workers on loopback, one of which is killed at work."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path

import pytest
from tests.blobs import make_phantom, write_blob_model
from tests.cohort.studies import in_order, results
from tests.cohort.work import DyingEngine

import lookonce
from lookonce.cohort.plan import Selection, find_study
from lookonce.cohort.run import label_study, make_job, summarise_study
from lookonce.errors import UsageError

pytest.importorskip("distributed")
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


@pytest.fixture
def scheduler():
    """Address of a scheduler with two workers of one thread each."""
    with ExitStack() as stack:
        words = ("--host", "127.0.0.1", "--port", "0", "--no-dashboard", "--no-show")
        process = start(stack, "dask_scheduler", *words, stderr=subprocess.PIPE)
        address = next(line.split()[-1] for line in process.stderr if "Scheduler at" in line)
        for _ in range(2):
            start(stack, "dask_worker", address, "--no-nanny", "--nthreads", "1", "--no-dashboard")
        yield address


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
    summarise_study(job, study)
    here = replace(job, out_dir=tmp_path / "here")
    label_study(here, study, in_order, whole=study)
    summarise_study(here, study)
    assert results(here.out_dir) == results(job.out_dir)


def test_a_scheduler_that_does_not_answer_is_an_error_with_a_remedy(tmp_path, monkeypatch):
    monkeypatch.setattr("lookonce.cohort.dask.CONNECT_SECONDS", 1)
    with (
        pytest.raises(ClusterError, match="dask scheduler"),
        connected(scheduler="tcp://127.0.0.1:9", cluster=None, jobs=1, shared_folder=tmp_path),
    ):
        pass


@pytest.mark.parametrize("text", ["{", "slurm: {}", "jobqueue: {nosuch: {}}", "jobqueue: {slurm: {nosuch: 1}}"])
def test_a_configuration_that_starts_no_cluster_says_what_is_wrong(text, tmp_path):
    path = tmp_path / "cluster.yaml"
    path.write_text(text)
    with (
        pytest.raises(UsageError, match=r"cluster\.yaml"),
        connected(scheduler=None, cluster=path, jobs=1, shared_folder=tmp_path),
    ):
        pass


def test_dask_needs_a_scheduler_or_a_cluster(tmp_path):
    with (
        pytest.raises(UsageError, match="--scheduler"),
        connected(scheduler=None, cluster=None, jobs=1, shared_folder=tmp_path),
    ):
        pass
