"""Which subjects train, validate and test: a rule that looks at nothing but the subject's id."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable

#: Lists and their shares of the subjects, in the order of the hash.
SHARES = {"train": 0.7, "validation": 0.1, "test": 0.2}


def split_of(subject: str) -> str:
    """Name of the list that a subject belongs to, whoever else is in the data set.

    The sha256 of the id, read as a number between 0 and 1, is compared with fixed thresholds. To sort by it and cut
    the order into exact shares would move subjects from one list to another whenever one is added, taken out or
    fetched later, and what a model was trained on would turn up in its test. The price: shares hold on average only.

    Examples
    --------
    >>> [split_of(f"sub-amu0{number}") for number in (1, 2, 3)]
    ['train', 'test', 'train']
    """
    place = int.from_bytes(hashlib.sha256(subject.encode()).digest()[:8]) / 2**64
    edge = 0.0
    for name, share in SHARES.items():
        edge += share
        if place < edge:
            return name
    return name  # the sum of the shares may fall short of 1 by a rounding error


def subject_list(name: str, subjects: Iterable[str]) -> str:
    """Text of the list called `name`, in the form that `lookonce.io.lists.read_subjects` reads."""
    *others, last = (f"{part} {share:.0%}" for part, share in SHARES.items())
    lines = [
        f"# Subjects of the list {name}; one a line, `#` starts a comment.",
        "# Rule: the first 8 bytes of the sha256 of the subject id (as sub-amu01), read as a share of their range,",
        f"# are cut at fixed thresholds: {', '.join(others)}, {last}. So nobody changes lists when others join.",
        *sorted(subject for subject in set(subjects) if split_of(subject) == name),
    ]
    return "\n".join(lines) + "\n"
