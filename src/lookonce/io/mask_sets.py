"""Prepared sets of pictures with masks, as `lookonce prepare` writes them.

::

    masks.json                          what the set is, its licence, the lists' checksums
    report.csv                          what became of every picture; the lines that are done are the set
    images/NAME.*  masks/NAME.png       pictures as they came, masks in 0 and 255
    train.txt validation.txt test.txt   names of the pictures
"""

from __future__ import annotations

import csv
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from PIL import Image, UnidentifiedImageError
from pydantic import BaseModel, ConfigDict, ValidationError

from lookonce.errors import InputError
from lookonce.io.pictures import read_picture

DESCRIPTION_FILE = "masks.json"
TABLE_FILE = "report.csv"
IMAGES_FOLDER, MASKS_FOLDER = "images", "masks"
#: What tools append to a picture's name to call its mask.
MASK_TAILS = ("_segmentation", "_lesion", "_mask", "_seg", "_label", "")

Objects = Literal["one", "many"]


class Description(BaseModel):
    """What a prepared set says of itself.

    Attributes
    ----------
    name
        Data set, such as isic2018.
    objects
        Whether a picture holds one object or many.
    licence
        Of the pictures; weights trained on them inherit it.
    lists
        The rule by which the set was split, and the sha256 of each list of names.
    """

    model_config = ConfigDict(extra="forbid")

    name: str
    objects: Objects
    licence: str
    generated_by: str
    rule: str
    lists: dict[str, str]


@dataclass(frozen=True)
class MaskCase:
    """A picture, its mask and its list; near-duplicates share their `kin`."""

    name: str
    image: Path
    mask: Path
    split: str
    kin: str


@dataclass(frozen=True)
class MaskSet:
    """A prepared set: its own words and its cases, by name."""

    root: Path
    about: Description
    cases: tuple[MaskCase, ...]


def is_mask_set(root: Path) -> bool:
    """Whether `lookonce prepare` wrote a set of pictures with masks there."""
    return (root / DESCRIPTION_FILE).is_file()


def read_mask_set(root: Path) -> MaskSet:
    """Read a prepared set.

    Raises
    ------
    InputError
        If there is none, or its files are damaged.
    """
    try:
        about = Description.model_validate_json((root / DESCRIPTION_FILE).read_text(encoding="utf-8"))
        with (root / TABLE_FILE).open(newline="", encoding="utf-8") as file:
            rows = [row for row in csv.DictReader(file) if row["state"] == "done"]
        cases = [
            MaskCase(row["name"], root / row["image"], root / row["mask"], row["split"], row["kin"]) for row in rows
        ]
    except FileNotFoundError as error:
        raise InputError(f"{root}: no prepared masks ({error.filename} is missing); run lookonce prepare") from None
    except (OSError, KeyError, TypeError, ValueError, csv.Error, ValidationError) as error:
        cause = str(error).splitlines()[0]
        raise InputError(
            f"{root}: its {DESCRIPTION_FILE} or {TABLE_FILE} is damaged ({cause}); prepare it again"
        ) from None
    return MaskSet(root, about, tuple(cases))


def read_case(case: MaskCase) -> tuple[NDArray[np.uint8], NDArray[np.bool_]]:
    """Picture (H, W, 3) and mask (H, W) of a case.

    Raises
    ------
    InputError
        If one cannot be read, or they differ in size.
    """
    picture, mask = read_picture(case.image).pixels, read_grey(case.mask) > 127
    if picture.shape[:2] != mask.shape:
        raise InputError(f"{case.mask}: is not of the size of {case.image.name}; prepare the set again")
    return picture, mask


def read_grey(path: Path) -> NDArray[np.uint8]:
    """A mask's file as (H, W), in whatever form it is stored; raises InputError if it cannot be read."""
    try:
        with Image.open(path) as image:
            return np.asarray(image.convert("L"))
    except FileNotFoundError:
        raise InputError(f"{path}: no such file; check the name and the folder") from None
    except UnidentifiedImageError:
        raise InputError(f"{path}: is no picture, or an empty file; copy it again") from None
    except Exception as error:  # Pillow's readers raise whatever a damaged file makes them stumble over
        raise InputError(f"{path}: is damaged or cut short ({error}); copy it again") from None
