"""The Dask engine: workers of a scheduler that runs already, or of jobs that a batch system starts.

Workers read and write the study's folders themselves, so both must be on a file system that all of them share.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, nullcontext
from importlib import import_module
from pathlib import Path
from queue import Empty, Queue
from typing import Any

from lookonce import __version__
from lookonce.cohort.engines import Result, Task, WorkerLostError
from lookonce.errors import LookOnceError, UsageError

#: How long to wait for a scheduler to answer, and for its first worker.
CONNECT_SECONDS = 30
FIRST_WORKER_SECONDS = 300
#: After how long without a result to see whether there are workers at all.
SILENCE_SECONDS = 60
#: Clusters of dask-jobqueue by the name that its configuration gives them; its `local` is there to try things out.
BATCH_SYSTEMS = {
    "slurm": "SLURMCluster",
    "pbs": "PBSCluster",
    "sge": "SGECluster",
    "lsf": "LSFCluster",
    "htcondor": "HTCondorCluster",
    "moab": "MoabCluster",
    "oar": "OARCluster",
    "local": "LocalCluster",
}


class ClusterError(LookOnceError):
    """The cluster cannot be reached or cannot do the work."""

    kind = "cluster"


class DaskEngine:
    """The workers of a Dask scheduler.

    Parameters
    ----------
    client : distributed.Client
    """

    def __init__(self, client: Any) -> None:
        self.client = client

    def __call__(
        self, work: Callable[[Task], Result], tasks: Iterable[Task]
    ) -> Iterator[tuple[Task, Result | WorkerLostError]]:
        """See `engines.Engine`.

        Raises
        ------
        ClusterError
            If the scheduler or all of its workers are lost on the way.
        """
        # Dask blames a worker's death on all tasks that were with it: each of those it gave up is tried by itself.
        suspects = []
        for task, result in self._done(work, tasks):
            if isinstance(result, WorkerLostError):
                suspects.append(task)
            else:
                yield task, result
        for task in suspects:
            yield from self._done(work, [task])

    def _done(
        self, work: Callable[[Task], Result], tasks: Iterable[Task]
    ) -> Iterator[tuple[Task, Result | WorkerLostError]]:
        """Tasks with their results as they become ready, and with an error where Dask has given up."""
        given = {self.client.submit(work, task, pure=False): task for task in tasks}
        ready: Queue[Any] = Queue()
        for future in given:
            future.add_done_callback(ready.put)
        while given:
            try:
                future = ready.get(timeout=SILENCE_SECONDS)
            except Empty:
                self._check_that_workers_are_left()
            else:
                yield given.pop(future), _outcome(future)
                future.release()

    def _check_that_workers_are_left(self) -> None:
        try:
            self.client.wait_for_workers(1, timeout=FIRST_WORKER_SECONDS)
        except TimeoutError:
            raise ClusterError(
                f"no Dask worker is left, and none came within {FIRST_WORKER_SECONDS} s; start some and run the same "
                "command again: it continues"
            ) from None
        except OSError as error:
            raise _scheduler_lost(error) from None


def _outcome(future: Any) -> Any:
    """What a finished piece of work gave, or the error to report where Dask has given it up."""
    from concurrent.futures import CancelledError

    from distributed import KilledWorker

    try:
        return future.result()
    except KilledWorker:
        return WorkerLostError(
            "several workers died over it (out of memory, or killed?); give them more memory, then run again with "
            "--retry-failed"
        )
    except (CancelledError, OSError) as error:
        raise _scheduler_lost(error) from None


def _scheduler_lost(error: BaseException) -> ClusterError:
    return ClusterError(
        f"the Dask scheduler is lost ({type(error).__name__}); start it and run the same command again: it continues"
    )


@contextmanager
def connected(*, scheduler: str | None, cluster: Path | None, jobs: int, shared_folder: Path) -> Iterator[DaskEngine]:
    """An engine for the length of a ``with`` block.

    Parameters
    ----------
    scheduler : str, optional
        Address of a scheduler that runs, such as ``tcp://10.0.0.1:8786``.
    cluster : Path, optional
        Configuration of dask-jobqueue, for jobs of a batch system that last as long as the block.
    jobs : int
        How many such jobs.
    shared_folder : Path
        What every worker must see.

    Raises
    ------
    UsageError
        If not exactly one of the two is given, or the configuration names no batch system.
    ClusterError
        If no scheduler or no worker answers, or a worker cannot do the work.
    """
    from distributed import Client

    if (scheduler is None) == (cluster is None):
        raise UsageError("--engine dask needs one of --scheduler tcp://HOST:PORT and --cluster FILE.yaml")
    with nullcontext(scheduler) if cluster is None else _batch_jobs(cluster, jobs) as place:
        try:
            client = Client(place, timeout=CONNECT_SECONDS)
        except (OSError, ValueError) as error:
            raise ClusterError(
                f"{scheduler}: no Dask scheduler answers ({_first_line(error)}); start one with `dask scheduler`"
            ) from None
        with client:
            _check_workers(client, shared_folder)
            yield DaskEngine(client)


@contextmanager
def _batch_jobs(path: Path, jobs: int) -> Iterator[Any]:
    """A cluster of the jobs that a configuration file of dask-jobqueue describes; they end with the block."""
    import dask

    name, options = _read_configuration(path)
    # A module each: dask-jobqueue's own face leaves out `local`.
    kind = getattr(import_module(f"dask_jobqueue.{name}"), BATCH_SYSTEMS[name])
    program = kind.job_cls.submit_command
    if program and not shutil.which(program):
        raise UsageError(f"{path}: {name} jobs are started with {program}, which is not here; run this on a login node")
    # Set for as long as the cluster is: each job reads it anew.
    with dask.config.set({f"jobqueue.{name}.{key}": value for key, value in options.items()}):
        try:
            cluster = kind()
        except (TypeError, ValueError, OSError, RuntimeError) as error:
            raise UsageError(f"{path}: {name} cannot be started so ({_first_line(error)})") from None
        with cluster:
            cluster.scale(jobs=jobs)
            yield cluster


def _read_configuration(path: Path) -> tuple[str, dict[str, Any]]:
    """Name of the one batch system in a configuration file, and its options.

    Raises
    ------
    UsageError
        If there is not one, or an option that dask-jobqueue does not know: it would pass over it without a word.
    """
    import dask
    import dask_jobqueue  # noqa: F401  brings the options that there are
    import yaml

    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, yaml.YAMLError) as error:
        raise UsageError(f"{path}: cannot be read as YAML ({' '.join(str(error).split())}); mend it") from None
    systems = content.get("jobqueue") if isinstance(content, dict) else None
    if not isinstance(systems, dict) or len(systems) != 1 or not systems.keys() <= BATCH_SYSTEMS.keys():
        raise UsageError(
            f"{path}: should hold jobqueue: with one of {', '.join(BATCH_SYSTEMS)} below it, as dask-jobqueue's own "
            "configuration does"
        )
    ((name, options),) = systems.items()
    if not isinstance(options, dict):
        raise UsageError(f"{path}: {name} should have options below it, such as cores: 4 and memory: 8GB")
    known = dask.config.get(f"jobqueue.{name}")
    unknown = [key for key in options if str(key).replace("_", "-") not in known]
    if unknown:
        raise UsageError(f"{path}: {name} has no option {unknown[0]!r}; there are {', '.join(sorted(known))}")
    return name, options


def _check_workers(client: Any, shared_folder: Path) -> None:
    """Make sure that the workers there are have this program and see the study."""
    try:
        client.wait_for_workers(1, timeout=FIRST_WORKER_SECONDS)
    except TimeoutError:
        raise ClusterError(
            f"no Dask worker came within {FIRST_WORKER_SECONDS} s; start one with `dask worker ADDRESS`, or see what "
            "the batch system says of the jobs"
        ) from None
    try:
        answers = client.run(_problem, str(shared_folder), __version__)
    except Exception as error:  # whatever a worker without this program raises
        raise ClusterError(
            f"a Dask worker cannot run lookonce ({_first_line(error)}); install the same version everywhere"
        ) from None
    for address, problem in answers.items():
        if problem:
            raise ClusterError(f"the Dask worker {address} {problem}")


def _problem(shared_folder: str, version: str) -> str:
    """What keeps this worker from doing the work; empty where nothing does."""
    if version != __version__:
        return f"has lookonce {__version__}, not {version}; install the same version everywhere"
    if not Path(shared_folder).is_dir():
        return f"does not see {shared_folder}; the study must lie on a file system that all workers share"
    return ""


def _first_line(error: BaseException) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0]
