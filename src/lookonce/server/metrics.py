"""Figures of the running service in the text form of Prometheus; nothing in them tells whose scans they were."""

from __future__ import annotations

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, Info, generate_latest

from lookonce import __version__

_PREFIX = "lookonce"
_SECONDS = (0.1, 0.25, 0.5, 1.0, 2.0, 4.0, 8.0, 15.0, 30.0, 60.0, 120.0)


class Metrics:
    """Counters of one service.

    Attributes
    ----------
    requests : Counter
        By route and status.
    seconds : Histogram
        From the first byte of a request to the last of its answer, by route.
    running, waiting : Gauge
        Requests at a worker, and those admitted and not yet there.
    lost_workers : Counter
        Processes replaced, by reason: ``time``, ``memory``, ``died``.
    upload_bytes : Counter
    """

    def __init__(self) -> None:
        self._registry = registry = CollectorRegistry()
        self.requests = Counter(f"{_PREFIX}_requests", "Requests answered.", ["route", "status"], registry=registry)
        self.seconds = Histogram(
            f"{_PREFIX}_request_seconds", "Time to answer.", ["route"], buckets=_SECONDS, registry=registry
        )
        self.running = Gauge(f"{_PREFIX}_jobs_running", "Requests at a worker.", registry=registry)
        self.waiting = Gauge(f"{_PREFIX}_jobs_waiting", "Requests admitted and not at a worker yet.", registry=registry)
        self.lost_workers = Counter(f"{_PREFIX}_workers_lost", "Processes replaced.", ["reason"], registry=registry)
        self.upload_bytes = Counter(f"{_PREFIX}_upload_bytes", "Bytes of uploads.", registry=registry)
        Info(_PREFIX, "The program.", registry=registry).info({"version": __version__})

    def text(self) -> bytes:
        """All figures, as Prometheus reads them."""
        return generate_latest(self._registry)
