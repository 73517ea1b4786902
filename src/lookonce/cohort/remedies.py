"""What to do about a scan of a study, where `lookonce label` has an option for it and `lookonce cohort` has none."""

from __future__ import annotations

import re

_REMEDIES = (
    (
        re.compile(r"pick one with --volume N \(0 to (\d+)\)"),
        r"put one of them (0 to \1) into a file of its own, or leave this one out with --exclude",
    ),
    (
        re.compile(r"or give --first-level( instead)?"),
        "and where it is wrong correct the label file and write GeneratedBy: Manual into its sidecar",
    ),
)


def for_study(message: str) -> str:
    """The same message with remedies that a study has.

    Examples
    --------
    >>> for_study("3 volumes: pick one with --volume N (0 to 2)")
    '3 volumes: put one of them (0 to 2) into a file of its own, or leave this one out with --exclude'
    """
    for option, remedy in _REMEDIES:
        message = option.sub(remedy, message)
    return message
