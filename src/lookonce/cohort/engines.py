"""Who does the work: processes of this machine, or the workers of a Dask cluster.

An engine is a function from a piece of work and its tasks to the results, in the order in which they become ready. It
knows nothing of scans. A worker that dies loses nothing: its tasks are given to others, and a task that kills its
worker again and again is reported and stops no other.
"""

from __future__ import annotations

import multiprocessing
import os
import threading
from collections.abc import Callable, Generator, Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from itertools import islice
from typing import Protocol, TypeVar

from lookonce.errors import LookOnceError

Task = TypeVar("Task")
Result = TypeVar("Result")


class WorkerLostError(LookOnceError):
    """The process that worked on a task died, more than once."""

    kind = "worker-lost"


class Engine(Protocol):
    """What every engine does.

    Yields each task with its result, or with a `WorkerLostError`. Any exception of the work itself ends the run.
    """

    def __call__(
        self, work: Callable[[Task], Result], tasks: Iterable[Task]
    ) -> Iterator[tuple[Task, Result | WorkerLostError]]:
        """Do all tasks."""
        ...


class LocalEngine:
    """Processes of this machine.

    Parameters
    ----------
    jobs : int
        How many.
    """

    def __init__(self, jobs: int) -> None:
        self.jobs = jobs

    def __call__(
        self, work: Callable[[Task], Result], tasks: Iterable[Task]
    ) -> Iterator[tuple[Task, Result | WorkerLostError]]:
        """See `Engine`."""
        waiting = iter(tasks)
        while True:
            # When a process dies, nobody can say which task it was at: each of those is tried again by itself.
            suspects = yield from _until_a_process_dies(work, waiting, self.jobs)
            if not suspects:
                return
            for task in suspects:
                yield task, _by_itself(work, task)


def _until_a_process_dies(
    work: Callable[[Task], Result], waiting: Iterator[Task], jobs: int
) -> Generator[tuple[Task, Result], None, list[Task]]:
    """Work until nothing waits any more, and return the tasks that were under way when a process died."""
    with _pool(jobs) as pool:
        running: dict[Future[Result], Task] = {}
        lost: list[Task] = []
        try:
            while not lost:
                # Not more than there are processes: few are under way when one dies.
                for task in islice(waiting, jobs - len(running)):
                    try:
                        running[pool.submit(work, task)] = task
                    except BrokenProcessPool:
                        lost.append(task)
                        break
                if not running:
                    break
                for future in wait(running, return_when=FIRST_COMPLETED).done:
                    task = running.pop(future)
                    try:
                        result = future.result()
                    except BrokenProcessPool:
                        lost.append(task)
                    else:
                        yield task, result
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise
        return [*lost, *running.values()]


def _by_itself(work: Callable[[Task], Result], task: Task) -> Result | WorkerLostError:
    with _pool(1) as pool:
        try:
            return pool.submit(work, task).result()
        except BrokenProcessPool:
            return WorkerLostError(
                "the process that worked on it died twice (out of memory, or killed?); use fewer --jobs, then "
                "run again with --retry-failed"
            )


def _pool(jobs: int) -> ProcessPoolExecutor:
    # spawn: the threads of ONNX Runtime do not survive a fork.
    return ProcessPoolExecutor(jobs, multiprocessing.get_context("spawn"), initializer=_end_with_parent)


def _end_with_parent() -> None:
    """Let no worker outlive a killed parent: it would wait for work for ever, with the model in memory."""

    def watch() -> None:
        parent = multiprocessing.parent_process()
        if parent is not None:
            parent.join()
            os._exit(1)

    threading.Thread(target=watch, daemon=True).start()
