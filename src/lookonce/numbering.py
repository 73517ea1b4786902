"""Which disc is which: the decoder's answer, what else settles it, and what is left to doubt."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from lookonce.anatomy import USUAL_COUNT, VARIANT_SHARES, Level, VertebraCount
from lookonce.decode.certainty import Calibration
from lookonce.decode.chain import Chain, decode_chain
from lookonce.decode.evidence import Evidence, anchors_in_view, levels_by_localizer
from lookonce.decode.heatmaps import Candidates
from lookonce.errors import UsageError
from lookonce.geometry import FloatArray, SlabStack, voxel_sizes

if TYPE_CHECKING:
    from lookonce.decoders import Decoder
    from lookonce.labeling import LabelResult

#: Picked candidates and their levels.
Labelling = tuple[NDArray[np.integer], NDArray[np.integer]]

#: A numbering less probable than this is marked uncertain: at 0.9 a scan that is a level off slipped through when it
#: was blurred or thick.
CERTAIN_FROM = 0.95
#: Unusual numbers of vertebrae that are together more probable than this are reported. The decoder says too low a
#: probability: of 20 simulated spines with a disc less, 14 stand above 0.3 and 10 above 0.5, of usual ones none lies
#: between (benchmarks/variants.py, another seed than that of the documented figures).
VARIANT_FROM = 0.25
#: Fewer discs than this do not reach from C2 to the sacrum, whatever the spine.
FEWEST_TO_COUNT = 18
USELESS_LOCALIZER = (
    "the localizer shares fewer than two discs with this scan and was not used; "
    "both must be in the scanner's coordinates"
)
CONTRADICTING_LOCALIZER = (
    "the localizer contradicts what this scan itself shows; is it of the same session, and did the patient lie still?"
)


@dataclass(frozen=True)
class Numbering:
    """Which candidates are discs and of which level.

    Attributes
    ----------
    picked : (N,) int array
        Indices of the candidates, from the head down.
    levels : (N,) int array
        Their SCT values.
    confidence : (N,) array
        Probability that each is a disc of that level.
    level_shift : dict of int to float
        Probability that the true level of every disc is the written one plus the key.
    counted_from : str
        What the numbering rests on.
    doubts : list of str
        Why the numbering is uncertain; empty where it is certain.
    hints : list of str
        What the user should know besides.
    variant : str or None
        The unusual number of vertebrae, where both ends are in view and show it.
    """

    picked: NDArray[np.integer]
    levels: NDArray[np.integer]
    confidence: FloatArray
    level_shift: dict[int, float]
    counted_from: str
    doubts: list[str] = field(default_factory=list)
    hints: list[str] = field(default_factory=list)
    variant: str | None = None


def number_discs(
    candidates: Candidates,
    slabs: SlabStack,
    *,
    first_level: int | None = None,
    localizer: LabelResult | None = None,
    decoder: Decoder | None = None,
    calibration: Calibration | None = None,
) -> Numbering:
    """Pick and name discs among candidates.

    Parameters
    ----------
    candidates : Candidates
    slabs : SlabStack
        The picture that they were found in.
    first_level, localizer
        What settles the numbering, as in `labeling.label`.
    decoder : Decoder, optional
        Picks and names in place of the chain, which then only says how sure that is.
    calibration : Calibration, optional
        Of the weights that the candidates come from.
    """
    above, below = room_beyond(candidates, slabs)
    decode = partial(decode_chain, candidates, room_above_mm=above, room_below_mm=below, first_level=first_level)
    path = None if decoder is None else decoder(candidates, candidates.slab[:, 1:] * voxel_sizes(slabs.affine)[1])
    chain = alone = decode(path=_from_first_level(path, first_level))
    guide = None
    if localizer is not None:
        known = levels_by_localizer(candidates.world_mm, localizer.labels, _across(slabs))
        if known.any():
            guide, chain = localizer, decode(known=known, path=_as_known(path, known))
    counts = {USUAL_COUNT: 1.0}
    if path is None and guide is None and first_level is None and len(chain.picked) >= FEWEST_TO_COUNT:
        unusual = {count: decode(count=count) for count in VARIANT_SHARES}
        # Only who sees both ends, be they cut by the border, can count what lies between them.
        seen = {count: of for count, of in unusual.items() if len(sum(_anchors(of, candidates, slabs), ())) == 2}
        counts = _count_vertebrae({USUAL_COUNT: chain, **seen})
        chain = {USUAL_COUNT: chain, **seen}[next(iter(counts))]
    level_shift = chain.level_shift if guide is None else _sum_of_shifts(chain.level_shift, guide.level_shift)
    evidence = Evidence(*_anchors(chain, candidates, slabs), first_level is not None, guide is not None)
    level_shift = (calibration or Calibration()).calibrated(level_shift, evidence)
    doubts = _doubts(level_shift, evidence, guide)
    if guide is not None and _contradicts(alone, chain, candidates, slabs):
        doubts.insert(0, CONTRADICTING_LOCALIZER)
    count = next(iter(counts))
    doubts += _count_doubts(counts)
    return Numbering(
        picked=chain.picked,
        levels=chain.levels,
        confidence=chain.confidence * (1.0 if guide is None else guide.level_shift.get(0, 0.0)),
        level_shift=level_shift,
        counted_from=evidence.describe(chain.levels.tolist()),
        doubts=doubts,
        hints=[] if localizer is guide else [USELESS_LOCALIZER],
        variant=count.name,
    )


def check_hints(first_level: int | None, localizer: LabelResult | None) -> None:
    """Raise UsageError where what the user says of the numbering makes no sense."""
    if first_level is not None and localizer is not None:
        raise UsageError("a first level and a localizer both settle the numbering; give one of the two")
    if first_level is not None and not Level.C1_C2 <= first_level <= Level.L5_S1:
        raise UsageError(f"first level {first_level} is no disc; give an SCT value from 2 (C1/C2) to 25 (L5/S1)")


def runner_up(level_shift: dict[int, float]) -> tuple[int, float] | None:
    """The most probable shift other than 0 and its probability, or None when there is no other."""
    others = [(shift, share) for shift, share in level_shift.items() if shift]
    return max(others, key=lambda item: item[1], default=None)


def room_beyond(candidates: Candidates, slabs: SlabStack) -> tuple[float, float]:
    """Height of picture above the first candidate and below the last one, mm."""
    if len(candidates) == 0:
        return 0.0, 0.0
    above, below = _heights(candidates, slabs)
    return float(above.min()), float(below.min())


def _from_first_level(path: Labelling | None, first_level: int | None) -> Labelling | None:
    """A decoder's labelling, counted from a known first level."""
    if path is None or first_level is None or not len(path[0]):
        return path
    return _shifted(path, first_level - int(path[1][0]))


def _as_known(path: Labelling | None, known: NDArray[np.integer]) -> Labelling | None:
    """A decoder's labelling, moved by as many levels as most of the candidates with a known level say."""
    if path is None or not known[path[0]].any():
        return path
    shifts = (known[path[0]] - path[1])[known[path[0]] > 0]
    values, counts = np.unique(shifts, return_counts=True)
    return _shifted(path, int(values[counts.argmax()]))


def _shifted(path: Labelling, shift: int) -> Labelling:
    picked, levels = path[0], path[1] + shift
    there = (levels >= Level.C1_C2) & (levels <= Level.L5_S1)
    return picked[there], levels[there]


def _count_vertebrae(chains: dict[VertebraCount, Chain]) -> dict[VertebraCount, float]:
    """The probability of each number of vertebrae, the one to report first."""
    shares = {USUAL_COUNT: 1 - sum(VARIANT_SHARES.values()), **VARIANT_SHARES}
    scores = np.array([np.log(shares[count]) + chain.log_evidence for count, chain in chains.items()])
    posterior = dict(zip(chains, np.exp(scores - np.logaddexp.reduce(scores)).tolist(), strict=True))
    unusual = {count: share for count, share in posterior.items() if count.extra}
    reported = max(unusual, key=lambda count: unusual[count]) if sum(unusual.values()) >= VARIANT_FROM else USUAL_COUNT
    return {reported: posterior.pop(reported), **posterior}


def _count_doubts(counts: dict[VertebraCount, float]) -> list[str]:
    """What to say of an unusual number of vertebrae, or of a usual one that is in doubt."""
    (reported, share), *others = counts.items()
    others.sort(key=lambda item: -item[1])
    if reported.extra:
        alike = [f"or {count.name}, {100 * other:.0f} %" for count, other in others if count.extra == reported.extra]
        step = "more" if reported.extra > 0 else "less"
        return [
            f"{'; '.join([f'{reported.name}, {100 * share:.0f} %', *alike])}: between C2 and the sacrum, both in view, "
            f"there is one disc {step} than usual; check the numbering"
        ]
    if share >= CERTAIN_FROM:
        return []
    count, other = others[0]
    return [f"the number of vertebrae is uncertain: 12 + 5 at {100 * share:.0f} %, {count.name} at {100 * other:.0f} %"]


def _heights(candidates: Candidates, slabs: SlabStack) -> tuple[FloatArray, FloatArray]:
    """Height of picture above and below every candidate, mm."""
    spacing, rows = float(voxel_sizes(slabs.affine)[1]), candidates.slab[:, 1]
    return rows * spacing, (slabs.data.shape[1] - 1 - rows) * spacing


def _anchors(chain: Chain, candidates: Candidates, slabs: SlabStack) -> tuple[tuple[Level, ...], tuple[Level, ...]]:
    """Anchors wholly in view, and cut-off ones."""
    above, below = _heights(candidates, slabs)
    return anchors_in_view(chain.levels.tolist(), above[chain.picked], below[chain.picked])


def _across(slabs: SlabStack) -> FloatArray:
    """Unit normal of the slabs, world."""
    normal = np.cross(slabs.affine[:3, 1], slabs.affine[:3, 2])
    return np.asarray(normal / np.linalg.norm(normal))


def _contradicts(alone: Chain, guided: Chain, candidates: Candidates, slabs: SlabStack) -> bool:
    """Whether a scan that is sure of its numbering and shows what it counts from would be numbered otherwise alone."""
    if alone.level_shift.get(0, 0.0) < CERTAIN_FROM or not _anchors(alone, candidates, slabs)[0]:
        return False
    own = dict(zip(alone.picked.tolist(), alone.levels.tolist(), strict=True))
    return any(own.get(picked, level) != level for picked, level in zip(guided.picked, guided.levels, strict=True))


def _sum_of_shifts(one: dict[int, float], other: dict[int, float]) -> dict[int, float]:
    """Distribution of the sum of two independent shifts."""
    both: dict[int, float] = {}
    for first, share in one.items():
        for second, part in other.items():
            both[first + second] = both.get(first + second, 0.0) + share * part
    return both


def _doubts(level_shift: dict[int, float], evidence: Evidence, guide: LabelResult | None) -> list[str]:
    """Why the numbering is uncertain, and what to do about it; empty where it is certain."""
    doubts = []
    if guide is not None and guide.uncertain:
        doubts.append("the numbering of the localizer is itself uncertain; check it, or give --first-level instead")
    sure = level_shift.get(0, 0.0)
    if sure < CERTAIN_FROM:
        best = runner_up(level_shift)
        other = "" if best is None else f"; the runner-up is {best[0]:+d} level at {100 * best[1]:.0f} %"
        # With the first level given, false or missed discs are all that is left to doubt.
        remedy = "check for a false or a missed disc" if evidence.first_level else "check it, or give --first-level"
        doubts.insert(0, f"the numbering is uncertain ({100 * sure:.0f} %){other}; {remedy}")
    return doubts
