"""Naming what the look-once network leaves: false candidates are gone, so the discs are counted.

Azad et al. (2022, arXiv 2204.02943) name discs by the heat map that each comes from. A network with one disc channel
says of each candidate which level it looks like; counted from the head down, the levels are those that fit best.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from lookonce.decode.chain_scores import FIRST, LAST
from lookonce.decode.heatmaps import Candidates
from lookonce.geometry import FloatArray

#: A gap this many times the mean of those beside it hides a disc.
HIDDEN_FROM = 1.6
#: One candidate may say this much against a numbering, and no more: natural logarithm.
LEAST_EVIDENCE = -6.0


def count_discs(
    candidates: Candidates, places: FloatArray, true: NDArray[np.bool_]
) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Number the candidates that are discs.

    Parameters
    ----------
    candidates : Candidates
        From the head down.
    places : (N, 2) array
        Their rows (towards the feet) and columns in the sagittal plane, mm.
    true : (N,) bool array
        Which are discs.

    Returns
    -------
    picked, levels : (M,) int arrays
        Indices of the discs and their SCT values, which rise by one from disc to disc, or by more where a gap hides
        some. Discs beyond the last level are left out.
    """
    picked = np.flatnonzero(true)
    if len(picked) == 0:
        return picked, picked
    places_down = np.concatenate([[0], np.cumsum(_jumps(places[picked]))])
    picked, places_down = picked[places_down <= LAST - FIRST], places_down[places_down <= LAST - FIRST]
    firsts = np.arange(FIRST, LAST - places_down[-1] + 1)
    said = np.maximum(candidates.evidence[picked], LEAST_EVIDENCE)
    fit = [said[np.arange(len(picked)), first + places_down].sum() for first in firsts]
    return picked, firsts[int(np.argmax(fit))] + places_down


def _jumps(places: FloatArray) -> NDArray[np.intp]:
    """How many levels each gap between neighbouring discs spans, (M - 1,)."""
    gaps = np.linalg.norm(np.diff(places, axis=0), axis=1)
    jumps = np.ones(len(gaps), dtype=np.intp)
    for index, gap in enumerate(gaps):
        beside = np.delete(gaps[max(index - 1, 0) : index + 2], min(index, 1))
        if len(beside) and gap > HIDDEN_FROM * beside.mean():
            jumps[index] = max(2, round(gap / beside.mean()))
    return jumps
