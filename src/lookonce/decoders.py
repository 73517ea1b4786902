"""The decoders that a user may choose: `chain`, and those of the papers, `skeleton` and `lookonce`."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from itertools import combinations
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from lookonce.decode.heatmaps import Candidates
from lookonce.decode.lookonce import count_discs
from lookonce.decode.skeleton import search_skeleton
from lookonce.geometry import FloatArray
from lookonce.runtime.points import PointSession
from lookonce.runtime.weights import POINT_MODEL, PointModelCard, find_model

DecoderName = Literal["chain", "skeleton", "lookonce"]
#: From candidates and their places (rows and columns in the sagittal plane, mm) to the picked ones and their levels.
Decoder = Callable[[Candidates, FloatArray], tuple[NDArray[np.intp], NDArray[np.intp]]]

#: A candidate that the network is at least this sure of is a disc.
TRUE_FROM = 0.5
#: A whole spine's joints lie less near to the mean than those of a neck. Price of a missing one, mm^2, and how many
#: joints apart the reference joints are that are tried.
MISSING_MM2 = 15.0**2
NEAREST_PAIR, FARTHEST_PAIR = 3, 6


def find_decoder(name: DecoderName) -> Decoder | None:
    """A decoder by name; None for `chain`, which is no separate step.

    Raises
    ------
    WeightsError
        If the look-once model, whose card also holds the mean skeleton, is missing or damaged.
    """
    if name == "chain":
        return None
    session = PointSession(find_model(POINT_MODEL))
    if name == "lookonce":
        return partial(look_once, session=session)
    return partial(match_skeleton, card=session.card)


def look_once(
    candidates: Candidates, places: FloatArray, *, session: PointSession
) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Reject false candidates in one pass of the point network, then count (arXiv 2204.02943)."""
    return count_discs(candidates, places, session(places) >= TRUE_FROM)


def match_skeleton(
    candidates: Candidates, places: FloatArray, *, card: PointModelCard
) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Match the mean skeleton (arXiv 2108.06554), turned as the spine lies, from any pair of joints not far apart.

    A candidate is one of the level that it looks most like.
    """
    mean = np.array(card.mean_skeleton)
    levels = card.first_level + np.arange(len(mean))
    looks_like = levels[candidates.evidence[:, levels].argmax(axis=1)]
    members = [np.flatnonzero(looks_like == level) for level in levels]
    pairs = [
        (first, second)
        for first, second in combinations(range(len(mean)), 2)
        if NEAREST_PAIR <= second - first <= FARTHEST_PAIR
    ]
    match = search_skeleton(
        [places[of_joint] for of_joint in members], mean, missing=MISSING_MM2, pairs=pairs, turn=True
    )
    found = np.flatnonzero(match.choice >= 0)
    return np.array([members[joint][match.choice[joint]] for joint in found], dtype=np.intp), levels[found]
