"""Public data sets, checked, cleaned and split for training and evaluation; needs no torch."""

from lookonce.preparation.report import Preparation, ScanRow
from lookonce.preparation.spine_generic import prepare_spine_generic

__all__ = ["Preparation", "ScanRow", "prepare_spine_generic"]
