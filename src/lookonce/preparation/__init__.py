"""Public data sets, checked, cleaned and split for training and evaluation; needs no torch."""

from lookonce.preparation.mask_report import MaskPreparation, PictureRow
from lookonce.preparation.masks import prepare_masks
from lookonce.preparation.report import Preparation, ScanRow
from lookonce.preparation.spine_generic import prepare_spine_generic

__all__ = ["MaskPreparation", "PictureRow", "Preparation", "ScanRow", "prepare_masks", "prepare_spine_generic"]
