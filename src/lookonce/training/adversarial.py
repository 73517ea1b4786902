"""Training against two discriminators, as DAGAN's.

Lei et al., "Skin lesion segmentation via generative adversarial networks with dual discriminators" (Medical Image
Analysis 64, 2020, doi 10.1016/j.media.2020.101716): one discriminator sees masks alone and so learns how borders look,
the other sees them with their pictures. Network and discriminators take their steps together, in one backward pass.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.func import functional_call
from torch.nn import functional as F

from lookonce.models.dagan import Discriminator
from lookonce.models.network import MaskNetwork
from lookonce.training.module import MaskTraining
from lookonce.training.recipe import MaskRecipe


class AdversarialTraining(MaskTraining):
    """Trains a network that segments, and two discriminators that tell its masks from true ones.

    To the loss come `deceiving`, weighted by the recipe's `loss.adversarial`, which only the network learns from, and
    `judging`, which only the discriminators learn from. They are no part of the network that is kept.
    """

    network: MaskNetwork

    def __init__(self, recipe: MaskRecipe) -> None:
        super().__init__(recipe)
        of_border, of_picture = Discriminator(1), Discriminator(1 + self.network.in_channels)
        self.judges = nn.ModuleDict({"border": of_border, "picture": of_picture})

    def loss_parts(self, network: nn.Module, batch: dict[str, Tensor]) -> dict[str, Tensor]:
        """The loss as of every network that segments; in training, the contest's too."""
        output = network(batch["image"].to(memory_format=torch.channels_last))
        parts = self.output_parts(output, batch)
        if not network.training:  # how well the discriminators judge says nothing of the masks
            return parts
        deceiving, judging = self.contest(output.mask.float().sigmoid(), batch)
        total = parts["total"] + self.recipe.loss.adversarial * deceiving + judging
        return parts | {"total": total, "deceiving": deceiving, "judging": judging}

    def contest(self, found: Tensor, batch: dict[str, Tensor]) -> tuple[Tensor, Tensor]:
        """How far found masks (B, 1, H, W), 0..1, are from deceiving, and the discriminators from judging right."""
        deceiving, judging = found.new_zeros(()), found.new_zeros(())
        for name, judge in self.judges.items():
            told, true = (
                mask if name == "border" else torch.cat([batch["image"], mask], dim=1)
                for mask in (found, batch["mask"])
            )
            held = {key: parameter.detach() for key, parameter in judge.named_parameters()}
            deceiving = deceiving + _loss(functional_call(judge, held, (told,)), real=True)
            judging = judging + _loss(judge(true), real=True) + _loss(judge(told.detach()), real=False)
        return deceiving / len(self.judges), judging / len(self.judges)


def _loss(verdict: Tensor, *, real: bool) -> Tensor:
    verdict = verdict.float()
    return F.binary_cross_entropy_with_logits(verdict, torch.full_like(verdict, float(real)))
