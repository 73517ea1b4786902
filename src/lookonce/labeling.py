"""The labelling pipeline: an image in, named discs and how sure the numbering is out. Never imports torch."""

from __future__ import annotations

import time
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lookonce.anatomy import Level
from lookonce.decode.heatmaps import Candidates, find_candidates
from lookonce.decode.midline import REACH_MM, onto_midline
from lookonce.decoders import Decoder, DecoderName, find_decoder
from lookonce.errors import NothingFoundError
from lookonce.geometry import (
    FloatArray,
    SlabStack,
    reorient,
    sagittal_slabs,
    scale_intensity,
    voxel_sizes,
    world_to_voxel,
)
from lookonce.io.nifti import SpineImage
from lookonce.io.scans import read_scan
from lookonce.landmarks import Disc, DiscLabels
from lookonce.numbering import check_hints, number_discs, runner_up
from lookonce.runtime.session import DiscMaps, DiscSession
from lookonce.runtime.weights import DEFAULT_MODEL, find_model

#: Volumes wider than this many slabs are looked at coarsely first, then finely around the spine.
MOST_SLABS = 18
COARSE_STEP_MM = 12.0
MARGIN_MM = 14.0
#: Slabs in which the spine's plane of symmetry is sought.
FINE_STEP_MM = 2.0
#: Fewer discs seen this clearly are no spine. Measured: every spine shows two above 0.8; noise, balls and gratings, in
#: which the network also sees rows of something, stay below 0.7.
FEWEST_CLEAR = 2
CLEAR_FROM = 0.7


@dataclass(frozen=True)
class SagittalView:
    """One sagittal picture through the labelled discs, for people to look at.

    Attributes
    ----------
    image : (H, W) float32 array
        Grey values 0..1; rows run towards the feet, columns towards the back. Where the spine bends sideways, each row
        comes from the slab that holds it.
    points : (N, 2) array
        Row and column of each disc, in the order of the labels.
    spacing : float
        Pixel size, mm.
    attention : (H, W) float32 array, optional
        Where the network looked, 0..1.
    """

    image: NDArray[np.float32]
    points: FloatArray
    spacing: float
    attention: NDArray[np.float32] | None = None


@dataclass(frozen=True)
class LabelResult:
    """What labelling one image gives.

    Attributes
    ----------
    labels : DiscLabels
        Points in RAS+ world mm of the input's affine, with confidences.
    level_shift : dict of int to float
        Probability that the true level of every disc is the written one plus the key; sums to 1.
    uncertain : bool
        True when the numbering is not sure enough to be used unchecked.
    counted_from : str
        What the numbering rests on, such as "the sacrum, given 12 thoracic and 5 lumbar vertebrae".
    variant : str or None
        Numeric variant of the spine (such as a sixth lumbar vertebra), where one was seen.
    warnings : list of str
    seconds : float
        Time from reading the image to having the labels.
    model : dict
        Name, version and sha256 of the weights.
    view : SagittalView or None
        Picture for reports.
    """

    labels: DiscLabels
    level_shift: dict[int, float]
    uncertain: bool
    counted_from: str = ""
    variant: str | None = None
    warnings: list[str] = field(default_factory=list)
    seconds: float = 0.0
    model: dict[str, Any] = field(default_factory=dict)
    view: SagittalView | None = None

    @property
    def runner_up(self) -> tuple[int, float] | None:
        """The most probable shift other than 0 and its probability, or None when there is no other."""
        return runner_up(self.level_shift)


def label(
    source: str | Path | SpineImage,
    *,
    model: str | Path | DiscSession = DEFAULT_MODEL,
    first_level: int | None = None,
    localizer: LabelResult | None = None,
    volume: int | None = None,
    decoder: DecoderName | Decoder | None = None,
) -> LabelResult:
    """Find and name the intervertebral discs of a spine MRI.

    Parameters
    ----------
    source : path or SpineImage
        A NIfTI file, a DICOM input with one series that can be labelled, or an image already read.
    model : str, Path or DiscSession
        Name of a shipped model, path of an `.onnx` file, or a loaded session (to label many scans).
    first_level : int, optional
        SCT value of the topmost disc in view, when it is known; settles the numbering.
    localizer : LabelResult, optional
        What labelling another scan of the same session gave, such as a wide scout: discs at the same world coordinates
        get its levels, and its doubts. The patient must have lain still between the two.
    volume : int, optional
        Which volume of a 4D file or series, from 0.
    decoder : str or Decoder, optional
        `chain` (default), `skeleton` or `lookonce`, or what `decoders.find_decoder` gave (to label many scans).

    Returns
    -------
    LabelResult

    Raises
    ------
    InputError
        If the image cannot be read or cannot be labelled (see `GeometryError`).
    NothingFoundError
        If no spine is seen in it.
    WeightsError, UsageError
        If the model is missing or damaged, or an argument makes no sense.
    """
    check_hints(first_level, localizer)
    started = time.perf_counter()
    image = source if isinstance(source, SpineImage) else read_scan(source, volume=volume)
    session = DiscSession(find_model(str(model))) if isinstance(model, str | Path) else model
    card = session.card
    if isinstance(decoder, str):
        decoder = find_decoder(decoder)
    slabs, maps, candidates = look(image, session)
    numbering = number_discs(
        candidates,
        slabs,
        first_level=first_level,
        localizer=localizer,
        decoder=decoder,
        calibration=card.certainty,
    )
    if np.count_nonzero(candidates.probability[numbering.picked] >= CLEAR_FROM) < FEWEST_CLEAR:
        raise NothingFoundError("no spine was found in the image; is it a sagittal or 3D spine scan?")
    points = _on_midline(candidates.world_mm[numbering.picked], image, card.spacing_mm)
    discs = [
        Disc(Level(int(value)), (float(x), float(y), float(z)), float(sure))
        for value, (x, y, z), sure in zip(numbering.levels, points, numbering.confidence, strict=True)
    ]
    return LabelResult(
        labels=DiscLabels(discs),
        level_shift=numbering.level_shift,
        uncertain=bool(numbering.doubts),
        counted_from=numbering.counted_from,
        variant=numbering.variant,
        warnings=[*image.warnings, *numbering.hints, *numbering.doubts],
        seconds=time.perf_counter() - started,
        model=session.identity,
        view=_view(slabs, maps, world_to_voxel(points, affine=slabs.affine), card.stride),
    )


def look(image: SpineImage, session: DiscSession) -> tuple[SlabStack, DiscMaps, Candidates]:
    """Cut an image into slabs and run the network on them: slabs in 0..1, maps and candidates, head to feet."""
    card = session.card
    affine = np.asarray(image.affine, dtype=np.float64)
    width = _lateral_extent(image.data, affine)
    if width <= MOST_SLABS * card.lateral_step_mm:
        return _look_at(image.data, affine, session, card.lateral_step_mm, None)
    coarse, _, seen = _look_at(image.data, affine, session, COARSE_STEP_MM, None)
    if len(seen) == 0:
        return _look_at(image.data, affine, session, card.lateral_step_mm * 2, None)
    strong = seen.probability >= 0.5 * seen.probability.max()
    places = (seen.slab[strong, 0] + 0.5) * coarse.lateral_step
    middle = float(np.median(places))
    half = min(np.abs(places - middle).max() + MARGIN_MM, MOST_SLABS * card.lateral_step_mm / 2)
    return _look_at(image.data, affine, session, card.lateral_step_mm, (middle - half, middle + half))


def _look_at(
    data: NDArray, affine: FloatArray, session: DiscSession, step: float, lateral_range: tuple[float, float] | None
) -> tuple[SlabStack, DiscMaps, Candidates]:
    card = session.card
    slabs = sagittal_slabs(data, affine, spacing=card.spacing_mm, lateral_step=step, lateral_range=lateral_range)
    slabs = replace(slabs, data=scale_intensity(slabs.data))
    maps = session(slabs.data)
    candidates = find_candidates(
        maps.heat, maps.names, affine=slabs.affine, stride=card.stride, lateral_sigma_mm=card.lateral_sigma_mm
    )
    return slabs, maps, candidates


def _lateral_extent(data: NDArray, affine: FloatArray) -> float:
    turned, turned_affine = reorient(data, affine)
    return float(turned.shape[0] * voxel_sizes(turned_affine)[0])


def _on_midline(points: FloatArray, image: SpineImage, spacing: float) -> FloatArray:
    """Points moved right-left onto the plane in which the spine mirrors itself, as seen in fine slabs around them."""
    turned, affine = reorient(image.data, np.asarray(image.affine, dtype=np.float64))
    size = float(voxel_sizes(affine)[0])
    edges = (world_to_voxel(points, affine=affine)[:, 0] + 0.5) * size
    reach = (float(edges.min()) - REACH_MM, float(edges.max()) + REACH_MM)
    fine = sagittal_slabs(turned, affine, spacing=spacing, lateral_step=FINE_STEP_MM, lateral_range=reach)
    return onto_midline(points, replace(fine, data=scale_intensity(fine.data)))


def _view(slabs: SlabStack, maps: DiscMaps, places: FloatArray, stride: int) -> SagittalView:
    """A sagittal picture whose rows follow the spine sideways, with the attention on the same rows."""
    count, height, width = slabs.data.shape
    order = np.argsort(places[:, 1])
    rows = np.arange(height)
    across = np.interp(rows, places[order, 1], places[order, 0])
    slab = np.clip(np.rint(across), 0, count - 1).astype(int)
    # The cell c of the output grid is centred at pixel stride * c.
    cells = [
        np.minimum(np.rint(np.arange(length) / stride), cell_count - 1).astype(int)
        for length, cell_count in zip((height, width), maps.attention.shape[1:], strict=True)
    ]
    return SagittalView(
        image=slabs.data[slab, rows],
        points=places[:, 1:],
        spacing=float(voxel_sizes(slabs.affine)[1]),
        attention=maps.attention[slab[:, None], cells[0][:, None], cells[1]],
    )
