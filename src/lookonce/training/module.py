"""The Lightning module: a recipe's network, loss, optimizer and averaged weights."""

from __future__ import annotations

from typing import Any

import lightning
import torch
from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from lookonce import models
from lookonce.training.losses import levels_loss, names_loss
from lookonce.training.recipe import Recipe


def build_network(recipe: Recipe) -> nn.Module:
    """The untrained network of a recipe."""
    options = {**recipe.model.options, "classes": recipe.target.classes, "in_channels": recipe.input.channels}
    return models.build(recipe.model.name, **options).to(memory_format=torch.channels_last)


class DiscTraining(lightning.LightningModule):
    """Trains the network of a recipe; `averaged` holds the running average of its weights where the recipe asks."""

    def __init__(self, recipe: Recipe) -> None:
        super().__init__()
        self.recipe = recipe
        self.network = build_network(recipe)
        self.averaged = None
        if recipe.optimizer.average_decay is not None:
            average = get_ema_multi_avg_fn(recipe.optimizer.average_decay)
            self.averaged = AveragedModel(self.network, multi_avg_fn=average, use_buffers=True)

    @property
    def result(self) -> nn.Module:
        """The network to keep: the averaged one where there is one."""
        return self.network if self.averaged is None else self.averaged.module

    def training_step(self, batch: dict[str, Tensor], _index: int) -> Tensor:
        image = batch["image"].to(memory_format=torch.channels_last)
        loss = names_loss if self.recipe.target.kind == "names" else levels_loss
        parts = loss(self.network(image).scores, batch)
        self.log_dict({f"train/{name}": value.detach() for name, value in parts.items()}, prog_bar=True)
        return parts["total"]

    def validation_step(self, batch: dict[str, Tensor], _index: int) -> None:
        image = batch["image"].to(memory_format=torch.channels_last)
        loss = names_loss if self.recipe.target.kind == "names" else levels_loss
        parts = loss(self.result(image).scores, batch)
        self.log_dict(
            {f"val/{name}": value for name, value in parts.items()}, on_epoch=True, sync_dist=True, batch_size=len(image)
        )

    def on_before_zero_grad(self, _optimizer: torch.optim.Optimizer) -> None:
        # Called once after every optimizer step, whatever the accumulation: the place for the running average.
        if self.averaged is not None and self.global_step > 0:
            self.averaged.update_parameters(self.network)

    def configure_optimizers(self) -> Any:
        plan = self.recipe.optimizer
        parameters = self.network.parameters()
        optimizer: torch.optim.Optimizer
        if plan.name == "adamw":
            optimizer = torch.optim.AdamW(parameters, lr=plan.learning_rate, weight_decay=plan.weight_decay)
        else:
            optimizer = torch.optim.RMSprop(parameters, lr=plan.learning_rate, weight_decay=plan.weight_decay)
        schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, self._rate)
        return {"optimizer": optimizer, "lr_scheduler": {"scheduler": schedule, "interval": "step"}}

    def _rate(self, step: int) -> float:
        plan, share = self.recipe.optimizer, min(step / self.recipe.steps, 1.0)
        warm = min(1.0, (step + 1) / plan.warmup_steps) if plan.warmup_steps else 1.0
        if plan.schedule == "milestones":
            return warm * 0.1 ** sum(share >= milestone for milestone in plan.milestones)
        return warm * 0.5 * (1 + float(torch.cos(torch.tensor(torch.pi * share))))
