"""A trained disc network to ONNX with its card, checked against torch."""

from __future__ import annotations

import hashlib
import json
import logging
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime as ort
import torch
from torch import Tensor, nn
from torch.export import Dim

from lookonce import __version__
from lookonce.errors import UsageError, WeightsError
from lookonce.io.files import write_files
from lookonce.runtime.weights import DiscModelCard
from lookonce.training.run import load_run

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
        If the run's recipe is not of the `names` layout that `lookonce label` reads, or `out` is not called .onnx.
    WeightsError
        If ONNX Runtime does not reproduce torch.
    OutputError
        If the files cannot be written.
    """
    if out.suffix != ".onnx":
        raise UsageError(f"{out}: the model's name must end in .onnx; its card goes beside it as .json")
    recipe, network = load_run(run)
    if recipe.target.kind != "names":
        raise UsageError(f"{run}: only recipes with target kind 'names' deploy to `lookonce label`")
    network.to(memory_format=torch.contiguous_format)  # type: ignore[call-overload]  # torch's stubs leave it out
    deployed = DeployedDiscNet(network, recipe.input.channels).eval()
    model = _to_onnx(deployed, recipe.input.shape, network.multiple)
    check_parity(deployed, model, multiple=network.multiple)
    card = DiscModelCard(
        name=name,
        version=__version__,
        sha256=hashlib.sha256(model).hexdigest(),
        spacing_mm=recipe.input.spacing_mm,
        lateral_step_mm=recipe.input.lateral_step_mm,
        lateral_sigma_mm=recipe.target.lateral_sigma_mm,
        stride=network.output_stride,
        multiple=network.multiple,
        recipe=recipe.model_dump(mode="json"),
        about=about or {},
    )
    write_files({out: model, out.with_suffix(".json"): (json.dumps(card.model_dump(), indent=1) + "\n").encode()})
    return out


def check_parity(deployed: nn.Module, model: bytes, *, multiple: int) -> None:
    """Raise WeightsError unless the ONNX model gives torch's outputs, at batches and sizes other than the exported."""
    session = ort.InferenceSession(model, providers=["CPUExecutionProvider"])
    for batch, height, width in ((1, 4, 3), (3, 2, 5)):
        random = torch.Generator().manual_seed(0)
        image = torch.rand(batch, 1, height * multiple, width * multiple, generator=random)
        with torch.no_grad():
            expected = [part.numpy() for part in deployed(image)]
        for ours, theirs in zip(session.run(OUTPUTS, {"image": image.numpy()}), expected, strict=True):
            worst = float(np.abs(ours - theirs).max() / max(1.0, float(theirs.std())))
            if not worst < PARITY:
                raise WeightsError(f"ONNX Runtime differs from torch by {worst:.2g}; report this with your versions")


def _to_onnx(deployed: nn.Module, shape: tuple[int, int], multiple: int) -> bytes:
    """ONNX file of a network for any batch and any height and width that are multiples of `multiple`."""
    height, width = multiple * Dim("h", min=1), multiple * Dim("w", min=1)
    # What torch's exporter says of itself, and that torchvision is not installed, helps nobody.
    logging.getLogger("torch.onnx").setLevel(logging.ERROR)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        program = torch.onnx.export(
            deployed,
            (torch.zeros(2, 1, *shape),),
            input_names=["image"],
            output_names=OUTPUTS,
            dynamic_shapes={"image": {0: Dim("batch"), 2: height, 3: width}},
            verbose=False,
        )
    assert program is not None
    model = program.model_proto
    for node in model.graph.node:
        # Each node carries the stack of its making, with the paths of this machine: more bytes than the weights.
        del node.metadata_props[:]
    return model.SerializeToString()
