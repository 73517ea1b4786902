"""The registry of networks: a name and options in, a module out."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from torch import nn

from lookonce.errors import UsageError
from lookonce.models.countception import Countception
from lookonce.models.dagan import DAGAN
from lookonce.models.deeplab_attention import DeepLabAttention
from lookonce.models.fatnet import FATNet
from lookonce.models.frcunet import FRCUNet
from lookonce.models.hourglass import StackedHourglass
from lookonce.models.lookonce import LookOnce
from lookonce.models.mask_unet import MaskUNet
from lookonce.models.mcgunet import MCGUNet
from lookonce.models.medt import MedT
from lookonce.models.tmunet import TMUnet, TMUnetBaseline
from lookonce.models.transunet import TransUNet
from lookonce.models.unet import UNet


def build(name: str, **options: Any) -> nn.Module:
    """Build a network by name.

    Raises
    ------
    UsageError
        If no network has that name, or an option does not exist or has an impossible value; the message lists the
        choices.

    Examples
    --------
    >>> build("hourglass", features=32).score[0].out_channels
    11
    """
    if name not in _MODELS:
        raise UsageError(f"no model is called {name!r}; there are {', '.join(names())}")
    entry = _MODELS[name]
    choices = option_names(name)
    unknown = [option for option in options if option not in choices]
    if unknown:
        raise UsageError(f"model {name} has no option {unknown[0]!r}; there are {', '.join(choices)}")
    try:
        return entry.network(**{**entry.defaults, **options, **entry.fixed})
    except (TypeError, ValueError, RuntimeError) as error:
        raise UsageError(f"model {name}: {str(error).splitlines()[0]}") from error


def names() -> list[str]:
    """Names that `build` knows."""
    return sorted(_MODELS)


def option_names(name: str) -> list[str]:
    """Options that `build` takes for a model."""
    entry = _MODELS[name]
    return [option for option in inspect.signature(entry.network).parameters if option not in entry.fixed]


@dataclass(frozen=True)
class _Model:
    """A network class, the options that a name pins, and those that it starts from."""

    network: Callable[..., nn.Module]
    fixed: Mapping[str, Any]
    defaults: Mapping[str, Any] = field(default_factory=dict)


_MODELS = {
    "hourglass": _Model(StackedHourglass, {"attention": False}),
    "attention-hourglass": _Model(StackedHourglass, {"attention": True}),
    "countception": _Model(Countception, {}),
    "unet": _Model(UNet, {"shape": False}),
    "shape-unet": _Model(UNet, {"shape": True}),
    "lookonce": _Model(LookOnce, {}),
    # A lean attention hourglass that keeps the picture's resolution, for the `names` layout.
    "disc-net": _Model(
        StackedHourglass,
        {"attention": True},
        {"features": 96, "in_channels": 1, "stem_pool": False, "upsample": False},
    ),
    "tmunet": _Model(TMUnet, {}),
    "tmunet-baseline": _Model(TMUnetBaseline, {}),
    # A fiftieth of the paper's size, for a processor: narrow where the picture is large.
    "tmunet-small": _Model(
        TMUnet,
        {"bottleneck": False},
        {
            "widths": (32, 64, 96, 192),
            "blocks": (2, 2, 2, 2),
            "decoder": (96, 64, 48, 32, 16),
            "patch_widths": (16, 32, 96),
        },
    ),
    # What TMUnet is compared with.
    "mask-unet": _Model(MaskUNet, {"attention": False}),
    "mask-attention-unet": _Model(MaskUNet, {"attention": True}),
    "mcgunet": _Model(MCGUNet, {}),
    "transunet": _Model(TransUNet, {}),
    "medt": _Model(MedT, {}),
    "fatnet": _Model(FATNet, {}),
    "dagan": _Model(DAGAN, {}),
    "frcunet": _Model(FRCUNet, {}),
    "deeplab-attention": _Model(DeepLabAttention, {}),
}
