"""Starting and ending the service."""

from __future__ import annotations

import signal
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import NoReturn

from lookonce.errors import UsageError
from lookonce.server.settings import Settings

#: After the time of the last job, for sending its answer.
_MORE_SECONDS = 5


def serve(host: str, port: int, settings: Settings, *, on_ready: Callable[[str], None]) -> None:
    """Serve the page and the API until a signal ends it; what runs then is finished first.

    Parameters
    ----------
    host : str
    port : int
        0 takes a free one.
    settings : Settings
    on_ready : callable
        Told the service's address.

    Raises
    ------
    UsageError
        If the address cannot be taken.
    WeightsError
        If the default model is missing or damaged.
    """
    import uvicorn

    from lookonce.server.app import build_app
    from lookonce.server.logs import log_config
    from lookonce.server.metrics import Metrics
    from lookonce.server.workers import Workers

    metrics = Metrics()
    with (
        _listening(host, port) as listener,
        _ended_by_signals(),
        Workers(settings, lambda reason: metrics.lost_workers.labels(reason).inc()) as workers,
    ):
        config = uvicorn.Config(
            build_app(settings, workers.do, metrics),
            http="h11",
            ws="none",
            lifespan="off",
            access_log=False,
            server_header=False,
            proxy_headers=False,
            log_config=log_config(),
            timeout_graceful_shutdown=int(settings.limits.job_seconds) + _MORE_SECONDS,
        )
        on_ready(_address(host, listener.getsockname()[1]))
        uvicorn.Server(config).run(sockets=[listener])


def _listening(host: str, port: int) -> socket.socket:
    try:
        family = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0][0]
        return socket.create_server((host, port), family=family)
    except (OSError, OverflowError, UnicodeError) as error:  # the last for what can be no name
        cause = getattr(error, "strerror", None) or error
        raise UsageError(
            f"{host} port {port}: cannot be taken ({cause}); choose another with --host or --port"
        ) from None


def _address(host: str, port: int) -> str:
    return f"http://[{host}]:{port}/" if ":" in host else f"http://{host}:{port}/"


@contextmanager
def _ended_by_signals() -> Iterator[None]:
    """Let a signal, which the server raises again once it has shut down, end the block and nothing else."""

    def leave(*_: object) -> NoReturn:
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGTERM, leave)
    try:
        yield
    except KeyboardInterrupt:
        pass
    finally:
        signal.signal(signal.SIGTERM, before)
