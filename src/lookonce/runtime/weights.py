"""The weights store: finds a model by name or path, checks its checksum, reads its card."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, PositiveInt, ValidationError

from lookonce.decode.certainty import Calibration
from lookonce.errors import UsageError, WeightsError
from lookonce.runtime.looks import Look

DEFAULT_MODEL = "discs"
#: The look-once network, and the mean skeleton in its card.
POINT_MODEL = "lookonce"
#: Segmentation models that a package may come with.
MASK_MODELS = ("skin", "cells")


class ModelCard(BaseModel):
    """What the program must know of a model, and what people should; stored beside the ONNX file as JSON."""

    model_config = ConfigDict(extra="forbid")

    name: str
    version: str
    sha256: str
    recipe: dict[str, Any]
    about: dict[str, Any]


class PointModelCard(ModelCard):
    """The card of a look-once model.

    Attributes
    ----------
    mean_skeleton
        Row and column, mm, of the discs of the mean of the skeletons that it was trained on.
    first_level
        SCT value of the first of them.
    """

    task: Literal["points"]
    mean_skeleton: list[tuple[float, float]]
    first_level: int


class DiscModelCard(ModelCard):
    """The card of a network that finds discs in pictures; `certainty` calibrates what the decoder says of them."""

    spacing_mm: float = Field(gt=0)
    lateral_step_mm: float = Field(gt=0)
    lateral_sigma_mm: float = Field(gt=0)
    stride: int = Field(gt=0)
    multiple: int = Field(gt=0)
    certainty: Calibration = Calibration()


class MaskModelCard(ModelCard):
    """The card of a network that segments colour pictures.

    Attributes
    ----------
    size
        Height and width of the pictures that it takes.
    resize
        How a picture of another size gets there: stretched, or scaled and centred on its own ground (letterbox).
    threshold
        Probability from which a pixel belongs to an object.
    objects
        Whether a picture holds one object, or many that touch and are told apart.
    licence
        Of the weights, as it follows from their training data.
    look
        What the training pictures look like.
    """

    task: Literal["masks"]
    size: tuple[PositiveInt, PositiveInt]
    resize: Literal["stretch", "letterbox"]
    threshold: float = Field(gt=0, lt=1)
    objects: Literal["one", "many"]
    licence: str
    look: Look


AnyModelCard = DiscModelCard | PointModelCard | MaskModelCard
#: Kind of card for each task; the first cards, of disc models, state none.
_CARDS: dict[str, type[AnyModelCard]] = {"points": PointModelCard, "masks": MaskModelCard}


@dataclass(frozen=True)
class ModelFile:
    """A model on disk: its ONNX bytes and card."""

    path: Path
    card: AnyModelCard
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
    elif name_or_path in {DEFAULT_MODEL, POINT_MODEL, *model_names()}:
        path = Path(str(_shipped() / f"{name_or_path}.onnx"))
    elif name_or_path in MASK_MODELS:
        raise WeightsError(
            f"the model {name_or_path!r} is not installed: this version comes without its weights; give the path of an "
            ".onnx file instead, as `lookonce export` writes it"
        )
    else:
        shipped = ", ".join(model_names()) or "none"
        raise UsageError(f"no model is called {name_or_path!r}; shipped: {shipped}; or give the path of an .onnx file")
    content = _read(path)
    card = _read_card(path.with_suffix(".json"))
    if hashlib.sha256(content).hexdigest() != card.sha256:
        raise WeightsError(f"{path}: its sha256 is not the one in its card; the file is damaged, install it again")
    return ModelFile(path=path, card=card, content=content)


def model_names() -> list[str]:
    """Names of the shipped models."""
    return sorted(entry.name.removesuffix(".onnx") for entry in _shipped().iterdir() if entry.name.endswith(".onnx"))


def _read_card(path: Path) -> AnyModelCard:
    try:
        fields = json.loads(_read(path))
        task = fields.get("task") if isinstance(fields, dict) else None
        return _CARDS.get(str(task), DiscModelCard).model_validate(fields)
    except ValidationError as error:
        first = error.errors()[0]
        cause = f"{'.'.join(map(str, first['loc'])) or 'the file'}: {first['msg']}"
    except ValueError as error:
        cause = f"the file: {error}"
    raise WeightsError(f"{path}: is no model card ({cause}); install the model again")


def _shipped() -> Any:
    return resources.files("lookonce.weights")


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except FileNotFoundError:
        raise WeightsError(f"{path}: not there; check the path, or install lookonce again") from None
    except OSError as error:
        raise WeightsError(f"{path}: cannot be read ({error.strerror or error}); install the model again") from None
