"""Segmentation networks in ONNX Runtime: a colour picture in, the probability of the object out."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from lookonce.errors import WeightsError
from lookonce.runtime.session import open_session, usable_cores
from lookonce.runtime.weights import MaskModelCard, ModelFile


@dataclass(frozen=True)
class MaskMaps:
    """What the network says of one picture, 0..1.

    Attributes
    ----------
    mask : (H, W) float32 array
        Probability of the object.
    boundary : (H, W) float32 array or None
        Probability of its border, where the network has it.
    regions : (h, w) float32 array or None
        Where the network looked, on its grid of patches.
    """

    mask: NDArray[np.float32]
    boundary: NDArray[np.float32] | None = None
    regions: NDArray[np.float32] | None = None


class MaskSession:
    """A loaded segmentation model.

    Parameters
    ----------
    model : ModelFile
    threads : int, optional
        Threads inside the network; by default the cores that this process may use.

    Raises
    ------
    WeightsError
        If ONNX Runtime cannot load the model, or it is not one that segments pictures of its card's size.
    """

    def __init__(self, model: ModelFile, *, threads: int | None = None) -> None:
        if not isinstance(model.card, MaskModelCard):
            raise WeightsError(f"{model.path}: is no segmentation model; its card is of another kind")
        self.card = model.card
        self.identity = model.identity
        self._session = open_session(model, threads or usable_cores())
        self._outputs = [output.name for output in self._session.get_outputs()]
        if "mask" not in self._outputs:
            raise WeightsError(f"{model.path}: is no segmentation model (it has no output mask)")
        taken = self._session.get_inputs()[0].shape
        wanted = [3, *self.card.size]
        if any(isinstance(side, int) and side != want for side, want in zip(taken[1:], wanted, strict=False)):
            raise WeightsError(f"{model.path}: takes pictures of {taken[1:]}, its card says {wanted}; export it again")

    def __call__(self, picture: NDArray[np.uint8]) -> MaskMaps:
        """Run the network on a picture (H, W, 3) of the card's size."""
        image = channels_first(picture)[None]
        names = [name for name in ("mask", "boundary", "regions") if name in self._outputs]
        maps = self._session.run(names, {"image": image})
        return MaskMaps(**{name: values[0] for name, values in zip(names, maps, strict=True)})


def channels_first(picture: NDArray[np.uint8]) -> NDArray[np.float32]:
    """A picture (H, W, 3) as the network takes it: (3, H, W) in 0..1."""
    return np.ascontiguousarray(picture.transpose(2, 0, 1), dtype=np.float32) / np.float32(255)
