"""Where a stack of DICOM pictures lies: its order, its affine, and whether the slices are evenly spaced.

DICOM positions are LPS+ mm (left, posterior, head positive) and name the centre of a picture's first pixel; ours are
RAS+. The array is (column, row, slice), with the rows reversed, as `dcm2niix` writes it.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from lookonce.errors import GeometryError
from lookonce.geometry import FloatArray, check_affine
from lookonce.io.dicom.frames import Frame

LPS_TO_RAS = np.diag([-1.0, -1.0, 1.0, 1.0])
#: Slices nearer than this are at one place: positions are written with few decimals, and no slice is as thin.
SAME_PLACE_MM = 0.05
#: Share of the slice distance by which a slice may miss its place in an even stack.
EVEN_WITHIN = 0.05
#: A gap wider than this many usual distances is more than one missing slice: what lay there would be invented.
WIDEST_GAP = 2.3
#: Slices further apart than this do not tell what lies between them.
WIDEST_GAP_MM = 15.0


@dataclass(frozen=True)
class StackGeometry:
    """How the pictures of a stack become a volume.

    Attributes
    ----------
    order : (N,) array of int
        Pictures in the order of the slices.
    affine : (4, 4) array
        Voxel (column, reversed row, slice) to RAS+ world, mm.
    places : (N,) array
        Slice index at which each picture of `order` lies in the volume: whole numbers where the stack is even.
    count : int
        Number of slices of the volume.
    warnings : list of str
    """

    order: np.ndarray
    affine: FloatArray
    places: FloatArray
    count: int
    warnings: list[str]

    @property
    def is_even(self) -> bool:
        """Whether the pictures are the slices of the volume, so that nothing need be interpolated."""
        return len(self.order) == self.count and bool(np.array_equal(self.places, np.arange(self.count)))


def stack_geometry(frames: list[Frame]) -> StackGeometry:
    """Place pictures of one orientation and shape, no two of them at one place, as a volume.

    Slices may be sheared (a tilted gantry): they follow each other along any one straight line.

    Raises
    ------
    GeometryError
        If the slices do not follow each other along a line, or more than one in a row is missing. The message is the
        reason alone, without the file's name.
    """
    # One normal for all: each picture's own is rounded, and far from the origin that moves it.
    depths = np.array([frame.position @ frames[0].normal for frame in frames])
    order = np.argsort(depths)
    depths, first = depths[order], frames[order[0]]
    positions = np.array([frames[index].position for index in order])
    if len(frames) == 1:
        thickness = first.thickness or 1.0
        warnings = [f"one slice alone; its thickness was taken as {thickness:g} mm"]
        return StackGeometry(order, _affine(first, first.normal * thickness), np.zeros(1), 1, warnings)
    _check_line(positions, depths)
    places, count, warnings = _places(depths)
    step = (positions[-1] - positions[0]) / (count - 1)
    return StackGeometry(order, _affine(first, step), places, count, warnings)


def _check_line(positions: FloatArray, depths: FloatArray) -> None:
    share = (depths - depths[0]) / (depths[-1] - depths[0])
    line = positions[0] + share[:, None] * (positions[-1] - positions[0])
    aside = float(np.linalg.norm(positions - line, axis=1).max())
    if aside > EVEN_WITHIN * float(np.median(np.diff(depths))) + SAME_PLACE_MM:
        raise GeometryError(f"its slices do not lie behind each other: one is {aside:.1f} mm aside of the others' line")


def _places(depths: FloatArray) -> tuple[FloatArray, int, list[str]]:
    """Slice index of each depth in an even stack over the same extent, the number of its slices, and warnings."""
    gaps = np.diff(depths)
    usual = float(np.median(gaps))
    even = np.arange(len(depths), dtype=float)
    mean = (depths[-1] - depths[0]) / (len(depths) - 1)
    if np.abs((depths - depths[0]) / mean - even).max() <= EVEN_WITHIN:
        return even, len(depths), []
    widest = float(gaps.max())
    if widest > min(WIDEST_GAP * usual, WIDEST_GAP_MM):
        raise GeometryError(
            f"slices are missing: two neighbours are {widest:.1f} mm apart, the others {usual:.1f} mm; export the "
            "series again"
        )
    count = round((depths[-1] - depths[0]) / usual) + 1
    places = (depths - depths[0]) / (depths[-1] - depths[0]) * (count - 1)
    missing = count - len(depths)
    is_gappy = np.abs(places - np.rint(places)).max() <= EVEN_WITHIN and len(set(np.rint(places))) == len(places)
    if missing > 0 and is_gappy:
        slices = "1 missing slice was" if missing == 1 else f"{missing} missing slices were"
        return np.rint(places), count, [f"{slices} interpolated between the neighbours; the export may be incomplete"]
    return (
        places,
        count,
        [
            f"the slices are unevenly spaced ({gaps.min():.2f} to {widest:.2f} mm); they were interpolated to "
            f"{(depths[-1] - depths[0]) / (count - 1):.2f} mm"
        ],
    )


def _affine(first: Frame, step: FloatArray) -> FloatArray:
    """Affine of a volume whose slice 0 is `first`, with slices `step` (LPS, mm) apart."""
    columns, rows = (first.directions * first.spacing).T
    lps = np.eye(4)
    lps[:3, :3] = np.stack([columns, -rows, step], axis=1)
    lps[:3, 3] = first.position + rows * (first.shape[1] - 1)
    affine = LPS_TO_RAS @ lps
    check_affine(affine)
    return affine
