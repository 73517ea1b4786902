"""Published checkpoints: which network their tensors are, and whether they are all of it.

A form is recognised by the names of its tensors, its options by their number and shapes. The hourglasses carry the
published names; TMUnet's are translated.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import torch

from lookonce.errors import UsageError, WeightsError, about
from lookonce.models.checkpoints import Checkpoint, read_checkpoint
from lookonce.models.published_tmunet import published_name, published_options
from lookonce.models.registry import build
from lookonce.models.stored import StoredNetwork, write_network
from lookonce.models.tensors import Tensors, fitted, numbers_in, some


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
    forms = [form for form in _FORMS if any(name.startswith(form.beginning) for name in tensors)]
    if not forms:
        raise WeightsError(
            f"its tensors ({some(list(tensors))}) are of no network that can be imported; "
            "the authors' stacked hourglass and attention hourglass for discs and their TMUnet can"
        )
    form = forms[0]
    model, options = form.network(tensors)
    try:
        with torch.device("meta"):  # shapes alone: a hostile file must not decide how much memory is taken
            state = build(model, **options).state_dict()
    except UsageError as error:
        raise WeightsError(f"its tensors make no network ({error}); it is damaged or of another kind") from None
    named = f"the published {model} ({', '.join(f'{name} {value}' for name, value in options.items())})"
    theirs = {name: form.published_name(name) for name in state}
    sound = fitted(tensors, {theirs[name]: tensor for name, tensor in state.items()}, named)
    ours = {name: sound[theirs[name]] for name in state}
    return StoredNetwork(model, options, ours, {"file": checkpoint.name, "sha256": checkpoint.sha256})


def _disc_hourglass(tensors: Tensors) -> tuple[str, dict[str, Any]]:
    """The stacked hourglass of arXiv 2108.06554; it pools in its stem and brings scores to full size, as published."""
    options = {
        "stacks": numbers_in(tensors, r"hg\.(\d+)\."),
        "blocks": numbers_in(tensors, r"layer1\.(\d+)\."),
        "depth": numbers_in(tensors, r"hg\.0\.hg\.(\d+)\."),
        "features": _length(tensors, "score.0.weight", 1, 256),
        "classes": _length(tensors, "score.0.weight", 0, 11),
        "in_channels": _length(tensors, "conv1.weight", 1, 3),
    }
    # Each has tensors of its own. Names that claim more would take hours to build.
    if options["stacks"] * options["depth"] * options["blocks"] > len(tensors):
        raise WeightsError("names far more stacks, scales and blocks than it has tensors for; it is damaged")
    attends = any(name.startswith("attention.") for name in tensors)
    return "attention-hourglass" if attends else "hourglass", options


def _tmunet(tensors: Tensors) -> tuple[str, dict[str, Any]]:
    """TMUnet of arXiv 2203.01932, with all that its code does differently."""
    return "tmunet", published_options(tensors)


class _Form(NamedTuple):
    """How tensors of a published form begin that those of no other do, what tells its name and options, its names."""

    beginning: str
    network: Callable[[Tensors], tuple[str, dict[str, Any]]]
    published_name: Callable[[str], str] = str


_FORMS = (_Form("hg.", _disc_hourglass), _Form("transformer.0.", _tmunet, published_name))


def _length(tensors: Tensors, name: str, axis: int, usual: int) -> int:
    """Length of an axis of a convolution's kernel, or the published one where the kernel is missing or none."""
    kernel = tensors.get(name)
    return usual if kernel is None or kernel.ndim != 4 else kernel.shape[axis]
