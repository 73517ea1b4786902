"""How true the decoder's probability of a numbering is, given what of the spine's ends is in view.

The chain decoder takes the names of neighbouring discs for more independent than they are, and S1/S2 at the border of a
view for L5/S1. A logistic function of its probability and of what is in view, fitted on real scans and pieces of them
that no network was trained on, corrects both; `benchmarks/fit_certainty.py` fits it and cross-fits its figures.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from lookonce.decode.evidence import Evidence
from lookonce.geometry import FloatArray

#: Probabilities nearer to 0 or 1 than this count as this.
CLOSEST = 1e-4


@dataclass(frozen=True)
class Calibration:
    """Coefficients of the logit of the calibrated probability.

    Attributes
    ----------
    intercept : float
    slope : float
        Of the logit of the decoder's probability.
    unanchored : float
        Added where nothing of C2 and S1 is in view.
    cut : float
        Added where all there is of them is cut off by the border.
    """

    intercept: float = 0.0
    slope: float = 1.0
    unanchored: float = 0.0
    cut: float = 0.0

    def __call__(self, level_shift: dict[int, float], evidence: Evidence) -> dict[int, float]:
        """The distribution of whole-spine shifts with a calibrated share of 0; the others keep their proportions.

        A numbering that the user settled stays as it is.
        """
        if evidence.first_level or evidence.localizer or not level_shift:
            return level_shift
        coefficients = np.array([self.intercept, self.slope, self.unanchored, self.cut])
        sure = float(1 / (1 + np.exp(-features(level_shift[0], evidence) @ coefficients)))
        others = {shift: share for shift, share in level_shift.items() if shift and share > 0} or {-1: 0.5, 1: 0.5}
        total = sum(others.values())
        return {0: sure, **{shift: (1 - sure) * share / total for shift, share in others.items()}}


def features(probability: float, evidence: Evidence) -> FloatArray:
    """What the calibration looks at, (4,): 1, the logit of the probability, whether unanchored, whether cut."""
    share = float(np.clip(probability, CLOSEST, 1 - CLOSEST))
    cut = not evidence.anchors and bool(evidence.cut)
    unanchored = not evidence.anchors and not evidence.cut
    return np.array([1.0, np.log(share / (1 - share)), float(unanchored), float(cut)])


#: Fitted by `benchmarks/fit_certainty.py`; see docs/certainty.md for the figures and the command.
CALIBRATION = Calibration()
