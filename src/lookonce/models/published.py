"""Published checkpoints: which network their tensors are, and whether they are all of it.

A form is recognised by the names of its tensors, its options by their number and shapes. The networks of
`lookonce.models` carry the published names, so what passes the checks loads as it is.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from lookonce.errors import UsageError, WeightsError, about
from lookonce.models.checkpoints import Checkpoint, read_checkpoint
from lookonce.models.registry import build
from lookonce.models.stored import StoredNetwork, write_network

#: How many tensors an error names.
NAMED = 3

Tensors = Mapping[str, Tensor]


def import_weights(checkpoint: Path, out: Path) -> tuple[StoredNetwork, str]:
    """Convert a published checkpoint to a file that `lookonce.models.load` reads.

    Parameters
    ----------
    checkpoint : Path
        File of `torch.save` in the authors' form; nothing in it is run.
    out : Path
        The file to write, ``.safetensors``: float32 tensors, and in its header the model, its options and the
        checkpoint's sha256. The same checkpoint gives the same bytes.

    Returns
    -------
    (StoredNetwork, str)
        What was written, and the sha256 of the file.

    Raises
    ------
    UsageError
        If `out` is not called .safetensors, or is the checkpoint.
    WeightsError
        If the checkpoint cannot be read (see `read_checkpoint`) or is not whole and sound (see `recognise`).
    OutputError
        If the file cannot be written.
    """
    if out.suffix != ".safetensors":
        raise UsageError(f"{out}: the weights' name must end in .safetensors")
    if out.resolve() == checkpoint.resolve():
        raise UsageError(f"{out}: is the checkpoint itself; choose another name for the weights")
    read = read_checkpoint(checkpoint)
    try:
        network = recognise(read)
    except WeightsError as error:
        raise about(checkpoint, error) from None
    return network, write_network(out, network)


def recognise(checkpoint: Checkpoint) -> StoredNetwork:
    """Find out which published network the tensors of a checkpoint are, and take them over in its precision.

    Raises
    ------
    WeightsError
        If they are of no known form, not exactly those of the network that they suggest, or not finite; the message
        names the first of them.
    """
    tensors = checkpoint.tensors
    forms = [form for beginning, form in _FORMS.items() if any(name.startswith(beginning) for name in tensors)]
    if not forms:
        raise WeightsError(
            f"its tensors ({_some(list(tensors))}) are of no network that can be imported; "
            "the authors' stacked hourglass and attention hourglass for discs can"
        )
    model, options = forms[0](tensors)
    try:
        with torch.device("meta"):  # shapes alone: a hostile file must not decide how much memory is taken
            expected = build(model, **options).state_dict()
    except UsageError as error:
        raise WeightsError(f"its tensors make no network ({error}); it is damaged or of another kind") from None
    _check_names_and_shapes(tensors, expected, f"{model} ({', '.join(f'{name} {n}' for name, n in options.items())})")
    sound = {name: _sound(name, tensors[name], expected[name]) for name in expected}
    return StoredNetwork(model, options, sound, {"file": checkpoint.name, "sha256": checkpoint.sha256})


def _disc_hourglass(tensors: Tensors) -> tuple[str, dict[str, Any]]:
    """The stacked hourglass of arXiv 2108.06554; it pools in its stem and brings scores to full size, as published."""
    options = {
        "stacks": _count(tensors, r"hg\.(\d+)\."),
        "blocks": _count(tensors, r"layer1\.(\d+)\."),
        "depth": _count(tensors, r"hg\.0\.hg\.(\d+)\."),
        "features": _length(tensors, "score.0.weight", 1, 256),
        "classes": _length(tensors, "score.0.weight", 0, 11),
        "in_channels": _length(tensors, "conv1.weight", 1, 3),
    }
    # Each has tensors of its own. Names that claim more would take hours to build.
    if options["stacks"] * options["depth"] * options["blocks"] > len(tensors):
        raise WeightsError("names far more stacks, scales and blocks than it has tensors for; it is damaged")
    attends = any(name.startswith("attention.") for name in tensors)
    return "attention-hourglass" if attends else "hourglass", options


#: How the tensors of each published form begin that those of no other do, and what tells its name and options.
_FORMS: dict[str, Callable[[Tensors], tuple[str, dict[str, Any]]]] = {"hg.": _disc_hourglass}


def _count(tensors: Tensors, pattern: str) -> int:
    """How many different numbers stand in the names at the pattern's group; 1 where there is none."""
    matches = (re.match(pattern, name) for name in tensors)
    return max(1, len({match[1] for match in matches if match}))


def _length(tensors: Tensors, name: str, axis: int, usual: int) -> int:
    """Length of an axis of a convolution's kernel, or the published one where the kernel is missing or none."""
    kernel = tensors.get(name)
    return usual if kernel is None or kernel.ndim != 4 else kernel.shape[axis]


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
    told = [f"{problem}: {_some(names)}" for problem, names in problems.items() if names]
    if told:
        raise WeightsError(f"its tensors are not those of the published {network}; {'; '.join(told)}")


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


def _some(names: list[str]) -> str:
    more = len(names) - NAMED
    return ", ".join(names[:NAMED]) + (f" and {more} more" if more > 0 else "")
