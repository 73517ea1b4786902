"""The QC page: one static HTML file that opens from disk, a card a scan, the least certain first.

Every scan has a card file in ``cards/``; the page is rebuilt from all of them, so writers in parallel need only agree
on who rebuilds it. The page holds everything it shows: no server, no network, no file beside it is needed to read it.
"""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Collection, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from lookonce import __version__
from lookonce.errors import OutputError
from lookonce.io.files import remove_leftovers, write_files, write_text
from lookonce.labeling import LabelResult
from lookonce.report.card import Card
from lookonce.report.locking import folder_lock

#: Stands in each card file; raise it when the page's style or script no longer fits the cards of before.
FORMAT = 1


def add_to_qc(folder: Path, *, name: str, source: str, result: LabelResult) -> Path:
    """Add a labelled scan to the QC page of a folder, or replace its card there.

    Safe for any number of processes at once. A scan is known by `name` and `source` together.

    Parameters
    ----------
    folder : Path
        Made when it does not exist.
    name : str
        Heading of the card, such as ``sub-01_T2w``.
    source : str
        The file that was labelled, as it shall stand in the exported verdicts.
    result : LabelResult
        With a `view`, or without one for a card without picture.

    Returns
    -------
    Path
        The page, ``index.html`` in `folder`.

    Raises
    ------
    OutputError
        If the folder cannot be written to, or the disk is full; the page is then as it was.
    """
    write_card(folder, name=name, source=source, result=result)
    return rebuild_page(folder)


def write_card(folder: Path, *, name: str, source: str, result: LabelResult) -> None:
    """Write a scan's card file alone, as `add_to_qc` does: for many scans whose page is rebuilt once, at the end.

    Raises
    ------
    OutputError
        If the folder cannot be written to, or the disk is full.
    """
    card = Card.of(result, name=name, source=source)
    write_text(Path(folder) / "cards" / card.file_name, DrawnCard.of(card).to_json())


def rebuild_page(folder: Path, only: Collection[str] | None = None) -> Path:
    """Bring the page of a folder up to date with its card files and return its path.

    Parameters
    ----------
    folder : Path
    only : names of card files, optional
        Show these alone, those of them that are there; by default all.

    Raises
    ------
    OutputError
        If the folder cannot be written to, or the disk is full; the page is then as it was.
    """
    cards = Path(folder) / "cards"
    try:
        cards.mkdir(parents=True, exist_ok=True)
        with folder_lock(cards):
            return rebuild(Path(folder), only)
    except OSError as error:
        raise OutputError(
            f"{folder}: the QC page cannot be written ({error.strerror or error}); free space or choose another folder"
        ) from error


@dataclass(frozen=True)
class DrawnCard:
    """A card as its file holds it: drawn when its scan is added, so that rebuilding the page is reading and joining.

    Attributes
    ----------
    rank : list
        Sort key, see `Card.rank`.
    uncertain, has_attention : bool
    html : str
        The card's part of the page.
    """

    rank: list[bool | float | str]
    uncertain: bool
    has_attention: bool
    html: str

    @classmethod
    def of(cls, card: Card) -> DrawnCard:
        """Draw a card."""
        html = _printable(_environment().get_template("card.html.j2").render(card=card))
        return cls(list(card.rank), card.uncertain, card.attention is not None, html)

    @classmethod
    def from_json(cls, text: str) -> DrawnCard:
        """Read what `to_json` writes; ValueError when it is anything else."""
        try:
            fields = json.loads(text)
            if fields.pop("format") != FORMAT:
                raise ValueError("a card of another version")
            return cls(**fields)
        except (AttributeError, KeyError, TypeError) as error:
            raise ValueError(f"not a card: {error}") from error

    def to_json(self) -> str:
        """Text of the card file."""
        return json.dumps({"format": FORMAT, **asdict(self)})


def rebuild(folder: Path, only: Collection[str] | None = None) -> Path:
    """Bring the page up to date, see `rebuild_page`; the caller holds the lock.

    A page that shows these very files is left alone: of many writers who wait for the lock, the first one's rebuild
    serves all whose cards were there by then.
    """
    page = folder / "index.html"
    remove_leftovers(folder, page.name)
    paths = [path for path in sorted((folder / "cards").glob("*.json")) if only is None or path.name in only]
    stamp = _stamp(paths)
    if _stands_in(page, stamp):
        return page
    shown, unreadable = [], []
    for path in paths:
        try:
            shown.append(_ShownCard.of(path))
        except ValueError:  # also what broken JSON and broken UTF-8 raise
            unreadable.append(_printable(path.name))
    pieces = _page(sorted(shown, key=lambda card: card.rank), unreadable, stamp)
    write_files({page: (piece.encode() for piece in pieces)})
    return page


@dataclass(frozen=True)
class _ShownCard:
    """What must be known of a card to place it; a study's cards are not all held in memory at once."""

    path: Path
    rank: list[bool | float | str]
    uncertain: bool
    has_attention: bool

    @classmethod
    def of(cls, path: Path) -> _ShownCard:
        card = DrawnCard.from_json(path.read_text(encoding="utf-8"))
        return cls(path, card.rank, card.uncertain, card.has_attention)

    def __html__(self) -> str:
        """Its part of the page, read when the page comes to it."""
        return DrawnCard.from_json(self.path.read_text(encoding="utf-8")).html


def _stamp(paths: list[Path]) -> str:
    """Fingerprint of the card files as they stand; a replaced file is another one, whatever it holds."""
    states = [(path.name, state.st_ino, state.st_size, state.st_mtime_ns) for path in paths for state in [path.stat()]]
    return hashlib.sha256(repr((__version__, FORMAT, states)).encode()).hexdigest()


def _stands_in(page: Path, stamp: str) -> bool:
    try:
        with page.open("rb") as file:
            return stamp.encode() in file.read(1000)  # the stamp is in the first lines
    except FileNotFoundError:
        return False


def _page(cards: list[_ShownCard], unreadable: list[str], stamp: str) -> Iterator[str]:
    """HTML of the page, piece by piece, with the cards in the given order and the names of unreadable card files."""
    environment = _environment()
    script = _asset(environment, "verdicts.js") + _asset(environment, "qc.js")
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode("ascii")
    return environment.get_template("qc.html.j2").generate(
        bodies=cards,
        uncertain=sum(card.uncertain for card in cards),
        has_attention=any(card.has_attention for card in cards),
        unreadable=unreadable,
        script=Markup(script),
        # Only this very script may run, whatever a scan is called, and nothing may be fetched.
        policy=f"default-src 'none'; img-src data:; style-src 'unsafe-inline'; script-src 'sha256-{digest}'; "
        "base-uri 'none'; form-action 'none'",
        style=Markup(_asset(environment, "qc.css")),
        stamp=stamp,
        version=__version__,
    )


def _environment() -> Environment:
    return Environment(
        loader=PackageLoader("lookonce.report", "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )


def _asset(environment: Environment, name: str) -> str:
    assert environment.loader is not None
    return environment.loader.get_source(environment, name)[0]


def _printable(text: str) -> str:
    """Text without the half characters that stand for bytes of a file name that are no UTF-8."""
    return text.encode("utf-8", "replace").decode()
