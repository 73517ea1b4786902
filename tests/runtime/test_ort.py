"""ONNX Runtime leaves no trace: what it would report, it would also keep on disk."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

import lookonce

_LOAD = """
from lookonce.runtime.session import DiscSession
from lookonce.runtime.weights import find_model
DiscSession(find_model())
"""


@pytest.mark.skipif(sys.platform != "linux", reason="where identifiers are kept differs")
def test_a_loaded_model_leaves_no_identifier_behind(tmp_path):
    source = str(Path(lookonce.__file__).parents[1])
    environment = os.environ | {"PYTHONPATH": source, "TMPDIR": str(tmp_path), "HOME": str(tmp_path)}
    environment.pop("ORT_DISABLE_TELEMETRY", None)
    done = subprocess.run(
        [sys.executable, "-c", _LOAD], env=environment, capture_output=True, text=True, check=False, timeout=120
    )
    assert done.returncode == 0, done.stderr
    assert not list(tmp_path.rglob("*"))


def test_nothing_but_one_place_imports_it():
    """Whoever imports it first decides whether it reports."""
    package = Path(lookonce.__file__).parent
    importing = [
        path.relative_to(package).as_posix()
        for path in package.rglob("*.py")
        if any(line.lstrip().startswith(("import onnxruntime", "from onnxruntime")) for line in path.open())
    ]
    assert importing == ["runtime/ort.py"]
