"""Start a network's ResNet from weights that were trained on ImageNet, from a file that the user has."""

from __future__ import annotations

from pathlib import Path

from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor, nn

from lookonce.errors import UsageError, WeightsError, about
from lookonce.models.checkpoints import read_checkpoint
from lookonce.models.resnet import ResNet
from lookonce.models.tensors import fitted

#: What names the classifier, which an encoder does without.
CLASSIFIER = "fc."
#: How many batches a norm has seen: old files lack it, and no evaluation reads it.
COUNTER = "num_batches_tracked"


def load_encoder(network: nn.Module, path: Path) -> None:
    """Load weights into the ResNet in a network; the rest stays as it is.

    Parameters
    ----------
    network : nn.Module
        A network with a `ResNet` in it.
    path : Path
        A state dict with torchvision's names, of the same form of ResNet: a file of `torch.save`, of which no code is
        run, or ``.safetensors``.

    Raises
    ------
    UsageError
        If the network has no ResNet.
    WeightsError
        If the file cannot be read, or holds the weights of another network.
    """
    encoder = next((module for module in network.modules() if isinstance(module, ResNet)), None)
    if encoder is None:
        raise UsageError(f"{path}: the network has no ResNet that these weights could go into")
    state = encoder.state_dict()
    given = _read_safetensors(path) if path.suffix == ".safetensors" else read_checkpoint(path).tensors
    tensors = {name: tensor for name, tensor in given.items() if not name.startswith(CLASSIFIER)}
    counters = {name: tensor for name, tensor in state.items() if name.endswith(COUNTER)}
    try:
        encoder.load_state_dict(fitted({**counters, **tensors}, state, "this network's ResNet"))
    except WeightsError as error:
        raise about(path, error) from None


def _read_safetensors(path: Path) -> dict[str, Tensor]:
    try:
        return load_file(path)
    except FileNotFoundError:
        raise WeightsError(f"{path}: no such file; check the name and the folder") from None
    except (OSError, SafetensorError) as error:
        raise WeightsError(f"{path}: cannot be read as safetensors ({error}); copy it again") from None
