"""The stream of pictures with masks: sample i depends on the seed and i alone, so a run can stop and go on exactly."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import Dataset

from lookonce.datasets.mask_augment import MaskAugmentation, augmented, separated
from lookonce.datasets.mask_store import MaskStore


class MaskStream(Dataset[dict[str, Tensor]]):
    """Pictures and masks of several stores, drawn at random and augmented.

    Parameters
    ----------
    stores : sequence of (MaskStore, weight)
        The weight is that of each of its pictures.
    augmentation : MaskAugmentation
    seed, start, length
        The stream's samples are ``start .. start + length`` of the run with that seed.
    """

    def __init__(
        self,
        stores: Sequence[tuple[MaskStore, float]],
        *,
        augmentation: MaskAugmentation,
        seed: int,
        start: int,
        length: int,
    ) -> None:
        weights = np.array([len(store) * weight for store, weight in stores])
        self.stores = [store for store, _ in stores]
        self.shares = weights / weights.sum()
        self.augmentation = augmentation
        self.seed, self.start, self.length = seed, start, length

    def __len__(self) -> int:
        return self.length

    def __getitem__(self, index: int) -> dict[str, Tensor]:
        """`image` (3, H, W) in 0..1 and `mask` (1, H, W) of 0 and 1; IndexError beyond the stream's end."""
        if not 0 <= index < self.length:
            raise IndexError(index)
        rng = np.random.default_rng([self.seed, self.start + index])
        store = self.stores[rng.choice(len(self.stores), p=self.shares)]
        image, mask = augmented(store[int(rng.integers(len(store)))], self.augmentation, rng)
        return {"image": torch.from_numpy(image), "mask": torch.from_numpy(mask)}


class FixedMasks(Dataset[dict[str, Tensor]]):
    """Pictures and masks as they are, at most `most` of them, spread over all; same items as `MaskStream`."""

    def __init__(self, stores: Sequence[MaskStore], most: int) -> None:
        places = [(store, index) for store in stores for index in range(len(store))]
        chosen = np.linspace(0, len(places) - 1, min(most, len(places))).round().astype(int)
        self.places = [places[place] for place in chosen]

    def __len__(self) -> int:
        return len(self.places)

    def __getitem__(self, index: int) -> dict[str, Tensor]:
        """One picture and mask."""
        store, place = self.places[index]
        image, mask = separated(store[place])
        return {"image": torch.from_numpy(image), "mask": torch.from_numpy(mask)}
