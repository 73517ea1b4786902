"""Skeletons: the discs' places of one person in the sagittal plane, from the simulator or from labels."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from lookonce.decode.chain_scores import FIRST, LAST
from lookonce.errors import InputError
from lookonce.geometry import FloatArray
from lookonce.io.bids import labelled_scans, read_labels
from lookonce.synth.draw_spine import random_spine
from lookonce.synth.geometry import truth_points

#: A skeleton's joints are C1/C2 to L5/S1: joint j is the disc of SCT value ``FIRST + j``.
JOINTS = LAST - FIRST + 1
#: The papers' end at T4/T5.
PAPER_JOINTS = 11


def simulated_skeletons(count: int, seed: int) -> list[FloatArray]:
    """Skeletons of simulated people, each (`JOINTS`, 2): row (towards the feet) and column (towards the back), mm."""
    return [_skeleton(*truth_points(random_spine(np.random.default_rng([seed, index])))[:2]) for index in range(count)]


def labelled_skeletons(root: Path, subjects: Iterable[str] | None = None) -> list[FloatArray]:
    """Skeletons of a labelled BIDS tree, each (`JOINTS`, 2) in mm with NaN where a disc is not labelled.

    Raises
    ------
    InputError
        If no subject that is wanted has two labelled discs.
    """
    wanted = None if subjects is None else set(subjects)
    labels = [read_labels(scan.labels) for scan in labelled_scans(root) if wanted is None or scan.subject in wanted]
    skeletons = [_skeleton(of_scan.points, np.array([int(level) for level in of_scan.levels])) for of_scan in labels]
    known = [skeleton for skeleton in skeletons if np.isfinite(skeleton).all(axis=1).sum() >= 2]
    if not known:
        raise InputError(f"{root}: no labelled scan of the subjects that the recipe names; check --data")
    return known


def _skeleton(points: FloatArray, levels: NDArray[np.integer]) -> FloatArray:
    skeleton = np.full((JOINTS, 2), np.nan)
    inside = (levels >= FIRST) & (levels < FIRST + JOINTS)
    skeleton[levels[inside] - FIRST] = -points[inside][:, [2, 1]]
    return skeleton
