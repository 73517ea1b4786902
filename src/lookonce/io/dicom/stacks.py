"""The pictures of one series, sorted into stacks that can be volumes: by orientation, kind, station and volume."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Hashable
from dataclasses import dataclass

import numpy as np

from lookonce.geometry import FloatArray
from lookonce.io.dicom.frames import Frame
from lookonce.io.dicom.geometry import SAME_PLACE_MM

#: Planes turned less than this from each other are one orientation: cosines are rounded, and angled stacks differ more.
_SAME_DIRECTION = 0.01
#: Stations of one series lie at least this far from each other in their own plane.
_STATION_MM = 5.0


@dataclass(frozen=True)
class Stack:
    """Pictures of one series, orientation, shape and kind.

    Attributes
    ----------
    volumes : list of list of Frame
        Of each volume, its pictures, no two of them at one place.
    duplicates : int
        Pictures that were there twice, and of which one was passed over.
    """

    volumes: list[list[Frame]]
    duplicates: int = 0


def sort_into_stacks(frames: list[Frame], stored_bytes: Callable[[Frame], bytes]) -> list[Stack]:
    """Sort the pictures of one series.

    Parameters
    ----------
    frames : list of Frame
        In any order.
    stored_bytes : callable
        Gives the stored pixels of a picture; asked only where two pictures differ in nothing else.

    Returns
    -------
    list of Stack
        In the order in which the scanner numbered them.
    """
    ordered = sorted(frames, key=lambda frame: frame.instance)
    stacks = []
    for alike in _by_orientation(ordered):
        for kind in _split_if_overlapping(alike, lambda frame: frame.kind):
            for station in _split_if_overlapping(kind, _station):
                stacks.append(_sorted_into_volumes(station, stored_bytes))
    return stacks


def _by_orientation(frames: list[Frame]) -> list[list[Frame]]:
    groups: list[list[Frame]] = []
    for frame in frames:
        for group in groups:
            first = group[0]
            if (
                first.shape == frame.shape
                and np.abs(first.directions - frame.directions).max() < _SAME_DIRECTION
                and np.allclose(first.spacing, frame.spacing, rtol=1e-3)
            ):
                group.append(frame)
                break
        else:
            groups.append([frame])
    return groups


def _split_if_overlapping(frames: list[Frame], key: Callable[[Frame], Hashable]) -> list[list[Frame]]:
    """Groups of one key each where pictures lie at one depth, all in one group where none do."""
    if not _overlaps(frames):
        return [frames]
    groups: dict[Hashable, list[Frame]] = {}
    for frame in frames:
        groups.setdefault(key(frame), []).append(frame)
    return list(groups.values())


def _station(frame: Frame) -> Hashable:
    """Where a picture lies in its own plane, coarsely."""
    return tuple(np.rint(frame.directions.T @ frame.position / _STATION_MM).astype(int))


def _sorted_into_volumes(frames: list[Frame], stored_bytes: Callable[[Frame], bytes], part: int = 0) -> Stack:
    """Pictures of one station, told apart by `Frame.volume` from its entry `part` on."""
    if not _overlaps(frames):
        return Stack([frames])
    if part == len(frames[0].volume):
        return _without_copies(frames, stored_bytes)
    groups = _split_if_overlapping(frames, lambda frame: frame.volume[part])
    found = [_sorted_into_volumes(group, stored_bytes, part + 1) for group in groups]
    return Stack([volume for one in found for volume in one.volumes], sum(one.duplicates for one in found))


def _without_copies(frames: list[Frame], stored_bytes: Callable[[Frame], bytes]) -> Stack:
    """Pictures that no header tells apart: copies, or repetitions in the order of their numbers."""
    volumes: list[list[Frame]] = []
    duplicates = 0
    for place in _by_place(frames):
        different: dict[bytes, Frame] = {}
        for frame in place:
            content = stored_bytes(frame) if len(place) > 1 else b""
            different.setdefault(hashlib.sha256(content).digest(), frame)
        duplicates += len(place) - len(different)
        for rank, frame in enumerate(different.values()):
            if rank == len(volumes):
                volumes.append([])
            volumes[rank].append(frame)
    return Stack(volumes, duplicates)


def _overlaps(frames: list[Frame]) -> bool:
    return len(frames) > 1 and bool(np.diff(np.sort(_depths(frames))).min() < SAME_PLACE_MM)


def _by_place(frames: list[Frame]) -> list[list[Frame]]:
    depths = _depths(frames)
    order = np.argsort(depths, kind="stable")
    breaks = np.flatnonzero(np.diff(depths[order]) >= SAME_PLACE_MM) + 1
    return [[frames[index] for index in group] for group in np.split(order, breaks)]


def _depths(frames: list[Frame]) -> FloatArray:
    normal = frames[0].normal
    return np.array([frame.position @ normal for frame in frames])
