"""A contact sheet of segmented pictures, the best and the worst by Dice: half of all bugs show at a glance.

    python benchmarks/mask_sheet.py --data prepared/ph2 --split test --model skin -n 24 -o skin.png
    python benchmarks/mask_sheet.py --data SegPC2021_512px --model cells -n 12 -o cells.png

Blue is what was found, yellow the truth. DATA holds pictures and masks in folders called `images` and `masks`, as
`lookonce prepare` writes them, or in one of the official layouts: a mask is called as its picture, or that and
`_segmentation`, `_lesion` or `_mask`. Keep a sheet that shows real pictures out of the repository.
"""

from __future__ import annotations

import argparse
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from lookonce.decode.outlines import trace_outlines
from lookonce.errors import LookOnceError
from lookonce.io.pictures import SUFFIXES, read_picture
from lookonce.report.overlays import overlay_picture
from lookonce.runtime.masks import MaskSession
from lookonce.runtime.weights import find_model
from lookonce.segmentation import segment

TILE = 320
TRUTH_COLOUR = (255, 230, 60)
_MASK_ENDINGS = ("_segmentation", "_lesion", "_mask")


@dataclass(frozen=True)
class Scored:
    """A picture, its Dice with the truth, and what is shown of it; a picture that fails has none of the latter."""

    picture: Path
    mask: Path
    dice: float
    note: str


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="folder of pictures with masks")
    parser.add_argument("--split", help="only the names in DATA/SPLIT.txt")
    parser.add_argument("--model", default="skin", help="as in `lookonce segment` (default: %(default)s)")
    parser.add_argument("-n", type=int, default=24, help="half of them the best, half the worst (default: %(default)s)")
    parser.add_argument("-o", "--out", type=Path, required=True)
    options = parser.parse_args()
    pairs = find_pairs(options.data)
    if options.split:
        names = set((options.data / f"{options.split}.txt").read_text(encoding="utf-8").split())
        pairs = [(picture, mask) for picture, mask in pairs if picture.stem in names]
    if not pairs:
        raise SystemExit(f"{options.data}: no pictures with masks")
    session = MaskSession(find_model(options.model))
    scored = sorted((_score(picture, mask, session) for picture, mask in pairs), key=lambda case: -case.dice)
    half = min(options.n, len(scored)) // 2
    shown = scored[: max(1, half)] + scored[max(1, len(scored) - half) :]
    _sheet([_tile(case, session) for case in shown]).save(options.out)
    values = np.array([case.dice for case in scored])
    print(f"{len(scored)} pictures; Dice: mean {values.mean():.3f}, median {np.median(values):.3f}, worst first:")
    for case in scored[::-1][:half]:
        print(f"{case.dice:.3f}  {case.picture.name}  {case.note}")


def find_pairs(root: Path) -> list[tuple[Path, Path]]:
    """Pictures below a folder with their masks, by name of the picture."""
    files = sorted(path for path in root.rglob("*") if path.suffix.lower() in SUFFIXES)
    masks, pictures = {}, {}
    for path in files:
        name = next((path.stem.removesuffix(end) for end in _MASK_ENDINGS if path.stem.endswith(end)), path.stem)
        if name != path.stem or path.parent.name == "masks":
            masks[name] = path
        elif "superpixels" not in path.stem:
            pictures[name] = path
    return [(pictures[name], masks[name]) for name in sorted(pictures) if name in masks]


def _score(picture: Path, mask: Path, session: MaskSession) -> Scored:
    truth = _truth(mask)
    try:
        found = segment(picture, model=session)
    except LookOnceError as error:
        return Scored(picture, mask, 0.0, error.kind)
    both = np.count_nonzero(found.mask & truth)
    dice = 2 * both / max(1, np.count_nonzero(found.mask) + np.count_nonzero(truth))
    return Scored(picture, mask, dice, "unlike the training pictures" if found.unlike else "")


def _truth(path: Path) -> np.ndarray:
    return read_picture(path).pixels[..., 0] > 127


def _tile(case: Scored, session: MaskSession) -> Image.Image:
    picture = read_picture(case.picture)
    try:
        drawn = overlay_picture(picture.pixels, segment(picture, model=session))
    except LookOnceError:
        drawn = Image.fromarray(picture.pixels)
    scale = min(TILE / drawn.width, TILE / drawn.height)
    drawn = drawn.resize((round(drawn.width * scale), round(drawn.height * scale)), Image.Resampling.BILINEAR)
    pen, scale = ImageDraw.Draw(drawn), drawn.width / picture.pixels.shape[1]
    for ring in (ring for polygon in trace_outlines(_truth(case.mask)) for ring in polygon):
        pen.line([(x * scale - 0.5, y * scale - 0.5) for x, y in ring.tolist()], fill=TRUTH_COLOUR)
    text = f"{case.picture.stem}  {case.dice:.3f}  {case.note}"
    pen.text((4, 4), text, fill="white", font=ImageFont.load_default(13), stroke_width=2, stroke_fill="black")
    return drawn


def _sheet(tiles: list[Image.Image]) -> Image.Image:
    columns = min(6, len(tiles))
    sheet = Image.new("RGB", (columns * TILE, -(-len(tiles) // columns) * TILE))
    for number, tile in enumerate(tiles):
        sheet.paste(tile, (number % columns * TILE, number // columns * TILE))
    return sheet


if __name__ == "__main__":
    main()
