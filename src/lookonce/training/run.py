"""One training run in its folder: stream, trainer, checkpoints, logs, final weights."""

from __future__ import annotations

import ctypes
import hashlib
import json
import platform
from pathlib import Path
from typing import Any

import lightning
import torch
from lightning.pytorch.callbacks import LearningRateMonitor, ModelCheckpoint, TQDMProgressBar
from safetensors import SafetensorError
from safetensors.torch import load_model, save_model

from lookonce import __version__
from lookonce.errors import InputError, UsageError
from lookonce.io.files import write_text
from lookonce.models.lookonce import LookOnce
from lookonce.models.network import LandmarkNetwork, MaskNetwork
from lookonce.training.adversarial import AdversarialTraining
from lookonce.training.data import PointRunData, RunData
from lookonce.training.film import FilmRecorder
from lookonce.training.logs import only_progress, open_loggers
from lookonce.training.mask_data import MaskRunData
from lookonce.training.module import (
    DiscTraining,
    MaskTraining,
    PointTraining,
    RecipeTraining,
    build_mask_network,
    build_network,
    build_point_network,
)
from lookonce.training.recipe import AnyRecipe, MaskRecipe, PointRecipe, Precision, read_recipe

Network = LandmarkNetwork | LookOnce | MaskNetwork
Data = RunData | PointRunData | MaskRunData

CHECKPOINT_FILE = "last.ckpt"
WEIGHTS_FILE = "weights.safetensors"
#: Versions and what else a finished run says of itself.
RECORD_FILE = "run.json"
#: What torch calls a CPU's instructions for bfloat16 arithmetic (x86, then ARM).
BF16_UNITS = ("amx_bf16", "avx512_bf16", "bf16")


def train(
    recipe: AnyRecipe,
    *,
    data: Path | None,
    out: Path,
    resume: bool = False,
    cache: Path | None = None,
    start: Path | None = None,
    progress: bool = True,
    encoder: Path | None = None,
) -> Path:
    """Train a recipe; everything lands in `out`.

    Parameters
    ----------
    recipe : Recipe, PointRecipe or MaskRecipe
    data : Path or None
        Folder that the recipe's source paths start from; not needed when all pictures are simulated.
    out : Path
        Run folder: recipe.json, metrics.csv, TensorBoard events, last.ckpt, film (for `lookonce film`), and at the end
        weights.safetensors.
    resume : bool
        Go on from `last.ckpt`; the result equals that of an undisturbed run.
    cache : Path, optional
        Folder for simulated and for decoded pictures, to share them between runs; by default one inside `out`.
    start : Path, optional
        Folder of a finished run of the same network, whose weights this one starts from.
    progress : bool
        Show progress bars on stderr.
    encoder : Path, optional
        File of ImageNet weights that the network's ResNet starts from (see `load_encoder`).

    Returns
    -------
    Path
        The weights file.

    Raises
    ------
    UsageError
        If the run folder holds a run and `resume` is not set, or one of another recipe and it is; or the recipe does
        not fit together, or `encoder` is given with `start` or for a network without a ResNet.
    InputError
        If the data, or the run to start from, is not there.
    WeightsError
        If the encoder's file is not of such a ResNet.
    """
    checkpoint = out / CHECKPOINT_FILE if (out / CHECKPOINT_FILE).exists() else None
    if checkpoint is not None:
        _check_resumable(recipe, out, resume)
    if start is not None and encoder is not None:
        raise UsageError(f"{encoder}: the run to start from, {start}, has an encoder already; give one of the two")
    keep_freed_memory()
    lightning.seed_everything(recipe.seed, verbose=False)
    module, stream, callbacks = _training_of(recipe, data, cache or out / "pictures", out)
    if start is not None:
        module.start_from(load_run(start)[1])
    if encoder is not None:
        module.start_encoder(encoder)
    with only_progress():
        trainer = _trainer(recipe, out, progress, callbacks, done_steps=_steps_done(checkpoint))
        if checkpoint is None and trainer.is_global_zero:
            write_text(out / "recipe.json", recipe.model_dump_json(indent=1))
        trainer.fit(module, datamodule=stream, ckpt_path=checkpoint, weights_only=True)
    weights = out / WEIGHTS_FILE
    if trainer.is_global_zero:
        save_model(module.result, str(weights))
        record = {
            "lookonce": __version__,
            "torch": torch.__version__,
            "python": platform.python_version(),
            "precision": trainer.precision,
            "steps": trainer.global_step,
            "started_from": None if start is None else _sha256(start / WEIGHTS_FILE),
            "encoder_from": None if encoder is None else _sha256(encoder),
        }
        (out / RECORD_FILE).write_text(json.dumps(record | stream.facts(), indent=1))
    return weights


def load_run(run: Path) -> tuple[AnyRecipe, Network]:
    """The recipe and trained network of a run folder, in evaluation mode; raises InputError if it is none."""
    try:
        recipe = read_recipe(json.loads((run / "recipe.json").read_text()))
        network = _network_of(recipe)
        load_model(network, str(run / WEIGHTS_FILE))
    except (OSError, ValueError, RuntimeError, SafetensorError) as error:
        reason = str(error).splitlines()[0]
        raise InputError(f"{run}: not a finished training run ({reason}); train it to the end first") from error
    return recipe, network.eval()


def _network_of(recipe: AnyRecipe) -> Network:
    if isinstance(recipe, PointRecipe):
        return build_point_network(recipe)
    return build_mask_network(recipe) if isinstance(recipe, MaskRecipe) else build_network(recipe)


def _sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def usable_precision(wanted: Precision) -> Precision:
    """The precision to train with here: float32 in place of 16 bits on a CPU that can only emulate bfloat16.

    On a CPU, Lightning takes bfloat16 for float16 too. Emulated, a step of the default recipe takes ten times as long
    as in float32.
    """
    computes_bf16 = any(torch.cpu.get_capabilities().get(unit) for unit in BF16_UNITS)
    if wanted != "32-true" and not torch.accelerator.is_available() and not computes_bf16:
        return "32-true"
    return wanted


def keep_freed_memory() -> None:
    """Tell glibc to keep freed memory: on a CPU, page faults for every tensor otherwise triple a step's time."""
    if platform.system() != "Linux" or platform.libc_ver()[0] != "glibc":
        return
    libc = ctypes.CDLL(None)
    trim_threshold, top_pad, mmap_max = -1, -2, -4
    libc.mallopt(mmap_max, 0)
    libc.mallopt(trim_threshold, 2**31 - 1)
    libc.mallopt(top_pad, 2**28)


def _check_resumable(recipe: AnyRecipe, out: Path, resume: bool) -> None:
    """Raise UsageError unless `out` may be gone on with: asked for, and with the recipe that it was started with."""
    if not resume:
        raise UsageError(f"{out} already holds a run; go on with --resume or choose another --out")
    record = out / "recipe.json"
    try:
        begun = read_recipe(json.loads(record.read_text()))
    except (OSError, ValueError) as error:
        raise UsageError(f"{record}: cannot be read, so the run cannot go on; choose another --out") from error
    free = {"description", "workers"}  # neither changes the result
    before, now = begun.model_dump(exclude=free), recipe.model_dump(exclude=free)
    other = [name for name in before | now if before.get(name) != now.get(name)]
    if other:
        raise UsageError(
            f"{out} was started with another recipe (they differ in {', '.join(other)}); "
            f"go on with {record} as RECIPE, or choose another --out"
        )


def _steps_done(checkpoint: Path | None) -> int:
    if checkpoint is None:
        return 0
    state: dict[str, Any] = torch.load(checkpoint, map_location="cpu", weights_only=True, mmap=True)
    return int(state["global_step"])


def _training_of(
    recipe: AnyRecipe, data: Path | None, cache: Path, out: Path
) -> tuple[RecipeTraining, Data, list[lightning.Callback]]:
    """The module, data and callbacks of a recipe."""
    if isinstance(recipe, PointRecipe):
        return PointTraining(recipe), PointRunData(recipe, data), []
    if isinstance(recipe, MaskRecipe):
        kind = AdversarialTraining if recipe.loss.adversarial else MaskTraining
        return kind(recipe), MaskRunData(recipe, data, cache), []
    module = DiscTraining(recipe)
    stream = RunData(recipe, data, cache, stride=module.network.output_stride)
    return module, stream, [FilmRecorder(out, stream.validation_stream(), epochs=recipe.epochs)]


def _trainer(
    recipe: AnyRecipe, out: Path, progress: bool, callbacks: list[lightning.Callback], *, done_steps: int
) -> lightning.Trainer:
    # Not `save_last`, which waits for the end of the training: this one file is replaced, whole, after every epoch.
    checkpoints = ModelCheckpoint(
        dirpath=out,
        filename=Path(CHECKPOINT_FILE).stem,
        enable_version_counter=False,
        save_on_train_epoch_end=True,
    )
    callbacks = [checkpoints, LearningRateMonitor(), *callbacks]
    if progress:
        callbacks.append(TQDMProgressBar(refresh_rate=10))
    return lightning.Trainer(
        max_epochs=recipe.epochs,
        accelerator="auto",
        devices=recipe.devices,
        strategy="ddp" if recipe.devices > 1 else "auto",
        precision=usable_precision(recipe.precision),
        gradient_clip_val=recipe.optimizer.clip_norm,
        reload_dataloaders_every_n_epochs=1,
        num_sanity_val_steps=0,
        log_every_n_steps=min(10, recipe.steps_per_epoch),
        callbacks=callbacks,
        logger=open_loggers(out, done_steps=done_steps),
        enable_progress_bar=progress,
        enable_model_summary=False,
        default_root_dir=out,
    )
