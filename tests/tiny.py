"""Training runs of a second or two: the default recipe with a tiny network, tiny pictures and few of them."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from lookonce.training.recipe import Recipe, load_recipe

CHANGES = (
    "model.options={widths: [8, 16], stem_stride: 2}",
    "input.shape=[64, 64]",
    "data=[{kind: synth, pool: 4, weight: 1}]",
    "optimizer.warmup_steps=2",
    "optimizer.average_decay=0.9",
    "batch_size=2",
    "epochs=2",
    "steps_per_epoch=3",
    "workers=0",
    "seed=0",
)


def tiny_recipe(*changes: str) -> Recipe:
    """The tiny recipe with `key=value` changes of its own."""
    return load_recipe("discs", [*CHANGES, *changes])


def write_recipe(path: Path, *changes: str) -> Path:
    """The tiny recipe as a file for the command line."""
    path.write_text(tiny_recipe(*changes).model_dump_json())
    return path


def start_python(script: Path, *arguments: object) -> subprocess.Popen[str]:
    """A process of its own that runs a script on the CPU with this process's import path, one thread, pipes open."""
    paths = os.pathsep.join(entry for entry in sys.path if entry)
    return subprocess.Popen(
        [sys.executable, str(script), *map(str, arguments)],
        env={**os.environ, "PYTHONPATH": paths, "OMP_NUM_THREADS": "1", "CUDA_VISIBLE_DEVICES": ""},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
