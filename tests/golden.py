"""Golden vectors beside the repository: where they are, and the weights that they were made with."""

from __future__ import annotations

import zlib
from pathlib import Path

import numpy as np
import pytest
import torch

GOLDEN = Path(__file__).parents[2] / "shared" / "golden"


def golden_folder() -> Path:
    """The folder of the golden vectors; the test is skipped where it is absent."""
    if not GOLDEN.is_dir():
        pytest.skip("the golden vectors are not beside this repository")
    return GOLDEN


def golden_tensor(name: str, shape: tuple[int, ...]) -> torch.Tensor:
    """The tensor that the golden set's README gives for a name."""
    if name.endswith("num_batches_tracked"):
        return torch.tensor(0)
    generator = np.random.Generator(np.random.PCG64(zlib.crc32(name.encode())))
    x = generator.standard_normal(shape).astype(np.float32)
    if name.endswith("running_var"):
        x = np.abs(x) + np.float32(0.5)
    elif name.endswith(("running_mean", "bias")):
        x = np.float32(0.1) * x
    elif len(shape) > 1:
        x = x / np.float32(np.sqrt(np.prod(shape[1:])))
    else:
        x = 1 + np.float32(0.1) * x
    return torch.from_numpy(x)
