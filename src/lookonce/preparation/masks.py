"""Sets of pictures with masks made ready: checked one by one, split by rule, every picture accounted for.

The folder that is written is described in `lookonce.io.mask_sets`.
"""

from __future__ import annotations

import io
import shutil
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from lookonce import __version__
from lookonce.errors import InputError, UsageError
from lookonce.io.files import write_files
from lookonce.io.mask_sets import (
    DESCRIPTION_FILE,
    IMAGES_FOLDER,
    MASKS_FOLDER,
    TABLE_FILE,
    Description,
    Objects,
    is_mask_set,
    read_mask_set,
)
from lookonce.io.pictures import read_picture
from lookonce.preparation.mask_layouts import LAYOUTS, Layout, Pair
from lookonce.preparation.mask_report import MaskPreparation, PictureRow
from lookonce.preparation.mask_splits import (
    LISTS,
    kin_of,
    list_hash,
    list_text,
    split_as,
    split_by_order,
    thumbnail,
)
from lookonce.preparation.mask_values import CellMasks, read_mask
from lookonce.preparation.report import reason_and_remedy

#: Of a hundred pictures, where the papers give no sizes.
SHARES = (70, 10, 20)

Progress = Callable[[int, int, str], None]


def prepare_masks(
    name: str,
    source: str | Path,
    out: str | Path,
    *,
    sizes: tuple[int, int] | None = None,
    like: str | Path | None = None,
    objects: Objects | None = None,
    licence: str | None = None,
    overwrite: bool = False,
    progress: Progress | None = None,
) -> MaskPreparation:
    """Check and split a set of pictures with masks.

    Parameters
    ----------
    name : str
        One of `LAYOUTS`.
    source, out : path
        The set, which is only read, and the folder to write to, new or empty.
    sizes : (train, validation), optional
        Numbers of pictures, the rest being to test; by default the papers'.
    like : path, optional
        Another prepared set, whose lists are followed: for a second form of the same pictures.
    objects, licence : optional
        What the set is, where it is none of the known ones.
    overwrite : bool
        Replace what an earlier run wrote into `out`.
    progress : callable, optional
        Called with the pictures done, those in all and the one in hand.

    Returns
    -------
    MaskPreparation
        A picture that cannot be prepared is named in it, and in the report, with the reason; the others are done.

    Raises
    ------
    InputError
        If `source` holds no picture of the layout, none could be prepared (the report is written all the same), or the
        values of its masks mean something else.
    UsageError
        If `out` holds anything else, or an earlier set and `overwrite` is not set, `sizes` and `like` are given, or
        there are fewer pictures than `sizes` ask for.
    OutputError
        If a file cannot be written.
    """
    layout, source, out = LAYOUTS[name], Path(source), Path(out)
    if sizes is not None and like is not None:
        raise UsageError("sizes of the lists and another set's lists exclude each other; give one of them")
    followed = None if like is None else {case.name: case.split for case in read_mask_set(Path(like)).cases}
    pairs = _found(layout, source)
    if sizes is not None and sum(sizes) > len(pairs):
        raise UsageError(f"--sizes {sizes[0]},{sizes[1]}: there are only {len(pairs)} pictures")
    _check_folder(out, source, overwrite=overwrite)
    about = Description(
        name=name,
        objects=objects or layout.objects,
        licence=licence or layout.licence,
        generated_by=f"LookOnce prepare {__version__}",
        rule=_rule(layout, sizes, like),
        lists={},
    )
    # It goes first, so that what an interrupted run leaves is known as its own.
    write_files({out / DESCRIPTION_FILE: about.model_dump_json(indent=1).encode()})
    rows, thumbnails = _checked(pairs, layout, about, source, out, progress)
    kin = kin_of([row.name for row in rows if row.state == "done"], thumbnails)
    splits = split_as(kin, followed) if followed else split_by_order(kin, _ends(layout, sizes, len(kin)))
    rows = [replace(row, split=splits.get(row.name, ""), kin=kin.get(row.name, "")) for row in rows]
    about = about.model_copy(update={"lists": {part: list_hash(part, splits) for part in LISTS}})
    result = MaskPreparation(out, about, tuple(rows))
    _write_summary(result, splits)
    if not kin:
        first = result.failed[0]
        raise InputError(
            f"{source}: none of its {len(rows)} pictures could be prepared; {result.report} says why. The first: "
            f"{first.name}: {first.reason}; {first.remedy}"
        )
    return result


def _found(layout: Layout, source: Path) -> list[Pair]:
    if not source.is_dir():
        raise InputError(f"{source}: no such folder; name the one of the data set")
    pairs = layout.find(source)
    if not any(pair.images for pair in pairs):
        raise InputError(f"{source}: holds no picture in the layout of {layout.name}, which is {layout.needs}")
    return pairs


def _check_folder(out: Path, source: Path, *, overwrite: bool) -> None:
    """Make sure that `out` may be written to: new, empty, or an earlier run's that is to be replaced."""
    if out.exists() and not out.is_dir():
        raise UsageError(f"{out}: is a file; name a folder to write to")
    if not out.exists() or not any(out.iterdir()):
        return
    if out.resolve() == source.resolve():
        raise UsageError(f"{out}: is the data set itself, which stays as it is; name another folder to write to")
    if not is_mask_set(out):
        raise UsageError(f"{out}: holds files that `lookonce prepare` did not write; name an empty or a new folder")
    if (out / TABLE_FILE).exists() and not overwrite:
        raise UsageError(f"{out}: holds a prepared set; replace it with --overwrite or name another folder")
    (out / TABLE_FILE).unlink(missing_ok=True)
    for folder in (IMAGES_FOLDER, MASKS_FOLDER):
        shutil.rmtree(out / folder, ignore_errors=True)


def _rule(layout: Layout, sizes: tuple[int, int] | None, like: str | Path | None) -> str:
    if like is not None:
        lacking = "a name that it lacks as its near-duplicates there, or else as the one before it"
        return f"as the prepared set {Path(like).resolve().name}; {lacking}"
    train, validation = sizes or (layout.sizes or SHARES)[:2]
    unit = " of 100" if not sizes and not layout.sizes else ""
    shares = f" (where there are fewer than {sum(layout.sizes)}, the same shares)" if layout.sizes and not sizes else ""
    order = f"the first {train}{unit} train, the next {validation}{unit} validate, the rest test"
    return f"names in order, {order}{shares}; near-duplicates go where the first of them goes"


def _ends(layout: Layout, sizes: tuple[int, int] | None, count: int) -> tuple[int, int]:
    """How many of the names in order lie before the end of the list train, and before that of validation."""
    train, validation, test = (*sizes, 0) if sizes else layout.sizes or SHARES
    whole = train + validation + test
    scale = 1.0 if sizes else count / whole if not layout.sizes else min(1.0, count / whole)
    return round(train * scale), round((train + validation) * scale)


def _checked(
    pairs: Sequence[Pair], layout: Layout, about: Description, source: Path, out: Path, progress: Progress | None
) -> tuple[list[PictureRow], list[NDArray[np.float32]]]:
    """Write every picture and mask that is in order; the lines of all, and the thumbnails of those done."""
    rows, thumbnails = [], []
    cells = CellMasks() if layout.several else None
    for done, pair in enumerate(pairs):
        if progress:
            progress(done, len(pairs), pair.name)
        image, mask = (str(paths[0].relative_to(source)) if paths else "" for paths in (pair.images, pair.masks))
        row = PictureRow(pair.name, image, mask, "failed")
        try:
            row, small = _written(pair, about, cells, out)
            thumbnails.append(small)
        except InputError as error:  # one that cannot be written would fail for every picture alike
            reason, remedy = reason_and_remedy(error, source)
            row = replace(row, reason=reason, remedy=remedy)
        rows.append(row)
    if cells:
        cells.check()
    return rows, thumbnails


def _written(
    pair: Pair, about: Description, cells: CellMasks | None, out: Path
) -> tuple[PictureRow, NDArray[np.float32]]:
    source = _only(pair.images, "picture", pair.name)
    if cells is None:
        mask = read_mask(_only(pair.masks, "mask", pair.name))
    elif pair.masks:
        mask = cells.read(pair.masks)
    else:
        raise InputError(f"there is no mask of {pair.name}; copy it, or leave the picture out")
    picture = read_picture(source).pixels
    if picture.shape[:2] != mask.shape:
        sizes = " and ".join("{1} x {0}".format(*shape) for shape in (picture.shape, mask.shape))
        raise InputError(f"picture and mask differ in size ({sizes} pixels); copy those that belong together")
    if about.objects == "one" and not mask.any():
        raise InputError(f"{pair.masks[0]}: marks nothing; draw the mask, or leave the picture out")
    place = Path(IMAGES_FOLDER) / f"{pair.name}{source.suffix.lower()}"
    mask_place = Path(MASKS_FOLDER) / f"{pair.name}.png"
    write_files({out / place: source.read_bytes(), out / mask_place: _png(mask)})
    row = PictureRow(
        pair.name,
        place.as_posix(),
        mask_place.as_posix(),
        "done",
        height=mask.shape[0],
        width=mask.shape[1],
        share_percent=round(100 * float(mask.mean()), 2),
    )
    return row, thumbnail(picture)


def _only(paths: tuple[Path, ...], what: str, name: str) -> Path:
    if not paths:
        raise InputError(f"there is no {what} of {name}; copy it, or leave its other half out")
    if len(paths) > 1:
        raise InputError(f"{paths[0]} and {paths[1]}: are both the {what} of {name}; leave one of them out")
    return paths[0]


def _png(mask: NDArray[np.bool_]) -> bytes:
    content = io.BytesIO()
    Image.fromarray(mask.astype(np.uint8) * 255).save(content, format="PNG", optimize=True)
    return content.getvalue()


def _write_summary(result: MaskPreparation, splits: dict[str, str]) -> None:
    lists = {result.out / f"{name}.txt": list_text(name, splits, result.about.rule).encode() for name in LISTS}
    description = {result.out / DESCRIPTION_FILE: result.about.model_dump_json(indent=1).encode()}
    write_files({**lists, **description, result.report: result.to_csv().encode()})
