"""One training run in its folder: stream, trainer, checkpoints, logs, final weights."""

from __future__ import annotations

import ctypes
import json
import platform
from pathlib import Path

import lightning
import torch
from lightning.pytorch.callbacks import LearningRateMonitor, ModelCheckpoint, TQDMProgressBar
from lightning.pytorch.loggers import CSVLogger, TensorBoardLogger
from safetensors.torch import save_model
from torch.utils.data import DataLoader

from lookonce import __version__
from lookonce.datasets.sources import BidsSource, PreparedSource, SimulatedSource, Source
from lookonce.datasets.stream import PictureStream
from lookonce.errors import InputError, UsageError
from lookonce.training.module import DiscTraining
from lookonce.training.recipe import Recipe, SourcePart, subjects_of

#: Pictures of the fixed, unaugmented set that `val/*` is computed on after every epoch.
VALIDATION_PICTURES = 48


def train(
    recipe: Recipe, *, data: Path | None, out: Path, resume: bool = False, cache: Path | None = None, progress: bool = True
) -> Path:
    """Train a recipe; everything lands in `out`.

    Parameters
    ----------
    recipe : Recipe
    data : Path or None
        Folder that the recipe's source paths start from; not needed when all pictures are simulated.
    out : Path
        Run folder: recipe.json, metrics.csv, TensorBoard events, last.ckpt, and at the end weights.safetensors.
    resume : bool
        Go on from `last.ckpt`; the result equals that of an undisturbed run.
    cache : Path, optional
        Folder for simulated pictures, to share them between runs; by default one inside `out`.
    progress : bool
        Show progress bars on stderr.

    Returns
    -------
    Path
        The weights file.

    Raises
    ------
    UsageError
        If the run folder holds another run and `resume` is not set.
    InputError
        If the data is not there.
    """
    last = out / "last.ckpt"
    if last.exists() and not resume:
        raise UsageError(f"{out} already holds a run; go on with --resume or choose another --out")
    keep_freed_memory()
    lightning.seed_everything(recipe.seed, verbose=False)
    out.mkdir(parents=True, exist_ok=True)
    (out / "recipe.json").write_text(recipe.model_dump_json(indent=1))
    module = DiscTraining(recipe)
    trainer = _trainer(recipe, out, progress)
    stream = RunData(recipe, data, cache or out / "pictures", stride=module.network.stride)
    trainer.fit(module, datamodule=stream, ckpt_path=str(last) if resume and last.exists() else None, weights_only=True)
    weights = out / "weights.safetensors"
    if trainer.is_global_zero:
        save_model(module.result, str(weights))
        record = {"lookonce": __version__, "torch": torch.__version__, "python": platform.python_version()}
        (out / "run.json").write_text(json.dumps({**record, "steps": trainer.global_step}, indent=1))
    return weights


class RunData(lightning.LightningDataModule):
    """The streams of a run: epoch e trains on the samples after those of epoch e - 1, also after a restart."""

    def __init__(self, recipe: Recipe, data: Path | None, cache: Path, *, stride: int) -> None:
        super().__init__()
        self.recipe, self.stride = recipe, stride
        self.sources = [(_source(part, data, cache, recipe.seed), part.weight) for part in recipe.data]

    def train_dataloader(self) -> DataLoader:
        assert self.trainer is not None
        length = self.recipe.steps_per_epoch * self.recipe.batch_size * self.trainer.world_size
        stream = self._stream(seed=self.recipe.seed, start=self.trainer.current_epoch * length, length=length)
        return DataLoader(
            stream, batch_size=self.recipe.batch_size, num_workers=self.recipe.workers, persistent_workers=False
        )

    def val_dataloader(self) -> DataLoader:
        stream = self._stream(seed=self.recipe.seed + 1, start=0, length=VALIDATION_PICTURES)
        return DataLoader(stream, batch_size=self.recipe.batch_size)

    def _stream(self, *, seed: int, start: int, length: int) -> PictureStream:
        recipe = self.recipe
        return PictureStream(
            self.sources,
            shape=recipe.input.shape,
            spacing=recipe.input.spacing_mm,
            stride=1 if recipe.target.kind == "levels" else self.stride,
            channels=recipe.input.channels,
            target=recipe.target,
            augmentation=recipe.augmentation,
            seed=seed,
            start=start,
            length=length,
        )


def keep_freed_memory() -> None:
    """Tell glibc to keep freed memory: on a CPU, page faults for every tensor otherwise triple a step's time."""
    if platform.system() != "Linux" or platform.libc_ver()[0] != "glibc":
        return
    libc = ctypes.CDLL(None)
    trim_threshold, top_pad, mmap_max = -1, -2, -4
    libc.mallopt(mmap_max, 0)
    libc.mallopt(trim_threshold, 2**31 - 1)
    libc.mallopt(top_pad, 2**28)


def _trainer(recipe: Recipe, out: Path, progress: bool) -> lightning.Trainer:
    callbacks = [
        ModelCheckpoint(dirpath=out, filename="last", save_top_k=1, enable_version_counter=False),
        LearningRateMonitor(),
    ]
    if progress:
        callbacks.append(TQDMProgressBar(refresh_rate=10))
    return lightning.Trainer(
        max_epochs=recipe.epochs,
        accelerator="auto",
        devices=recipe.devices,
        strategy="ddp" if recipe.devices > 1 else "auto",
        precision=recipe.precision,
        gradient_clip_val=recipe.optimizer.clip_norm,
        reload_dataloaders_every_n_epochs=1,
        num_sanity_val_steps=0,
        log_every_n_steps=10,
        callbacks=callbacks,
        logger=[CSVLogger(out, name="", version=""), TensorBoardLogger(out, name="", version="")],
        enable_progress_bar=progress,
        enable_model_summary=False,
        default_root_dir=out,
    )


def _source(part: SourcePart, data: Path | None, cache: Path, seed: int) -> Source:
    if part.kind == "synth":
        return SimulatedSource(part.pool, seed, cache / f"synth-{seed}")
    if data is None or part.path is None:
        raise UsageError(f"the recipe reads {part.path or 'data'}: say where it is with --data DIR")
    root = data / part.path
    if not root.exists():
        raise InputError(f"{root}: no such folder; --data must hold {part.path}")
    return BidsSource(root, subjects_of(part)) if part.kind == "bids" else PreparedSource(root, subjects_of(part))
