"""Errors a user can act on: each says what, where, why and what to do, and carries its exit code."""

from __future__ import annotations


class LookOnceError(Exception):
    """Base of every error that LookOnce raises on purpose.

    Attributes
    ----------
    kind : str
        Short name that programs can compare, as printed in the `--json` output.
    exit_code : int
        Process exit code of a command that fails with this error alone.
    """

    kind = "error"
    exit_code = 1


def about(path: object, error: LookOnceError, note: str = "") -> LookOnceError:
    """The same error, beginning with the file that it is about unless it names it already."""
    named = str(path) in str(error)
    return error if named and not note else type(error)(f"{path}: {note}{error}")


class UsageError(LookOnceError):
    """The call itself is wrong: an option's value, or options that contradict each other."""

    kind = "usage"
    exit_code = 2


class InputError(LookOnceError):
    """An input cannot be read or is not an image that can be labelled or segmented."""

    kind = "unreadable"
    exit_code = 3


class GeometryError(InputError):
    """An image's header or shape does not place it in space well enough to label it."""

    kind = "geometry"


class OutputError(LookOnceError):
    """A result cannot be written; nothing half-written is left behind."""

    kind = "unwritable"


class NothingFoundError(LookOnceError):
    """The image was read, and no disc or object was found in it."""

    kind = "nothing-found"
    exit_code = 4


class WeightsError(LookOnceError):
    """Model weights are missing, damaged or not of this program."""

    kind = "weights"
    exit_code = 5
