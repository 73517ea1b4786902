"""Recipes: everything that makes a training run, read from YAML and checked."""

from __future__ import annotations

import re
from importlib import resources
from pathlib import Path
from typing import Any, Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from lookonce.datasets.augment import Augmentation
from lookonce.datasets.points import Noise
from lookonce.datasets.targets import Target
from lookonce.errors import UsageError

Contrast = Literal["t1", "t2", "pd", "stir", "gre", "dixon", "random-tissue", "random"]
FieldOfView = Literal["cervical", "thoracic", "lumbar", "whole", "random"]
Precision = Literal["32-true", "bf16-mixed", "16-mixed"]


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class ModelPart(_Part):
    """A network of `lookonce.models.build` and its options (classes and in_channels come from the other parts)."""

    name: str
    options: dict[str, Any] = {}


class InputPart(_Part):
    """The picture that the network sees: size in pixels, pixel size, slabs across the right-left axis."""

    shape: tuple[int, int]
    spacing_mm: float = Field(gt=0)
    lateral_step_mm: float = Field(4.0, gt=0)
    channels: Literal[1, 3] = 1


class SourcePart(_Part):
    """One source of pictures and the share of the stream that it gives; contrast and field of view are for synth."""

    kind: Literal["bids", "prepared", "synth"]
    weight: float = Field(gt=0)
    path: str | None = None
    subjects: str | None = None
    pool: int = Field(2000, gt=0)
    contrast: Contrast = "random"
    field_of_view: FieldOfView = "random"


class OptimizerPart(_Part):
    """Optimizer and its schedule; `milestones` are shares of the run at which the rate falls to a tenth."""

    name: Literal["adamw", "rmsprop"] = "adamw"
    learning_rate: float = Field(gt=0)
    weight_decay: float = 0.0
    schedule: Literal["cosine", "milestones"] = "cosine"
    milestones: tuple[float, ...] = ()
    warmup_steps: int = 0
    clip_norm: float | None = None
    average_decay: float | None = None


class _Run(_Part):
    """What every training run has; point networks train on skeletons alone, from the same sources."""

    description: str
    model: ModelPart
    data: tuple[SourcePart, ...] = Field(min_length=1)
    optimizer: OptimizerPart
    batch_size: int = Field(gt=0)
    epochs: int = Field(gt=0)
    steps_per_epoch: int = Field(gt=0)
    seed: int = 0
    workers: int = 0
    devices: int = 1
    precision: Precision = "bf16-mixed"

    @property
    def steps(self) -> int:
        """Optimizer steps of the whole run."""
        return self.epochs * self.steps_per_epoch


class Recipe(_Run):
    """The training of a network that finds discs in pictures."""

    input: InputPart
    target: Target
    augmentation: Augmentation = Augmentation()


class PointRecipe(_Run):
    """The training of a network that tells discs from false points; `any_region` as in `PointStream`."""

    task: Literal["points"]
    noise: Noise = Noise()
    any_region: float = Field(0.5, ge=0, le=1)


def read_recipe(fields: Any) -> Recipe | PointRecipe:
    """The recipe of plain fields; raises pydantic's ValidationError."""
    kind = PointRecipe if isinstance(fields, dict) and fields.get("task") == "points" else Recipe
    return kind.model_validate(fields)


def load_recipe(name_or_path: str, changes: list[str] | None = None) -> Recipe | PointRecipe:
    """Read a shipped recipe by name, or one from a path, with `key.sub=value` changes applied.

    Raises
    ------
    UsageError
        If there is no such recipe, or a field is unknown or wrong; the message names the field.
    """
    path = Path(name_or_path)
    if path.suffix in {".yaml", ".yml", ".json"} and path.exists():
        text = path.read_text()
    elif name_or_path in recipe_names():
        text = (resources.files("lookonce.recipes") / f"{name_or_path}.yaml").read_text()
    else:
        raise UsageError(f"no recipe {name_or_path!r}; shipped are {', '.join(recipe_names())}, or give a .yaml file")
    try:
        fields = yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise UsageError(f"recipe {name_or_path}: is no YAML ({_one_line(error)})") from error
    if not isinstance(fields, dict):
        raise UsageError(f"recipe {name_or_path}: holds no fields; see `lookonce recipes` for some that do")
    for change in changes or []:
        _apply(fields, change)
    try:
        return read_recipe(fields)
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(str(part) for part in first["loc"])
        raise UsageError(f"recipe {name_or_path}: {place}: {first['msg']}") from error


def recipe_names() -> list[str]:
    """Names of the shipped recipes."""
    return sorted(
        entry.name.removesuffix(".yaml")
        for entry in resources.files("lookonce.recipes").iterdir()
        if entry.name.endswith(".yaml")
    )


def _apply(fields: dict[str, Any], change: str) -> None:
    key, separator, value = change.partition("=")
    if not separator:
        raise UsageError(f"--set {change}: write it as key=value, for example --set optimizer.learning_rate=1e-4")
    *parents, last = key.split(".")
    place: Any = fields
    try:
        for parent in parents:
            place = place[int(parent)] if isinstance(place, list) else place.setdefault(parent, {})
        place[int(last) if isinstance(place, list) else last] = _parsed(value)
    except (AttributeError, IndexError, TypeError, ValueError, yaml.YAMLError) as error:
        raise UsageError(f"--set {change}: does not fit the recipe ({_one_line(error)})") from error


def _parsed(text: str) -> Any:
    """Read a YAML value, where 1e-4 is a number too: YAML itself wants 1.0e-4."""
    value = yaml.safe_load(text)
    if isinstance(value, str) and _NUMBER.fullmatch(value):
        return float(value)
    return value


def _one_line(error: Exception) -> str:
    return " ".join(str(error).split())


_NUMBER = re.compile(r"[-+]?(\d+\.?\d*|\.\d+)[eE][-+]?\d+")
