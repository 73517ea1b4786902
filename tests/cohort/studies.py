"""Little studies whose scans are labelled at once, by a labeller that is told what it sees."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace

import pytest
from tests.conftest import save_nifti
from tests.spines import spine

from lookonce.anatomy import Level
from lookonce.cohort import sessions
from lookonce.cohort.agreement import Alone
from lookonce.cohort.manifest import RECORDS, Job
from lookonce.cohort.plan import Selection, Study, find_study
from lookonce.cohort.run import label_study
from lookonce.errors import NothingFoundError
from lookonce.io.nifti import label_stem
from lookonce.labeling import LabelResult
from lookonce.landmarks import Disc, DiscLabels

MODEL = {"name": "told", "version": "1", "sha256": "0" * 64}


def spine_labels(levels, off: int = 0) -> DiscLabels:
    """The discs of some levels of one straight spine, called `off` levels lower than they are."""
    points = spine(levels)
    return DiscLabels(
        Disc(Level(level + off), tuple(map(float, point)), 0.9) for level, point in zip(levels, points, strict=True)
    )


def alone(levels, off: int = 0, sure: float = 0.99, **others) -> Alone:
    """What a scan of some levels of that spine shows."""
    shift = {0: sure, 1: 1 - sure}
    discs = spine_labels(levels, off).to_records()
    return Alone(discs=discs, level_shift=shift, uncertain=sure < 0.95, **others)


@dataclass
class Labeller:
    """Labels a scan as it is told by the scan's name; C2/C3 to C7/T1 where it is told nothing.

    Attributes
    ----------
    says : dict of str to Alone
    fails : set of str
    warns : dict of str to list of str
    calls : list of str
        The scans that it was given.
    """

    says: dict[str, Alone] = field(default_factory=dict)
    fails: set[str] = field(default_factory=set)
    warns: dict[str, list[str]] = field(default_factory=dict)
    calls: list[str] = field(default_factory=list)

    def __call__(self, image, *, model, localizer=None) -> LabelResult:
        stem = label_stem(image.path)
        self.calls.append(stem)
        if stem in self.fails:
            raise NothingFoundError("no spine was found in the image; is it a sagittal or 3D spine scan?")
        if localizer is not None:
            return LabelResult(localizer.labels, localizer.level_shift, localizer.uncertain, model=MODEL)
        told = self.says.get(stem, alone(range(3, 9)))
        return LabelResult(
            told.labels,
            told.level_shift,
            told.uncertain,
            "C2",
            warnings=self.warns.get(stem, []),
            seconds=len(self.calls),
            model=MODEL,
        )


@dataclass(frozen=True)
class Told:
    """A study on disk with its labeller."""

    root: Path
    labeller: Labeller
    job: Job

    @property
    def out(self) -> Path:
        return self.job.out_dir

    def add(self, *stems: str) -> None:
        """Add scans by their names."""
        for number, stem in enumerate(stems):
            session = re.search(r"_(ses-\w+?)_", stem)
            folder = self.root.joinpath(stem.split("_")[0], *([session[1]] if session else []), "anat")
            folder.mkdir(parents=True, exist_ok=True)
            save_nifti(folder / f"{stem}.nii.gz", descrip=f"{stem} {number}".encode())

    def image(self, stem: str) -> Path:
        (path,) = self.root.rglob(f"{stem}.nii.gz")
        return path

    def study(self, **selection) -> Study:
        return find_study(self.root, Selection(**selection))

    def run(self, engine=None, job: Job | None = None, **selection) -> dict[str, str]:
        """Label what is not done; the state of every scan by its name."""
        study = self.study(**selection)
        found = label_study(job or self.job, study, engine or in_order, whole=study)
        return {scan.stem: standing.state for scan, standing in found.items()}


def in_order(work, tasks) -> Iterator:
    """An engine that works in this process."""
    for task in tasks:
        yield task, work(task)


def backwards(work, tasks) -> Iterator:
    """The same, the last one first."""
    return in_order(work, reversed(list(tasks)))


@pytest.fixture
def told(tmp_path, monkeypatch) -> Told:
    """An empty study; scans are added by name."""
    labeller = Labeller()
    monkeypatch.setattr(sessions, "label", labeller)
    monkeypatch.setattr(sessions, "_session", lambda *_: SimpleNamespace(identity=MODEL))
    return Told(tmp_path / "in", labeller, Job(tmp_path / "in", tmp_path / "out", "told", MODEL["sha256"]))


def results(out: Path) -> dict[str, str]:
    """Every result of a study by its place, without what tells the time."""
    found = {}
    for path in sorted(path for path in out.rglob("*") if path.is_file()):
        place = path.relative_to(out).as_posix()
        if place.startswith(RECORDS) or path.name == ".lock":
            continue
        text = path.read_bytes().decode("latin-1")
        text = re.sub(r'"seconds": [\d.]+', "", text)
        found[place] = re.sub(r'name="lookonce-cards" content="\w+"', "", text)
    return found
