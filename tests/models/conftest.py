"""Tests on the torch side."""

from pathlib import Path

import pytest
from tests.golden import golden_folder
from tests.threads import one_thread

__all__ = ["golden", "one_thread"]


@pytest.fixture(scope="session")
def golden() -> Path:
    return golden_folder()
