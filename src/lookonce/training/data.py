"""The data of a run: a recipe's sources as streams that go on where a stopped run left them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import lightning
from torch.utils.data import DataLoader

from lookonce.datasets.augment import Augmentation
from lookonce.datasets.points import PointStream
from lookonce.datasets.skeletons import labelled_skeletons, simulated_skeletons
from lookonce.datasets.sources import BidsSource, PreparedSource, SimulatedSource, Source
from lookonce.datasets.stream import PictureStream
from lookonce.datasets.targets import Target
from lookonce.decode.skeleton import mean_skeleton
from lookonce.errors import InputError, UsageError
from lookonce.geometry import FloatArray
from lookonce.io.lists import read_subjects
from lookonce.training.recipe import PointRecipe, Recipe, SourcePart

#: Pictures, or batches of points, of the fixed set that `val/*` is computed on after every epoch.
VALIDATION_PICTURES = 48
VALIDATION_BATCHES = 10


class RunData(lightning.LightningDataModule):
    """The streams of a run: epoch e trains on the samples after those of epoch e - 1, also after a restart."""

    def __init__(self, recipe: Recipe, data: Path | None, cache: Path, *, stride: int) -> None:
        super().__init__()
        self.recipe, self.stride = recipe, stride
        self.sources = [(_source(part, data, cache, recipe.seed), part.weight) for part in recipe.data]

    def train_dataloader(self) -> DataLoader:
        """Batches of the current epoch."""
        assert self.trainer is not None
        length = self.recipe.steps_per_epoch * self.recipe.batch_size * self.trainer.world_size
        epoch, seed = self.trainer.current_epoch, self.recipe.seed
        target = self.recipe.target.after(epoch / self.recipe.epochs)
        stream = self._stream(self.recipe.augmentation, target, seed=seed, start=epoch * length, length=length)
        return DataLoader(stream, batch_size=self.recipe.batch_size, num_workers=self.recipe.workers)

    def val_dataloader(self) -> DataLoader:
        """Batches of the fixed set."""
        return DataLoader(self.validation_stream(), batch_size=self.recipe.batch_size)

    def validation_stream(self) -> PictureStream:
        """The fixed set, unaugmented."""
        seed = self.recipe.seed + 1
        return self._stream(None, self.recipe.target, seed=seed, start=0, length=VALIDATION_PICTURES)

    def facts(self) -> dict[str, Any]:
        """What the run's record says of its data."""
        return {}

    def _stream(
        self, augmentation: Augmentation | None, target: Target, *, seed: int, start: int, length: int
    ) -> PictureStream:
        recipe = self.recipe
        return PictureStream(
            self.sources,
            shape=recipe.input.shape,
            spacing=recipe.input.spacing_mm,
            stride=self.stride,
            channels=recipe.input.channels,
            target=target,
            augmentation=augmentation,
            seed=seed,
            start=start,
            length=length,
        )


class PointRunData(lightning.LightningDataModule):
    """The streams of a run on points; after a restart as after none."""

    def __init__(self, recipe: PointRecipe, data: Path | None) -> None:
        super().__init__()
        self.recipe = recipe
        self.sources = [(_skeletons(part, data, recipe.seed), part.weight) for part in recipe.data]

    def train_dataloader(self) -> DataLoader:
        """Batches of the current epoch."""
        assert self.trainer is not None
        length = self.recipe.steps_per_epoch
        start = (self.trainer.current_epoch * self.trainer.world_size + self.trainer.global_rank) * length
        return self._batches(self.recipe.seed, start, length)

    def val_dataloader(self) -> DataLoader:
        """Batches of the fixed set."""
        return self._batches(self.recipe.seed + 1, 0, VALIDATION_BATCHES)

    def facts(self) -> dict[str, Any]:
        """What the run's record says of its data: the mean of all skeletons, (joints, 2), mm."""
        mean = mean_skeleton([skeleton for pool, _ in self.sources for skeleton in pool])
        return {"mean_skeleton": mean.round(2).tolist()}

    def _batches(self, seed: int, start: int, length: int) -> DataLoader:
        recipe = self.recipe
        stream = PointStream(
            self.sources,
            noise=recipe.noise,
            any_region=recipe.any_region,
            batch_size=recipe.batch_size,
            seed=seed,
            start=start,
            length=length,
        )
        return DataLoader(stream, batch_size=None, num_workers=recipe.workers)


def _source(part: SourcePart, data: Path | None, cache: Path, seed: int) -> Source:
    if part.kind == "synth":
        drawn = [kind for kind in (part.field_of_view, part.contrast) if kind != "random"]
        store = cache / "-".join(["synth", str(seed), *drawn])
        return SimulatedSource(part.pool, seed, store, field_of_view=part.field_of_view, contrast=part.contrast)
    root, subjects = _place(part, data)
    return BidsSource(root, subjects) if part.kind == "bids" else PreparedSource(root, subjects)


def _skeletons(part: SourcePart, data: Path | None, seed: int) -> list[FloatArray]:
    if part.kind == "synth":
        return simulated_skeletons(part.pool, seed)
    if part.kind == "prepared":
        raise UsageError("data.kind prepared: points are learned from labels in mm; use bids or synth")
    return labelled_skeletons(*_place(part, data))


def _place(part: SourcePart, data: Path | None) -> tuple[Path, frozenset[str] | None]:
    """Where a source lies, and its subjects."""
    if data is None or part.path is None:
        raise UsageError(f"the recipe reads {part.path or 'data'}: say where it is with --data DIR")
    root = data / part.path
    if not root.exists():
        raise InputError(f"{root}: no such folder; --data must hold {part.path}")
    return root, None if part.subjects is None else read_subjects(part.subjects)
