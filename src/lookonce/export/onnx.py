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
from lookonce.models.network import LandmarkNetwork, MaskNetwork
from lookonce.runtime.ort import import_onnxruntime
from lookonce.runtime.weights import AnyModelCard, DiscModelCard, MaskModelCard, PointModelCard
from lookonce.training.recipe import AnyRecipe, MaskRecipe, Recipe
from lookonce.training.run import RECORD_FILE, Network, load_run

#: Largest difference between torch and ONNX Runtime on probabilities and, relative to their spread, on logits.
PARITY = 1e-3
OUTPUTS = ("disc", "names", "attention")
#: What a segmentation model gives, those that its network has.
MASK_OUTPUTS = ("mask", "boundary", "regions")


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


class DeployedMaskNet(nn.Module):
    """A segmentation network as the pipeline wants it: colour pictures in, probabilities out.

    Parameters
    ----------
    network : MaskNetwork
    """

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, image: Tensor) -> tuple[Tensor, ...]:
        """Map pictures (B, 3, H, W) to mask, boundary (B, H, W) and regions (B, h, w), those that the network has."""
        mask, boundary, regions = self.network(image)
        maps = [mask.sigmoid(), None if boundary is None else boundary.sigmoid(), regions]
        return tuple(values[:, 0] for values in maps if values is not None)


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
    kind, model, facts = _deployed(run, recipe, network)
    card = facts | {
        "name": name,
        "version": __version__,
        "sha256": hashlib.sha256(model).hexdigest(),
        "recipe": recipe.model_dump(mode="json"),
        "about": about or {},
    }
    checked = kind.model_validate(card)
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


def _deployed(run: Path, recipe: AnyRecipe, network: Network) -> tuple[type[AnyModelCard], bytes, dict[str, Any]]:
    """The kind of card, the ONNX file and what its card says, of any network."""
    if isinstance(network, LookOnce):
        return PointModelCard, *_points(run, network)
    if isinstance(network, MaskNetwork):
        assert isinstance(recipe, MaskRecipe)
        return MaskModelCard, *_masks(run, recipe, network)
    assert isinstance(recipe, Recipe)
    return DiscModelCard, *_discs(run, recipe, network)


def _discs(run: Path, recipe: Recipe, network: LandmarkNetwork) -> tuple[bytes, dict[str, Any]]:
    """ONNX file of a network that finds discs, for any batch and any size that it takes, and what its card says."""
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
    (mean,) = _recorded(run, "mean_skeleton")
    random = torch.Generator().manual_seed(0)
    model = _to_onnx(
        network,
        torch.rand(2, 20, 2, generator=random),
        names=("points", ("disc",)),
        shapes={0: Dim("batch"), 1: Dim("n")},
    )
    check_parity(network, model, [100 * torch.rand(b, n, 2, generator=random) for b, n in ((1, 2), (3, 7), (1, 111))])
    return model, {"task": "points", "mean_skeleton": mean, "first_level": FIRST}


def _masks(run: Path, recipe: MaskRecipe, network: MaskNetwork) -> tuple[bytes, dict[str, Any]]:
    """ONNX file of a segmentation network, for any number of pictures of its size, and what its card says."""
    objects, data, look = _recorded(run, "objects", "data", "look")
    network.to(memory_format=torch.contiguous_format)  # type: ignore[call-overload]  # torch's stubs leave it out
    deployed = DeployedMaskNet(network).eval()
    random = torch.Generator().manual_seed(0)
    examples = [torch.rand(count, 3, *recipe.input.size, generator=random) for count in (2, 1)]
    with torch.no_grad():
        output = network(examples[0])
    names = tuple(name for name in MASK_OUTPUTS if getattr(output, name) is not None)
    model = _to_onnx(deployed, examples[0], names=("image", names), shapes={0: Dim("batch")})
    check_parity(deployed, model, examples)
    return model, {
        "task": "masks",
        "size": recipe.input.size,
        "resize": recipe.input.resize,
        "threshold": recipe.threshold,
        "objects": objects,
        "licence": "; ".join(dict.fromkeys(f"{entry['licence']} ({entry['name']})" for entry in data)),
        "look": look,
    }


def _recorded(run: Path, *names: str) -> list[Any]:
    """What the record of a run says of its data."""
    try:
        record = json.loads((run / RECORD_FILE).read_text())
        return [record[name] for name in names]
    except (OSError, ValueError, KeyError) as error:
        cause = f"no {error}" if isinstance(error, KeyError) else str(error)
        raise InputError(
            f"{run / RECORD_FILE}: does not say what export needs ({cause}); train the run again"
        ) from error


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
