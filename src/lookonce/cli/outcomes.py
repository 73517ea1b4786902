"""What became of the inputs of a call: one bad input never stops the others."""

from __future__ import annotations

import traceback
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import typer

if TYPE_CHECKING:
    from lookonce.errors import LookOnceError

T = TypeVar("T")


@dataclass
class Outcomes:
    """An entry for ``--json`` of each input, and the errors among them."""

    records: list[dict[str, Any]] = field(default_factory=list)
    failures: list[LookOnceError] = field(default_factory=list)

    def attempt(self, path: Path, step: Callable[[], T], series: str = "") -> T | None:
        """What a step gives, or None when it fails: one bad input, or series of it, never stops the others."""
        try:
            return step()
        except Exception as error:
            self.failures.append(failure := _reported(path, error, series))
            self.records.append({"input": str(path), "error": {"kind": failure.kind, "message": str(failure)}})
            return None

    def leave(self) -> None:
        """Leave with the exit code of the failures: their own if all are of one kind, otherwise 1."""
        if self.failures:
            code = self.failures[0].exit_code if len({error.kind for error in self.failures}) == 1 else 1
            raise typer.Exit(code)


def _reported(path: Path, error: Exception, series: str) -> LookOnceError:
    """Tell the user in one line why an input failed, and return that as an error that names the input."""
    from lookonce.errors import LookOnceError, about

    if not isinstance(error, LookOnceError):
        traceback.print_exception(error)
        error = LookOnceError(f"an unexpected {type(error).__name__} ({error}); please report it with the lines above")
    error = about(path, error, f"{series}: " if series and str(path) not in str(error) else "")
    typer.echo(f"lookonce: {error}", err=True)
    return error
