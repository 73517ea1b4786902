"""Every network for masks that the registry has, with options that make it tiny."""

from __future__ import annotations

from typing import Any

RESNET = {"widths": [4, 8, 8, 12], "blocks": [1, 1, 1, 1], "bottleneck": False, "decoder": [12, 8, 8, 8, 8]}
TRANSFORMER = {"size": 64, "patch_widths": [4, 8, 12], "depth": 2, "heads": 2}

SMALL: dict[str, dict[str, Any]] = {
    "tmunet": {**RESNET, **TRANSFORMER},
    "tmunet-baseline": RESNET,
    "tmunet-small": {**{name: value for name, value in RESNET.items() if name != "bottleneck"}, **TRANSFORMER},
    "mask-unet": {"widths": [4, 4, 8, 8, 8]},
    "mask-attention-unet": {"widths": [4, 8, 8]},
    "mcgunet": {"widths": [4, 8, 12], "dense_blocks": 2},
    "transunet": {
        "size": 64,
        "widths": [4, 4, 8],
        "blocks": [1, 1, 1],
        "token_width": 12,
        "depth": 1,
        "heads": 2,
        "decoder": [8, 8, 8, 4, 4],
    },
    "medt": {"size": 64, "stem": 4, "global_widths": [8], "local_widths": [8, 16], "heads": 2},
    "fatnet": {
        "size": 64,
        "widths": [4, 8, 8, 12],
        "blocks": [1, 1, 1, 1],
        "token_width": 12,
        "depth": 1,
        "heads": 2,
    },
    "dagan": {"widths": [4, 8, 12], "dilations": [1, 2]},
    "frcunet": {"widths": [4, 8, 12], "bands": 3},
    "deeplab-attention": {"widths": [8, 8, 8, 12, 16], "middle": 0, "pyramid": 16, "scales": [0.75]},
}
