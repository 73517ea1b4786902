"""Keeps, after each epoch of a run, what the network sees in a few validation pictures, for `lookonce film`."""

from __future__ import annotations

import math
from pathlib import Path

import lightning
import numpy as np
import torch
from torch import Tensor

from lookonce.datasets.stream import PictureStream
from lookonce.io.snapshots import FilmPictures, Snapshot, remove_snapshots, write_pictures, write_snapshot
from lookonce.training.module import DiscTraining

#: Pictures side by side, and about the most epochs that are kept: some seconds of film, some megabytes.
PICTURES = 4
MOST_SNAPSHOTS = 60


class FilmRecorder(lightning.Callback):
    """Writes `film/` in a run's folder: the pictures once, a snapshot after the epochs that `is_kept` names.

    It draws no random numbers and looks at the network as it is during validation, so a run with it equals one without.

    Parameters
    ----------
    run : Path
        Folder of the run.
    stream : PictureStream
        The validation stream; its first pictures are shown.
    epochs : int
        Of the whole run.
    """

    def __init__(self, run: Path, stream: PictureStream, *, epochs: int) -> None:
        self.run, self.stream, self.epochs = run, stream, epochs
        self.images: Tensor | None = None

    def on_train_start(self, trainer: lightning.Trainer, _module: lightning.LightningModule) -> None:
        """Draw the pictures; a run that starts anew forgets what another one left in its folder."""
        if not trainer.is_global_zero:
            return
        samples = [self.stream.sample(number) for number in range(min(PICTURES, len(self.stream)))]
        images = np.stack([np.asarray(sample.image, dtype=np.float32) for sample in samples])
        self.images = torch.from_numpy(images)[:, None].expand(-1, self.stream.channels, -1, -1)
        if trainer.global_step == 0:
            remove_snapshots(self.run)
        size = np.array(self.stream.shape)
        points = tuple(
            sample.points[((sample.points >= 0) & (sample.points <= size - 1)).all(axis=1)] for sample in samples
        )
        write_pictures(self.run, FilmPictures(_bytes_of(images), points, self.epochs))

    def on_validation_end(self, trainer: lightning.Trainer, module: lightning.LightningModule) -> None:
        """Keep what the network to keep sees."""
        epoch = trainer.current_epoch
        if self.images is None or trainer.sanity_checking or not is_kept(epoch, self.epochs):
            return
        assert isinstance(module, DiscTraining)
        loss = trainer.callback_metrics.get("val/total")
        write_snapshot(self.run, Snapshot(epoch, self._heat(module), math.nan if loss is None else float(loss)))

    def _heat(self, module: DiscTraining) -> np.ndarray:
        """What the last scores say of discs, (N, h, w) uint8: their probability, or the highest of the levels' maps."""
        assert self.images is not None
        images = self.images.to(module.device, memory_format=torch.channels_last)
        with torch.no_grad():
            scores = module.result(images).scores[-1].float()
        names = self.stream.target.kind == "names"
        return _bytes_of((scores[:, 0].sigmoid() if names else scores.amax(dim=1)).cpu().numpy())


def is_kept(epoch: int, epochs: int) -> bool:
    """Whether the film shows an epoch (from 0): the first, the last, and as many between as `MOST_SNAPSHOTS` allows."""
    every = math.ceil(epochs / MOST_SNAPSHOTS)
    return epoch % every == 0 or epoch == epochs - 1


def _bytes_of(values: np.ndarray) -> np.ndarray:
    return np.rint(np.clip(np.nan_to_num(values), 0, 1) * 255).astype(np.uint8)
