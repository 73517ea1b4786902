"""What speaks for and against a labelling of the chain: its settings, the candidates' say, and levels out of view."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from lookonce.anatomy import Level, VertebraCount
from lookonce.decode.heatmaps import Candidates
from lookonce.geometry import FloatArray

FIRST, LAST = int(Level.C1_C2), int(Level.L5_S1)
#: Discs that look like no other: those around the dens and the lumbosacral one.
ANCHORS = (Level.C1_C2, Level.C2_C3, Level.L5_S1)


@dataclass(frozen=True)
class ChainSettings:
    """Prices and weights of the chain; natural logarithms.

    Attributes
    ----------
    name_weight : float
        Trust in the network's names. Below 1 because neighbouring discs err together: a chain of ten is not ten
        independent witnesses.
    name_doubt : float
        Probability that a name is one level too high, and that it is one too low. Far from the ends of the spine the
        network counts along look-alikes, and whole runs of discs are named one off together.
    anchor_doubt : float
        The same for the names in `ANCHORS`, which have a shape of their own.
    name_floor : float
        Probability that a name is anything at all, whatever the network says.
    missed : float
        Price of a level between two picked ones without a candidate.
    end_missed : float
        Price of a level that the picture has room for beyond either end.
    most_missed : int
        Levels that may be left out between two picked ones.
    disc_threshold : float
        Heat-map height that speaks neither for nor against a disc.
    """

    name_weight: float = 0.5
    name_doubt: float = 0.2
    anchor_doubt: float = 0.02
    name_floor: float = 0.01
    missed: float = -3.5
    end_missed: float = -1.0
    most_missed: int = 2
    disc_threshold: float = 0.25


def node_scores(candidates: Candidates, count: VertebraCount, settings: ChainSettings) -> FloatArray:
    """Score (N, levels) of picking each candidate with each level."""
    probability = np.clip(candidates.probability, 1e-4, 1 - 1e-4)
    odds = np.log(probability / (1 - probability))
    neutral = np.log(settings.disc_threshold / (1 - settings.disc_threshold))
    said = np.exp(candidates.evidence[:, FIRST : LAST + 1])
    names = said @ _confusion(settings) @ _names_of(count)
    choices = LAST - FIRST + 1
    named = np.log((1 - settings.name_floor) * names + settings.name_floor / choices)
    # Relative to knowing nothing, so that evidence for a name is evidence for a disc and a clear "no disc" is against.
    return (odds - neutral)[:, None] + settings.name_weight * (named + np.log(choices))


def end_scores(beyond: list[FloatArray], room: FloatArray, statures: FloatArray, settings: ChainSettings) -> FloatArray:
    """Price (statures, levels, N) of the levels past an end that the picture has room for but that were not found.

    `beyond` holds, per level, the distances to the levels past it in mm, `room` the height of picture past each
    candidate. A spine bends away from the straight line, and a disc at the very border may be cut: hence the slack.
    """
    scores = np.zeros((len(statures), len(beyond), len(room)))
    for level, distances in enumerate(beyond):
        needed = 1.1 * statures[:, None, None] * np.array(distances) + 12.0
        missing = (needed < room[:, None]).sum(axis=2)
        scores[:, level] = settings.end_missed * np.minimum(missing, 4)
    scores[..., np.isinf(room)] = 0.0
    return scores


def _names_of(count: VertebraCount) -> FloatArray:
    """Matrix (usual level, level) of what the levels of `count` are called by who expects the usual number.

    Down to T9/T10 they are called as counted from C2, the one above the sacrum as counted from there; those between
    may be called either way.
    """
    total, usual = len(count.levels), LAST - FIRST + 1
    from_above, from_below = np.eye(usual, total), np.eye(usual, total, total - usual)
    names = (from_above + from_below) / 2
    sure = Level.T9_T10 - FIRST + 1
    names[:, :sure], names[:, -1] = from_above[:, :sure], from_below[:, -1]
    return names


def _confusion(settings: ChainSettings) -> FloatArray:
    """Matrix (said, true) of how probable a level is, given that the network names it `said`."""
    doubt = [settings.anchor_doubt if level in ANCHORS else settings.name_doubt for level in range(FIRST, LAST + 1)]
    confusion = np.diag(1 - 2 * np.array(doubt)) + np.diag(doubt[:-1], 1) + np.diag(doubt[1:], -1)
    return confusion / confusion.sum(axis=1, keepdims=True)
