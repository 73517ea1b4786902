"""The public functions of the simulator: one slab for training, one whole scan for demonstrations and tests.

Both draw a `Person`, choose a view, paint sagittal planes and degrade them; a slab is the mean of a few planes.
"""

from dataclasses import dataclass

import numpy as np

from lookonce.anatomy import Level, VertebraCount
from lookonce.synth.acquisition import Measurement, View, draw_measurement, draw_view, measure, scale_robustly
from lookonce.synth.artefacts import shift_fat
from lookonce.synth.curve import FloatArray, IndexArray, Mask
from lookonce.synth.geometry import Spine, truth_points
from lookonce.synth.person import Person, draw_person, paint_person
from lookonce.synth.sheet import add_texture, lay_grid
from lookonce.synth.signal import CONTRASTS, SHARES, draw_signals
from lookonce.synth.texture import draw_textures
from lookonce.synth.tissues import property_table


@dataclass(frozen=True)
class SimulatedSlab:
    """A simulated sagittal slab with its truth.

    Attributes
    ----------
    image : (H, W) float32 array
        0 to 1. Row 0 is most superior, column 0 most anterior (the face looks left).
    spacing : float
        Pixel size in both directions, mm.
    points : (N, 2) float64 array
        Row and column of the posterior tip of each disc, sub-pixel, pixel centres at integers; only those inside.
    levels : (N,) integer array
        `Level` values of the points, from the head down.
    lateral : (N,) float64 array
        Signed distance from the slab's plane to the disc's own mid-sagittal plane, mm, right positive.
    negatives : (M, 2) float64 array
        Row and column of places that look like discs and are not (S1/S2, S2/S3, S3/S4), inside the image.
    field_of_view : str
        cervical, thoracic, lumbar or whole.
    variant : str or None
        Another number of vertebrae, where C2 and the sacrum are both in view: elsewhere nobody can tell, and the levels
        are counted from the end that is in view, given 12 + 5.
    """

    image: FloatArray
    spacing: float
    points: FloatArray
    levels: IndexArray
    lateral: FloatArray
    negatives: FloatArray
    field_of_view: str
    variant: str | None = None


@dataclass(frozen=True)
class SimulatedScan:
    """A simulated sagittal stack with its truth.

    Attributes
    ----------
    image : (X, Y, Z) float32 array
        0 to 1; axes run to the right, anterior and superior (RAS).
    affine : (4, 4) array
        Voxel to world, mm; may be slightly oblique.
    points : (N, 3) array
        World mm of the posterior tips inside the volume.
    levels : (N,) integer array
        `Level` values of the points, from the head down.
    contrast, field_of_view : str
    variant : str or None
        As in `SimulatedSlab`.
    """

    image: FloatArray
    affine: FloatArray
    points: FloatArray
    levels: IndexArray
    contrast: str
    field_of_view: str
    variant: str | None = None


def simulate_slab(
    rng: np.random.Generator,
    *,
    spacing: float = 1.25,
    field_of_view: str = "random",
    contrast: str = "random",
    lateral: float | None = None,
) -> SimulatedSlab:
    """Simulate one sagittal slab.

    Parameters
    ----------
    rng : numpy.random.Generator
        The same state gives the same slab.
    spacing : float
        Pixel size, mm.
    field_of_view : str
        cervical, thoracic, lumbar, whole or random.
    contrast : str
        t1, t2, pd, stir, gre, dixon (water image), random-tissue (any intensity for any tissue) or random (one of
        these, but for dixon).
    lateral : float, optional
        Distance of the slab from the mid-plane, mm, right positive. By default mostly 0 to 4, at times up to 20.

    Returns
    -------
    SimulatedSlab

    Raises
    ------
    ValueError
        If the field of view or contrast is unknown.

    Examples
    --------
    >>> slab = simulate_slab(np.random.default_rng(0), field_of_view="lumbar", contrast="t2")
    >>> slab.field_of_view, slab.levels[-1] <= 25
    ('lumbar', np.True_)
    """
    person = draw_person(rng)
    view = draw_view(rng, person.spine, person.around, field_of_view)
    signal = draw_signals(rng, _choose_contrast(rng, contrast))
    middle = _mid_plane(person, view)
    offset = _draw_lateral(rng) if lateral is None else lateral
    thickness = rng.uniform(1.0, 5.0)
    y, z = view.axes(spacing)
    measurement = draw_measurement(rng, person.spine, person.around, y, z)
    painter = _Painter(rng, person, y, z, signal, measurement)
    planes = middle + offset + thickness * np.array([-0.3, 0.3])
    ideal = np.mean([painter.paint(float(x)) for x in planes], axis=0)
    image = scale_robustly(measure(rng, ideal, measurement), measurement.gamma, measurement.clipped)
    points, _, negatives = truth_points(person.spine)
    pixels = _to_pixels(points, y, z)
    inside = _inside(pixels, image.shape, measurement)
    levels, variant = _read_levels(person.spine, inside)
    false = _to_pixels(negatives, y, z)
    return SimulatedSlab(
        image=image,
        spacing=float(spacing),
        points=pixels[inside],
        levels=levels[inside],
        lateral=points[inside, 0] - (middle + offset),
        negatives=false[_inside(false, image.shape, measurement)],
        field_of_view=view.name,
        variant=variant,
    )


def simulate_scan(
    rng: np.random.Generator,
    *,
    field_of_view: str = "random",
    contrast: str = "random",
    spacing: float | None = None,
    slice_thickness: float | None = None,
    lateral_extent: float | None = None,
    count: VertebraCount | None = None,
) -> SimulatedScan:
    """Simulate a sagittal stack.

    Parameters
    ----------
    rng : numpy.random.Generator
        The same state gives the same scan.
    field_of_view, contrast : str
        As in `simulate_slab`.
    spacing : float, optional
        In-plane voxel size, mm; drawn from 0.5 to 1.1 (whole spine: from 0.8).
    slice_thickness : float, optional
        Distance of neighbouring slices, mm; drawn from 1 to 5.
    lateral_extent : float, optional
        Left-right extent, mm; drawn from 35 to 75.
    count : VertebraCount, optional
        How many vertebrae; drawn by default.

    Returns
    -------
    SimulatedScan

    Raises
    ------
    ValueError
        If the field of view or contrast is unknown.
    """
    person = draw_person(rng, count)
    view = draw_view(rng, person.spine, person.around, field_of_view)
    contrast = _choose_contrast(rng, contrast)
    signal = draw_signals(rng, contrast)
    spacing = rng.uniform(0.8 if view.name == "whole" else 0.5, 1.1) if spacing is None else spacing
    step = rng.uniform(1, 5) if slice_thickness is None else slice_thickness
    extent = rng.uniform(35, 75) if lateral_extent is None else lateral_extent
    slices = max(1, round(extent / step))
    x = _mid_plane(person, view) + rng.normal(0, 2.5) + step * (np.arange(slices) - (slices - 1) / 2)
    y, z = view.axes(spacing)
    measurement = draw_measurement(rng, person.spine, person.around, y, z)
    painter = _Painter(rng, person, y, z, signal, measurement)
    parts = (0.0,) if step < 2 else (-0.25 * step, 0.25 * step)
    planes = [
        measure(rng, np.mean([painter.paint(float(at + part)) for part in parts], axis=0), measurement) for at in x
    ]
    volume = scale_robustly(np.stack(planes), measurement.gamma, measurement.clipped)[:, ::-1, ::-1].transpose(0, 2, 1)
    affine = np.diag([step, spacing, spacing, 1.0])
    affine[:3, 3] = x[0], y[-1], z[-1]
    points, _, _ = truth_points(person.spine)
    voxels = (points - affine[:3, 3]) / (step, spacing, spacing)
    inside = np.all((voxels > -0.5) & (voxels < np.array(volume.shape) - 0.5), axis=1)
    inside &= _inside(_to_pixels(points, y, z), (len(z), len(y)), measurement)
    levels, variant = _read_levels(person.spine, inside)
    turn = _draw_pose(rng)
    world = points[inside] @ turn[:3, :3].T + turn[:3, 3]
    volume = np.ascontiguousarray(volume)
    return SimulatedScan(volume, turn @ affine, world, levels[inside], contrast, view.name, variant)


class _Painter:
    """Paints planes of one person on one grid; planes share textures, so neighbours look alike."""

    def __init__(
        self,
        rng: np.random.Generator,
        person: Person,
        y: FloatArray,
        z: FloatArray,
        signal: FloatArray,
        measurement: Measurement,
    ) -> None:
        self._person = person
        self._signal = signal
        self._artefacts = measurement.artefacts
        self._grid = lay_grid(person.spine.curve, y, z)
        self._textures = draw_textures(rng, (len(z), len(y)), float(z[0] - z[1]))

    def paint(self, x: float) -> FloatArray:
        """Ideal signals of the plane at world x, (H, W)."""
        sheet = self._grid.blank(x, self._signal, self._textures)
        paint_person(sheet, self._person)
        add_texture(sheet)
        return shift_fat(sheet.image, property_table("fat").astype(np.float32)[sheet.label], self._artefacts)


def _read_levels(spine: Spine, inside: Mask) -> tuple[IndexArray, str | None]:
    """The levels as a reader of this view counts them, and the variant where the view shows it."""
    _, named, _ = truth_points(spine)
    above_sacrum, c2 = bool(inside[-1]), bool(inside[list(named).index(Level.C2_C3)])
    if not spine.count.extra or (above_sacrum and c2):
        return named, spine.count.name
    lumbar = inside[spine.names.index("L1") + 1 :].any()  # the disc above body i is point i + 1
    return truth_points(spine, counted_from="sacrum" if lumbar and not c2 else "C2")[1], None


def _choose_contrast(rng: np.random.Generator, contrast: str) -> str:
    if contrast != "random":
        return contrast
    return str(rng.choice(CONTRASTS, p=SHARES))


def _draw_lateral(rng: np.random.Generator) -> float:
    side = rng.choice([-1.0, 1.0])
    return side * (rng.uniform(0, 4) if rng.random() < 0.85 else rng.uniform(4, 20))


def _mid_plane(person: Person, view: View) -> float:
    """World x of the spine in the middle of the view: where a technician would put the central slice."""
    curve = person.spine.curve
    inside = (curve.z < view.top) & (curve.z > view.bottom)
    return float(np.mean(curve.x[inside])) if inside.any() else 0.0


def _to_pixels(points: FloatArray, y: FloatArray, z: FloatArray) -> FloatArray:
    """Row and column of world points, (N, 2)."""
    return np.stack([(z[0] - points[:, 2]) / (z[0] - z[1]), (y[0] - points[:, 1]) / (y[0] - y[1])], axis=1)


def _inside(pixels: FloatArray, shape: tuple[int, int], measurement: Measurement) -> Mask:
    """Which pixels lie in the image and not in its zero-filled margins."""
    top, bottom, front, back = measurement.margins
    rows = (pixels[:, 0] >= top) & (pixels[:, 0] <= shape[0] - 1 - bottom)
    return rows & (pixels[:, 1] >= front) & (pixels[:, 1] <= shape[1] - 1 - back)


def _draw_pose(rng: np.random.Generator) -> FloatArray:
    """A small rotation and a shift between the scanner's axes and the slices, (4, 4)."""
    pose = np.eye(4)
    pose[:3, 3] = rng.normal(0, 30, 3)
    if rng.random() < 0.5:
        a, b = rng.normal(0, 0.06, 2)
        about_z = np.array([[np.cos(a), -np.sin(a), 0], [np.sin(a), np.cos(a), 0], [0, 0, 1]])
        about_y = np.array([[np.cos(b), 0, np.sin(b)], [0, 1, 0], [-np.sin(b), 0, np.cos(b)]])
        pose[:3, :3] = about_z @ about_y
    return pose
