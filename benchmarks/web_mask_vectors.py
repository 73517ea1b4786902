"""Vectors that keep the web page's segmentation equal to Python's, as `web_vectors.py` does for labelling.

    python -m benchmarks.web_mask_vectors          # keep the inputs, write Python's answers anew
    python -m benchmarks.web_mask_vectors --draw   # new inputs, then the answers

All pictures are drawn here, and what a network would say of them too: no weights are needed.
"""

from __future__ import annotations

import base64
import io
import json
import tempfile
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import numpy as np
from benchmarks.web_vectors import Answer, Case, packed, run, unpacked
from numpy.typing import NDArray
from PIL import ExifTags, Image

from lookonce.errors import NothingFoundError
from lookonce.io.fitting import fitted, unfitted
from lookonce.io.pictures import Picture, eight_bits, read_picture
from lookonce.runtime.looks import Look
from lookonce.runtime.masks import MaskMaps, MaskSession
from lookonce.runtime.weights import MaskModelCard
from lookonce.segmentation import segment
from lookonce.segmentation.output import mask_record, outline_json, write_tables

NAME = "mole, left.jpg"


def answer_fitting(case: Case) -> Case:
    picture, size = unpacked(case["picture"]), tuple(case["size"])
    seen = fitted(picture, size, case["resize"])
    spread = unfitted(unpacked(case["map"]).astype(np.float32) / 255, picture.shape[:2], case["resize"])
    return {"fitted": packed(seen), "unfitted": packed(np.rint(65535 * spread).astype(np.uint16))}


def answer_masks(case: Case) -> Case:
    session = cast(MaskSession, _Given(case))
    picture = Picture(unpacked(case["picture"]), Path(NAME), ["the file is old"])
    try:
        mask = segment(picture, model=session, mm_per_pixel=case["mm_per_pixel"])
    except NothingFoundError as error:
        return {"error": str(error)}
    mask = replace(mask, seconds=1.25)
    outline = json.loads(outline_json(mask, source=NAME))
    del outline["generated_by"]["version"]
    names = ["mask", "overlay", "outline", *(["objects"] if mask.kind == "many" else [])]
    endings = {"mask": ".png", "overlay": ".jpg", "outline": ".geojson", "objects": ".png"}
    record = mask_record(NAME, mask, {name: f"mole, left_{name}{endings[name]}" for name in names})
    with tempfile.TemporaryDirectory() as folder:
        tables = write_tables([record], Path(folder), many=mask.kind == "many", overwrite=False)
        texts = [path.read_text() for path in tables]
    return {"labels": packed(mask.labels), "record": record, "outline": outline, "tables": texts}


class _Given:
    """Stands for a network that says of any picture what a case has it say."""

    def __init__(self, case: Case) -> None:
        fields = {"name": "drawn", "version": "1", "sha256": "0", "recipe": {}, "about": {}, "task": "masks"}
        self.card = MaskModelCard(**fields, **case["card"])
        self.identity = {name: fields[name] for name in ("name", "version", "sha256")}
        self._map = unpacked(case["map"]).astype(np.float32) / np.float32(255)

    def __call__(self, picture: NDArray[np.uint8]) -> MaskMaps:
        return MaskMaps(self._map)


def answer_shades(case: Case) -> Case:
    return {"shades": packed(eight_bits(unpacked(case["values"])))}


def answer_pictures(case: Case) -> Case:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / case["name"]
        path.write_bytes(base64.b64decode(case["file"]))
        picture = read_picture(path)
    return {"pixels": packed(picture.pixels), "warnings": picture.warnings}


ANSWERS: dict[str, Answer] = {
    "fitting": answer_fitting,
    "masks": answer_masks,
    "shades": answer_shades,
    "pictures": answer_pictures,
}


def draw() -> dict[str, list[Case]]:
    rng = np.random.default_rng(5)
    return {
        "fitting": _draw_fitting(rng),
        "masks": _draw_masks(rng),
        "shades": [
            {"values": packed(values)}
            for values in (
                rng.integers(0, 4000, 200).astype(np.uint16),
                rng.integers(30_000, 65_536, 200).astype(np.uint16),
                rng.uniform(0, 1, 200).astype(np.float32),
                rng.uniform(-0.09, 1.09, 200).astype(np.float32),
                rng.normal(100, 300, 200).astype(np.float32),
                rng.uniform(0, 1e6, 50).astype(np.float32),
            )
        ],
        "pictures": _draw_pictures(rng),
    }


def _picture(height: int, width: int, noise: NDArray | float = 0) -> NDArray[np.uint8]:
    """Some colour that changes slowly, and noise."""
    rows, columns = np.mgrid[:height, :width] / max(height, width)
    slow = [np.sin(5 * rows + shade) + np.cos(4 * columns - shade) for shade in range(3)]
    return np.clip(150 + 40 * np.stack(slow, axis=2) + noise, 0, 255).astype(np.uint8)


def _draw_fitting(rng: np.random.Generator) -> list[Case]:
    forms = [
        ((53, 87), (16, 16), "stretch"),
        ((20, 9), (24, 32), "stretch"),
        ((61, 140), (32, 32), "letterbox"),
        ((90, 17), (24, 40), "letterbox"),
        ((31, 33), (32, 32), "letterbox"),
        ((16, 24), (16, 24), "stretch"),
    ]
    return [
        {
            "picture": packed(_picture(*shape, rng.normal(0, 12, (*shape, 3)))),
            "size": size,
            "resize": resize,
            "map": packed(rng.integers(0, 256, size).astype(np.uint8)),
        }
        for shape, size, resize in forms
    ]


def _draw_masks(rng: np.random.Generator) -> list[Case]:
    lesion = _discs((64, 64), (30, 28, 15), (34, 40, 12), (8, 58, 3))
    lesion[28:33, 26:30] = 0.2
    parts = np.maximum(_discs((64, 64), (20, 20, 12), (0, 50, 10)), _discs((64, 64), (48, 44, 13)))
    clump = [(14 + 14 * row, 13 + 15 * column, 8) for row in range(3) for column in range(3)]
    cells = np.maximum(_discs((80, 64), *clump), 0.68 * _discs((80, 64), (65, 20, 7), (64, 50, 9)))
    many = _discs((96, 96), *[(*rng.uniform(4, 92, 2), rng.uniform(2, 9)) for _ in range(45)])
    rough = _smooth(rng.normal(size=(48, 48)))
    one, several = {"objects": "one"}, {"objects": "many"}
    return [
        _mask_case((120, 200), lesion, one, mm_per_pixel=0.05),
        _mask_case((50, 40), parts, one, resize="letterbox", usual=0.5),
        _mask_case((48, 48), rough, one),
        _mask_case((60, 60), np.zeros((64, 64)), one),
        _mask_case((200, 160), cells, several, resize="letterbox", mm_per_pixel=0.5),
        _mask_case((130, 150), many, several, threshold=0.43),
        _mask_case((30, 44), many, several, resize="letterbox"),
        _mask_case((48, 48), rough, several),
        _mask_case((70, 70), np.zeros((64, 64)), several),
    ]


def _mask_case(
    shape: tuple[int, int],
    likely: NDArray,
    fields: dict[str, str],
    *,
    resize: str = "stretch",
    threshold: float = 0.5,
    mm_per_pixel: float | None = None,
    usual: float = 0.8,
) -> Case:
    look = Look(mean=[0.6, 0.6, 0.6, 0.1, 0.1, 0.1], inverse_covariance=(np.eye(6) * 30 + 2).tolist(), limit=usual)
    card: dict[str, Any] = {"size": likely.shape, "resize": resize, "threshold": threshold, "licence": "CC0-1.0"}
    return {
        "picture": packed(_picture(*shape)),
        "map": packed(np.rint(255 * likely).astype(np.uint8)),
        "card": {**card, **fields, "look": look.model_dump()},
        "mm_per_pixel": mm_per_pixel,
    }


def _discs(shape: tuple[int, int], *discs: tuple[float, float, float]) -> NDArray:
    """What a network might say of discs (row, column, radius): 1 well inside, falling over some pixels."""
    rows, columns = np.mgrid[: shape[0], : shape[1]]
    inside = [radius - np.hypot(rows - row, columns - column) for row, column, radius in discs]
    return 1 / (1 + np.exp(-1.7 * np.max(inside, axis=0)))


def _smooth(noise: NDArray) -> NDArray:
    """Noise with regions of all shapes: holes, corners that touch, parts in holes."""
    for axis in (0, 1):
        noise = sum(np.roll(noise, step, axis) for step in (-1, 0, 1))
    return 1 / (1 + np.exp(-noise))


def _draw_pictures(rng: np.random.Generator) -> list[Case]:
    colours = _picture(14, 19, rng.normal(0, 12, (14, 19, 3)))
    image, grey = Image.fromarray(colours), Image.fromarray(colours[..., 0])
    deep = Image.fromarray(colours[..., 0].astype(np.uint16) * 15)
    clear = Image.fromarray(np.concatenate([colours, colours[..., :1]], axis=2))
    floats = Image.fromarray(colours[..., 1].astype(np.float32) / 255)
    tiffs = {
        "plain.tif": (image, {}),
        "lzw.tif": (image, {"compression": "tiff_lzw"}),
        "deflate.tif": (image, {"compression": "tiff_adobe_deflate"}),
        "grey.tif": (grey, {}),
        "palette.tif": (image.quantize(16), {}),
        "clear.tif": (clear, {}),
        "deep.tif": (deep, {}),
        "floats.tif": (floats, {}),
        "two.tif": (image, {"save_all": True, "append_images": [grey.convert("RGB")]}),
        "deep.png": (deep, {}),
        "turned.tif": (image, {"exif": _turned(6)}),
        "turned.jpg": (image, {"exif": _turned(8), "quality": 95}),
        "turned.png": (image, {"exif": _turned(3)}),
        "turned.webp": (image, {"exif": _turned(5), "lossless": True}),
        "plain.bmp": (image, {}),
        "plain.gif": (image.quantize(32), {}),
    }
    return [{"name": name, "file": _file(name, *form)} for name, form in tiffs.items()]


def _turned(orientation: int) -> Image.Exif:
    exif = Image.Exif()
    exif[ExifTags.Base.Orientation] = orientation
    return exif


def _file(name: str, image: Image.Image, options: dict[str, Any]) -> str:
    file = io.BytesIO()
    image.save(file, format=Image.registered_extensions()[Path(name).suffix], **options)
    return base64.b64encode(file.getvalue()).decode()


if __name__ == "__main__":
    run(str(__doc__), ANSWERS, draw)
