"""Checkpoints as the authors publish them, made here: names from the golden list's form, random tensors."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from tests.mask_networks import SMALL as MASK_NETWORKS
from torch import Tensor

from lookonce import models
from lookonce.models.published_tmunet import published_name

#: A checkpoint of some kilobytes.
SMALL = {"stacks": 2, "blocks": 1, "depth": 1, "features": 8, "classes": 3}


def random_state(name: str = "attention-hourglass", seed: int = 0, **options: Any) -> dict[str, Tensor]:
    """State dict with the published names, statistics of batch norms included, of what a training might leave."""
    state = models.build(name, **{**SMALL, **options}).state_dict()
    generator = torch.Generator().manual_seed(seed)
    for key, value in state.items():
        if key.endswith("num_batches_tracked"):
            value.fill_(7)
        elif key.endswith("running_var"):
            value.uniform_(0.5, 2, generator=generator)
        else:
            value.normal_(0, 0.3, generator=generator)
    return state


def save_checkpoint(path: Path, state: dict[str, Any], **others: Any) -> Path:
    """Write the authors' form: saved from `DataParallel`, below `model_weights`."""
    torch.save({"model_weights": {f"module.{name}": value for name, value in state.items()}, **others}, path)
    return path


def tiny_tmunet_state(**options: Any) -> dict[str, Tensor]:
    """State dict of a tiny TMUnet by the authors' names; with the paper's eight heads, which no tensor tells."""
    torch.manual_seed(0)
    network = models.build("tmunet", **{**MASK_NETWORKS["tmunet"], "patch_widths": [4, 8, 16], "heads": 8, **options})
    return {published_name(name): tensor for name, tensor in network.state_dict().items()}


def save_tmunet(path: Path, state: dict[str, Any]) -> Path:
    """Write the form in which TMUnet's authors save."""
    torch.save({"model_weights": state, "val_loss": 0.25}, path)
    return path
