"""Lists of scans to leave out: ``exclude.yml`` as Spine Generic and its relatives keep it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import takewhile
from pathlib import Path

from lookonce.errors import InputError
from lookonce.io.nifti import label_stem


@dataclass(frozen=True)
class Exclusions:
    """What a list leaves out.

    Attributes
    ----------
    entries : tuple of (str, str)
        What is left out, without folder and ending, and the category that it stands under ("" where there is none).
        A subject (``sub-01``), a session of one (``sub-01_ses-2``), a scan (``sub-01_T2w``), or a site: ``stanford``
        is every ``sub-stanford`` followed by digits.
    """

    entries: tuple[tuple[str, str], ...] = ()

    def reason(self, stem: str) -> str | None:
        """Why the scan called `stem` is left out: the entries and their categories. None where it is not.

        Examples
        --------
        >>> exclusions = Exclusions((("sub-01", "csa_t2"), ("sub-02_T1w", "")))
        >>> exclusions.reason("sub-01_T2w"), exclusions.reason("sub-02_T1w"), exclusions.reason("sub-02_T2w")
        ('sub-01 (csa_t2)', 'sub-02_T1w', None)
        """
        hits = ((entry, category) for entry, category in self.entries if _hits(entry, stem))
        named = (f"{entry} ({category})" if category else entry for entry, category in hits)
        return ", ".join(dict.fromkeys(named)) or None


def read_exclusions(path: str | Path) -> Exclusions:
    """Read a YAML list of what to leave out.

    The form is a list, or categories with a list each, nested as deep as one likes. An entry is a subject, a file (with
    or without folder and ending) or a site; as a mapping, ``sub-01: motion`` gives the reason. Any other text is a
    remark.

    Raises
    ------
    InputError
        If the file cannot be read, is no YAML or holds no list: without it, what somebody took out would come back.
    """
    import yaml

    path = Path(path)
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror or error}); check the name and the folder") from None
    except (ValueError, yaml.YAMLError) as error:
        raise InputError(f"{path}: is no YAML ({' '.join(str(error).split())}); mend it") from None
    entries = tuple(_entries(content, ""))
    if isinstance(content, str) and not entries:
        raise InputError(f"{path}: holds no list of what to leave out, but {content[:60]!r}; mend it")
    return Exclusions(entries)


def _entries(content: object, category: str, *, in_list: bool = False) -> Iterator[tuple[str, str]]:
    """Entries below one node of the YAML; a bare word is a site only in a list, for elsewhere it is a reason."""
    if isinstance(content, dict):
        for key, value in content.items():
            if names := _names(str(key)):
                yield from ((name, category) for name in names)  # the value is the reason
            else:
                yield from _entries(value, f"{category}/{key}".lstrip("/"))
    elif isinstance(content, list):
        for value in content:
            yield from _entries(value, category, in_list=True)
    elif isinstance(content, str | int):
        text = str(content).strip()
        names = _names(text)
        if not names and in_list and re.fullmatch(r"[A-Za-z0-9]+", text):
            names = [text]
        yield from ((name, category) for name in names)


def _names(text: str) -> list[str]:
    """The subjects and scans that a text begins with: ``sub-01_T2w.nii.gz, sub-02 moved`` names two."""
    words = takewhile(lambda word: Path(word).name.startswith("sub-"), re.split(r"[\s,;]+", text.strip()))
    return [label_stem(word) for word in words]


def _hits(entry: str, stem: str) -> bool:
    if not entry.startswith("sub-"):
        subject = stem.partition("_")[0]
        numbered = "" if entry[-1].isdigit() else r"\d*"
        return re.fullmatch(rf"sub-{re.escape(entry)}{numbered}", subject) is not None
    # Either may say more than the other: a subject stands for its scans, a scan's label file for the scan.
    return f"{stem}_".startswith(f"{entry}_") or f"{entry}_".startswith(f"{stem}_")
