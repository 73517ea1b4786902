"""How true a stated certainty is: calibration error, Brier score, AUROC and reliability.

All take what was stated, (N,) probabilities of being right, and what turned out, (N,) booleans.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from lookonce.geometry import FloatArray

#: Bins of equal width over 0..1 (Guo et al., On calibration of modern neural networks, ICML 2017, section 3).
BINS = 10


@dataclass(frozen=True)
class Reliability:
    """Cases of about one stated certainty: how many, what they stated on average, what share of them was right."""

    cases: int
    stated: float
    right: float


def reliability(stated: FloatArray, right: NDArray[np.bool_], *, bins: int = BINS) -> list[Reliability]:
    """Bins of equal width that hold a case, the least certain first.

    Examples
    --------
    >>> reliability(np.array([0.52, 0.58, 0.97]), np.array([True, False, True]))[0]
    Reliability(cases=2, stated=0.55, right=0.5)
    """
    place = np.minimum((np.asarray(stated) * bins).astype(int), bins - 1)
    members = [place == number for number in range(bins)]
    return [Reliability(int(of.sum()), float(stated[of].mean()), float(right[of].mean())) for of in members if of.any()]


def calibration_error(stated: FloatArray, right: NDArray[np.bool_], *, bins: int = BINS) -> float | None:
    """Expected calibration error, 0..1: by how much a bin's certainty misses its share of right ones, on average."""
    levels = reliability(stated, right, bins=bins)
    if not levels:
        return None
    return sum(level.cases * abs(level.stated - level.right) for level in levels) / len(stated)


def brier_score(stated: FloatArray, right: NDArray[np.bool_]) -> float | None:
    """Mean squared difference of certainty and outcome (Brier, Mon. Weather Rev. 1950), 0..1, lower is better."""
    return float(np.mean((stated - right) ** 2)) if len(stated) else None


def auroc(stated: FloatArray, right: NDArray[np.bool_]) -> float | None:
    """Probability that a right case states more certainty than a wrong one, ties counting half.

    None unless there are right and wrong ones.

    Examples
    --------
    >>> auroc(np.array([0.9, 0.8, 0.3, 0.8]), np.array([True, True, False, False]))
    0.875
    """
    of_right, of_wrong = stated[right], stated[~right]
    if not (len(of_right) and len(of_wrong)):
        return None
    difference = of_right[:, None] - of_wrong
    return float((np.mean(difference > 0) + np.mean(difference >= 0)) / 2)
