"""Worker processes that can be killed: a scan that crashes one, hangs or takes all memory never stops the service."""

from __future__ import annotations

import json
import multiprocessing
import os
import queue
import signal
import sys
from collections.abc import Callable
from multiprocessing.connection import Connection
from types import TracebackType
from typing import Any

from lookonce.errors import LookOnceError, WeightsError
from lookonce.runtime.weights import DEFAULT_MODEL
from lookonce.server.refusals import TimeLimitError, WorkerLostError
from lookonce.server.settings import Limits, Settings
from lookonce.server.tasks import Desk, Task

#: Starting Python and loading the model takes two seconds; more by far on a machine that is busy.
_START_SECONDS = 120.0
#: A result is some kilobytes.
_MOST_ANSWER_BYTES = 10_000_000


class Workers:
    """Some worker processes, each at one task at a time; used as a context manager.

    Parameters
    ----------
    settings : Settings
    on_loss : callable
        Told why, in a word, whenever a process has to be replaced.
    """

    def __init__(self, settings: Settings, on_loss: Callable[[str], None] = lambda reason: None) -> None:
        self._settings, self._on_loss = settings, on_loss
        self._idle: queue.Queue[_Worker] = queue.Queue()
        self._all: list[_Worker] = []
        self._is_closed = False

    def __enter__(self) -> Workers:
        """Start all processes and wait until they are ready.

        Raises
        ------
        WeightsError
            If the default model cannot be loaded.
        WorkerLostError
            If a process does not start.
        """
        try:
            self._all = [_Worker(self._settings) for _ in range(self._settings.workers)]
            for worker in self._all:
                worker.wait_until_ready()
                self._idle.put(worker)
        except BaseException:
            self.__exit__(None, None, None)
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Kill all processes; who still waits for one gets a WorkerLostError."""
        self._is_closed = True
        for worker in self._all:
            worker.kill()

    def do(self, task: Task) -> dict[str, Any]:
        """Give a task to an idle process and wait for its answer; safe to call from many threads.

        Returns
        -------
        dict
            As `Desk.do` answers.

        Raises
        ------
        TimeLimitError
            If it took longer than it may; the process is killed.
        WorkerLostError
            If the process died.
        """
        worker = self._idle.get()
        try:
            answer = worker.ask(task.model_dump_json().encode())
            if answer.get("worn"):
                self._replace(worker, "memory")
            return answer
        except TimeLimitError:
            self._replace(worker, "time")
            raise
        except WorkerLostError:
            self._replace(worker, "died")
            raise
        finally:
            self._idle.put(worker)

    def _replace(self, worker: _Worker, reason: str) -> None:
        if not self._is_closed:
            self._on_loss(reason)
            worker.restart()


class _Worker:
    """One process and the pipe to it. Bytes go through the pipe, never pickles: a scan may have taken it over."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self.restart()

    def restart(self) -> None:
        """Kill the process, if there is one, and start another; it gets ready while nobody waits for it."""
        if hasattr(self, "_process"):
            self.kill()
        # spawn: the threads of ONNX Runtime do not survive a fork.
        context = multiprocessing.get_context("spawn")
        self._pipe, theirs = context.Pipe()
        self._is_ready = False
        self._process = context.Process(
            target=_work, args=(theirs, self._settings.limits, self._settings.threads), daemon=True
        )
        try:
            self._process.start()
        finally:
            # Only the process itself holds its end now, so that its death ends the pipe.
            theirs.close()

    def wait_until_ready(self) -> None:
        if not self._is_ready:
            try:
                answer = self._receive(_START_SECONDS)
            except (TimeLimitError, WorkerLostError):
                raise WorkerLostError(
                    "a process for the work did not start; is memory, or time of the processor, scarce on this machine?"
                ) from None
            self._is_ready = True
            if "error" in answer:
                raise WeightsError(answer["error"]["message"])

    def ask(self, task: bytes) -> dict[str, Any]:
        self.wait_until_ready()
        try:
            self._pipe.send_bytes(task)
        except OSError:
            raise self._lost() from None
        return self._receive(self._settings.limits.job_seconds)

    def kill(self) -> None:
        # One that the system was too short of memory to start has nothing to kill.
        if self._process.pid is not None:
            self._process.kill()
            self._process.join()
        self._pipe.close()

    def _receive(self, seconds: float) -> dict[str, Any]:
        try:
            if not self._pipe.poll(seconds):
                raise TimeLimitError(f"the work took longer than {seconds:.0f} s and was stopped; send a smaller file")
            content = self._pipe.recv_bytes(_MOST_ANSWER_BYTES)
            answer = json.loads(content)
        except (EOFError, OSError, ValueError):
            raise self._lost() from None
        return dict(answer)

    def _lost(self) -> LookOnceError:
        return WorkerLostError("the process that worked on the upload died; the service goes on: please report this")


def _work(pipe: Connection, limits: Limits, threads: int) -> None:
    """Body of a worker process: says that it is ready, then answers task by task until the pipe ends."""
    # Ctrl-C reaches every process of a terminal; the service itself decides when its workers end.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    _limit_memory(limits.memory_bytes)
    _be_silent()
    desk = Desk(limits, threads)
    try:
        desk.disc_session(DEFAULT_MODEL)
        pipe.send_bytes(b"{}")
    except LookOnceError as error:
        pipe.send_bytes(json.dumps({"error": {"message": str(error)}}).encode())
    try:
        while True:
            pipe.send_bytes(desk.do(pipe.recv_bytes()))
    except (EOFError, OSError):
        return  # the service has ended


def _limit_memory(most_bytes: int) -> None:
    """Let memory beyond a limit be refused, and no core file hold a patient's scan, where the system can."""
    if sys.platform != "linux":
        return
    import resource

    resource.setrlimit(resource.RLIMIT_DATA, (most_bytes, most_bytes))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def _be_silent() -> None:
    """Close the terminal to libraries, whose messages may repeat what is in a scan."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    for stream in (1, 2):
        os.dup2(nowhere, stream)
