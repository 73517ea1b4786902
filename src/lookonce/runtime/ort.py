"""ONNX Runtime, imported so that it reports to nobody."""

from __future__ import annotations

import os
from typing import Any


def import_onnxruntime() -> Any:
    """Give the module onnxruntime, with its telemetry off.

    From version 1.29 on its packages for Linux and macOS send events to their maker and leave an identifier on disk,
    unless this variable is set before the first import; on Windows the call does what can be done.
    """
    os.environ["ORT_DISABLE_TELEMETRY"] = "1"
    import onnxruntime

    onnxruntime.disable_telemetry_events()
    return onnxruntime
