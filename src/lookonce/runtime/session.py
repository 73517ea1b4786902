"""ONNX Runtime sessions: a model file in, a function from slabs to maps out."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lookonce.errors import WeightsError
from lookonce.runtime.ort import import_onnxruntime
from lookonce.runtime.weights import DiscModelCard, ModelFile

#: Slabs per call: a larger batch is no faster per slab and takes more memory.
BATCH = 4
#: Pixels per call: memory grows with them, and a slab of a whole spine has four times those of a neck.
MOST_PIXELS = 400_000
OUTPUTS = ("disc", "names", "attention")


@dataclass(frozen=True)
class DiscMaps:
    """What the network says of a slab stack, on its output grid.

    Attributes
    ----------
    heat : (S, h, w) float32
        Disc probability.
    names : (S, C, h, w) float32
        Logits of the names.
    attention : (S, h, w) float32
        Where the network looked, 0..1.
    """

    heat: NDArray[np.float32]
    names: NDArray[np.float32]
    attention: NDArray[np.float32]


class DiscSession:
    """A loaded disc model.

    Parameters
    ----------
    model : ModelFile
    threads : int, optional
        Threads inside the network; by default the cores that this process may use.

    Raises
    ------
    WeightsError
        If ONNX Runtime cannot load the model, or it is not one that finds discs.
    """

    def __init__(self, model: ModelFile, *, threads: int | None = None) -> None:
        if not isinstance(model.card, DiscModelCard):
            raise WeightsError(f"{model.path}: is no disc model; its card is of another kind")
        self._session = open_session(model, threads or usable_cores())
        missing = set(OUTPUTS) - {output.name for output in self._session.get_outputs()}
        if missing:
            raise WeightsError(f"{model.path}: is no disc model (it has no output {', '.join(sorted(missing))})")
        self.card = model.card
        self.identity = model.identity

    def __call__(self, slabs: NDArray[np.float32]) -> DiscMaps:
        """Run the network on slabs (S, H, W) in 0..1; zeros pad them to sizes that the network takes."""
        height, width = slabs.shape[1:]
        bottom, right = -height % self.card.multiple, -width % self.card.multiple
        padded = np.pad(slabs, ((0, 0), (0, bottom), (0, right)))
        batch = max(1, min(BATCH, MOST_PIXELS // (padded.shape[1] * padded.shape[2])))
        parts = [
            self._session.run(OUTPUTS, {"image": padded[start : start + batch, None]})
            for start in range(0, len(padded), batch)
        ]
        heat, names, attention = (np.concatenate(maps) for maps in zip(*parts, strict=True))
        rows, columns = -(-height // self.card.stride), -(-width // self.card.stride)
        return DiscMaps(heat[:, :rows, :columns], names[..., :rows, :columns], attention[:, :rows, :columns])


def open_session(model: ModelFile, threads: int) -> Any:
    """An ONNX Runtime session of a model; raises WeightsError if there is none to be had."""
    ort = import_onnxruntime()
    options = ort.SessionOptions()
    options.intra_op_num_threads = threads
    options.log_severity_level = 3
    try:
        return ort.InferenceSession(model.content, options, providers=["CPUExecutionProvider"])
    except Exception as error:  # ONNX Runtime raises its own, undocumented kinds
        raise WeightsError(f"{model.path}: ONNX Runtime cannot load it ({str(error).splitlines()[0]})") from error


def usable_cores() -> int:
    """How many cores this process may use."""
    # Not all systems tell a process which cores it may use.
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
