"""The weights store: finds a model by name or path, checks its checksum, reads its card."""

from __future__ import annotations

import hashlib
import json
from importlib import resources
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, ValidationError

from lookonce.errors import UsageError, WeightsError

DEFAULT_MODEL = "discs"


class DiscModelCard(BaseModel):
    """What the pipeline must know of a disc model, and what people should; stored beside the ONNX file as JSON."""

    model_config = ConfigDict(extra="forbid")

    name: str
    version: str
    sha256: str
    spacing_mm: float
    lateral_step_mm: float
    lateral_sigma_mm: float
    stride: int
    multiple: int
    recipe: dict[str, Any]
    about: dict[str, Any]


class ModelFile(BaseModel):
    """A model on disk: its ONNX bytes and card."""

    model_config = ConfigDict(arbitrary_types_allowed=True)

    path: Path
    card: DiscModelCard
    content: bytes

    @property
    def identity(self) -> dict[str, str]:
        """Name, version and checksum, as results state them."""
        return {"name": self.card.name, "version": self.card.version, "sha256": self.card.sha256}


def find_model(name_or_path: str = DEFAULT_MODEL) -> ModelFile:
    """Find and check a model.

    Parameters
    ----------
    name_or_path : str
        Name of a shipped model, or the path of an `.onnx` file with its card `.json` beside it.

    Raises
    ------
    UsageError
        If nothing has that name; the message lists what is there.
    WeightsError
        If the file or its card is missing, damaged or not of this program.
    """
    if name_or_path.endswith(".onnx"):
        path = Path(name_or_path)
    elif name_or_path in model_names():
        path = Path(str(_shipped() / f"{name_or_path}.onnx"))
    else:
        raise UsageError(f"no model is called {name_or_path!r}; there are {', '.join(model_names())}, or give an .onnx file")
    try:
        content = path.read_bytes()
        card = DiscModelCard.model_validate(json.loads(path.with_suffix(".json").read_text()))
    except FileNotFoundError as error:
        raise WeightsError(f"{error.filename}: not there; install lookonce again or check the path") from error
    except (OSError, ValueError, ValidationError) as error:
        raise WeightsError(f"{path}: the model or its card cannot be read ({_first_line(error)})") from error
    if hashlib.sha256(content).hexdigest() != card.sha256:
        raise WeightsError(f"{path}: its sha256 is not the one in its card; the file is damaged, install it again")
    return ModelFile(path=path, card=card, content=content)


def model_names() -> list[str]:
    """Names of the shipped models."""
    return sorted(entry.name.removesuffix(".onnx") for entry in _shipped().iterdir() if entry.name.endswith(".onnx"))


def _shipped() -> Any:
    return resources.files("lookonce.weights")


def _first_line(error: Exception) -> str:
    return str(error).splitlines()[0]
