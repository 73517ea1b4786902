"""LookOnce names the intervertebral discs of a spine MRI in one look, and segments pictures of skin and of cells.

The names below load on first use, so that importing the package costs nothing.
"""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from lookonce.labeling import LabelResult, label
    from lookonce.segmentation import Mask, segment

__version__ = "0.1.0"
__all__ = ["LabelResult", "Mask", "__version__", "label", "segment"]
#: Where each name comes from.
_HOMES = {
    "LabelResult": "lookonce.labeling",
    "label": "lookonce.labeling",
    "Mask": "lookonce.segmentation",
    "segment": "lookonce.segmentation",
}


def __getattr__(name: str) -> object:
    # import_module keeps the pipeline out of the import graph: modules below it take __version__ from here.
    if name in _HOMES:
        return getattr(import_module(_HOMES[name]), name)
    raise AttributeError(f"module 'lookonce' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)
