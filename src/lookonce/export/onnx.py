"""A trained disc network to ONNX with its card, checked against torch."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime as ort
import torch
from safetensors.torch import load_model
from torch import Tensor, nn

from lookonce import __version__
from lookonce.errors import InputError, UsageError, WeightsError
from lookonce.training.module import build_network
from lookonce.training.recipe import Recipe

#: Largest difference between torch and ONNX Runtime on probabilities and, relative to their spread, on logits.
PARITY = 1e-3


class DeployedDiscNet(nn.Module):
    """A `names` network as the pipeline wants it: probabilities, names and attention of the last stack."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, image: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        scores, attention = self.network(image)
        last = scores[-1]
        return last[:, 0].sigmoid(), last[:, 1:], attention[:, 0]


def load_run(run: Path) -> tuple[Recipe, nn.Module]:
    """The recipe and trained network of a run folder, in evaluation mode; raises InputError if it is none."""
    try:
        recipe = Recipe.model_validate_json((run / "recipe.json").read_text())
        network = build_network(recipe)
        load_model(network, str(run / "weights.safetensors"))
    except (OSError, ValueError, RuntimeError) as error:
        reason = str(error).splitlines()[0]
        raise InputError(f"{run}: not a finished training run ({reason}); train it to the end first") from error
    return recipe, network.eval()


def export_run(run: Path, out: Path, *, name: str, about: dict[str, Any] | None = None) -> Path:
    """Write `out` (.onnx) and its card (.json) from a run folder.

    Raises
    ------
    InputError
        If `run` is not a finished run.
    UsageError
        If the run's recipe is not of the `names` layout that `lookonce label` reads.
    WeightsError
        If ONNX Runtime does not reproduce torch.
    """
    recipe, network = load_run(run)
    if recipe.target.kind != "names":
        raise UsageError(f"{run}: only recipes with target kind 'names' deploy to `lookonce label`")
    deployed = DeployedDiscNet(network.to(memory_format=torch.contiguous_format)).eval()
    example = torch.zeros(2, 1, *recipe.input.shape)
    batch, height, width = torch.export.Dim("batch"), torch.export.Dim("h", min=1), torch.export.Dim("w", min=1)
    multiple = network.multiple
    out.parent.mkdir(parents=True, exist_ok=True)
    torch.onnx.export(
        deployed,
        (example,),
        str(out),
        input_names=["image"],
        output_names=["disc", "names", "attention"],
        dynamic_shapes={"image": {0: batch, 2: multiple * height, 3: multiple * width}},
        external_data=False,
        verbose=False,
    )
    check_parity(deployed, out, multiple=multiple)
    card = {
        "name": name,
        "version": __version__,
        "sha256": hashlib.sha256(out.read_bytes()).hexdigest(),
        "spacing_mm": recipe.input.spacing_mm,
        "lateral_step_mm": recipe.input.lateral_step_mm,
        "lateral_sigma_mm": recipe.target.lateral_sigma_mm,
        "stride": network.stride,
        "multiple": multiple,
        "recipe": recipe.model_dump(mode="json"),
        "about": about or {},
    }
    out.with_suffix(".json").write_text(json.dumps(card, indent=1) + "\n")
    return out


def check_parity(deployed: nn.Module, path: Path, *, multiple: int) -> None:
    """Raise WeightsError unless the ONNX file gives torch's outputs, at a size other than the exported one."""
    image = torch.rand(1, 1, 4 * multiple, 3 * multiple, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        expected = [part.numpy() for part in deployed(image)]
    session = ort.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    found = session.run(["disc", "names", "attention"], {"image": image.numpy()})
    for ours, theirs in zip(found, expected, strict=True):
        worst = float(np.abs(ours - theirs).max() / max(1.0, float(theirs.std())))
        if not worst < PARITY:
            raise WeightsError(f"{path}: ONNX Runtime differs from torch by {worst:.2g}; report this with your versions")
