"""A sheet: one sagittal plane that anatomy is painted on, from far to near structures.

Painting takes a *distance*, mm, positive inside the structure. A pixel at the border gets both tissues in
proportion (partial volume); the label map takes the nearer one.
"""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from lookonce.synth.curve import FloatArray, SpineCurve
from lookonce.synth.texture import TextureBlock
from lookonce.synth.tissues import Tissue, property_table


@dataclass(frozen=True)
class Sheet:
    """Pixels of a sagittal plane, their coordinates and what has been painted so far.

    Attributes
    ----------
    x : float
        World x of the plane, mm.
    y : (W,) array
        World y of the columns, falling (column 0 is anterior), mm.
    z : (H,) array
        World z of the rows, falling (row 0 is superior), mm.
    s, u, v : (H, W) arrays
        Spine coordinates, see `curve`.
    node : (H, W) integer array
        Index of the nearest sample of the spine's line.
    pixel : float
        Spacing, mm.
    noise : dict of str to (H, W) array
        Unit-variance fields, see `texture.FIELD_SIZES`.
    signal : (T,) array
        Intensity of each tissue.
    image : (H, W) float32 array
        Painted intensity.
    label : (H, W) uint8 array
        Painted tissue.
    """

    x: float
    y: FloatArray
    z: FloatArray
    s: FloatArray
    u: FloatArray
    v: FloatArray
    node: NDArray[np.intp]
    pixel: float
    noise: dict[str, FloatArray]
    signal: FloatArray
    image: FloatArray
    label: NDArray[np.uint8]

    def paint(
        self, distance: FloatArray, tissue: Tissue, *, toward: Tissue | None = None, amount: FloatArray | float = 1.0
    ) -> None:
        """Paint a structure over what is there.

        Parameters
        ----------
        distance : array broadcastable to (H, W)
            mm, positive inside.
        tissue : Tissue
        toward : Tissue, optional
            Second tissue of a mixture.
        amount : array or float
            Share of the second tissue, 0 to 1.
        """
        alpha = np.clip(distance * np.float32(1 / self.pixel) + np.float32(0.5), 0, 1)
        value = self.signal[tissue]
        if toward is not None:
            value = value + amount * (self.signal[toward] - value)
        self.image[...] += alpha * (value - self.image)
        inside = alpha > 0.5
        np.copyto(self.label, np.uint8(tissue), where=inside)
        if toward is not None:
            np.copyto(self.label, np.uint8(toward), where=inside & (np.asarray(amount) > 0.5))

    def rows(self, top: float, bottom: float) -> "Sheet":
        """The part between two heights (world z, mm); painting on it paints on this sheet."""
        return self.crop(top, bottom, self.y[0], self.y[-1])

    def crop(self, top: float, bottom: float, front: float, back: float) -> "Sheet":
        """The part inside a box of world z and y (mm); may be empty. Painting on it paints on this sheet."""
        rows = _window(self.z, top, bottom)
        columns = _window(self.y, front, back)
        return self._part(rows, columns)

    def near(self, anterior: float, posterior: float) -> "Sheet":
        """The bounding box of the pixels whose u lies between -posterior and anterior (mm)."""
        close = (self.u < anterior) & (self.u > -posterior)
        rows, columns = np.flatnonzero(close.any(1)), np.flatnonzero(close.any(0))
        if not len(rows):
            return self._part(slice(0, 0), slice(0, 0))
        return self._part(slice(rows[0], rows[-1] + 1), slice(columns[0], columns[-1] + 1))

    @property
    def empty(self) -> bool:
        """Whether no pixel is left."""
        return self.image.size == 0

    def _part(self, rows: slice, columns: slice) -> "Sheet":
        box = (rows, columns)
        return replace(
            self,
            y=self.y[columns],
            z=self.z[rows],
            s=self.s[box],
            u=self.u[box],
            v=self.v[box],
            node=self.node[box],
            noise={name: field[box] for name, field in self.noise.items()},
            image=self.image[box],
            label=self.label[box],
        )


def _window(nodes: FloatArray, first: float, last: float) -> slice:
    """Indices of falling, evenly spaced nodes between two values."""
    step = nodes[0] - nodes[1] if len(nodes) > 1 else 1.0
    start = int(np.clip(np.floor((nodes[0] - first) / step), 0, len(nodes))) if len(nodes) else 0
    stop = int(np.clip(np.ceil((nodes[0] - last) / step) + 1, start, len(nodes))) if len(nodes) else 0
    return slice(start, stop)


@dataclass(frozen=True)
class SheetGrid:
    """What all planes of one stack share: their grid and its (s, u).

    Attributes
    ----------
    y, z : (W,), (H,) arrays
        World positions of columns and rows, falling, mm.
    s, u : (H, W) float32 arrays
    node : (H, W) integer array
    spine_x : (H, W) float32 array
        World x of the spine's mid-plane beside each pixel, mm.
    """

    y: FloatArray
    z: FloatArray
    s: FloatArray
    u: FloatArray
    node: NDArray[np.intp]
    spine_x: FloatArray

    def blank(self, x: float, signal: FloatArray, textures: TextureBlock) -> Sheet:
        """An empty sheet (air) at world x, mm."""
        shape = self.s.shape
        return Sheet(
            x=x,
            y=self.y.astype(np.float32),
            z=self.z.astype(np.float32),
            s=self.s,
            u=self.u,
            v=np.float32(x) - self.spine_x,
            node=self.node,
            pixel=float(self.z[0] - self.z[1]),
            noise=textures.at(x),
            signal=signal,
            image=np.full(shape, signal[Tissue.AIR], np.float32),
            label=np.full(shape, Tissue.AIR, np.uint8),
        )


def lay_grid(curve: SpineCurve, y: FloatArray, z: FloatArray) -> SheetGrid:
    """Prepare the planes of one stack.

    Parameters
    ----------
    curve : SpineCurve
    y, z : (W,), (H,) arrays
        World positions of columns and rows, falling, mm.

    Returns
    -------
    SheetGrid
    """
    s, u = curve.project_grid(y, z)
    node = curve.index(s)
    return SheetGrid(y, z, s, u, node, curve.x.astype(np.float32)[node])


def add_texture(sheet: Sheet) -> None:
    """Make the inside of every tissue uneven, in place; strength and scale are the tissue's own."""
    strength = property_table("texture").astype(np.float32)
    change: FloatArray = np.ones_like(sheet.image)
    for column, name in enumerate(("coarse", "medium", "fine")):
        change = change + strength[:, column][sheet.label] * sheet.noise[name]
    sheet.image[...] *= np.maximum(change, np.float32(0.05))
