"""Every network for masks that the registry has, with options that make it tiny."""

from __future__ import annotations

from typing import Any

RESNET = {"widths": [4, 8, 8, 12], "blocks": [1, 1, 1, 1], "bottleneck": False, "decoder": [12, 8, 8, 8, 8]}
TRANSFORMER = {"size": 64, "patch_widths": [4, 8, 12], "depth": 2, "heads": 2}

SMALL: dict[str, dict[str, Any]] = {
    "tmunet": {**RESNET, **TRANSFORMER},
    "tmunet-baseline": RESNET,
    "tmunet-small": {**{name: value for name, value in RESNET.items() if name != "bottleneck"}, **TRANSFORMER},
}
