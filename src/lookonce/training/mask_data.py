"""The data of a run on pictures with masks: prepared sets, decoded once to the size of the training."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import lightning
import numpy as np
from torch.utils.data import DataLoader

from lookonce.datasets.mask_augment import separated
from lookonce.datasets.mask_store import MaskStore
from lookonce.datasets.mask_stream import FixedMasks, MaskStream
from lookonce.errors import InputError, UsageError
from lookonce.geometry import FloatArray
from lookonce.io.lists import read_subjects
from lookonce.io.mask_sets import MaskCase, MaskSet, read_mask_set
from lookonce.runtime.looks import Look, look_features
from lookonce.training.recipe import MaskRecipe, MaskSourcePart

#: Pictures of the fixed set that `val/*` is computed on after every epoch, spread over the lists ``validation``.
VALIDATION_MASKS = 128


class MaskRunData(lightning.LightningDataModule):
    """The stream of a run: epoch e trains on the samples after those of epoch e - 1, also after a restart.

    Raises
    ------
    UsageError
        If the data's place is not given, a list is empty, or the sets do not go together.
    InputError
        If a set or a picture of it cannot be read.
    """

    def __init__(self, recipe: MaskRecipe, data: Path | None, cache: Path) -> None:
        super().__init__()
        self.recipe, self.cache = recipe, cache
        self.sets = [_set_of(part, data) for part in recipe.data]
        objects = {found.about.objects for found in self.sets}
        if len(objects) > 1:
            raise UsageError("data: some sets hold one object a picture and some many; train on either")
        lists = [_listed(found, part) for found, part in zip(self.sets, recipe.data, strict=True)]
        self.stores = [self._store(cases) for cases in lists]
        trained = {case.name for cases in lists for case in cases}
        held_out = [[case for case in found.cases if case.split == "validation"] for found in self.sets]
        held_out = [[case for case in cases if case.name not in trained] for cases in held_out]
        self.validation = [self._store(cases) for cases in held_out if cases]

    def train_dataloader(self) -> DataLoader:
        """Batches of the current epoch."""
        assert self.trainer is not None
        length = self.recipe.steps_per_epoch * self.recipe.batch_size * self.trainer.world_size
        stream = MaskStream(
            [(store, part.weight) for store, part in zip(self.stores, self.recipe.data, strict=True)],
            augmentation=self.recipe.augmentation,
            seed=self.recipe.seed,
            start=self.trainer.current_epoch * length,
            length=length,
        )
        return DataLoader(stream, batch_size=self.recipe.batch_size, num_workers=self.recipe.workers)

    def val_dataloader(self) -> DataLoader | list[DataLoader]:
        """Batches of the fixed set; none where no picture is left to validate on."""
        if not self.validation:
            return []
        return DataLoader(FixedMasks(self.validation, VALIDATION_MASKS), batch_size=self.recipe.batch_size)

    def facts(self) -> dict[str, Any]:
        """What the run's record says of its data: which they are, their licences, and what the pictures look like."""
        features = np.stack([_features(store, index) for store in self.stores for index in range(len(store))])
        return {
            "objects": self.sets[0].about.objects,
            "data": [
                {"name": found.about.name, "licence": found.about.licence, "list": found.about.lists.get(part.split)}
                for found, part in zip(self.sets, self.recipe.data, strict=True)
            ],
            "look": Look.of(features).model_dump(),
        }

    def _store(self, cases: list[MaskCase]) -> MaskStore:
        size, resize = self.recipe.input.size, self.recipe.input.resize
        return MaskStore(cases, size=size, resize=resize, cache=self.cache)


def _set_of(part: MaskSourcePart, data: Path | None) -> MaskSet:
    if data is None:
        raise UsageError(f"the recipe reads {part.path or 'a prepared set'}: say where it is with --data DIR")
    root = data if part.path is None else data / part.path
    if not root.is_dir():
        raise InputError(f"{root}: no such folder; --data must hold {part.path}, as lookonce prepare writes it")
    return read_mask_set(root)


def _listed(found: MaskSet, part: MaskSourcePart) -> list[MaskCase]:
    """The cases that a source trains on."""
    wanted = None if part.subjects is None else read_subjects(part.subjects)
    cases = [case for case in found.cases if case.split == part.split]
    cases = [case for case in cases if wanted is None or case.name in wanted]
    if not cases:
        raise UsageError(f"{found.root}: no picture of the list {part.split} that the recipe asks for")
    return cases


def _features(store: MaskStore, index: int) -> FloatArray:
    return look_features(separated(store[index])[0])
