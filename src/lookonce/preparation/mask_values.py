"""What the values of mask files mean: verified on the data, and refused where they mean something else."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from lookonce.errors import InputError
from lookonce.io.mask_sets import read_grey

#: SegPC 2021, one file a cell.
NUCLEUS, CYTOPLASM = 40, 20
#: A mask stored as JPEG or scaled is grey at its edges: so much of it may be, and so far from black and white.
_MOST_GREY = 0.02
_NEAR = 0.1


def read_mask(path: Path) -> NDArray[np.bool_]:
    """A mask (H, W) of two values, black and another.

    Raises
    ------
    InputError
        If it cannot be read, or holds more than two values (a few grey pixels at edges are taken).
    """
    values = read_grey(path)
    found = np.unique(values)
    if len(found) <= 2:
        if len(found) == 2 and found[0] > 0:
            raise InputError(f"{path}: holds the values {found[0]} and {found[1]}, and no 0 for the ground; correct it")
        return values > 0
    top = int(found[-1])
    grey = ((values > _NEAR * top) & (values < (1 - _NEAR) * top)).mean()
    if grey > _MOST_GREY:
        some = ", ".join(map(str, found[:6]))
        raise InputError(f"{path}: holds {len(found)} values ({some} ...), where a mask has 0 and one more; correct it")
    return values > top / 2


class CellMasks:
    """Reads the masks of cells of SegPC 2021, and keeps count of which value lies within the other."""

    def __init__(self) -> None:
        self.nucleus_within = self.cytoplasm_within = 0.0

    def read(self, paths: Sequence[Path]) -> NDArray[np.bool_]:
        """All cells of a picture in one mask (H, W): one file a cell of 40 and 20, or one of 0 and 255.

        Raises
        ------
        InputError
            If a file cannot be read, holds other values, or they differ in size.
        """
        merged: NDArray[np.bool_] | None = None
        for path in paths:
            values = read_grey(path)
            kinds = set(np.unique(values).tolist())
            if not (kinds <= {0, NUCLEUS, CYTOPLASM} or kinds <= {0, 255}):
                held = ", ".join(map(str, sorted(kinds)[:6]))
                raise InputError(
                    f"{path}: holds the values {held}; a cell is {NUCLEUS} (nucleus) and {CYTOPLASM} (cytoplasm), "
                    "a merged mask 0 and 255"
                )
            if merged is not None and merged.shape != values.shape:
                raise InputError(f"{path}: is of another size than the picture's other masks; correct it")
            self._count(values)
            merged = values > 0 if merged is None else merged | (values > 0)
        if merged is None:
            raise InputError("no mask was given")
        return merged

    def check(self) -> None:
        """Raise InputError where the cells seen so far say that 20 is the nucleus, which lies within the cytoplasm."""
        if self.cytoplasm_within > self.nucleus_within:
            raise InputError(
                f"in these masks {CYTOPLASM} lies within {NUCLEUS}, so {CYTOPLASM} is the nucleus, unlike in "
                "SegPC 2021; exchange the values"
            )

    def _count(self, values: NDArray[np.uint8]) -> None:
        nucleus, cytoplasm = values == NUCLEUS, values == CYTOPLASM
        if nucleus.any() and cytoplasm.any():
            self.nucleus_within += float((nucleus & _between(cytoplasm)).sum() / nucleus.sum())
            self.cytoplasm_within += float((cytoplasm & _between(nucleus)).sum() / cytoplasm.sum())


def _between(mask: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Pixels that have the mask on both sides, along their row and along their column."""
    both = np.ones_like(mask)
    for axis in (0, 1):
        before = np.logical_or.accumulate(mask, axis=axis)
        after = np.flip(np.logical_or.accumulate(np.flip(mask, axis), axis=axis), axis)
        both &= before & after
    return both
