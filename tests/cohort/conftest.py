"""The studies of these tests."""

from tests.cohort.studies import told

__all__ = ["told"]
