"""Tests on the torch side."""

from tests.threads import one_thread

__all__ = ["one_thread"]
