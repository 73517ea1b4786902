"""Tensors that come from a file, held against those that a network expects before they are loaded."""

from __future__ import annotations

import re
from collections.abc import Mapping

import torch
from torch import Tensor

from lookonce.errors import WeightsError

#: How many tensors an error names.
NAMED = 3

Tensors = Mapping[str, Tensor]


def fitted(tensors: Tensors, expected: Tensors, network: str) -> dict[str, Tensor]:
    """Copies of the tensors in the precision of the expected ones, whose names and shapes they have.

    Parameters
    ----------
    tensors, expected : mapping of str to Tensor
        What a file holds, and a network's state dict (its values do not matter, and may be on no device).
    network : str
        What an error calls the network.

    Raises
    ------
    WeightsError
        If names or shapes differ, or numbers are unusable: not finite, negative variances, another kind. The message
        names the first of them.
    """
    _check_names_and_shapes(tensors, expected, network)
    return {name: _sound(name, tensors[name], expected[name]) for name in expected}


def numbers_in(tensors: Tensors, pattern: str) -> int:
    """How many different numbers stand in the names at the pattern's group; 1 where there is none."""
    matches = (re.match(pattern, name) for name in tensors)
    return max(1, len({match[1] for match in matches if match}))


def some(names: list[str]) -> str:
    """The first few names, and how many more there are."""
    more = len(names) - NAMED
    return ", ".join(names[:NAMED]) + (f" and {more} more" if more > 0 else "")


def _check_names_and_shapes(tensors: Tensors, expected: Tensors, network: str) -> None:
    misshapen = [
        f"{name} ({_size(tensors[name])}, not {_size(expected[name])})"
        for name in expected
        if name in tensors and tensors[name].shape != expected[name].shape
    ]
    problems = {
        "missing": [name for name in expected if name not in tensors],
        "unknown": [name for name in tensors if name not in expected],
        "of another shape": misshapen,
    }
    told = [f"{problem}: {some(names)}" for problem, names in problems.items() if names]
    if told:
        raise WeightsError(f"its tensors are not those of {network}; {'; '.join(told)}")


def _sound(name: str, tensor: Tensor, expected: Tensor) -> Tensor:
    """A tensor in the network's precision, once it is sure that it holds usable numbers."""
    if tensor.layout != torch.strided or tensor.is_floating_point() != expected.is_floating_point():
        raise WeightsError(f"tensor {name} holds {tensor.dtype} ({tensor.layout}), not {expected.dtype}")
    # Copied: no two tensors of the file may share their memory.
    values = tensor.detach().to(expected.dtype, copy=True, memory_format=torch.contiguous_format)
    if not bool(values.isfinite().all()):
        raise WeightsError(f"tensor {name} holds values that are no finite numbers; the training had failed")
    if name.endswith("running_var") and bool((values < 0).any()):
        raise WeightsError(f"tensor {name} holds negative variances; the file is damaged")
    return values


def _size(tensor: Tensor) -> str:
    return " x ".join(map(str, tensor.shape)) or "one number"
