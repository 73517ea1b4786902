"""A segmentation model without training: the darker a pixel, the more probably it is of an object."""

from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from lookonce.runtime.looks import Look
from lookonce.runtime.weights import MaskModelCard

#: Probability 0.5 at half brightness, 0 and 1 a quarter beyond it to either side.
_DARKNESS = """
<ir_version: 8, opset_import: ["" : 17]>
shade (float[b, 3, {height}, {width}] image) => (float[b, {height}, {width}] mask)
<float steepness = {{-2.0}}, float start = {{1.5}}, float zero = {{0.0}}, float one = {{1.0}}>
{{
  shade = ReduceMean<axes = [1], keepdims = 0>(image)
  steep = Mul(shade, steepness)
  raised = Add(steep, start)
  mask = Clip(raised, zero, one)
}}
"""
#: Any picture but one of strong colours is like these.
LOOK = Look(mean=[0.6, 0.6, 0.6, 0.3, 0.3, 0.3], inverse_covariance=(np.eye(6) * 25).tolist(), limit=4.0)


def write_shade_model(path: Path, *, size: tuple[int, int] = (64, 64), **fields: object) -> Path:
    """Write a model to `path` (.onnx) that finds what is dark, and its card with some `fields` of its own."""
    import onnx

    graph = _DARKNESS.format(height=size[0], width=size[1])
    onnx.save(onnx.parser.parse_model(graph), str(path))
    card = {
        "name": path.stem,
        "version": "1",
        "sha256": hashlib.sha256(path.read_bytes()).hexdigest(),
        "recipe": {},
        "about": {"data": "none"},
        "task": "masks",
        "size": size,
        "resize": "stretch",
        "threshold": 0.5,
        "objects": "one",
        "licence": "CC0-1.0",
        "look": LOOK,
    }
    path.with_suffix(".json").write_text(MaskModelCard(**(card | fields)).model_dump_json())
    return path


def dark_discs(
    shape: tuple[int, int], *discs: tuple[float, float, float]
) -> tuple[NDArray[np.uint8], NDArray[np.bool_]]:
    """A light picture (H, W, 3) with dark discs (row, column, radius) in pixels, and the mask of the discs."""
    rows, columns = np.mgrid[: shape[0], : shape[1]] + 0.5
    mask = np.zeros(shape, dtype=bool)
    for row, column, radius in discs:
        mask |= (rows - row) ** 2 + (columns - column) ** 2 < radius**2
    return np.where(mask[..., None], np.uint8(30), np.uint8(230)) * np.ones(3, np.uint8), mask
