"""Lists of a set of pictures: names in order, in the papers' sizes; near-duplicates stay together."""

from __future__ import annotations

import bisect
import hashlib
from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from lookonce.io.fitting import fitted
from lookonce.preparation.mask_layouts import name_order

LISTS = ("train", "validation", "test")
#: Correlation of two thumbnails from which they count as near-duplicates. In 2153 pictures of ISIC 2018 all pairs that
#: were looked at show one lesion from 0.967 on, and some of those below two. No two of 298 of SegPC come near 0.8.
ALIKE = 0.955
_THUMBNAIL = (16, 16)


def thumbnail(picture: NDArray[np.uint8]) -> NDArray[np.float32]:
    """A picture (H, W, 3) as 768 numbers of mean 0 a colour and norm 1: how bright it is does not count."""
    small = fitted(picture, _THUMBNAIL, "stretch").astype(np.float32)
    small -= small.mean(axis=(0, 1))
    return (small / max(float(np.linalg.norm(small)), 1e-6)).ravel()


def kin_of(names: Sequence[str], thumbnails: Sequence[NDArray[np.float32]]) -> dict[str, str]:
    """For every name the first, in order, of the names whose pictures are near-duplicates of its own, or itself."""
    order = sorted(range(len(names)), key=lambda index: name_order(names[index]))
    kin: dict[str, str] = {}
    if not order:
        return kin
    pixels = np.stack([thumbnails[index] for index in order])
    for place, index in enumerate(order):
        alike = np.flatnonzero(pixels[:place] @ pixels[place] >= ALIKE)
        heads = sorted({kin[names[order[other]]] for other in alike}, key=name_order)
        head = heads[0] if heads else names[index]
        kin[names[index]] = head
        if len(heads) > 1:  # this picture joins groups that were apart
            kin = {name: head if first in heads else first for name, first in kin.items()}
    return kin


def split_by_order(kin: Mapping[str, str], ends: tuple[int, int]) -> dict[str, str]:
    """The list of every name: the first train, the next validate, the rest test; each goes where its kin goes.

    Parameters
    ----------
    kin : mapping
        Name to the first of its near-duplicates.
    ends : (train, validation)
        How many names in order lie before the end of either list.
    """
    names = sorted(kin, key=name_order)
    place = {name: LISTS[bisect.bisect_right(ends, index)] for index, name in enumerate(names)}
    return {name: place[kin[name]] for name in names}


def split_as(kin: Mapping[str, str], other: Mapping[str, str]) -> dict[str, str]:
    """The list of every name as in another set.

    A name that it lacks goes where the first of its near-duplicates is there, or with the name before them in order.
    Near-duplicates that it has on two lists stay on them: what one form tests is not trained on in the other.
    """
    known = sorted(other, key=name_order)
    keys = [name_order(name) for name in known]
    of_kin = {kin[name]: other[name] for name in reversed(known) if name in kin}

    def list_of(name: str) -> str:
        first = kin[name]
        before = known[max(bisect.bisect_right(keys, name_order(first)) - 1, 0)]
        return other.get(name) or of_kin.get(first) or other[before]

    return {name: list_of(name) for name in kin}


def list_text(name: str, splits: Mapping[str, str], rule: str) -> str:
    """Text of the list called `name`, in the form that `lookonce.io.lists.read_subjects` reads."""
    comments = [f"# Names of the list {name}; one a line, `#` starts a comment.", f"# Rule: {rule}."]
    return "\n".join([*comments, *_members(name, splits), ""])


def list_hash(name: str, splits: Mapping[str, str]) -> str:
    """The sha256 of the list's names in order, each with a line's end: that of the file without its comments."""
    return hashlib.sha256("".join(f"{member}\n" for member in _members(name, splits)).encode()).hexdigest()


def _members(name: str, splits: Mapping[str, str]) -> list[str]:
    return sorted((member for member, split in splits.items() if split == name), key=name_order)
