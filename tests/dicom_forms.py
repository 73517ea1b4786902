"""Every form in which a scan may come as DICOM, written to a folder, with what reading it should give."""

from __future__ import annotations

import io
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image
from pydicom import Dataset
from pydicom.encaps import encapsulate
from pydicom.uid import (
    CTImageStorage,
    DeflatedExplicitVRLittleEndian,
    ExplicitVRBigEndian,
    ImplicitVRLittleEndian,
    JPEG2000Lossless,
    JPEGBaseline8Bit,
    JPEGExtended12Bit,
    JPEGLossless,
    JPEGLosslessSV1,
    JPEGLSLossless,
    RLELossless,
    SecondaryCaptureImageStorage,
    generate_uid,
)
from tests.conftest import rotation
from tests.dicom_files import (
    Volume,
    dicom_volume,
    enhanced,
    save,
    save_series,
    set_pixels,
    slices,
    zipped,
)

SHAPE, SIZES = (9, 48, 60), (4.0, 1.1, 1.3)


@dataclass(frozen=True)
class Form:
    """One form.

    Attributes
    ----------
    name : str
    write : callable
        Writes into a folder and returns the input to give to LookOnce.
    truth : list of Volume
        What should be read, in any array orientation; empty where the form should be refused.
    refusal : str
        A part of the reason for which it is refused.
    warning : str
        A part of a warning that comes with it.
    volume : int or None
        Which volume to ask for.
    tolerance : float
        Grey values by which a voxel may miss the truth: lossy compression.
    dcm2niix : str
        What dcm2niix does otherwise; empty where it should give the same.
    """

    name: str
    write: Callable[[Path], Path]
    truth: tuple[Volume, ...] = ()
    refusal: str = ""
    warning: str = ""
    volume: int | None = None
    tolerance: float = 0.0
    dcm2niix: str = ""


def grey(seed: int = 0, shape: tuple[int, int, int] = SHAPE, sizes: tuple[float, float, float] = SIZES) -> Volume:
    """An oblique sagittal stack of noise on ramps, (columns, rows, slices), 12 bits."""
    affine = np.diag([*sizes, 1.0])
    affine[:3, :3] = rotation(np.array([0.3, 0.2, 1]), 11) @ affine[:3, :3]
    affine[:3, 3] = (-31.5 + 7 * seed, 12.25, 104.0)
    noise = np.random.default_rng(seed).integers(0, 2500, shape)
    ramp = np.add.outer(np.add.outer(np.arange(shape[0]) * 20, np.arange(shape[1])), np.arange(shape[2]) * 10)
    return dicom_volume((noise + ramp).astype(np.uint16), affine)


def axial(seed: int = 5) -> Volume:
    """A thick axial stack."""
    volume = grey(seed, (48, 48, 14), (1.2, 1.2, 5.0))
    return dicom_volume(volume.data, volume.affine, "LPS")


def forms() -> list[Form]:
    """All of them."""
    return [*_orders(), *_geometries(), *_encodings(), *_containers(), *_contents(), *_refused()]


SAGITTAL = grey()
SHUFFLED = np.random.default_rng(3).permutation(SHAPE[0])


def _orders() -> list[Form]:
    def twice(folder: Path, **values: object) -> Path:
        series = slices(SAGITTAL)
        copies = slices(SAGITTAL)[2:5]
        for copy in copies:
            for keyword, value in values.items():
                setattr(copy, keyword, value() if callable(value) else value)
        return save_series([*series, *copies], folder / "dicom")

    return [
        Form("slices in order", lambda folder: save_series(slices(SAGITTAL), folder / "dicom"), (SAGITTAL,)),
        Form(
            "slices shuffled",
            lambda folder: save_series(slices(SAGITTAL), folder / "dicom", order=SHUFFLED),
            (SAGITTAL,),
        ),
        Form("files there twice", twice, (SAGITTAL,)),
        Form(
            "slices sent twice under new UIDs",
            lambda folder: twice(folder, SOPInstanceUID=generate_uid),
            (SAGITTAL,),
            warning="3 slices were there twice",
            dcm2niix="writes the copies as more slices",
        ),
    ]


def _geometries() -> list[Form]:
    directions = {name: dicom_volume(SAGITTAL.data, SAGITTAL.affine, name) for name in ("PIR", "AIL")}
    fine = grey(1, (26, 30, 40), (1.2, 1.3, 1.5))
    blocks = {
        plane: dicom_volume(fine.data, fine.affine, axes) for plane, axes in (("coronal", "LIP"), ("axial", "LPS"))
    }
    shear = np.array(SAGITTAL.affine)
    shear[:3, 2] += shear[:3, 0] / SIZES[1] * 0.7 + shear[:3, 1] / SIZES[2] * 0.5
    tilted = Volume(SAGITTAL.data, shear)
    ramp = Volume(np.broadcast_to(np.arange(9, dtype=np.uint16) * 400, (48, 60, 9)).copy() + 7, SAGITTAL.affine)
    places = np.arange(9) + np.array([0, 0.2, -0.1, 0.15, 0, -0.2, 0.1, 0.2, 0])
    uneven = Volume((np.broadcast_to(places * 400, (48, 60, 9)) + 7).astype(np.uint16), SAGITTAL.affine)
    return [
        *(
            Form(
                f"columns, rows, slices to {name}",
                lambda folder, v=volume: save_series(slices(v), folder / "dicom"),
                (volume,),
            )
            for name, volume in directions.items()
        ),
        *(
            Form(f"3D, {plane}", lambda folder, v=volume: save_series(slices(v), folder / "dicom"), (fine,))
            for plane, volume in blocks.items()
        ),
        Form(
            "tilted gantry (sheared)",
            lambda folder: save_series(slices(tilted), folder / "dicom"),
            (tilted,),
            dcm2niix="ignores the shear",
        ),
        Form(
            "one slice missing",
            lambda folder: save_series([one for one in slices(ramp) if one.InstanceNumber != 4], folder / "dicom"),
            (ramp,),
            warning="1 missing slice was interpolated",
            dcm2niix="closes the gap: slices move",
        ),
        Form(
            "slices uneven",
            lambda folder: save_series(slices(uneven, places), folder / "dicom"),
            (ramp,),
            warning="unevenly spaced",
            tolerance=0.6,  # whole numbers were stored
            dcm2niix="takes the first distance for all",
        ),
        Form(
            "two neighbouring slices missing",
            lambda folder: save_series(
                [one for one in slices(ramp) if one.InstanceNumber not in (4, 5)], folder / "dicom"
            ),
            refusal="slices are missing: two neighbours are 12.0 mm apart",
        ),
    ]


def _encodings() -> list[Form]:
    signed = Volume(SAGITTAL.data.astype(np.int16) - 900, SAGITTAL.affine)
    small = Volume((SAGITTAL.data // 16).astype(np.uint8), SAGITTAL.affine)
    smooth = _smooth()
    scaled = Volume(SAGITTAL.data * 1.5 - 100, SAGITTAL.affine)
    dark = Volume(4095 - SAGITTAL.data, SAGITTAL.affine)

    def written(volume: Volume, syntax: str = "1.2.840.10008.1.2.1", **values: object) -> Callable[[Path], Path]:
        return lambda folder: save_series(slices(volume, **values), folder / "dicom", syntax=syntax)

    def transcoded(syntax: str) -> Callable[[Path], Path]:
        return lambda folder: _gdcm(save_series(slices(SAGITTAL), folder / "dicom"), syntax)

    def lossy(folder: Path) -> Path:
        series = slices(smooth)
        for one, picture in zip(series, smooth.data.transpose(2, 1, 0), strict=True):
            file = io.BytesIO()
            Image.fromarray(picture).save(file, "JPEG", quality=95)
            one.PixelData = encapsulate([file.getvalue()])
            one["PixelData"].VR = "OB"
            one["PixelData"].is_undefined_length = True
            save(one, folder / "dicom" / f"{one.InstanceNumber}", JPEGBaseline8Bit, packed=True)
        return folder / "dicom"

    def bare(folder: Path) -> Path:
        for file in save_series(slices(SAGITTAL), folder / "dicom", syntax=ImplicitVRLittleEndian).iterdir():
            content = file.read_bytes()
            file.write_bytes(content[144 + int.from_bytes(content[140:144], "little") :])
        return folder / "dicom"

    return [
        Form("signed 16 bits", written(signed), (signed,)),
        Form("8 bits", written(small), (small,)),
        Form("scaled values", written(SAGITTAL, RescaleSlope=1.5, RescaleIntercept=-100), (scaled,)),
        Form(
            "bright stored low (MONOCHROME1)",
            written(dark, PhotometricInterpretation="MONOCHROME1"),
            (SAGITTAL,),
            dcm2niix="leaves it dark",
        ),
        Form("implicit VR", written(SAGITTAL, ImplicitVRLittleEndian), (SAGITTAL,)),
        Form("big endian", written(SAGITTAL, ExplicitVRBigEndian), (SAGITTAL,)),
        Form("JPEG extended, 12 bits", transcoded(JPEGExtended12Bit), refusal="for which there is no free decoder"),
        Form("deflated", written(SAGITTAL, DeflatedExplicitVRLittleEndian), (SAGITTAL,), dcm2niix="cannot read it"),
        Form("no preamble, no meta header", bare, (SAGITTAL,)),
        Form("RLE", written(SAGITTAL, RLELossless), (SAGITTAL,)),
        Form("JPEG lossless, first order", transcoded(JPEGLosslessSV1), (SAGITTAL,)),
        Form("JPEG lossless", transcoded(JPEGLossless), (SAGITTAL,)),
        Form("JPEG-LS", written(SAGITTAL, JPEGLSLossless), (SAGITTAL,), dcm2niix="cannot read it"),
        Form("JPEG 2000", written(SAGITTAL, JPEG2000Lossless), (SAGITTAL,)),
        Form("JPEG baseline, 8 bits, lossy", lossy, (smooth,), tolerance=4),
    ]


def _smooth() -> Volume:
    """Without noise, as lossy compression likes it."""
    column, row, index = np.meshgrid(*map(np.arange, SAGITTAL.data.shape), indexing="ij")
    return Volume((120 + 60 * np.sin(column / 9) + 50 * np.cos(row / 11 + index)).astype(np.uint8), SAGITTAL.affine)


def _containers() -> list[Form]:
    def index(folder: Path) -> Path:
        from pydicom.fileset import FileSet

        files = FileSet()
        for file in sorted(save_series(slices(SAGITTAL), folder / "loose").iterdir()):
            files.add(file)
        files.write(folder / "dicom")
        return folder / "dicom" / "DICOMDIR"

    def nested(folder: Path) -> Path:
        for number, one in enumerate(slices(SAGITTAL)):
            save(one, folder / "dicom" / f"disk {number % 2}" / f"{number}.IMA")
        (folder / "dicom" / "read me.txt").write_text("seen and passed over\n" * 20)
        return folder / "dicom"

    return [
        Form("folders in folders, other files", nested, (SAGITTAL,)),
        Form(
            "zip",
            lambda folder: zipped(save_series(slices(SAGITTAL), folder / "dicom", order=SHUFFLED), folder / "scan.zip"),
            (SAGITTAL,),
        ),
        Form("DICOMDIR", index, (SAGITTAL,)),
        Form("enhanced multi-frame", lambda folder: save(enhanced(SAGITTAL), folder / "dicom" / "one"), (SAGITTAL,)),
        Form(
            "enhanced, frames shuffled",
            lambda folder: save(enhanced(SAGITTAL, list(map(int, SHUFFLED))), folder / "dicom" / "one"),
            (SAGITTAL,),
        ),
        Form(
            "enhanced, JPEG 2000",
            lambda folder: save(enhanced(SAGITTAL), folder / "dicom" / "one", JPEG2000Lossless),
            (SAGITTAL,),
            dcm2niix="cannot read it",
        ),
        Form(
            "enhanced, RLE",
            lambda folder: save(enhanced(SAGITTAL), folder / "dicom" / "one", RLELossless),
            (SAGITTAL,),
            dcm2niix="cannot read it",
        ),
    ]


def _contents() -> list[Form]:
    other, later = grey(1), Volume(SAGITTAL.data[::-1].copy(), SAGITTAL.affine)
    lower = np.array(SAGITTAL.affine)
    lower[:3, 3] += 55 * lower[:3, 1] + 1.0 * lower[:3, 0]
    station = Volume(SAGITTAL.data[:, ::-1].copy(), lower)

    def study(folder: Path) -> Path:
        save_series(slices(SAGITTAL), folder / "dicom" / "a")
        save_series(slices(other, seed="t1", number=6, EchoTime=9, RepetitionTime=600), folder / "dicom" / "b")
        save_series(slices(axial(), seed="axial", number=7), folder / "dicom" / "c")
        scout = {"ImageType": ["ORIGINAL", "PRIMARY", "LOCALIZER"], "seed": "scout", "number": 1}
        save_series(slices(other, **scout), folder / "dicom" / "d")
        return folder / "dicom"

    def echoes(folder: Path) -> Path:
        first = slices(SAGITTAL, EchoTime=20, EchoNumbers=1)
        second = slices(later, EchoTime=100, EchoNumbers=2)
        for one in second:
            one.SOPInstanceUID = generate_uid()
        return save_series([*first, *second], folder / "dicom", order=np.random.default_rng(0).permutation(18))

    def stations(folder: Path) -> Path:
        below = slices(station)
        for one in below:
            one.SOPInstanceUID = generate_uid()
        return save_series([*slices(SAGITTAL), *below], folder / "dicom")

    return [
        Form("T2w and T1w with axial and scout", study, (SAGITTAL, other)),
        Form("two echoes, the second", echoes, (later,), volume=1),
        Form("two stations in one series", stations, (SAGITTAL, station), dcm2niix="writes nothing"),
        Form("two echoes, none chosen", echoes, refusal="2 volumes; labelling needs one anatomical volume"),
    ]


def _refused() -> list[Form]:
    def typed(*kind: str, **values: object) -> Callable[[Path], Path]:
        return lambda folder: save_series(slices(SAGITTAL, ImageType=list(kind), **values), folder / "dicom")

    def coloured(folder: Path) -> Path:
        colours = {"SamplesPerPixel": 3, "PhotometricInterpretation": "RGB", "PlanarConfiguration": 0}
        small = Volume(np.zeros((48, 60, 2), np.uint8), SAGITTAL.affine)
        series = slices(small, SOPClassUID=SecondaryCaptureImageStorage, **colours)
        for one in series:
            set_pixels(one, np.zeros((60, 48, 3), np.uint8))
        return save_series(series, folder / "dicom")

    def placeless(folder: Path) -> Path:
        series: list[Dataset] = slices(SAGITTAL)
        for one in series:
            del one.ImagePositionPatient
        return save_series(series, folder / "dicom")

    return [
        Form("mosaic", typed("ORIGINAL", "PRIMARY", "M", "MOSAIC"), refusal="a mosaic (all slices tiled"),
        Form("localizer", typed("ORIGINAL", "PRIMARY", "LOCALIZER"), refusal="a localizer; to number other scans"),
        Form(
            "localizer by its protocol",
            typed("ORIGINAL", "PRIMARY", "M", ProtocolName="Survey_3Plane"),
            refusal="a localizer",
        ),
        Form(
            "axial stack",
            lambda folder: save_series(slices(axial()), folder / "dicom"),
            refusal="axial; labelling needs",
        ),
        Form("diffusion", typed("ORIGINAL", "PRIMARY", "DIFFUSION"), refusal="a diffusion scan"),
        Form("phase image", typed("ORIGINAL", "PRIMARY", "P"), refusal="not a magnitude image"),
        Form(
            "CT",
            lambda folder: save_series(slices(SAGITTAL, Modality="CT", SOPClassUID=CTImageStorage), folder / "dicom"),
            refusal="CT, not MR",
        ),
        Form("colour capture", coloured, refusal="in colour"),
        Form("no positions", placeless, refusal="do not say where the pictures lie"),
    ]


def _gdcm(folder: Path, syntax: str) -> Path:
    """Compress the files of a folder in place, for syntaxes that pydicom decodes and does not write."""
    import gdcm

    kinds = {
        JPEGExtended12Bit: gdcm.TransferSyntax.JPEGExtendedProcess2_4,
        JPEGLossless: gdcm.TransferSyntax.JPEGLosslessProcess14,
        JPEGLosslessSV1: gdcm.TransferSyntax.JPEGLosslessProcess14_1,
    }
    for file in folder.iterdir():
        reader, change, writer = gdcm.ImageReader(), gdcm.ImageChangeTransferSyntax(), gdcm.ImageWriter()
        reader.SetFileName(str(file))
        assert reader.Read()
        change.SetTransferSyntax(gdcm.TransferSyntax(kinds[syntax]))
        change.SetInput(reader.GetImage())
        assert change.Change()
        writer.SetFileName(str(file))
        writer.SetFile(reader.GetFile())
        writer.SetImage(change.GetOutput())
        assert writer.Write()
    return folder
