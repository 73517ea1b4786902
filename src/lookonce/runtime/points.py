"""The look-once network in ONNX Runtime: points in, the probability of each to be a disc out."""

from __future__ import annotations

import numpy as np

from lookonce.errors import WeightsError
from lookonce.geometry import FloatArray
from lookonce.runtime.session import open_session
from lookonce.runtime.weights import ModelFile, PointModelCard


class PointSession:
    """A loaded look-once model.

    Parameters
    ----------
    model : ModelFile
    threads : int, optional
        Threads inside the network; one by default: the sets are small.

    Raises
    ------
    WeightsError
        If ONNX Runtime cannot load the model, or it is not one for points.
    """

    def __init__(self, model: ModelFile, *, threads: int = 1) -> None:
        if not isinstance(model.card, PointModelCard):
            raise WeightsError(f"{model.path}: is no look-once model; its card is of another kind")
        self.card = model.card
        self._session = open_session(model, threads)

    def __call__(self, points: FloatArray) -> FloatArray:
        """Probability (N,) of each point (N, 2), in any unit, to be a disc."""
        if len(points) == 0:
            return np.zeros(0)
        (logits,) = self._session.run(("disc",), {"points": np.asarray(points, dtype=np.float32)[None]})
        return np.asarray(1 / (1 + np.exp(-logits[0].astype(np.float64))))
