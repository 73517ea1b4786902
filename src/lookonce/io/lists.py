"""Lists of subjects and of patients: text files of the user, or shipped ones by name."""

from __future__ import annotations

import csv
import io
from importlib import resources
from pathlib import Path

from lookonce.errors import UsageError


def read_subjects(name: str | Path) -> frozenset[str]:
    """Subject ids of a list: the name of one shipped in `lookonce/recipes/splits`, such as ``unseen``, or a file.

    One id a line; ``#`` starts a comment.

    Raises
    ------
    UsageError
        If there is no such list, or nobody in it.

    Examples
    --------
    >>> sorted(read_subjects("cervical_validation"))
    ['sub-errsm11', 'sub-errsm21']
    """
    lines = (line.partition("#")[0].strip() for line in _text_of(name, ".txt").splitlines())
    subjects = frozenset(line for line in lines if line)
    if not subjects:
        raise UsageError(f"{name}: names no subject; write one id a line")
    return subjects


def read_patients(name: str | Path) -> dict[str, str]:
    """Subject id to patient, of a table with the columns participant_id and patient_id, found as by `read_subjects`.

    Raises
    ------
    UsageError
        If there is no such table, or a line of it lacks one of the two.
    """
    rows = list(csv.DictReader(io.StringIO(_text_of(name, ".tsv")), delimiter="\t"))
    if not all(row.get("participant_id") and row.get("patient_id") for row in rows):
        raise UsageError(f"{name}: every line needs participant_id and patient_id, separated by a tab")
    return {row["participant_id"]: row["patient_id"] for row in rows}


def _text_of(name: str | Path, ending: str) -> str:
    """Text of the shipped list or of the file called `name`.

    A bare name is the shipped list, so that no file nearby changes what a recipe trains on; with its ending, the file
    goes first.
    """
    path = Path(name)
    shipped = resources.files("lookonce") / "recipes" / "splits" / f"{path.name.removesuffix(ending)}{ending}"
    is_bare = path.suffix != ending
    use_shipped = len(path.parts) == 1 and shipped.is_file() and (is_bare or not path.is_file())
    try:
        return shipped.read_text(encoding="utf-8") if use_shipped else path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"{name}: no such list ({error}); give a text file or the name of a shipped list") from error
