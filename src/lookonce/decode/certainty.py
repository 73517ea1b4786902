"""How true the decoder's probability of a numbering is, given what of the spine's ends is in view.

Measured on real scans and pieces of them that no network was trained on: with C2 or S1 wholly in view the numbering is
as good as the decoder says; with what there is of them cut off by the border, the decoder's probability tells nothing
(S1/S2 passes for L5/S1, and the network is sure of it); with neither in view it is about as good as it says.
"""

from __future__ import annotations

from lookonce.decode.evidence import Evidence

#: Share of the numberings whose only anchor is cut off that were right; `benchmarks/fit_certainty.py` fits it, and
#: docs/certainty.md has the figures.
CUT_SHARE = 0.84


def calibrated(level_shift: dict[int, float], evidence: Evidence) -> dict[int, float]:
    """The distribution of whole-spine shifts, its share of 0 set to what is true of such views.

    The other shifts keep their proportions. A numbering that the user settled stays as it is.
    """
    if not only_cut(evidence) or not level_shift:
        return level_shift
    others = {shift: share for shift, share in level_shift.items() if shift and share > 0} or {-1: 0.5, 1: 0.5}
    total = sum(others.values())
    return {0: CUT_SHARE, **{shift: (1 - CUT_SHARE) * share / total for shift, share in others.items()}}


def only_cut(evidence: Evidence) -> bool:
    """Whether all there is to count from is a C2 or S1 that the border cuts off."""
    return bool(evidence.cut) and not (evidence.anchors or evidence.first_level or evidence.localizer)
