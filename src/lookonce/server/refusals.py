"""Why a request is not answered with a result, and the HTTP status that says so."""

from __future__ import annotations

import re

from lookonce.errors import InputError, LookOnceError


class TooLargeError(InputError):
    """An upload is, or claims to be, larger than the service takes."""

    kind = "too-large"


class SeveralScansError(InputError):
    """An upload holds several scans and the request does not say which."""

    kind = "several-scans"


class RefusedError(LookOnceError):
    """The request may not be made from where it comes."""

    kind = "refused"


class NoTokenError(LookOnceError):
    """The request lacks the token."""

    kind = "token"


class FormError(LookOnceError):
    """The body is a form, not the file itself."""

    kind = "form"


class SlowUploadError(LookOnceError):
    """The body did not arrive in time."""

    kind = "slow-upload"


class BusyError(LookOnceError):
    """As many requests wait as may.

    Attributes
    ----------
    retry_after : int
        Seconds after which another try makes sense.
    """

    kind = "busy"

    def __init__(self, message: str, retry_after: int = 1) -> None:
        super().__init__(message)
        self.retry_after = retry_after


class TimeLimitError(LookOnceError):
    """The work on an upload took too long and was stopped."""

    kind = "time-limit"


class WorkerLostError(LookOnceError):
    """The process that worked on an upload died."""

    kind = "worker-lost"


class NotInstalledError(LookOnceError):
    """What is asked for is no part of this installation."""

    kind = "not-installed"


_STATUSES = {
    "token": 401,
    "refused": 403,
    "not-installed": 404,
    "slow-upload": 408,
    "too-large": 413,
    "form": 415,
    # The request is understood; what was uploaded, or what is said about it, is at fault.
    **dict.fromkeys(("usage", "unreadable", "geometry", "nothing-found", "several-scans", "time-limit"), 422),
    "busy": 429,
}


def status_of(kind: str) -> int:
    """HTTP status of an error's kind; 500 where the fault is the service's own.

    Examples
    --------
    >>> status_of("unreadable"), status_of("weights")
    (422, 500)
    """
    return _STATUSES.get(kind, 500)


def in_words_of_the_api(message: str) -> str:
    """An error's message with the command's options as the API calls them.

    Examples
    --------
    >>> in_words_of_the_api("pick one with --volume N, or give --first-level")
    'pick one with volume=N, or give first_level'
    """
    spelt = re.sub(r"--([a-z]+(?:-[a-z]+)*) N\b", lambda option: f"{option[1].replace('-', '_')}=N", message)
    return re.sub(r"--([a-z]+(?:-[a-z]+)*)", lambda option: option[1].replace("-", "_"), spelt)
