"""Logs as lines of JSON, without anything of an upload: no file name, no header, no message of an error."""

from __future__ import annotations

import json
import logging
import traceback
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

LOGGER = "lookonce.server"
#: Loggers whose messages repeat nothing of an upload.
_TRUSTED = (LOGGER, "uvicorn.error")


class JsonLines(logging.Formatter):
    """A record as one line of JSON.

    The fields are those given as ``extra={"fields": {...}}``. Of an exception, its type and the places in the code are
    written; its own words may repeat what is in an upload, and so may the messages of libraries.
    """

    def format(self, record: logging.LogRecord) -> str:
        """See `logging.Formatter.format`."""
        place = f"{record.name}: {record.filename}:{record.lineno}"
        line: dict[str, Any] = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "event": record.getMessage() if record.name in _TRUSTED else place,
            **getattr(record, "fields", {}),
        }
        if record.exc_info and record.exc_info[1]:
            error = record.exc_info[1]
            line["trace"] = [type(error).__name__, *places(error)]
        return json.dumps(line)


def places(error: BaseException) -> list[str]:
    """Where in the code an exception came from, the outermost call first."""
    frames = traceback.extract_tb(error.__traceback__)
    return [f"{Path(frame.filename).name}:{frame.lineno} {frame.name}" for frame in frames]


def log_config() -> dict[str, Any]:
    """Settings for `logging.config`: all lines, also those of libraries, go to stderr in one form."""
    to_stderr = {"handlers": ["stderr"], "level": "INFO", "propagate": False}
    return {
        "version": 1,
        "disable_existing_loggers": False,
        "formatters": {"json": {"()": f"{__name__}.{JsonLines.__name__}"}},
        "handlers": {"stderr": {"class": "logging.StreamHandler", "formatter": "json", "stream": "ext://sys.stderr"}},
        # Without it, Python writes warnings of others as they are, with the words of their exceptions.
        "root": {"handlers": ["stderr"], "level": "WARNING"},
        # uvicorn's own log of requests would show whole addresses with their parameters.
        "loggers": {LOGGER: to_stderr, "uvicorn.error": to_stderr},
    }
