"""The training stream: sample i of a run depends on the seed and i alone, so a run can stop and go on exactly."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import Dataset

from lookonce.datasets.augment import Augmentation, augmented, centred
from lookonce.datasets.samples import SlabSample
from lookonce.datasets.sources import Source
from lookonce.datasets.targets import Target, levels_target, names_target


class PictureStream(Dataset[dict[str, Tensor]]):
    """Pictures of several sources mixed by weight, augmented, with targets.

    Parameters
    ----------
    sources : sequence of (Source, weight)
    shape, spacing
        Size (H, W) in pixels and pixel size in mm of the crops.
    stride : int
        Of the network's output.
    channels : int
        1, or 3 for the grey image three times.
    augmentation : Augmentation or None
        None cuts the middle and changes nothing.
    seed, start, length
        The stream's samples are ``start .. start + length`` of the run with that seed.
    """

    def __init__(
        self,
        sources: Sequence[tuple[Source, float]],
        *,
        shape: tuple[int, int],
        spacing: float,
        stride: int,
        channels: int,
        target: Target,
        augmentation: Augmentation | None,
        seed: int,
        start: int,
        length: int,
    ) -> None:
        weights = np.array([weight for _, weight in sources])
        self.sources = [source for source, _ in sources]
        self.shares = weights / weights.sum()
        self.shape, self.spacing, self.stride, self.channels = shape, spacing, stride, channels
        self.target, self.augmentation = target, augmentation
        self.seed, self.start, self.length = seed, start, length

    def __len__(self) -> int:
        return self.length

    def __getitem__(self, index: int) -> dict[str, Tensor]:
        sample = self.sample(index)
        make_target = names_target if self.target.kind == "names" else levels_target
        arrays = make_target(sample, self.stride, self.target)
        image = torch.from_numpy(np.asarray(sample.image, dtype=np.float32))
        return {
            "image": image.expand(self.channels, *self.shape).contiguous(),
            **{name: torch.from_numpy(value) for name, value in arrays.items()},
        }

    def sample(self, index: int) -> SlabSample:
        """Picture and truth of a sample, before they become tensors; IndexError beyond the stream's end."""
        if not 0 <= index < self.length:
            raise IndexError(index)
        rng = np.random.default_rng([self.seed, self.start + index])
        sample = self.sources[rng.choice(len(self.sources), p=self.shares)].draw(rng)
        if self.augmentation is None:
            return centred(sample, self.shape, self.spacing)
        return augmented(sample, self.shape, self.spacing, self.augmentation, rng)
