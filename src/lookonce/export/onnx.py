"""A trained network to ONNX with its card, checked against torch."""

from __future__ import annotations

import hashlib
import json
import logging
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.export import Dim

from lookonce import __version__
from lookonce.decode.chain_scores import FIRST
from lookonce.errors import InputError, UsageError, WeightsError
from lookonce.io.files import write_files
from lookonce.models.lookonce import LookOnce
from lookonce.models.network import LandmarkNetwork
from lookonce.runtime.ort import import_onnxruntime
from lookonce.runtime.weights import DiscModelCard, PointModelCard
from lookonce.training.recipe import PointRecipe, Recipe
from lookonce.training.run import RECORD_FILE, load_run

#: Largest difference between torch and ONNX Runtime on probabilities and, relative to their spread, on logits.
PARITY = 1e-3
OUTPUTS = ("disc", "names", "attention")


class DeployedDiscNet(nn.Module):
    """A `names` network as the pipeline wants it: grey pictures in, what the last stack says out.

    Parameters
    ----------
    network : LandmarkNetwork
        Channel 0 of its scores is the disc, the others are the names.
    channels : int
        How often the network wants the grey picture.
    """

    def __init__(self, network: nn.Module, channels: int = 1) -> None:
        super().__init__()
        self.network = network
        self.channels = channels

    def forward(self, image: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Map pictures (B, 1, H, W) to disc probability, logits of the names and attention.

        Their shapes are (B, h, w), (B, C, h, w) and (B, h, w); h and w are H and W over the output's stride. The
        attention of a network that has none is ones: it looks everywhere alike.
        """
        scores, attention = self.network(image if self.channels == 1 else image.expand(-1, self.channels, -1, -1))
        disc = scores[-1][:, 0].sigmoid()
        return disc, scores[-1][:, 1:], torch.ones_like(disc) if attention is None else attention[:, 0]


def export_run(run: Path, out: Path, *, name: str, about: dict[str, Any] | None = None) -> Path:
    """Write `out` (.onnx) and its card (.json) from a run folder; both appear, or none.

    Raises
    ------
    InputError
        If `run` is not a finished run.
    UsageError
        If the run finds discs in another than the `names` layout, which `lookonce label` reads, or `out` is not called
        .onnx.
    WeightsError
        If ONNX Runtime does not reproduce torch.
    OutputError
        If the files cannot be written.
    """
    if out.suffix != ".onnx":
        raise UsageError(f"{out}: the model's name must end in .onnx; its card goes beside it as .json")
    recipe, network = load_run(run)
    model, facts = _points(run, network) if isinstance(network, LookOnce) else _discs(run, recipe, network)
    card = facts | {
        "name": name,
        "version": __version__,
        "sha256": hashlib.sha256(model).hexdigest(),
        "recipe": recipe.model_dump(mode="json"),
        "about": about or {},
    }
    checked = (PointModelCard if isinstance(network, LookOnce) else DiscModelCard).model_validate(card)
    write_files({out: model, out.with_suffix(".json"): (json.dumps(checked.model_dump(), indent=1) + "\n").encode()})
    return out


def check_parity(deployed: nn.Module, model: bytes, inputs: Sequence[Tensor]) -> None:
    """Raise WeightsError unless the ONNX model gives torch's outputs for each of the inputs."""
    session = import_onnxruntime().InferenceSession(model, providers=["CPUExecutionProvider"])
    (entry,) = session.get_inputs()
    for example in inputs:
        with torch.no_grad():
            expected = deployed(example)
        ours = session.run(None, {entry.name: example.numpy()})
        for one, other in zip(ours, expected if isinstance(expected, tuple) else (expected,), strict=True):
            worst = float(np.abs(one - other.numpy()).max() / max(1.0, float(other.numpy().std())))
            if not worst < PARITY:
                raise WeightsError(f"ONNX Runtime differs from torch by {worst:.2g}; report this with your versions")


def _discs(run: Path, recipe: Recipe | PointRecipe, network: LandmarkNetwork) -> tuple[bytes, dict[str, Any]]:
    """ONNX file of a network that finds discs, for any batch and any size that it takes, and what its card says."""
    assert isinstance(recipe, Recipe)
    if recipe.target.kind != "names":
        raise UsageError(f"{run}: only recipes with target kind 'names' deploy to `lookonce label`")
    network.to(memory_format=torch.contiguous_format)  # type: ignore[call-overload]  # torch's stubs leave it out
    deployed = DeployedDiscNet(network, recipe.input.channels).eval()
    height, width = network.multiple * Dim("h", min=1), network.multiple * Dim("w", min=1)
    model = _to_onnx(
        deployed,
        torch.zeros(2, 1, *recipe.input.shape),
        names=("image", OUTPUTS),
        shapes={0: Dim("batch"), 2: height, 3: width},
    )
    random = torch.Generator().manual_seed(0)
    sizes = ((1, 4, 3), (3, 2, 5))
    check_parity(
        deployed,
        model,
        [torch.rand(n, 1, h * network.multiple, w * network.multiple, generator=random) for n, h, w in sizes],
    )
    return model, {
        "spacing_mm": recipe.input.spacing_mm,
        "lateral_step_mm": recipe.input.lateral_step_mm,
        "lateral_sigma_mm": recipe.target.lateral_sigma_mm,
        "stride": network.output_stride,
        "multiple": network.multiple,
    }


def _points(run: Path, network: LookOnce) -> tuple[bytes, dict[str, Any]]:
    """ONNX file of a point network, for any number of points, and what its card says."""
    try:
        mean = json.loads((run / RECORD_FILE).read_text())["mean_skeleton"]
    except (OSError, ValueError, KeyError) as error:
        raise InputError(f"{run / RECORD_FILE}: says no mean skeleton ({error}); train the run again") from error
    random = torch.Generator().manual_seed(0)
    model = _to_onnx(
        network,
        torch.rand(2, 20, 2, generator=random),
        names=("points", ("disc",)),
        shapes={0: Dim("batch"), 1: Dim("n")},
    )
    check_parity(network, model, [100 * torch.rand(b, n, 2, generator=random) for b, n in ((1, 2), (3, 7), (1, 111))])
    return model, {"task": "points", "mean_skeleton": mean, "first_level": FIRST}


def _to_onnx(
    network: nn.Module, example: Tensor, *, names: tuple[str, tuple[str, ...]], shapes: dict[int, Any]
) -> bytes:
    """ONNX file of a network with one input, called as in `names`, as are its outputs; `shapes` may differ in use."""
    # What torch's exporter says of itself, and that torchvision is not installed, helps nobody.
    logging.getLogger("torch.onnx").setLevel(logging.ERROR)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        program = torch.onnx.export(
            network,
            (example,),
            input_names=[names[0]],
            output_names=names[1],
            dynamic_shapes=(shapes,),
            verbose=False,
        )
    assert program is not None
    model = program.model_proto
    for node in model.graph.node:
        # Each node carries the stack of its making, with the paths of this machine: more bytes than the weights.
        del node.metadata_props[:]
    return model.SerializeToString()
