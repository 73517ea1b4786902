"""Segmentation: a picture in, its mask and objects out. Never imports torch."""

from lookonce.segmentation.mask import Mask, MaskObject
from lookonce.segmentation.pipeline import segment

__all__ = ["Mask", "MaskObject", "segment"]
