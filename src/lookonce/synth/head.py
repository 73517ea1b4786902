"""Painting head and neck: skull base, brain, face, airway. They tell which vertebra is C2."""

from dataclasses import dataclass

import numpy as np

from lookonce.synth.curve import FloatArray
from lookonce.synth.geometry import Spine
from lookonce.synth.shapes import bar, ellipse, rounded
from lookonce.synth.sheet import Sheet
from lookonce.synth.tissues import Tissue


@dataclass(frozen=True)
class Head:
    """Random traits of one head.

    Attributes
    ----------
    size : float
        Scale, 1 is the mean adult.
    nod : float
        Tilt of the head, radians, chin down positive; it follows the upper neck, else the brainstem would be bent.
    airway : float
        Half width of the pharynx, mm.
    prevertebral : float
        Soft tissue between C2-C4 and the pharynx, mm.
    jaw : (3,) array
        Forward offset, downward offset and radius of the chin, mm.
    scalp : float
        Fat under the scalp, mm.
    """

    size: float
    nod: float
    airway: float
    prevertebral: float
    jaw: FloatArray
    scalp: float


def draw_head(rng: np.random.Generator, spine: Spine) -> Head:
    """Draw a head for a spine."""
    return Head(
        size=float(0.5 + 0.5 * spine.size) * rng.uniform(0.93, 1.07),
        nod=float(np.interp(0.0, spine.curve.s, spine.curve.angle)) + rng.normal(0, 0.07),
        airway=rng.uniform(1.5, 6),
        prevertebral=rng.uniform(3, 6.5),
        jaw=np.array([rng.normal(0, 6), rng.normal(0, 6), rng.uniform(6, 10)], np.float32),
        scalp=rng.uniform(2, 8),
    )


def paint_head(sheet: Sheet, spine: Spine, head: Head) -> None:
    """Paint the head and the front of the neck on a sheet; canal and column come later."""
    bottom = spine.curve.to_world(np.array([spine.bottom("T6")]), np.array([0.0]))[0, 2]
    sheet = sheet.rows(float(spine.curve.z.max()) + 200, float(bottom))
    if sheet.empty:
        return
    _, y, z = (float(value) for value in spine.curve.to_world(np.zeros(1), np.zeros(1))[0])
    part = sheet.rows(z + 250, z - 85 * head.size)
    if not part.empty:
        _paint_outline(part, head, *_head_frame(part, head, y, z))
    part = sheet.near(75, 0)
    if not part.empty:
        _paint_neck_front(part, spine, head)
    part = sheet.rows(z + 250, z - 50 * head.size)
    if not part.empty:
        frame = _head_frame(part, head, y, z)
        _paint_skull(part, *frame)
        _paint_brain(part, *frame)
    part = sheet.crop(z + 85 * head.size, z - 85 * head.size, y + 160, y)
    if not part.empty:
        _paint_face(part, head, *_head_frame(part, head, y, z))


def _head_frame(sheet: Sheet, head: Head, y: float, z: float) -> tuple[FloatArray, FloatArray]:
    """Offsets from the tip of the dens (world y, z): a forwards and b upwards along the head, in mean-adult mm."""
    dy, dz = sheet.y[None, :] - y, sheet.z[:, None] - z
    sine, cosine = float(np.sin(head.nod)) / head.size, float(np.cos(head.nod)) / head.size
    wobble = 1.2 * sheet.noise["broad"]
    return cosine * dy - sine * dz + wobble, sine * dy + cosine * dz + wobble


def _paint_outline(sheet: Sheet, head: Head, a: FloatArray, b: FloatArray) -> None:
    """Skin and fat of the skull, the face and the chin."""
    skull = ellipse(a + 4, b - 62, 96, 92)
    face = ellipse(a - 46 - 0.3 * head.jaw[0], b - 8, 50, 60)
    chin = ellipse(a - 72 - head.jaw[0], b + 32 + head.jaw[1], 24, 18)
    nose = ellipse(a - 96, b - 18 - 0.5 * (a - 96), 14, 9)
    whole = np.maximum(np.maximum(skull, face), np.maximum(chin, nose))
    sheet.paint(whole, Tissue.SKIN)
    sheet.paint(whole - 2, Tissue.FAT)
    muscle = np.minimum(whole - 2 - head.scalp, 60 - b)
    sheet.paint(muscle, Tissue.MUSCLE, toward=Tissue.FAT, amount=np.clip(0.25 + 0.4 * sheet.noise["coarse"], 0, 1))


def _paint_face(sheet: Sheet, head: Head, a: FloatArray, b: FloatArray) -> None:
    """Nose cavity, palate, tongue, teeth and chin."""
    nose = ellipse(a - 58, b - 30, 30, 16)
    layers = 0.5 + 0.5 * sheet.noise["medium"] + 0.6 * np.sin(0.45 * (b - 0.1 * a))
    sheet.paint(nose, Tissue.MUCOSA, toward=Tissue.AIR, amount=np.clip(layers, 0, 1))
    sheet.paint(np.minimum(bar(a, 40, 84), 2.2 - np.abs(b - 13 - 0.004 * (a - 60) ** 2)), Tissue.CORTEX)
    sheet.paint(np.minimum(bar(a, 44, 82), 1.0 - np.abs(b - 13 - 0.004 * (a - 60) ** 2)), Tissue.FATTY_MARROW)
    tongue = ellipse(a - 54, b + 10, 27, 20)
    grain = np.clip(0.15 + 0.3 * sheet.noise["streak"], 0, 1)
    sheet.paint(tongue, Tissue.MUSCLE, toward=Tissue.FAT, amount=grain)
    floor = ellipse(a - 60, b + 30, 20, 7)
    sheet.paint(floor, Tissue.MUSCLE, toward=Tissue.FAT, amount=np.clip(0.6 + 0.4 * sheet.noise["coarse"], 0, 1))
    sheet.paint(np.minimum(0.8 - np.abs(b - 10.5), bar(a, 34, 80)), Tissue.AIR)
    sheet.paint(ellipse(a - 84, b - 2, 3.5, 9), Tissue.CORTEX)
    sheet.paint(ellipse(a - 85, b + 13, 3.2, 6), Tissue.CORTEX)
    chin = ellipse(a - 80 - head.jaw[0], b + 30 + head.jaw[1], head.jaw[2], 12)
    sheet.paint(chin, Tissue.CORTEX)
    sheet.paint(chin - 1.8, Tissue.MARROW, toward=Tissue.FATTY_MARROW, amount=0.6)
    soft_palate = ellipse(a - 32, b - 6 - 0.4 * (a - 32), 12, 4)
    sheet.paint(soft_palate, Tissue.MUCOSA)


def _paint_neck_front(sheet: Sheet, spine: Spine, head: Head) -> None:
    """Prevertebral tissue, pharynx, larynx with cartilage, trachea, oesophagus, hyoid."""
    f32, nodes, bodies = np.float32, spine.curve.s, spine.bodies
    middle = (bodies.top + bodies.bottom) / 2
    depth = np.interp(nodes, middle, bodies.depth_bottom).astype(f32)[sheet.node]
    ahead = sheet.u - depth - 1.5 * sheet.noise["broad"]
    down = sheet.s
    near = 24 - np.abs(sheet.v)
    pre = np.minimum(np.minimum(bar(ahead, -2, head.prevertebral), bar(down, -8, spine.middle("C7"))), near)
    sheet.paint(pre, Tissue.MUSCLE, toward=Tissue.MUCOSA, amount=0.3)
    low = np.clip((down - spine.middle("C5")) / 20, 0, 1)
    centre = head.prevertebral + head.airway + low * (9 * spine.size)
    width = np.minimum(head.airway + low * (8 * spine.size - head.airway), 9)
    top, end = -16.0, spine.bottom("T4")
    width = width * np.clip((end + 10 - down) / 30, 0, 1)
    wall = np.minimum(np.minimum(width + 4 - np.abs(ahead - centre), bar(down, top, end)), 13 - np.abs(sheet.v))
    sheet.paint(wall, Tissue.MUCOSA, toward=Tissue.GRISTLE, amount=low)
    tube = np.minimum(np.minimum(width - np.abs(ahead - centre), bar(down, top, end)), 9 - np.abs(sheet.v))
    sheet.paint(tube, Tissue.AIR)
    leaf = 1.3 - np.abs(ahead - centre - 0.45 * (down - spine.middle("C3")) + 2)
    sheet.paint(
        np.minimum(np.minimum(leaf, bar(down, spine.middle("C3") - 4, spine.middle("C4") + 6)), 8 - np.abs(sheet.v)),
        Tissue.MUCOSA,
    )
    gullet = np.minimum(np.minimum(bar(ahead, 1.5, 7.5), bar(down, spine.middle("C6"), end)), 8 - np.abs(sheet.v))
    sheet.paint(gullet, Tissue.MUSCLE, toward=Tissue.MUCOSA, amount=np.clip(1 - np.abs(ahead - 4.5) / 1.5, 0, 1))
    hyoid = 3.5 - np.hypot(ahead - centre - width - 9, down - spine.middle("C3") - 6)
    sheet.paint(np.minimum(hyoid, near), Tissue.CORTEX)
    sheet.paint(np.minimum(hyoid - 1.2, near), Tissue.FATTY_MARROW)


def _cranial_cavity(a: FloatArray, b: FloatArray) -> FloatArray:
    """Distance to the wall of the cavity: an ellipse without what lies before the clivus and under the frontal base."""
    _, across = _clivus(a, b)
    return np.minimum(ellipse(a + 6, b - 60, 86, 66), np.maximum(-across - 0.5, b - 56))


def _paint_skull(sheet: Sheet, a: FloatArray, b: FloatArray) -> None:
    """Vault, occiput, clivus and sphenoid sinus."""
    vault = _cranial_cavity(a, b)
    sheet.paint(vault + 7, Tissue.CORTEX)
    sheet.paint(vault + 5.6, Tissue.MARROW, toward=Tissue.FATTY_MARROW, amount=0.4)
    sheet.paint(vault + 1.6, Tissue.CORTEX)
    base = ellipse(a - 55, b - 52, 32, 7)
    sheet.paint(base, Tissue.CORTEX, toward=Tissue.MUCOSA, amount=0.4)
    along, across = _clivus(a, b)
    clivus = rounded(bar(along, 0, 44), bar(across, -0.5, 6 + 0.22 * along), 2.5)
    sheet.paint(clivus, Tissue.CORTEX)
    sheet.paint(clivus - 1.1, Tissue.MARROW, toward=Tissue.FATTY_MARROW, amount=0.5)
    sheet.paint(ellipse(a - 42, b - 42, 13, 9), Tissue.CORTEX)
    sheet.paint(ellipse(a - 42, b - 42, 12, 8), Tissue.AIR)


def _clivus(a: FloatArray, b: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Offset along the clivus, from the basion up, and across it, forwards positive."""
    return (a - 4) * 0.45 + (b - 6) * 0.89, (a - 4) * 0.89 - (b - 6) * 0.45


def _paint_brain(sheet: Sheet, a: FloatArray, b: FloatArray) -> None:
    """Fluid, cerebrum, cerebellum, pons and fourth ventricle inside the vault, behind the clivus."""
    funnel = np.minimum(np.minimum(a + 19 + 1.2 * (b + 9), 2 - a), bar(b, -9, 12))
    opening = np.minimum(funnel, a + 34)
    inside = np.maximum(_cranial_cavity(a, b), opening)
    sheet.paint(inside, Tissue.CSF)
    folds = np.clip(0.5 + 0.7 * sheet.noise["medium"], 0, 1)
    gyri = np.clip(np.abs(sheet.noise["coarse"]) * 2.2, 0, 1)
    tent = b - np.minimum(52, 25 + 0.39 * (a + 85)) + 1.5 * sheet.noise["coarse"]
    cerebrum = np.minimum(inside - 2, tent)
    sheet.paint(cerebrum, Tissue.GREY_MATTER, toward=Tissue.WHITE_MATTER, amount=folds)
    sheet.paint(np.minimum(cerebrum, 1 - gyri * 4), Tissue.CSF)
    cerebellum = np.minimum(np.minimum(ellipse(a + 43, b - 25 + 0.2 * (a + 43), 32, 25), inside - 1.5), -tent - 1.5)
    leaves = 0.5 + 0.5 * np.sin(17 * np.arctan2(b - 27, a + 14) + 1.6 * sheet.noise["coarse"])
    sheet.paint(
        cerebellum,
        Tissue.GREY_MATTER,
        toward=Tissue.CSF,
        amount=np.clip(leaves + 0.4 * sheet.noise["medium"] - 0.4, 0, 0.6),
    )
    tree = np.clip(1.2 * leaves + 0.5 * sheet.noise["medium"] - 0.2, 0, 1)
    sheet.paint(cerebellum - 6, Tissue.WHITE_MATTER, toward=Tissue.GREY_MATTER, amount=tree)
    stem = np.maximum(
        ellipse(a - 4, b - 36, 13, 14), np.minimum(bar(b, -16, 60), 7 - np.abs(a + 9 - 0.26 * np.maximum(b, 0)))
    )
    sheet.paint(np.minimum(stem, inside), Tissue.CORD)
    sheet.paint(ellipse(a + 11, b - 31 - 0.4 * (a + 11), 4.0, 8), Tissue.CSF)
