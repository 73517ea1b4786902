"""The papers' variants that are kept in weights/: they load as what their names say, and their card names each."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest
import torch

from lookonce import models
from lookonce.models.hourglass import StackedHourglass

WEIGHTS = Path(__file__).parents[2] / "weights"
VARIANTS = [f"{name}-{contrast}" for name in ("hourglass", "attention-hourglass") for contrast in ("T1w", "T2w")]


@pytest.mark.parametrize("variant", VARIANTS)
def test_a_kept_variant_is_small_and_gives_a_map_a_level(variant):
    path = WEIGHTS / f"{variant}.safetensors"
    assert path.stat().st_size <= 14 * 2**20
    network = models.load(path)
    assert isinstance(network, StackedHourglass)
    picture = torch.rand(1, 1, 128, 128, generator=torch.Generator().manual_seed(0)).expand(1, 3, -1, -1)
    with torch.inference_mode():
        output = network(picture)
    assert (output.attention is not None) == variant.startswith("attention")
    assert output.scores[-1].shape == (1, 11, 128, 128)
    assert output.scores[-1].isfinite().all()
    assert output.scores[-1].std() > 0


@pytest.mark.parametrize("variant", VARIANTS)
def test_the_card_names_every_file_by_its_sha256(variant):
    path = WEIGHTS / f"{variant}.safetensors"
    assert (
        f"| `{path.name}` | `{hashlib.sha256(path.read_bytes()).hexdigest()}` |" in (WEIGHTS / "README.md").read_text()
    )
