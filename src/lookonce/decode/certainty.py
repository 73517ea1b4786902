"""How true the decoder's probability of a numbering is, given what of the spine's ends is in view.

Measured on real scans and pieces of them that no network was trained on: with C2 or S1 wholly in view the numbering is
as good as the decoder says; with what there is of them cut off by the border, the decoder's probability tells nothing
(S1/S2 passes for L5/S1, and the network is sure of it); with neither in view what it calls likely is nearly always
right, and what it calls a little better than even is often wrong. The last holds up to a point: of simulated thoracic
scans in which it was all but sure, one in twenty was wrong.
"""

from __future__ import annotations

import math

from pydantic import BaseModel, ConfigDict, Field

from lookonce.decode.evidence import Evidence

#: Nothing is surer than this, or less sure than what is left: the logarithm of the odds stays finite.
SUREST = 1 - 1e-4


class Calibration(BaseModel):
    """From the decoder's probability to a true one; it belongs to the weights and stands in their card.

    `benchmarks/fit_certainty.py` fits it; docs/certainty.md has the figures.

    Attributes
    ----------
    cut
        Probability of a numbering whose only anchor is cut off.
    intercept, slope
        With no anchor in view the logarithm of the odds is ``intercept + slope * the decoder's``; the defaults change
        nothing.
    most
        With no anchor in view nothing is surer than this, whatever the decoder says.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    cut: float = Field(default=0.8, gt=0, lt=1)
    intercept: float = 0.0
    slope: float = Field(default=1.0, gt=0)
    most: float = Field(default=SUREST, gt=0, lt=1)

    def probability(self, stated: float, evidence: Evidence) -> float:
        """The probability that a numbering is right of which the decoder says `stated`.

        A numbering that the user settled stays as it is.
        """
        if evidence.anchors or evidence.first_level or evidence.localizer:
            return stated
        if evidence.cut:
            return self.cut
        stated = min(max(stated, 1 - SUREST), SUREST)
        surprise = -self.intercept - self.slope * math.log(stated / (1 - stated))
        return min(self.most, 1 / (1 + math.exp(surprise)))

    def calibrated(self, level_shift: dict[int, float], evidence: Evidence) -> dict[int, float]:
        """The distribution of whole-spine shifts with a true share of 0; the others keep their proportions."""
        if not level_shift:
            return level_shift
        stated = level_shift.get(0, 0.0)
        sure = self.probability(stated, evidence)
        if sure == stated:
            return level_shift
        others = {shift: share for shift, share in level_shift.items() if shift and share > 0} or {-1: 0.5, 1: 0.5}
        total = sum(others.values())
        return {0: sure, **{shift: (1 - sure) * share / total for shift, share in others.items()}}
