"""What kind of picture a DICOM series holds, told from its headers without any free text that could name a patient."""

from __future__ import annotations

import re

import numpy as np

from lookonce.io.dicom.frames import Frame
from lookonce.io.dicom.headers import number_of, text_of

PLANES = ("sagittal", "coronal", "axial")
#: Image types that are no anatomical grey picture, and what they are.
_NOT_ANATOMY = {
    "MOSAIC": "a mosaic (all slices tiled into one picture); export it as single slices or as an enhanced object",
    "LOCALIZER": "a localizer; to number other scans by it, name it with --localizer",
    "DIFFUSION": "a diffusion scan",
    "ADC": "a diffusion map",
    "FA": "a diffusion map",
    "TRACEW": "a diffusion scan",
    "PERFUSION": "a perfusion scan",
    "VELOCITY": "a flow map",
    "PROJECTION IMAGE": "a projection",
    "MIP": "a projection",
    "MINIP": "a projection",
    "MNIP": "a projection",
    **dict.fromkeys(("P", "PHASE", "PHASE MAP", "R", "REAL", "I", "IMAGINARY"), "not a magnitude image"),
    **dict.fromkeys(("T1 MAP", "T2 MAP", "T2_STAR MAP", "T2 STAR MAP", "R2 MAP", "FAT FRACTION"), "a computed map"),
}
#: Scouts whose image type does not say so; read, never printed.
_SCOUT = re.compile(
    r"(?:^|[\s_\-.])(?:loc|locali[sz]er|scout|survey|topogram|3[ -]?plane?s?)(?:$|[\s_\-.\d])", re.IGNORECASE
)
#: Times in ms that tell contrasts apart, as textbooks draw the lines.
_LONG_ECHO, _SHORT_ECHO, _SHORT_REPETITION = 60.0, 35.0, 1500.0
_STIR_INVERSION, _T1_INVERSION = (80.0, 300.0), 400.0


def why_no_anatomy(frame: Frame) -> str | None:
    """Why a picture is none that can be labelled, or None."""
    header = frame.header
    modality = text_of(header, "Modality") or "of no stated modality"
    if modality != "MR":
        return f"{modality}, not MR"
    if (number_of(header, "SamplesPerPixel") or 1) > 1 or text_of(header, "PhotometricInterpretation") in (
        "RGB",
        "PALETTE COLOR",
    ):
        return "in colour: a picture drawn from a scan"
    for word in frame.kind:
        if word in _NOT_ANATOMY:
            return _NOT_ANATOMY[word]
    if any(_SCOUT.search(text_of(header, keyword)) for keyword in ("SeriesDescription", "ProtocolName")):
        return _NOT_ANATOMY["LOCALIZER"]
    return None


def is_localizer(frame: Frame) -> bool:
    """Whether nothing speaks against a picture but that it is a localizer."""
    return why_no_anatomy(frame) == _NOT_ANATOMY["LOCALIZER"]


def plane_of(frame: Frame) -> str:
    """The plane, one of `PLANES`, that a picture is nearest to."""
    return PLANES[int(np.argmax(np.abs(frame.normal)))]


def contrast_of(frame: Frame) -> str:
    """Contrast as a BIDS suffix (T1w, T2w, PDw, T2starw), STIR, or MR where the timing does not tell."""
    repetition, echo, inversion = frame.timing
    if echo is None:
        return "MR"
    if inversion and _STIR_INVERSION[0] <= inversion <= _STIR_INVERSION[1]:
        return "STIR"
    if "GR" in frame.sequence and "SE" not in frame.sequence:
        return "T1w" if echo < 8 else "T2starw"
    if echo >= _LONG_ECHO:
        return "T2w"
    if echo > _SHORT_ECHO or repetition is None:
        return "MR"
    if repetition <= _SHORT_REPETITION or (inversion and inversion >= _T1_INVERSION):
        return "T1w"
    return "PDw"
