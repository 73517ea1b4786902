"""TMUnet as its authors save it (arXiv 2203.01932): their names of its tensors, and what sizes these tell."""

from __future__ import annotations

import math
import re
from typing import Any

from lookonce.models.tensors import Tensors, numbers_in
from lookonce.models.vit import PATCH

#: Ours and theirs, as regular expressions and what replaces them.
_NAMES = (
    (r"^unet\.encoder\.conv1\.", "input_block.0."),
    (r"^unet\.encoder\.bn1\.", "input_block.1."),
    *((rf"^unet\.encoder\.layer{stage + 1}\.", f"down_blocks.{stage}.") for stage in range(4)),
    (r"^unet\.bridge\.", "bridge.bridge."),
    (r"^unet\.up\.(\d+)\.first\.", r"up_blocks.\1.conv_block_1."),
    (r"^unet\.up\.(\d+)\.second\.", r"up_blocks.\1.conv_block_2."),
    (r"^unet\.up\.", "up_blocks."),
    *((rf"^transformer\.patches\.{n}\.", f"transformer.0.projection.2.conv{n + 1}.double_conv.") for n in range(3)),
    (r"^transformer\.class_token$", "transformer.0.cls_token"),
    (r"^transformer\.positions$", "transformer.0.positions"),
    (r"^transformer\.blocks\.(\d+)\.attention_norm\.", r"transformer.1.\1.0.fn.0."),
    (r"^transformer\.blocks\.(\d+)\.attention\.", r"transformer.1.\1.0.fn.1."),
    (r"^transformer\.blocks\.(\d+)\.linear_norm\.", r"transformer.1.\1.1.fn.0."),
    # A dropout stands between their second and third layers.
    (r"^transformer\.blocks\.(\d+)\.linear\.2\.", r"transformer.1.\1.1.fn.1.3."),
    (r"^transformer\.blocks\.(\d+)\.linear\.", r"transformer.1.\1.1.fn.1."),
    (r"^context\.layout\.", "transformer.2.outconv."),
    (r"^context\.boundary\.", "boundary."),
    (r"^context\.excitation\.", "se.excitation."),
    (r"^context\.out\.", "out."),
)


def published_name(name: str) -> str:
    """The authors' name of a tensor of `TMUnet`.

    Examples
    --------
    >>> published_name("unet.encoder.layer2.0.bn1.bias")
    'down_blocks.1.0.bn1.bias'
    """
    for ours, theirs in _NAMES:
        replaced, count = re.subn(ours, theirs, name)
        if count:
            return replaced
    return name


def published_options(tensors: Tensors) -> dict[str, Any]:
    """Options of `TMUnet` that tensors with the authors' names tell; those of the paper where they tell none.

    How many heads look is to be seen in no tensor: it is the paper's number.
    """
    return {
        "size": PATCH * math.isqrt(max(0, _length(tensors, "transformer.0.positions", 257) - 1)),
        "widths": [
            _length(tensors, f"down_blocks.{stage}.0.conv1.weight", usual)
            for stage, usual in enumerate((64, 128, 256, 512))
        ],
        "blocks": [numbers_in(tensors, rf"down_blocks\.{stage}\.(\d+)\.") for stage in range(4)],
        "bottleneck": any(name.endswith(".conv3.weight") for name in tensors),
        "decoder": [
            _length(tensors, f"up_blocks.{step}.conv_block_1.conv.weight", usual)
            for step, usual in enumerate((1024, 512, 256, 128, 64))
        ],
        "patch_widths": [
            _length(tensors, f"transformer.0.projection.2.conv{stage}.double_conv.0.weight", usual)
            for stage, usual in enumerate((128, 256, 512), start=1)
        ],
        "depth": numbers_in(tensors, r"transformer\.1\.(\d+)\."),
        "published": True,
    }


def _length(tensors: Tensors, name: str, usual: int) -> int:
    """Length of a tensor's first axis, or the usual one where it is missing or has none."""
    tensor = tensors.get(name)
    return usual if tensor is None or tensor.ndim == 0 else tensor.shape[0]
