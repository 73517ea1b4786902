"""NIfTI images in every form people have, and label volumes that lie on them."""

from __future__ import annotations

import gzip
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import nibabel as nib
import numpy as np
from nibabel.spatialimages import HeaderDataError
from numpy.typing import NDArray

from lookonce.errors import InputError
from lookonce.geometry import FloatArray
from lookonce.io.files import read_start, write_files
from lookonce.io.headers import image_affine, image_shape, parse_header, voxel_type

if TYPE_CHECKING:
    from lookonce.io.dicom.study import DicomSource

#: A NIfTI-2 header; the image itself is read only once the header makes sense.
_HEADER_BYTES = 540
#: Above this magnitude a grey value is damage, and sums of single-precision values overflow.
_LARGEST_GREY = 1e30
#: Keeps a damaged header's offset within what a read may ask for; no file is that long.
_LARGEST_OFFSET = 1 << 40
_SUFFIXES = (".nii", ".img", ".hdr", ".dcm", ".zip")


@dataclass(frozen=True)
class SpineImage:
    """One grey volume and its place in space.

    Attributes
    ----------
    data : (X, Y, Z) array
        Grey values in the type they were stored in, or float32 where the header scales them; may be read-only.
    affine : (4, 4) float64 array
        Voxel to RAS+ world, mm.
    path : Path or None
        The file it was read from.
    warnings : list of str
        What is doubtful about the file.
    header : nibabel header or None
        The input's own, so that labels can be written with the same one.
    dicom : DicomSource or None
        The DICOM series that it was read from.
    """

    data: NDArray
    affine: FloatArray
    path: Path | None = None
    warnings: list[str] = field(default_factory=list)
    header: nib.Nifti1Header | None = None
    dicom: DicomSource | None = None


def read_image(path: str | Path, *, volume: int | None = None) -> SpineImage:
    """Read a scan from a NIfTI file, packed or not, and check that it holds an image.

    Parameters
    ----------
    path : path
        ``.nii``, ``.nii.gz``, or either file of an ``.img`` and ``.hdr`` pair.
    volume : int, optional
        Which volume of a 4D file, counted from 0. Needed when it holds more than one.

    Returns
    -------
    SpineImage
        Its `warnings` tell what was mended or chosen on the way.

    Raises
    ------
    InputError
        If the file cannot be read, is no grey image, or holds one value only.
    GeometryError
        If its header does not place it in space.
    """
    image = read_volume(path, volume=volume)
    data, warnings = mend_voxels(image.path or Path(path), image.data)
    return SpineImage(data, image.affine, image.path, image.warnings + warnings, image.header)


def read_volume(path: str | Path, *, volume: int | None = None) -> SpineImage:
    """Read as `read_image` does, without looking at the voxels: for label files, which may well be empty."""
    path = Path(path)
    header_path, data_path = _pair(path)
    header = parse_header(path, read_start(header_path, _HEADER_BYTES))
    shape, volumes = image_shape(path, header)
    stored = voxel_type(path, header)
    affine, warnings = image_affine(path, header, shape)
    try:
        skipped = chosen_volume(volumes, volume) * int(np.prod(shape))
    except InputError as error:
        raise InputError(f"{path}: {error}") from None
    offset = _data_offset(header, is_single=header_path == data_path) + skipped * stored.itemsize
    end = offset + int(np.prod(shape)) * stored.itemsize
    # One byte more than needed, so that a packed file is read to its checksum.
    content = read_start(data_path, end + 1)
    if len(content) < end:
        raise InputError(f"{path}: the file ends after {_progress(len(content), end)}; copy it again")
    data = np.frombuffer(content, stored, count=int(np.prod(shape)), offset=offset).reshape(shape, order="F")
    return SpineImage(_scaled(path, data, header), affine, path, warnings, header)


def write_labels(path: str | Path, volume: NDArray[np.uint8], image: SpineImage) -> None:
    """Write a label volume, (X, Y, Z), that overlays `image` in every viewer; whole or not at all.

    Raises
    ------
    OutputError
        If it cannot be written; nothing is left behind.
    """
    path = Path(path)
    write_files({path: encode_labels(volume, image, packed=path.name.endswith(".gz"))})


def encode_labels(volume: NDArray[np.uint8], image: SpineImage, *, packed: bool = True) -> bytes:
    """Content of a label file: unsigned 8-bit NIfTI with the space, form codes and units of `image`.

    Raises
    ------
    ValueError
        If the volume has another shape than the image.
    """
    if volume.shape != image.data.shape:
        raise ValueError(f"labels of shape {volume.shape} do not lie on an image of shape {image.data.shape}")
    voxels = np.asarray(volume, dtype=np.uint8)
    if image.header is None:
        labels = nib.Nifti1Image(voxels, image.affine)
        labels.header.set_sform(image.affine, code="scanner")
        labels.header.set_qform(image.affine, code="scanner")
        if not np.allclose(labels.header.get_qform(), image.affine, atol=1e-3):
            labels.header["qform_code"] = 0  # a qform cannot be sheared, as slices of a tilted gantry are
        labels.header.set_xyzt_units("mm")
    else:
        header = image.header.copy()
        header.set_data_dtype(np.uint8)
        header.set_data_shape(voxels.shape)
        header.set_slope_inter(1, 0)
        header["vox_offset"] = header["cal_min"] = header["cal_max"] = 0
        header["descrip"] = b"disc labels by LookOnce"
        kind: Any = nib.Nifti2Image if isinstance(header, nib.Nifti2Header) else nib.Nifti1Image
        # No affine: the codes, the sform and the qform stay the input's own, even where they disagree.
        labels = kind(voxels, None, header)
    content: bytes = labels.to_bytes()
    return gzip.compress(content, compresslevel=6, mtime=0) if packed else content


def label_stem(path: str | Path) -> str:
    """Name of an image without folder and ending, such as ``sub-01_T2w`` for ``anat/sub-01_T2w.nii.gz``.

    Examples
    --------
    >>> label_stem("anat/sub-01_T2w.nii.gz"), label_stem("series.2/"), label_stem("scan.v2.nii")
    ('sub-01_T2w', 'series.2', 'scan.v2')
    """
    name = Path(path).name
    if name.lower().endswith(".gz"):
        name = name[:-3]
    for suffix in _SUFFIXES:
        if name.lower().endswith(suffix) and len(name) > len(suffix):
            return name[: -len(suffix)]
    return name


def chosen_volume(volumes: int, volume: int | None) -> int:
    """Which of a scan's volumes to read, counted from 0.

    Raises
    ------
    InputError
        If there are several and none was chosen, or the chosen one is not there. The message is the reason alone.
    """
    if volume is None and volumes > 1:
        raise InputError(
            f"{volumes} volumes; labelling needs one anatomical volume: pick one with --volume N (0 to {volumes - 1})"
        )
    if volume is not None and not 0 <= volume < volumes:
        raise InputError(f"has no volume {volume}; --volume N counts from 0 to {volumes - 1} here")
    return volume or 0


def mend_voxels(name: object, data: NDArray) -> tuple[NDArray, list[str]]:
    """Zeros for voxels that are no number, with a warning; InputError for an image (`name`) that shows nothing."""
    warnings = []
    if data.dtype.kind == "f":
        usable = np.abs(data) < _LARGEST_GREY
        bad = data.size - np.count_nonzero(usable)
        if bad >= 0.5 * data.size:
            share = f"{bad / data.size:.0%}"
            raise InputError(f"{name}: {share} of its voxels are no numbers (NaN or infinite); convert it again")
        if bad:
            data = np.where(usable, data, data.dtype.type(0))
            warnings.append(f"voxels that are no numbers (NaN or infinite) count as 0: {bad} of {data.size}")
    low, high = data.min(), data.max()
    if low == high:
        what = "holds only zeros" if low == 0 else f"holds one value everywhere ({low:g})"
        raise InputError(f"{name}: {what}, so there is nothing to see; export the scan again")
    return data, warnings


def _pair(path: Path) -> tuple[Path, Path]:
    """Where the header and the voxels are: twice the same file but for .hdr and .img."""
    for own, other in ((".hdr", ".img"), (".img", ".hdr")):
        for packing in ("", ".gz"):
            if path.name.lower().endswith(own + packing):
                partner = path.with_name(path.name[: -len(own + packing)] + other + packing)
                return (path, partner) if own == ".hdr" else (partner, path)
    return path, path


def _data_offset(header: nib.Nifti1Header, *, is_single: bool) -> int:
    given = float(header["vox_offset"])
    least = header.single_vox_offset if is_single else 0
    # Some writers leave 0 (or nonsense) in files whose voxels follow the header directly.
    return int(min(given, _LARGEST_OFFSET)) if np.isfinite(given) and given >= least else least


def _scaled(path: Path, data: NDArray, header: nib.Nifti1Header) -> NDArray:
    """Apply the header's slope and intercept, in single precision; unscaled values keep their type."""
    data = data.astype(data.dtype.newbyteorder("="), copy=False)
    try:
        slope, intercept = header.get_slope_inter()
    except HeaderDataError:
        raise InputError(f"{path}: its header scales voxels by a number that is none; convert it again") from None
    if slope is None or (slope == 1 and not intercept):
        return data
    return data.astype(np.float32) * np.float32(slope) + np.float32(intercept)


def _progress(have: int, needed: int) -> str:
    if needed < 100_000:
        return f"{have} of {needed} bytes"
    return f"{have / 1e6:.1f} of {needed / 1e6:.1f} MB"
