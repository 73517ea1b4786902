"""Recipes: everything that makes a training run, read from YAML and checked."""

from __future__ import annotations

import re
from importlib import resources
from pathlib import Path
from typing import Any, Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field, NonNegativeFloat, PositiveFloat, PositiveInt, ValidationError

from lookonce.datasets.augment import Augmentation
from lookonce.datasets.mask_augment import MaskAugmentation
from lookonce.datasets.points import Noise
from lookonce.datasets.targets import Target
from lookonce.errors import UsageError
from lookonce.io.fitting import Resize

Contrast = Literal["t1", "t2", "pd", "stir", "gre", "dixon", "random-tissue", "random"]
FieldOfView = Literal["cervical", "thoracic", "lumbar", "whole", "spine-generic", "random"]
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


class MaskInputPart(_Part):
    """The picture that a segmentation network sees: height and width, and how a picture comes to that size."""

    size: tuple[PositiveInt, PositiveInt]
    resize: Resize = "stretch"


class MaskSourcePart(_Part):
    """A prepared set of pictures with masks, `path` below the data folder or that folder itself.

    It trains on the list `split`, or on those of it that `subjects` names, and validates on the list ``validation``.
    `weight` is how often each of its pictures is drawn, against those of the other sets.
    """

    path: str | None = None
    split: str = "train"
    subjects: str | None = None
    weight: float = Field(1.0, gt=0)


class MaskLossPart(_Part):
    """Weights of the loss's parts; those of maps that a network does not give are shared out among the others.

    `adversarial` comes on top: above 0, the network is trained to deceive two discriminators as well.
    """

    mask: PositiveFloat = 0.7
    regions: NonNegativeFloat = 0.1
    boundary: NonNegativeFloat = 0.2
    dice: NonNegativeFloat = 0.0
    adversarial: NonNegativeFloat = 0.0


class _Run(_Part):
    """What every training run has."""

    description: str
    model: ModelPart
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

    data: tuple[SourcePart, ...] = Field(min_length=1)
    input: InputPart
    target: Target
    augmentation: Augmentation = Augmentation()


class PointRecipe(_Run):
    """The training of a network that tells discs from false points, on skeletons; `any_region` as in `PointStream`."""

    task: Literal["points"]
    data: tuple[SourcePart, ...] = Field(min_length=1)
    noise: Noise = Noise()
    any_region: float = Field(0.5, ge=0, le=1)


class MaskRecipe(_Run):
    """The training of a network that segments pictures; `threshold` is where its mask begins in use."""

    task: Literal["masks"]
    data: tuple[MaskSourcePart, ...] = Field(min_length=1)
    input: MaskInputPart
    loss: MaskLossPart = MaskLossPart()
    augmentation: MaskAugmentation = MaskAugmentation()
    threshold: float = Field(0.5, gt=0, lt=1)


AnyRecipe = Recipe | PointRecipe | MaskRecipe


def read_recipe(fields: Any) -> AnyRecipe:
    """The recipe of plain fields; raises pydantic's ValidationError."""
    task = fields.get("task") if isinstance(fields, dict) else None
    kinds: dict[str | None, type[AnyRecipe]] = {"points": PointRecipe, "masks": MaskRecipe}
    return kinds.get(task, Recipe).model_validate(fields)


def load_recipe(name_or_path: str, changes: list[str] | None = None) -> AnyRecipe:
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
