"""Small prepared sets of drawn pictures: ellipses of one colour on a ground of another."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import numpy as np
from PIL import Image

NETWORK_SIZE = 32


def draw_case(rng: np.random.Generator, shape: tuple[int, int] = (24, 40)) -> tuple[np.ndarray, np.ndarray]:
    """A picture (H, W, 3) with a dark ellipse, and its mask (H, W)."""
    rows, columns = np.mgrid[: shape[0], : shape[1]]
    middle = np.array(shape) * rng.uniform(0.4, 0.6, 2)
    radii = np.array(shape) * rng.uniform(0.2, 0.35, 2)
    mask = ((rows - middle[0]) / radii[0]) ** 2 + ((columns - middle[1]) / radii[1]) ** 2 <= 1
    picture = np.where(mask[..., None], rng.uniform(40, 90, 3), rng.uniform(160, 220, 3))
    return np.clip(picture + rng.normal(0, 5, picture.shape), 0, 255).astype(np.uint8), mask


def write_set(
    root: Path, *, train: int = 6, validation: int = 2, test: int = 2, objects: str = "one", seed: int = 0
) -> Path:
    """A prepared set as `lookonce prepare` leaves it; pictures are called case-000 and so on."""
    rng = np.random.default_rng(seed)
    for folder in ("images", "masks"):
        (root / folder).mkdir(parents=True)
    rows = []
    for number, split in enumerate(["train"] * train + ["validation"] * validation + ["test"] * test):
        name = f"case-{number:03d}"
        picture, mask = draw_case(rng)
        Image.fromarray(picture).save(root / "images" / f"{name}.png")
        Image.fromarray(mask.astype(np.uint8) * 255).save(root / "masks" / f"{name}.png")
        places = {"image": f"images/{name}.png", "mask": f"masks/{name}.png"}
        rows.append({"name": name, "state": "done", "split": split, "kin": name, **places})
    with (root / "report.csv").open("w", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    about = {"name": "drawn", "objects": objects, "licence": "CC0", "generated_by": "tests", "rule": "", "lists": {}}
    (root / "masks.json").write_text(json.dumps(about))
    return root
