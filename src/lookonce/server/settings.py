"""What the service allows: sizes, times, memory and how many may wait."""

from __future__ import annotations

import ipaddress
import os
import re
from dataclasses import dataclass, field
from pathlib import Path

from lookonce.errors import UsageError

#: Of 128 random bits in hexadecimal.
_SHORTEST_TOKEN = 32
_MOST_WORKERS = 2
_MOST_THREADS = 4


@dataclass(frozen=True)
class Limits:
    """What one request may take, and how many requests may wait.

    Attributes
    ----------
    upload_bytes : int
        Of a request's body.
    image_bytes : int
        Of a NIfTI file when unpacked, with all its volumes; of the voxels of a DICOM series.
    zip_bytes, zip_files : int
        What a zip may hold, other series included.
    voxels : int
        Of one volume.
    height_mm, width_mm, depth_mm : float
        Largest extent of a volume from head to foot, right-left, and front to back.
    picture_pixels : int
        Of a photograph.
    upload_seconds, job_seconds : float
        For sending the body; for the work on it, once a worker is free.
    memory_bytes : int
        Of one worker process, where the system can limit it (Linux).
    waiting : int
        Requests that may wait for a worker.
    """

    upload_bytes: int = 256_000_000
    image_bytes: int = 256_000_000
    zip_bytes: int = 2_000_000_000
    zip_files: int = 20_000
    voxels: int = 64_000_000
    height_mm: float = 1200.0
    width_mm: float = 800.0
    depth_mm: float = 600.0
    picture_pixels: int = 50_000_000
    upload_seconds: float = 120.0
    job_seconds: float = 60.0
    memory_bytes: int = 900_000_000
    waiting: int = 8


@dataclass(frozen=True)
class Settings:
    """How the service runs.

    Attributes
    ----------
    limits : Limits
    token : str or None
        What a request must bear; None on this machine alone.
    workers, threads : int
        Processes that label, and threads of each.
    """

    limits: Limits = field(default_factory=Limits)
    token: str | None = None
    workers: int = _MOST_WORKERS
    threads: int = max(1, min(_MOST_THREADS, (os.cpu_count() or 1) // _MOST_WORKERS))


def is_loopback(host: str) -> bool:
    """Whether only this machine reaches an address.

    Examples
    --------
    >>> is_loopback("127.0.0.1"), is_loopback("localhost"), is_loopback("0.0.0.0"), is_loopback("example.org")
    (True, True, False, False)
    """
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def read_token(host: str, path: Path | None) -> str | None:
    """Token that requests must bear.

    Raises
    ------
    UsageError
        If others can reach `host` and there is no token, or the file holds none that nobody can guess.
    """
    if path is None:
        if is_loopback(host):
            return None
        raise UsageError(
            f"--host {host}: whoever reaches this machine could use the service; give --token-file FILE with a secret "
            "of 32 or more characters, which clients send as a bearer token"
        )
    try:
        token = path.read_text(encoding="ascii").strip()
    except UnicodeDecodeError:
        token = ""
    except OSError as error:
        raise UsageError(f"{path}: the token cannot be read ({error.strerror or error}); check the path") from None
    if not re.fullmatch(rf"[!-~]{{{_SHORTEST_TOKEN},}}", token):
        raise UsageError(
            f"{path}: must hold one line of {_SHORTEST_TOKEN} or more letters, digits or signs, such as "
            "`openssl rand -hex 32` prints"
        )
    return token
