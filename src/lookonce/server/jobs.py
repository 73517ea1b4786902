"""From a request to its answer: a place in the queue, the upload in its own folder, a worker, all files deleted."""

from __future__ import annotations

import asyncio
import math
import tempfile
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from starlette.requests import ClientDisconnect, Request

from lookonce.server.metrics import Metrics
from lookonce.server.refusals import BusyError
from lookonce.server.settings import Settings
from lookonce.server.tasks import ANSWER_NAME, Task
from lookonce.server.uploads import receive

#: Weight of the newest job in the mean time that a job takes.
_NEWEST = 0.2


class Jobs:
    """The bounded queue before the workers.

    Parameters
    ----------
    settings : Settings
    do : callable
        Does a `Task` in a worker, as `Workers.do`; called in threads, never more often at once than there are workers.
    metrics : Metrics
    """

    def __init__(self, settings: Settings, do: Callable[[Task], dict[str, Any]], metrics: Metrics) -> None:
        self._settings, self._do, self._metrics = settings, do, metrics
        self._threads = ThreadPoolExecutor(settings.workers, "job")
        self._free = asyncio.Semaphore(settings.workers)
        self._admitted = 0
        self._usual_seconds = 1.0

    async def run(self, request: Request, make_task: Callable[[Path], Task]) -> tuple[dict[str, Any], bytes]:
        """Do what a request asks with its body.

        Parameters
        ----------
        request : Request
        make_task : callable
            From the path of the upload to the work.

        Returns
        -------
        answer : dict
            As `Desk.do` answers.
        content : bytes
            Of the zip that the worker wrote, if it wrote one.

        Raises
        ------
        BusyError
            If as many requests are under way as may.
        ClientDisconnect
            If the client went away while its request waited.
        LookOnceError
            As `receive` and `Workers.do` say.
        """
        # The folder is private to this user.
        with self._place(), tempfile.TemporaryDirectory(prefix="lookonce-", ignore_cleanup_errors=True) as folder:
            path = await receive(request, Path(folder), self._settings.limits)
            self._metrics.upload_bytes.inc(path.stat().st_size)
            async with self._free:
                if await request.is_disconnected():
                    raise ClientDisconnect
                answer = await self._work(make_task(path))
            zipped = Path(folder, ANSWER_NAME)
            return answer, zipped.read_bytes() if zipped.is_file() else b""

    @contextmanager
    def _place(self) -> Iterator[None]:
        """A place among the requests under way; taken before the body is read, so that nobody fills the disk."""
        most = self._settings.workers + self._settings.limits.waiting
        if self._admitted >= most:
            raise BusyError(
                f"{most} requests are under way, as many as may be; try again after the time in Retry-After",
                math.ceil(self._admitted * self._usual_seconds / self._settings.workers),
            )
        self._admitted += 1
        self._metrics.waiting.inc()
        try:
            yield
        finally:
            self._admitted -= 1
            self._metrics.waiting.dec()

    async def _work(self, task: Task) -> dict[str, Any]:
        self._metrics.running.inc()
        self._metrics.waiting.dec()
        started = time.monotonic()
        try:
            return await asyncio.get_running_loop().run_in_executor(self._threads, self._do, task)
        finally:
            seconds = time.monotonic() - started
            self._usual_seconds += _NEWEST * (seconds - self._usual_seconds)
            self._metrics.running.dec()
            self._metrics.waiting.inc()
