"""Networks, built by name: `build("attention-hourglass", classes=11)`."""

from lookonce.models.registry import build, names

__all__ = ["build", "names"]
