"""How true the decoder's probability of a numbering is, given what of the spine's ends is in view.

Measured on real scans and pieces of them that no network was trained on: with C2 or S1 wholly in view the numbering is
as good as the decoder says; with what there is of them cut off by the border, the decoder's probability tells nothing
(S1/S2 passes for L5/S1, and the network is sure of it); with neither in view it is about as good as it says.
`benchmarks/fit_certainty.py` fits the coefficients and cross-fits the figures; docs/certainty.md has both.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np

from lookonce.decode.evidence import Evidence

Sight = Literal["whole", "cut", "none"]
#: Probabilities nearer to 0 or 1 than this count as this.
CLOSEST = 1e-4


@dataclass(frozen=True)
class Calibration:
    """From the decoder's probability to a true one.

    Attributes
    ----------
    intercept, slope : float
        With nothing of C2 and S1 in view: of the logit of the probability. The defaults change nothing.
    cut : float
        The probability where all there is of them is cut off by the border.
    """

    intercept: float = 0.0
    slope: float = 1.0
    cut: float = 0.5

    def __call__(self, level_shift: dict[int, float], evidence: Evidence) -> dict[int, float]:
        """The distribution of whole-spine shifts with a calibrated share of 0; the others keep their proportions.

        A numbering that the user settled stays as it is.
        """
        if evidence.first_level or evidence.localizer or not level_shift:
            return level_shift
        sure = self.probability(level_shift[0], sight_of(evidence))
        others = {shift: share for shift, share in level_shift.items() if shift and share > 0} or {-1: 0.5, 1: 0.5}
        total = sum(others.values())
        return {0: sure, **{shift: (1 - sure) * share / total for shift, share in others.items()}}

    def probability(self, stated: float, sight: Sight) -> float:
        """The calibrated probability."""
        if sight == "whole":
            return stated
        if sight == "cut":
            return self.cut
        return float(1 / (1 + np.exp(-self.intercept - self.slope * logit(stated))))


def logit(probability: float) -> float:
    """Logarithm of the odds, finite for 0 and 1 too."""
    share = min(max(probability, CLOSEST), 1 - CLOSEST)
    return float(np.log(share / (1 - share)))


def sight_of(evidence: Evidence) -> Sight:
    """How much of the vertebrae that look like no other is in view."""
    return "whole" if evidence.anchors else "cut" if evidence.cut else "none"


#: `cut` as `benchmarks/fit_certainty.py` fits it. Cross-fitted, the logistic function was no truer than none and is
#: left out: docs/certainty.md has the figures.
CALIBRATION = Calibration(cut=0.76)
