"""Weights that say which network they belong to: a safetensors file with the model and its options in the header."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor, nn

from lookonce import __version__
from lookonce.errors import UsageError, WeightsError
from lookonce.io.files import write_files
from lookonce.models.registry import build

#: The header's one entry. One, because the format keeps several in no fixed order, and the same network should give the
#: same bytes.
HEADER = "lookonce"


@dataclass(frozen=True)
class StoredNetwork:
    """A network as its file holds it.

    Attributes
    ----------
    model, options : str, dict
        What `lookonce.models.build` takes.
    tensors : dict of str to Tensor
        Its whole state dict, contiguous.
    source : dict
        Where the weights come from: name and sha256 of a file.
    """

    model: str
    options: dict[str, Any]
    tensors: dict[str, Tensor]
    source: dict[str, str]

    @property
    def parameters(self) -> int:
        """How many numbers were learned: all but the statistics of batch norms."""
        return sum(tensor.numel() for name, tensor in self.tensors.items() if not name.endswith(_STATISTICS))

    def to_bytes(self) -> bytes:
        """Content of the file."""
        header = {"version": __version__, "model": self.model, "options": self.options, "source": self.source}
        return save(self.tensors, {HEADER: json.dumps(header)})


def write_network(path: Path, network: StoredNetwork) -> str:
    """Write a file that `load` reads, and return its sha256; it appears whole, in place of an earlier one.

    Raises
    ------
    OutputError
        If it cannot be written.
    """
    content = network.to_bytes()
    write_files({path: content})
    return hashlib.sha256(content).hexdigest()


def load(path: str | Path) -> nn.Module:
    """Load a network with its weights, in evaluation mode, from a file that `lookonce import-weights` wrote.

    Raises
    ------
    WeightsError
        If the file is missing, damaged, or does not say which network it holds.
    """
    path = Path(path)
    header, tensors = _read(path)
    try:
        network = build(header["model"], **header["options"])
        network.load_state_dict(tensors)
    except (KeyError, TypeError, UsageError, RuntimeError) as error:
        reason = str(error).splitlines()[0]
        raise WeightsError(f"{path}: its tensors and header do not fit together ({reason}); import it again") from None
    return network.eval()


def _read(path: Path) -> tuple[dict[str, Any], dict[str, Tensor]]:
    try:
        with safe_open(path, "pt") as file:
            metadata = file.metadata() or {}
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118  # no mapping
    except FileNotFoundError:
        raise WeightsError(f"{path}: not there; check the path") from None
    except (OSError, SafetensorError) as error:
        raise WeightsError(f"{path}: cannot be read as safetensors ({error}); import it again") from None
    try:
        header = json.loads(metadata[HEADER])
        return dict(header), tensors
    except (KeyError, TypeError, ValueError):
        raise WeightsError(
            f"{path}: does not say which network it holds; load files that `lookonce import-weights` wrote"
        ) from None


_STATISTICS = ("running_mean", "running_var", "num_batches_tracked")
