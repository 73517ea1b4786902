"""LookOnce names the intervertebral discs of a spine MRI in one look, and says how sure it is.

The names below load on first use, so that importing the package costs nothing.
"""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from lookonce.labeling import LabelResult, label

__version__ = "0.1.0"
__all__ = ["LabelResult", "__version__", "label"]


def __getattr__(name: str) -> object:
    # import_module keeps the pipeline out of the import graph: modules below it take __version__ from here.
    if name in ("LabelResult", "label"):
        return getattr(import_module("lookonce.labeling"), name)
    raise AttributeError(f"module 'lookonce' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)
