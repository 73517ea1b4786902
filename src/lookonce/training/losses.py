"""Losses for both target layouts; every stack's scores are supervised, as in arXiv 2108.06554."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

#: Background is many pixels and discs are few: a disc's pixel weighs this much more.
DISC_WEIGHT = 12.0
#: Share of the names in the loss; found by eye on the falling of both parts.
NAME_WEIGHT = 0.15


def names_loss(scores: list[Tensor], batch: dict[str, Tensor]) -> dict[str, Tensor]:
    """Loss of the `names` layout: where the discs are, and what each is called.

    Parameters
    ----------
    scores : list of (B, 1 + C, h, w)
        Channel 0: logit of a disc; the rest: logits of the names, class 0 for "no disc".
    batch : dict
        heat, known (B, h, w) float and name (B, h, w) int, as `names_target` gives them.

    Returns
    -------
    dict
        `total` and its parts `disc` and `name`, scalars.

    Notes
    -----
    Names are asked for where a disc is, as strongly as the heat map says; and, as "no disc", wherever the network sees
    a disc that is none, as strongly as it sees it. So a false disc brings a name of its own, and the decoder can tell.
    """
    heat, known, name = batch["heat"], batch["known"], batch["name"]
    disc_loss, name_loss = scores[0].new_zeros(()), scores[0].new_zeros(())
    for score in scores:
        logits = score[:, 0].float()
        weight = known * (1 + DISC_WEIGHT * heat)
        pixels = F.binary_cross_entropy_with_logits(logits, heat, weight=weight, reduction="none")
        disc_loss = disc_loss + pixels.sum() / (known.sum() + 1)
        false_alarm = logits.detach().sigmoid() * (heat < 0.02) * known
        name_weight = torch.where(name > 0, heat, 0.5 * false_alarm)
        entropy = F.cross_entropy(score[:, 1:].float(), name, reduction="none")
        name_loss = name_loss + (entropy * name_weight).sum() / (name_weight.sum() + 1)
    disc_loss, name_loss = disc_loss / len(scores), name_loss / len(scores)
    return {"total": 10 * disc_loss + NAME_WEIGHT * name_loss, "disc": disc_loss, "name": name_loss}


def levels_loss(scores: list[Tensor], batch: dict[str, Tensor]) -> dict[str, Tensor]:
    """Mean squared error of the heat maps over visible levels (arXiv 2108.06554, section 2.1).

    Parameters
    ----------
    scores : list of (B, K, h, w)
    batch : dict
        heat (B, K, h, w) and visible (B, K).
    """
    heat, visible = batch["heat"], batch["visible"][:, :, None, None]
    total = sum(((score.float() - heat).square() * visible).mean() for score in scores)
    return {"total": torch.as_tensor(total)}


def counts_loss(scores: list[Tensor], batch: dict[str, Tensor]) -> dict[str, Tensor]:
    """Mean absolute error of the counts over visible levels (arXiv 1703.08710, section 3); shapes as `levels_loss`."""
    heat, visible = batch["heat"], batch["visible"][:, :, None, None]
    total = sum(((score.float() - heat).abs() * visible).mean() for score in scores)
    return {"total": torch.as_tensor(total)}
