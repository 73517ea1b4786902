"""What requests may ask and what answers hold, as the OpenAPI document tells it."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

#: Never a path.
MODEL_NAME = r"^[a-z0-9][a-z0-9-]{0,39}$"


class LabelOptions(BaseModel):
    """Options of `POST /v1/label`, as those of `lookonce label`."""

    model_config = ConfigDict(extra="forbid")

    model: str = Field("discs", pattern=MODEL_NAME, description="A shipped model: see `/v1/models`.")
    decoder: Literal["chain", "skeleton", "lookonce"] = Field("chain", description="What picks and names the discs.")
    first_level: int | None = Field(
        None, ge=2, le=25, description="SCT value of the topmost disc in view, if known (3 = C2/C3)."
    )
    volume: int | None = Field(None, ge=0, le=100_000, description="Which volume of a 4D file or series, from 0.")
    series: str | None = Field(
        None, pattern=r"^[A-Za-z0-9_-]{1,80}$", description="Which scan of a zip, as the error lists them."
    )
    numbering: Literal["sct", "totalspineseg", "spineps"] = Field("sct", description="Values in the label file.")
    format: Literal["json", "zip"] = Field(
        "json", description="The result alone, or a zip of the five files that `lookonce label --markups` writes."
    )


class SegmentOptions(BaseModel):
    """Options of `POST /v1/segment`, as those of `lookonce segment`."""

    model_config = ConfigDict(extra="forbid")

    model: str = Field("skin", pattern=MODEL_NAME, description="A segmentation model: see `/v1/models`.")
    mm_per_pixel: float | None = Field(None, gt=0, le=1000, description="Edge of a pixel in mm, for areas in mm².")
    format: Literal["json", "zip"] = Field(
        "json", description="The result alone, or a zip of the files that `lookonce segment` writes for each picture."
    )


class Disc(BaseModel):
    """One disc."""

    level: int | None = Field(description="SCT value (3 = C2/C3); null for the discs of a T13 or an L6.")
    name: str
    world_mm: tuple[float, float, float] = Field(description="Posterior tip, RAS mm of the input's affine.")
    confidence: float
    voxel: tuple[int, int, int] = Field(description="The nearest voxel, counted from 0.")


class RunnerUp(BaseModel):
    """The numbering that is right if the written one is not."""

    shift: int
    probability: float
    names: list[str | None]


class LabelAnswer(BaseModel):
    """One result of `lookonce label --json`."""

    input: str = Field(description="Always `upload`: no file name is taken from a client.")
    series: dict[str, Any] | None = Field(None, description="Of DICOM: number, contrast and plane.")
    discs: list[Disc]
    level_shift: dict[str, float] = Field(
        description="Key k: probability that the true level of every disc is the written one + k."
    )
    uncertain: bool = Field(description="The numbering is not sure enough to be used unchecked.")
    runner_up: RunnerUp | None
    counted_from: str
    variant: str | None
    warnings: list[str]
    seconds: float
    model: dict[str, str]
    outputs: dict[str, str] = Field(description="Names of the files in the zip; empty in a JSON answer.")


class SegmentedObject(BaseModel):
    """One lesion, or one cell."""

    number: int = Field(description="Its value in the picture of numbers, from 1.")
    area_px: int
    area_mm2: float | None
    box: tuple[int, int, int, int] = Field(description="First column and row, column and row after the last.")
    centre: tuple[float, float] = Field(description="Column and row; the picture's upper left corner is 0, 0.")
    touches_border: bool
    confidence: float


class SegmentAnswer(BaseModel):
    """One result of `lookonce segment --json`."""

    input: str = Field(description="Always `upload`: no file name is taken from a client.")
    width: int
    height: int
    area_px: int
    area_mm2: float | None = Field(description="Null unless `mm_per_pixel` was given.")
    area_share: float = Field(description="Of the picture.")
    touches_border: bool
    confidence: float | None = Field(description="Mean probability of the objects' pixels; null without any.")
    unlike: bool = Field(description="The picture looks unlike those that the model was trained on.")
    distance: float = Field(description="How unlike.")
    distance_limit: float = Field(description="From where on that is unusual.")
    objects: list[SegmentedObject]
    warnings: list[str]
    seconds: float
    model: dict[str, str]
    outputs: dict[str, str] = Field(description="Names of the files in the zip; empty in a JSON answer.")


class ModelsAnswer(BaseModel):
    """What `lookonce models --json` prints."""

    models: list[dict[str, Any]]


class Health(BaseModel):
    """That the service is alive."""

    status: Literal["ok"] = "ok"
    version: str


class Reason(BaseModel):
    """What went wrong and what to do about it."""

    kind: str = Field(description="Short name that programs can compare.")
    message: str


class ErrorAnswer(BaseModel):
    """Every answer with a status of 400 or more."""

    error: Reason
