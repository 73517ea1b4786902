"""Where public sets of pictures keep their masks, and how each is split."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

from lookonce.io.mask_sets import MASK_TAILS, Objects

PICTURE_ENDINGS = frozenset((".jpg", ".jpeg", ".png", ".bmp", ".tif", ".tiff"))


@dataclass(frozen=True)
class Pair:
    """The files of one name: a picture and its mask, or one mask a cell; too few or many are told later."""

    name: str
    images: tuple[Path, ...]
    masks: tuple[Path, ...]


@dataclass(frozen=True)
class Layout:
    """A data set and how its files are found.

    Attributes
    ----------
    sizes
        The papers' sizes of the lists train, validation and test, where they give them.
    needs
        What a folder must hold, for a message.
    several
        Whether a picture may have one mask a cell.
    """

    name: str
    objects: Objects
    licence: str
    sizes: tuple[int, int, int] | None
    find: Callable[[Path], list[Pair]]
    needs: str
    several: bool = False


def name_order(name: str) -> list[tuple[int, str]]:
    """Key that sorts names with their numbers as numbers.

    Examples
    --------
    >>> sorted(["cell-10", "cell-9"], key=name_order)
    ['cell-9', 'cell-10']
    """
    return [(int(part), "") if part.isdigit() else (-1, part) for part in re.split(r"(\d+)", name) if part]


def _ph2(source: Path) -> list[Pair]:
    images = [path for path in _pictures(source) if path.parent.name == f"{path.stem}_Dermoscopic_Image"]
    masks = [path for path in _pictures(source) if path.parent.name == path.stem and path.stem.endswith("_lesion")]
    return _pairs(_named(images), _named(masks, "_lesion"))


def _isic(source: Path) -> list[Pair]:
    """Those of the training part, where the other parts lie beside it: the papers split that one."""
    files = [path for path in _pictures(source) if path.name.startswith("ISIC_")]
    training = [path for path in files if any("training" in part.lower() for part in path.relative_to(source).parts)]
    files = training or files
    images = [path for path in files if re.fullmatch(r"ISIC_\d+", path.stem)]
    return _pairs(
        _named(images), _named([path for path in files if path.stem.endswith("_segmentation")], "_segmentation")
    )


def _segpc(source: Path) -> list[Pair]:
    """The challenge's folders x and y, a mask a cell (106_1, 106_2), or folders images and masks, one a picture."""
    files = _pictures(source)
    images = _named(path for path in files if path.parent.name in ("x", "images"))
    masks = defaultdict(list)
    for path in files:
        if path.parent.name in ("y", "masks"):
            # A picture's name may itself hold an underscore; then its whole name counts, or all but a cell's number.
            names = (path.stem, path.stem.rpartition("_")[0])
            masks[next((name for name in names if name in images), path.stem.partition("_")[0])].append(path)
    return _pairs(images, masks)


def _image_mask(source: Path) -> list[Pair]:
    images = _named(path for path in _pictures(source / "images"))
    masks = defaultdict(list)
    for path in _pictures(source / "masks"):
        stems = [path.stem.removesuffix(tail) for tail in MASK_TAILS if path.stem.endswith(tail)]
        # A picture may itself be called after a mask's ending; then its whole name counts.
        masks[next((stem for stem in stems if stem in images), stems[0])].append(path)
    return _pairs(images, masks)


LAYOUTS = {
    layout.name: layout
    for layout in (
        Layout(
            "ph2",
            "one",
            "research and education only (PH2)",
            (80, 20, 100),
            _ph2,
            "IMD*/IMD*_Dermoscopic_Image/IMD*.bmp and IMD*/IMD*_lesion/IMD*_lesion.bmp",
        ),
        Layout(
            "isic2017",
            "one",
            "as the ISIC 2017 challenge states",
            (1399, 200, 400),
            _isic,
            "ISIC_*.jpg and ISIC_*_segmentation.png",
        ),
        Layout(
            "isic2018",
            "one",
            "CC-BY-NC-4.0",
            (1815, 259, 520),
            _isic,
            "ISIC_*.jpg and ISIC_*_segmentation.png",
        ),
        Layout(
            "segpc2021",
            "many",
            "CC-BY-NC-SA-4.0",
            None,
            _segpc,
            "x/NAME.bmp and y/NAME_*.bmp, or images/NAME.* and masks/NAME.png",
            several=True,
        ),
        Layout("image-mask", "one", "not stated", None, _image_mask, "images/NAME.* and masks/NAME*.png"),
    )
}


def _pictures(folder: Path) -> list[Path]:
    return [path for path in sorted(folder.rglob("*")) if path.suffix.lower() in PICTURE_ENDINGS]


def _named(paths: Iterable[Path], tail: str = "") -> dict[str, list[Path]]:
    named = defaultdict(list)
    for path in paths:
        named[path.stem.removesuffix(tail)].append(path)
    return named


def _pairs(images: dict[str, list[Path]], masks: dict[str, list[Path]]) -> list[Pair]:
    names = sorted({*images, *masks}, key=name_order)
    return [Pair(name, tuple(images.get(name, ())), tuple(masks.get(name, ()))) for name in names]
