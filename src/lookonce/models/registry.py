"""The registry of networks: a name and options in, a module out."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from torch import nn

from lookonce.errors import UsageError
from lookonce.models.hourglass import StackedHourglass


def build(name: str, **options: Any) -> nn.Module:
    """Build a network by name.

    Raises
    ------
    UsageError
        If no network has that name (the message lists them) or an option does not exist.
    """
    if name not in _BUILDERS:
        raise UsageError(f"no model is called {name!r}; there are {', '.join(names())}")
    try:
        return _BUILDERS[name](**options)
    except TypeError as error:
        raise UsageError(f"model {name}: {error}") from error


def names() -> list[str]:
    """Names that `build` knows."""
    return sorted(_BUILDERS)


def _hourglass(**options: Any) -> nn.Module:
    return StackedHourglass(**options, attention=False)


def _attention_hourglass(**options: Any) -> nn.Module:
    return StackedHourglass(**options, attention=True)


def _disc_net(**options: Any) -> nn.Module:
    """Lean attention hourglass behind the default weights: one disc channel, then the names."""
    lean = {"features": 96, "in_channels": 1, "stem_pool": False, "upsample": False}
    return StackedHourglass(**{**lean, **options}, attention=True)


_BUILDERS: dict[str, Callable[..., nn.Module]] = {
    "hourglass": _hourglass,
    "attention-hourglass": _attention_hourglass,
    "disc-net": _disc_net,
}
