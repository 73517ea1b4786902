"""Disc labels of one spine: a point in world millimetres and a confidence for every level."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from lookonce.anatomy import Level, VertebraCount
from lookonce.geometry import FloatArray, voxel_to_world, world_to_voxel

CSV_COLUMNS = ("level", "name", "x_mm", "y_mm", "z_mm", "confidence")


@dataclass(frozen=True)
class Disc:
    """One labelled disc: its level, its posterior tip in RAS+ world mm, and the probability that both are right."""

    level: Level
    world_mm: tuple[float, float, float]
    confidence: float = 1.0


class DiscLabels:
    """The discs of one spine, from the head down, at most one a level.

    Raises
    ------
    ValueError
        If two discs have the same level.

    Examples
    --------
    >>> labels = DiscLabels([Disc(Level.C3_C4, (0, 0, 0)), Disc(Level.C2_C3, (0, 2, 18))])
    >>> [disc.level.label for disc in labels]
    ['C2/C3', 'C3/C4']
    """

    def __init__(self, discs: Iterable[Disc] = ()) -> None:
        ordered = sorted(discs, key=lambda disc: _ANATOMICAL_ORDER[disc.level])
        levels = [disc.level for disc in ordered]
        if len(set(levels)) < len(levels):
            raise ValueError(f"a level is given twice: {', '.join(level.label for level in levels)}")
        self._discs = tuple(ordered)

    def __iter__(self) -> Iterator[Disc]:
        return iter(self._discs)

    def __len__(self) -> int:
        return len(self._discs)

    def __contains__(self, level: object) -> bool:
        return any(disc.level == level for disc in self._discs)

    def __getitem__(self, level: Level | int) -> Disc:
        for disc in self._discs:
            if disc.level == level:
                return disc
        raise KeyError(level)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, DiscLabels) and self._discs == other._discs

    def __repr__(self) -> str:
        return f"DiscLabels({', '.join(disc.level.label for disc in self._discs)})"

    @property
    def levels(self) -> list[Level]:
        """Levels, from the head down."""
        return [disc.level for disc in self._discs]

    @property
    def points(self) -> FloatArray:
        """World coordinates in mm, (N, 3), in the order of `levels`."""
        return np.array([disc.world_mm for disc in self._discs], dtype=np.float64).reshape(-1, 3)

    @classmethod
    def from_points(cls, points: dict[int, FloatArray]) -> DiscLabels:
        """Labels from a mapping of SCT value to world point in mm."""
        return cls(Disc(Level(level), _triple(point)) for level, point in points.items())

    @classmethod
    def from_volume(cls, data: NDArray, *, affine: FloatArray, numbering: str = "sct") -> DiscLabels:
        """Read a label volume, (X, Y, Z), one value a disc; several voxels of a value are averaged.

        Values are rounded (files hold floats such as 5.9999). Values that are no disc in the numbering, such as
        SCT's 49 and 50 for the medulla and pons, are passed over. Two places far apart with the SCT value 20 or 25 are
        the two discs of a T13 or an L6.
        """
        voxels = np.argwhere(np.asarray(data) > 0.5)
        values = np.rint(np.asarray(data)[tuple(voxels.T)]).astype(int)
        points = {}
        for value in np.unique(values):
            try:
                level = Level.from_number(value, numbering)
            except ValueError:
                continue
            places = voxel_to_world(voxels[values == value].astype(np.float64), affine=affine)
            upper = _upper_of_two(places)
            if numbering == "sct" and level in _TWINS and upper.any():
                points[_TWINS[level][0]] = _triple(places[upper].mean(axis=0))
                level, places = _TWINS[level][1], places[~upper]
            points[level] = _triple(places.mean(axis=0))
        if numbering == "spineps":
            # SPINEPS names a disc after the vertebra above it: 119 lies above T13, not L1, where T13's disc is there.
            for below, regular, variant in _SPINEPS_VARIANTS:
                if below in points and regular in points:
                    points[variant] = points.pop(regular)
        return cls(Disc(level, point) for level, point in points.items())

    def without_c1_top(self) -> DiscLabels:
        """The discs (and the C1/C2 joint) alone; SCT's value 1 is the top of C1."""
        return DiscLabels(disc for disc in self._discs if disc.level is not Level.C1_TOP)

    def recounted(self, variant: str | None) -> DiscLabels:
        """The same discs with the names that a variant gives to L5/S1 and T12/L1, which a label volume cannot tell.

        `variant` is the name of a `VertebraCount`; any other changes nothing.
        """
        renamed = {
            VertebraCount(lumbar=4).name: {Level.L5_S1: Level.L4_S1},
            VertebraCount(thoracic=11).name: {Level.T12_L1: Level.T11_L1},
        }.get(variant, {})
        return DiscLabels(replace(disc, level=renamed.get(disc.level, disc.level)) for disc in self._discs)

    def to_volume(
        self, shape: tuple[int, int, int], *, affine: FloatArray, numbering: str = "sct"
    ) -> tuple[NDArray[np.uint8], list[str]]:
        """Draw the labels into a volume, one voxel a disc.

        Parameters
        ----------
        shape : (X, Y, Z)
            Shape of the image that was labelled.
        affine : (4, 4) array
            Its voxel to world matrix, mm.
        numbering : {"sct", "totalspineseg", "spineps"}

        Returns
        -------
        volume : (X, Y, Z) uint8 array
        warnings : list of str
            Discs without a value or a voxel of their own, and what was written instead.
        """
        volume = np.zeros(shape, dtype=np.uint8)
        warnings = []
        for disc in self._discs:
            value = getattr(disc.level, numbering)
            if value is None and numbering == "sct":
                value = disc.level.nifti_value
                warnings.append(f"{disc.level.label} has no SCT value; the label file says {value}, as its neighbour")
            if value is None:
                warnings.append(f"{disc.level.label} has no {numbering} value and is missing in the label file")
                continue
            voxel = nearest_voxel(disc.world_mm, shape, affine=affine)
            offset = world_to_voxel(np.array([disc.world_mm]), affine=affine)[0] - voxel
            if np.abs(offset).max() > 1:
                warnings.append(f"{disc.level.label} lies outside the image and is missing in the label file")
                continue
            if volume[voxel]:
                warnings.append(f"{disc.level.label} takes the voxel of another disc in the label file")
            volume[voxel] = value
        return volume, warnings

    def to_csv(self) -> str:
        """Table with the columns of `CSV_COLUMNS`; `level` is empty for discs without an SCT value."""
        text = io.StringIO()
        writer = csv.writer(text, lineterminator="\n")
        writer.writerow(CSV_COLUMNS)
        for disc in self._discs:
            x, y, z = (f"{value:.3f}" for value in disc.world_mm)
            writer.writerow((disc.level.sct or "", disc.level.label, x, y, z, f"{disc.confidence:.4f}"))
        return text.getvalue()

    @classmethod
    def from_csv(cls, text: str) -> DiscLabels:
        """Read what `to_csv` writes; a missing confidence counts as 1."""
        return cls(
            Disc(
                Level.from_label(row["name"]),
                (float(row["x_mm"]), float(row["y_mm"]), float(row["z_mm"])),
                float(row.get("confidence") or 1.0),
            )
            for row in csv.DictReader(io.StringIO(text))
        )

    def to_records(self) -> list[dict[str, object]]:
        """Entries for JSON: level (SCT value or None), name, world_mm, confidence."""
        return [
            {
                "level": disc.level.sct,
                "name": disc.level.label,
                "world_mm": [round(value, 3) for value in disc.world_mm],
                "confidence": round(disc.confidence, 4),
            }
            for disc in self._discs
        ]

    @classmethod
    def from_records(cls, records: Iterable[dict]) -> DiscLabels:
        """Read what `to_records` writes."""
        return cls(
            Disc(Level.from_label(entry["name"]), _triple(entry["world_mm"]), float(entry.get("confidence", 1.0)))
            for entry in records
        )


def nearest_voxel(
    point: tuple[float, float, float], shape: tuple[int, ...], *, affine: FloatArray
) -> tuple[int, int, int]:
    """Index of the voxel of an image of `shape` whose centre is nearest to a world point in mm."""
    voxel = np.rint(world_to_voxel(np.array([point]), affine=affine)[0]).astype(int)
    i, j, k = np.clip(voxel, 0, np.array(shape[:3]) - 1)
    return int(i), int(j), int(k)


def _triple(point: Iterable[float]) -> tuple[float, float, float]:
    x, y, z = (float(value) for value in point)
    return x, y, z


def _upper_of_two(places: FloatArray) -> NDArray[np.bool_]:
    """Which of the world points (N, 3) belong to the upper one of two discs; none where all are of one disc."""
    height = places[:, 2]
    order = np.sort(height)
    gaps = np.diff(order)
    if not len(gaps) or gaps.max() < APART_MM:
        return np.zeros(len(places), dtype=bool)
    return height > order[gaps.argmax()]


#: Voxels of one label value further apart than this are two discs: more than a disc's height, less than the way to the
#: next one.
APART_MM = 15.0
#: SCT value to the discs that share it: with a T13 two discs are 20, with an L6 two are 25.
_TWINS = {Level.T12_L1: (Level.T12_T13, Level.T13_L1), Level.L5_S1: (Level.L5_L6, Level.L6_S1)}
#: (a disc that proves the variant, the regular reading of the value above it, the true one)
_SPINEPS_VARIANTS = (
    (Level.T13_L1, Level.T12_L1, Level.T12_T13),
    (Level.L6_S1, Level.L5_S1, Level.L5_L6),
)
_BETWEEN = {
    Level.T12_T13: 19.4,
    Level.T13_L1: 19.8,
    Level.L5_L6: 24.4,
    Level.L6_S1: 24.8,
    Level.L4_S1: 24.9,
    Level.T11_L1: 19.9,
}
#: T12/T13 takes the place of T12/L1 in a spine with T13, and so on; decimals only put them in order.
_ANATOMICAL_ORDER = {level: _BETWEEN.get(level, float(level)) for level in Level}
