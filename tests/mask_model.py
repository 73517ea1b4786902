"""A tiny segmentation network with every output, registered for tests, and a recipe for it."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from tests.mask_sets import NETWORK_SIZE
from torch import Tensor, nn
from torch.nn import functional as F

from lookonce.models import registry
from lookonce.models.network import MaskNetwork, MaskOutput
from lookonce.training.recipe import MaskRecipe, read_recipe


class TinyMasks(MaskNetwork):
    """Two convolutions, with or without the maps beside the mask."""

    multiple = 8
    in_channels = 3

    def __init__(self, maps: bool = True, size: int | None = None) -> None:
        super().__init__()
        self.size = size
        self.first = nn.Sequential(nn.Conv2d(3, 8, 3, padding=1), nn.BatchNorm2d(8), nn.ReLU())
        self.last = nn.Conv2d(8, 3 if maps else 1, 3, padding=1)

    def forward(self, image: Tensor) -> MaskOutput:
        maps = self.last(self.first(image))
        if maps.shape[1] == 1:
            return MaskOutput(maps)
        return MaskOutput(maps[:, :1], maps[:, 1:2], F.avg_pool2d(torch.sigmoid(maps[:, 2:]), 8))


@pytest.fixture
def tiny_masks(monkeypatch) -> None:
    """Make `lookonce.models.build` know the network."""
    monkeypatch.setitem(registry._MODELS, "tiny-masks", registry._Model(TinyMasks, {}))


def mask_recipe(**changes: object) -> MaskRecipe:
    """A recipe of a few steps on the data folder itself."""
    fields: dict[str, object] = {
        "description": "for tests",
        "task": "masks",
        "model": {"name": "tiny-masks"},
        "data": [{}],
        "input": {"size": [NETWORK_SIZE, NETWORK_SIZE]},
        "optimizer": {"learning_rate": 0.01},
        "batch_size": 2,
        "epochs": 2,
        "steps_per_epoch": 3,
        "precision": "32-true",
    }
    recipe = read_recipe(fields | changes)
    assert isinstance(recipe, MaskRecipe)
    return recipe


def write_recipe(path: Path, **changes: object) -> Path:
    """The recipe as a file for the command line."""
    path.write_text(mask_recipe(**changes).model_dump_json())
    return path
