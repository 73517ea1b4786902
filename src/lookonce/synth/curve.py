"""The line along the posterior walls of the vertebral bodies and the coordinates that follow it.

Every structure of the spine is drawn in *spine coordinates* (s, u, v), millimetres:

- s: arc length along the line, 0 at the tip of the dens, growing towards the coccyx;
- u: distance from the line in the sagittal plane, anterior positive (bodies u > 0, canal u < 0);
- v: left-right distance from the line, right positive.

World axes are RAS: x right, y anterior, z superior. The line bends only in the sagittal plane; scoliosis is a
left-right shift x(s), so that (s, u) of a sagittal plane do not depend on which plane it is.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import cKDTree

FloatArray = NDArray[np.floating]
IndexArray = NDArray[np.integer]
Mask = NDArray[np.bool_]

STEP = 0.5
"""Arc length between two samples of the line, mm."""
COARSE = 5.0
"""Mesh of the exact projection; between its nodes (s, u) is interpolated: within 10 mm of the line off by under
half a millimetre, at 20 mm by at most one."""


@dataclass(frozen=True)
class SpineCurve:
    """The sampled line.

    Attributes
    ----------
    start : float
        Arc length s of the first sample.
    x, y, z : (L,) arrays
        World position of each sample, mm; samples are `STEP` apart in the sagittal plane.
    angle : (L,) array
        Direction, radians; 0 is straight down, positive runs backwards on the way down.
    """

    start: float
    x: FloatArray
    y: FloatArray
    z: FloatArray
    angle: FloatArray

    @property
    def s(self) -> FloatArray:
        """Arc length of the samples, (L,) array, mm."""
        return self.start + STEP * np.arange(len(self.y))

    def index(self, s: FloatArray) -> NDArray[np.intp]:
        """Nearest sample of each arc length, clipped to the line."""
        rounded = ((s - self.start) * (1 / STEP) + 0.5).astype(np.intp)
        return np.clip(rounded, 0, len(self.y) - 1)

    def to_world(self, s: FloatArray, u: FloatArray) -> FloatArray:
        """Map mid-plane spine coordinates to world points.

        Parameters
        ----------
        s, u : (N,) arrays
            Spine coordinates, mm; v is 0.

        Returns
        -------
        (N, 3) array
            World x, y, z, mm.
        """
        nodes = self.s
        angle = np.interp(s, nodes, self.angle)
        y = np.interp(s, nodes, self.y) + u * np.cos(angle)
        z = np.interp(s, nodes, self.z) - u * np.sin(angle)
        return np.stack([np.interp(s, nodes, self.x), y, z], axis=-1)

    def project(self, y: FloatArray, z: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Map sagittal world positions to (s, u) of the nearest point of the line.

        Parameters
        ----------
        y, z : arrays of one shape
            World positions, mm.

        Returns
        -------
        s, u : arrays of that shape
            Spine coordinates, mm.
        """
        tree = cKDTree(np.stack([self.y, self.z], axis=-1))
        _, nearest = tree.query(np.stack([y, z], axis=-1))
        sine, cosine = np.sin(self.angle[nearest]), np.cos(self.angle[nearest])
        dy, dz = y - self.y[nearest], z - self.z[nearest]
        return self.s[nearest] - sine * dy - cosine * dz, cosine * dy - sine * dz

    def project_grid(self, y: FloatArray, z: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Spine coordinates of a grid: exact on a coarse mesh, linear between its nodes.

        Parameters
        ----------
        y : (W,) array
            World y of the columns, evenly spaced, mm.
        z : (H,) array
            World z of the rows, evenly spaced, mm.

        Returns
        -------
        s, u : (H, W) float32 arrays
        """
        rows, columns = _mesh(z), _mesh(y)
        mesh_z, mesh_y = np.meshgrid(rows, columns, indexing="ij")
        s, u = self.project(mesh_y, mesh_z)
        fine_s, fine_u = (_stretch(_stretch(part, rows, z).T, columns, y).T for part in (s, u))
        return np.ascontiguousarray(fine_s), np.ascontiguousarray(fine_u)


def integrate_line(angle: FloatArray, start: float, shift: FloatArray) -> SpineCurve:
    """Build the line from its direction.

    Parameters
    ----------
    angle : (L,) array
        Direction at samples `STEP` apart, radians.
    start : float
        Arc length of the first sample, mm.
    shift : (L,) array
        World x of each sample, mm.

    Returns
    -------
    SpineCurve
        With the sample at s = 0 at y = z = 0.
    """
    middle = (angle[1:] + angle[:-1]) / 2
    y = np.concatenate([[0.0], np.cumsum(-np.sin(middle) * STEP)])
    z = np.concatenate([[0.0], np.cumsum(-np.cos(middle) * STEP)])
    origin = round(-start / STEP)
    return SpineCurve(start, shift, y - y[origin], z - z[origin], angle)


def _mesh(nodes: FloatArray) -> FloatArray:
    count = max(2, int(np.ceil(abs(nodes[-1] - nodes[0]) / COARSE)) + 1)
    return np.linspace(nodes[0], nodes[-1], count)


def _stretch(values: FloatArray, mesh: FloatArray, nodes: FloatArray) -> FloatArray:
    """Interpolate rows that lie at the mesh to the nodes, linearly."""
    position = np.clip((nodes - mesh[0]) / (mesh[1] - mesh[0]), 0, len(mesh) - 1)
    low = np.minimum(position.astype(np.intp), len(mesh) - 2)
    part = (position - low).astype(np.float32)[:, None]
    single = values.astype(np.float32)
    return (1 - part) * single[low] + part * single[low + 1]
