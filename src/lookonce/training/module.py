"""The Lightning modules: a recipe's network, loss, optimizer and averaged weights."""

from __future__ import annotations

from abc import ABC, abstractmethod
from pathlib import Path
from typing import Any

import lightning
import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from lookonce import models
from lookonce.errors import UsageError
from lookonce.models.encoders import load_encoder
from lookonce.models.lookonce import LookOnce
from lookonce.models.network import LandmarkNetwork, MaskNetwork, MaskOutput
from lookonce.models.vit import moved_places
from lookonce.training.losses import counts_loss, levels_loss, names_loss
from lookonce.training.mask_losses import mask_loss, mean_dice
from lookonce.training.recipe import AnyRecipe, MaskRecipe, PointRecipe, Recipe


def build_network(recipe: Recipe) -> LandmarkNetwork:
    """The untrained network of a recipe.

    Raises
    ------
    UsageError
        If there is no such network or option, it does not find discs, or it cannot take pictures of the recipe's size.
    """
    options = {**recipe.model.options, "classes": recipe.target.classes, "in_channels": recipe.input.channels}
    network = models.build(recipe.model.name, **options)
    if not isinstance(network, LandmarkNetwork):
        raise UsageError(f"model {recipe.model.name} does not find discs; choose another for model.name")
    height, width = recipe.input.shape
    if height % network.multiple or width % network.multiple:
        raise UsageError(f"input.shape {height} x {width}: this network takes multiples of {network.multiple} pixels")
    if recipe.target.kind == "levels" and recipe.target.blob == "gaussian":
        # Small blobs in empty maps: from random maps, the squared error stays at empty ones for thousands of steps.
        for parameter in network.score.parameters():
            nn.init.zeros_(parameter)
    return network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]  # torch's stubs leave it out


def build_point_network(recipe: PointRecipe) -> LookOnce:
    """The untrained point network of a recipe; raises UsageError if there is none of that name or with such options."""
    network = models.build(recipe.model.name, **recipe.model.options)
    if not isinstance(network, LookOnce):
        raise UsageError(f"model {recipe.model.name} does not take points; choose lookonce for model.name")
    return network


def build_mask_network(recipe: MaskRecipe) -> MaskNetwork:
    """The untrained segmentation network of a recipe.

    Raises
    ------
    UsageError
        If there is no such network or option, it does not segment, or it cannot take pictures of the recipe's size.
    """
    network = models.build(recipe.model.name, **recipe.model.options)
    if not isinstance(network, MaskNetwork):
        raise UsageError(f"model {recipe.model.name} does not segment pictures; choose another for model.name")
    height, width = recipe.input.size
    if network.size is not None and (height, width) != (network.size, network.size):
        raise UsageError(f"input.size {height} x {width}: this network takes {network.size} x {network.size} pixels")
    if height % network.multiple or width % network.multiple:
        raise UsageError(f"input.size {height} x {width}: this network takes multiples of {network.multiple} pixels")
    return network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]  # torch's stubs leave it out


class RecipeTraining(lightning.LightningModule, ABC):
    """Trains the network of a recipe; `averaged` holds the running average of its weights where the recipe asks."""

    def __init__(self, recipe: AnyRecipe, network: nn.Module) -> None:
        super().__init__()
        self.recipe = recipe
        self.network = network
        self.averaged = None
        if recipe.optimizer.average_decay is not None:
            average = get_ema_multi_avg_fn(recipe.optimizer.average_decay)
            self.averaged = AveragedModel(self.network, multi_avg_fn=average, use_buffers=True)
            # DDP would wait for the gradients of these copies, which never come.
            self.averaged.requires_grad_(False)

    @property
    def result(self) -> nn.Module:
        """The network to keep: the averaged one where there is one."""
        return self.network if self.averaged is None else self.averaged.module

    def start_from(self, trained: nn.Module) -> None:
        """Take over the weights of a trained network, also of TMUnet at another size of pictures.

        Raises UsageError if it is another network than the recipe's.
        """
        state = moved_places(self.network, trained.state_dict())
        try:
            for network in (self.network, self.result):
                network.load_state_dict(state)
        except RuntimeError as error:
            raise UsageError("the run to start from trained another network; choose a run of the same model") from error

    def start_encoder(self, weights: Path) -> None:
        """Take over ImageNet weights into the network's ResNet; raises what `load_encoder` does."""
        for network in (self.network, self.result):
            load_encoder(network, weights)

    def training_step(self, batch: dict[str, Tensor], _index: int) -> Tensor:
        """Loss of one batch; its parts are logged as `train/*`."""
        parts = self.loss_parts(self.network, batch)
        self.log_dict({f"train/{name}": value.detach() for name, value in parts.items()}, prog_bar=True)
        return parts["total"]

    def validation_step(self, batch: dict[str, Tensor], _index: int) -> None:
        """Log the loss of the network to keep as `val/*`."""
        parts = self.loss_parts(self.result, batch)
        values = {f"val/{name}": value for name, value in parts.items()}
        self.log_dict(values, on_epoch=True, sync_dist=True, batch_size=len(next(iter(batch.values()))))

    def on_before_zero_grad(self, _optimizer: torch.optim.Optimizer) -> None:
        """Take the weights of the last optimizer step into the running average."""
        # Called once between two optimizer steps, whatever the accumulation.
        if self.averaged is not None and self.global_step > 0:
            self.averaged.update_parameters(self.network)

    def configure_optimizers(self) -> Any:
        """The recipe's optimizer, its rate set before every step."""
        plan = self.recipe.optimizer
        parameters = [parameter for parameter in self.parameters() if parameter.requires_grad]
        optimizer: torch.optim.Optimizer
        if plan.name == "adamw":
            optimizer = torch.optim.AdamW(parameters, lr=plan.learning_rate, weight_decay=plan.weight_decay)
        else:
            optimizer = torch.optim.RMSprop(parameters, lr=plan.learning_rate, weight_decay=plan.weight_decay)
        schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, self._rate)
        return {"optimizer": optimizer, "lr_scheduler": {"scheduler": schedule, "interval": "step"}}

    @abstractmethod
    def loss_parts(self, network: nn.Module, batch: dict[str, Tensor]) -> dict[str, Tensor]:
        """The loss of a network on a batch, `total`, and its parts."""

    def _rate(self, step: int) -> float:
        plan, share = self.recipe.optimizer, min(step / self.recipe.steps, 1.0)
        warm = min(1.0, (step + 1) / plan.warmup_steps) if plan.warmup_steps else 1.0
        if plan.schedule == "milestones":
            return warm * 0.1 ** sum(share >= milestone for milestone in plan.milestones)
        return warm * 0.5 * (1 + float(torch.cos(torch.tensor(torch.pi * share))))


class DiscTraining(RecipeTraining):
    """Trains a network that finds discs in pictures."""

    network: LandmarkNetwork

    def __init__(self, recipe: Recipe) -> None:
        super().__init__(recipe, build_network(recipe))
        self.target = recipe.target

    def loss_parts(self, network: nn.Module, batch: dict[str, Tensor]) -> dict[str, Tensor]:
        """The loss of the recipe's layout of targets."""
        absolute = self.target.blob == "square" and self.current_epoch >= self.target.squared_until * self.recipe.epochs
        of_levels = counts_loss if absolute else levels_loss
        loss = names_loss if self.target.kind == "names" else of_levels
        return loss(network(batch["image"].to(memory_format=torch.channels_last)).scores, batch)


class PointTraining(RecipeTraining):
    """Trains a network that tells discs from false points."""

    def __init__(self, recipe: PointRecipe) -> None:
        super().__init__(recipe, build_point_network(recipe))

    def loss_parts(self, network: nn.Module, batch: dict[str, Tensor]) -> dict[str, Tensor]:
        """Binary cross-entropy over all points (arXiv 2204.02943, section 2.2)."""
        return {"total": F.binary_cross_entropy_with_logits(network(batch["points"]), batch["true"])}


class MaskTraining(RecipeTraining):
    """Trains a network that segments pictures; `dice` is logged beside the loss, and no part of it."""

    recipe: MaskRecipe

    def __init__(self, recipe: MaskRecipe) -> None:
        super().__init__(recipe, build_mask_network(recipe))

    def loss_parts(self, network: nn.Module, batch: dict[str, Tensor]) -> dict[str, Tensor]:
        """The weighted sum of arXiv 2203.01932, section 2.3, and its parts."""
        return self.output_parts(network(batch["image"].to(memory_format=torch.channels_last)), batch)

    def output_parts(self, output: MaskOutput, batch: dict[str, Tensor]) -> dict[str, Tensor]:
        """The same of what a network says."""
        parts = mask_loss(output, batch["mask"], self.recipe.loss)
        return parts | {"dice": mean_dice(output.mask.detach(), batch["mask"], self.recipe.threshold)}
