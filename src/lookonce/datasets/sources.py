"""Sources of training pictures: labelled BIDS trees, prepared 2D sets and the simulator."""

from __future__ import annotations

import io
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from lookonce.anatomy import ABOVE_SACRUM, Level
from lookonce.datasets.samples import UNNAMED, SlabSample
from lookonce.errors import InputError
from lookonce.geometry import FloatArray, sagittal_slabs, scale_intensity, world_to_voxel
from lookonce.io.bids import labelled_scans, read_labels
from lookonce.io.files import write_files
from lookonce.io.nifti import read_image
from lookonce.synth import simulate_slab

#: Stored pictures are finer than any network's input, so that augmentation resamples once from the fine grid.
STORED_SPACING_MM = 1.0
STORED_LATERAL_STEP_MM = 2.0
#: A training slab averages this many stored slabs at most (8 mm), and lies at most this far from the discs' plane.
THICKEST = 4
FARTHEST_MM = 16.0
#: Share of simulated pictures that lie anywhere within this distance of the middle; the others lie near it.
OFF_MIDDLE_SHARE, OFF_MIDDLE_MM = 0.4, 13.0


class Source(Protocol):
    """Something that draws pictures."""

    def draw(self, rng: np.random.Generator) -> SlabSample:
        """Return one picture with truth; the same generator state gives the same picture."""


@dataclass(frozen=True)
class LabelledStack:
    """One labelled scan as fine sagittal slabs, (S, H, W) float16, and its discs as (slab, row, column)."""

    subject: str
    data: NDArray[np.float16]
    points: FloatArray
    levels: NDArray[np.integer]
    lateral_step: float
    spacing: float


class BidsSource:
    """Labelled scans of a BIDS tree, held in memory as fine slabs.

    Raises
    ------
    InputError
        If the tree has no scan of the wanted subjects with a labelled disc, or one cannot be read.
    """

    def __init__(self, root: Path, subjects: Iterable[str] | None = None) -> None:
        wanted = None if subjects is None else set(subjects)
        scans = [scan for scan in labelled_scans(root) if wanted is None or scan.subject in wanted]
        stacks = [_load_stack(scan.subject, scan.image, scan.labels) for scan in scans]
        self.stacks = [stack for stack in stacks if len(stack.levels)]
        if not self.stacks:
            raise InputError(f"{root}: no labelled scan of the subjects that the recipe names; check --data")

    def draw(self, rng: np.random.Generator) -> SlabSample:
        """Return the mean of a few neighbouring slabs of one scan, mostly near the plane of its discs."""
        stack = self.stacks[rng.integers(len(self.stacks))]
        count = len(stack.data)
        offset = rng.normal(0, 3) if rng.random() < 0.75 else rng.uniform(-FARTHEST_MM, FARTHEST_MM)
        middle = np.median(stack.points[:, 0]) + offset / stack.lateral_step
        thickness = int(rng.integers(1, min(THICKEST, count) + 1))
        first = int(np.clip(round(middle - (thickness - 1) / 2), 0, count - thickness))
        plane = first + (thickness - 1) / 2
        return SlabSample(
            image=stack.data[first : first + thickness].astype(np.float32).mean(axis=0),
            spacing=stack.spacing,
            points=stack.points[:, 1:],
            levels=stack.levels,
            lateral=(stack.points[:, 0] - plane) * stack.lateral_step,
            complete=False,
        )


class SimulatedSource:
    """A pool of simulated pictures of one kind; picture i depends on kind, seed and i alone: any run can make it again.

    Raises
    ------
    ValueError
        If the field of view or contrast is unknown to the simulator, when the first picture is drawn.
    """

    def __init__(
        self,
        pool: int,
        seed: int,
        store: Path | None = None,
        *,
        field_of_view: str = "random",
        contrast: str = "random",
    ) -> None:
        self.pool, self.seed = pool, seed
        self._field_of_view, self._contrast = field_of_view, contrast
        self._samples: dict[int, SlabSample] = {}
        self._store = store
        if store is not None:
            store.mkdir(parents=True, exist_ok=True)

    def draw(self, rng: np.random.Generator) -> SlabSample:
        """Return one picture of the pool."""
        return self.picture(int(rng.integers(self.pool)))

    def picture(self, index: int) -> SlabSample:
        """Picture `index` of the pool, simulated on first use."""
        if index not in self._samples:
            self._samples[index] = self._read(index) or self._simulate(index)
        return self._samples[index]

    def _simulate(self, index: int) -> SlabSample:
        asked = " ".join(kind for kind in (self._field_of_view, self._contrast) if kind != "random")
        rng = np.random.default_rng([self.seed, index, *asked.encode()])
        # Many off the middle: how a disc fades to the sides is what places it right-left.
        lateral = rng.uniform(-OFF_MIDDLE_MM, OFF_MIDDLE_MM) if rng.random() < OFF_MIDDLE_SHARE else None
        slab = simulate_slab(rng, lateral=lateral, field_of_view=self._field_of_view, contrast=self._contrast)
        sample = SlabSample(
            image=slab.image.astype(np.float16),
            spacing=slab.spacing,
            points=slab.points,
            levels=nameable_levels(slab.levels, slab.variant),
            lateral=slab.lateral,
            negatives=slab.negatives,
        )
        if self._store is not None:
            packed = io.BytesIO()
            np.savez(packed, **{name: getattr(sample, name) for name in _STORED_FIELDS})
            # Several workers may simulate the same picture at once: each writes aside, the last one stays.
            write_files({self._store / f"{index}.npz": packed.getvalue()})
        return sample

    def _read(self, index: int) -> SlabSample | None:
        path = self._store / f"{index}.npz" if self._store is not None else None
        if path is None or not path.exists():
            return None
        with np.load(path, allow_pickle=False) as stored:
            fields = {name: stored[name] for name in _STORED_FIELDS}
        return SlabSample(**{**fields, "spacing": float(fields["spacing"])})


def nameable_levels(levels: NDArray[np.integer], variant: str | None) -> NDArray[np.int64]:
    """The names that a network is taught, (N,) SCT values.

    In a spine with another number of vertebrae those are what it shares with every other: the discs down to T9/T10,
    counted from C2, and the one above the sacrum. The others are `UNNAMED`.
    """
    if variant is None:
        return levels.astype(np.int64)
    values = np.array([Level(int(level)).nifti_value for level in levels])
    above_sacrum = np.isin(levels, ABOVE_SACRUM)
    return np.where((values <= Level.T9_T10) | above_sacrum, values, UNNAMED).astype(np.int64)


class PreparedSource:
    """A prepared 2D set: a folder of `.npz` files with image, spacing, points and levels (fields of `SlabSample`).

    A file is called after its subject or its scan, such as ``sub-01`` or ``sub-01_T2w``.

    Raises
    ------
    InputError
        If the folder has no picture of the wanted subjects.
    """

    def __init__(self, root: Path, subjects: Iterable[str] | None = None) -> None:
        wanted = None if subjects is None else set(subjects)
        paths = sorted(root.glob("*.npz"))
        self.paths = [path for path in paths if wanted is None or path.stem.partition("_")[0] in wanted]
        if not self.paths:
            raise InputError(f"{root}: holds no prepared pictures (.npz) of the subjects that the recipe names")

    def draw(self, rng: np.random.Generator) -> SlabSample:
        """Return one picture of the set, as it is."""
        with np.load(self.paths[rng.integers(len(self.paths))], allow_pickle=False) as stored:
            points, levels = stored["points"], stored["levels"]
            return SlabSample(
                stored["image"], float(stored["spacing"]), points, levels, np.zeros(len(levels)), complete=False
            )


_STORED_FIELDS = ("image", "spacing", "points", "levels", "lateral", "negatives")


def _load_stack(subject: str, image_path: Path, labels_path: Path) -> LabelledStack:
    image, labels = read_image(image_path), read_labels(labels_path)
    slabs = sagittal_slabs(image.data, image.affine, spacing=STORED_SPACING_MM, lateral_step=STORED_LATERAL_STEP_MM)
    return LabelledStack(
        subject=subject,
        data=scale_intensity(slabs.data).astype(np.float16),
        points=world_to_voxel(labels.points, affine=slabs.affine),
        levels=np.array([int(level) for level in labels.levels]),
        lateral_step=slabs.lateral_step,
        spacing=STORED_SPACING_MM,
    )
