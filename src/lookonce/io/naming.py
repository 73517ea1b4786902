"""What the files of each input of a call are called, so that no two inputs write to the same ones."""

from __future__ import annotations

import hashlib
import os
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path


def plan_names(
    inputs: Iterable[str | Path], out: str | Path | None = None, *, stem_of: Callable[[Path], str]
) -> dict[Path, tuple[Path, str]]:
    """Folder and stem of every input's files, so that no two inputs of a call write to the same ones.

    Parameters
    ----------
    inputs : paths
        Files or folders; one given twice counts once.
    out : path, optional
        Folder for all; by default each input's own.
    stem_of : callable
        Name of an input's files, by its absolute path.

    Returns
    -------
    dict of Path to (folder, stem)
        In the order of the inputs. Inputs of one stem in one folder get, in front, the names of the folders above them
        that differ (``siteA_sub-01_T2w``); a hash of the path where those do not tell them apart. Which name an input
        gets depends on the set of inputs alone, not on their order.
    """
    paths = list(dict.fromkeys(Path(path) for path in inputs))
    # Not resolved: links, as git-annex makes them, keep the names that people gave them.
    absolute = {path: Path(os.path.abspath(path)) for path in paths}
    folders = {path: absolute[path].parent if out is None else Path(out) for path in paths}
    # Compared without regard to case, for file systems that have none.
    groups: dict[str, list[Path]] = {}
    for path in paths:
        groups.setdefault(str(folders[path] / stem_of(absolute[path])).casefold(), []).append(path)
    stems: dict[Path, str] = {}
    for group in groups.values():
        prefixes = _prefixes([absolute[path] for path in group])
        for path, prefix in zip(group, prefixes, strict=True):
            stems[path] = prefix + stem_of(absolute[path])
    taken = Counter(str(folders[path] / stem).casefold() for path, stem in stems.items())
    for path, stem in stems.items():
        if taken[str(folders[path] / stem).casefold()] > 1:
            stems[path] = f"{stem}_{hashlib.sha256(os.fsencode(absolute[path])).hexdigest()[:8]}"
    return {path: (folders[path] if out is not None else path.parent, stems[path]) for path in paths}


def _prefixes(paths: Sequence[Path]) -> list[str]:
    """For each of some paths of one stem, the folder names that tell it from the others, each with an underscore."""
    if len(paths) == 1:
        return [""]
    above = [path.parts[-2:0:-1] for path in paths]  # nearest folder first, without the root
    for depth in range(max(map(len, above)) + 1):
        heads = [(*names[:depth], *[""] * (depth - len(names))) for names in above]
        if len({tuple(map(str.casefold, head)) for head in heads}) == len(paths):
            break
    differs = [len(set(column)) > 1 for column in zip(*heads, strict=True)]
    return [
        "".join(f"{name}_" for name, used in zip(head[::-1], differs[::-1], strict=True) if used and name)
        for head in heads
    ]
