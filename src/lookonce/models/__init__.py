"""Networks, built by name, `build("attention-hourglass", classes=11)`, or loaded from a file, `load(path)`."""

from lookonce.models.registry import build, names
from lookonce.models.stored import load

__all__ = ["build", "load", "names"]
