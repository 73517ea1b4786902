"""A service in this process, on a port of its own, with workers of the test's choice."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from lookonce.server.metrics import Metrics
from lookonce.server.settings import Settings
from lookonce.server.tasks import Task

httpx = pytest.importorskip("httpx")
uvicorn = pytest.importorskip("uvicorn")

#: What a worker that works no wonders answers.
RESULT = {"result": {"input": "upload", "discs": []}}
TOKEN = "0123456789abcdef" * 2


@contextmanager
def served(
    do: Callable[[Task], dict[str, Any]] = lambda task: RESULT,
    settings: Settings | None = None,
    *,
    page: Path | None = None,
) -> Iterator[Any]:
    """A client of a service that works with `do`."""
    from lookonce.server.app import build_app

    listener = socket.create_server(("127.0.0.1", 0))
    app = build_app(settings or Settings(), do, Metrics(), page=page)
    server = uvicorn.Server(uvicorn.Config(app, http="h11", lifespan="off", access_log=False, log_config=None))
    thread = threading.Thread(target=server.run, args=([listener],), daemon=True)
    thread.start()
    while not server.started:
        time.sleep(0.005)
    try:
        with httpx.Client(base_url=f"http://127.0.0.1:{listener.getsockname()[1]}", timeout=60) as client:
            yield client
    finally:
        server.should_exit = True
        thread.join(10)
        listener.close()


@pytest.fixture(scope="module")
def client() -> Iterator[Any]:
    """Of a service whose worker does nothing."""
    with served() as client:
        yield client


@pytest.fixture(scope="module")
def labelling_client() -> Iterator[Any]:
    """Of a service with a worker process."""
    from lookonce.server.workers import Workers

    settings = Settings(workers=1, threads=1)
    with Workers(settings) as workers, served(workers.do, settings) as client:
        yield client


@pytest.fixture
def temporary(tmp_path, monkeypatch) -> Path:
    """An empty folder for the service's temporary files."""
    import tempfile

    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    return tmp_path
