"""What a NIfTI header says about an image: its kind, its shape, and its place in space."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
from nibabel.spatialimages import HeaderDataError

from lookonce.errors import GeometryError, InputError
from lookonce.geometry import FloatArray, check_affine, voxel_to_world

#: Larger claims come from damaged headers; the largest whole-spine scans have a tenth of it.
MOST_VOXELS = 2_000_000_000
#: Beyond these the sform and the qform of a header are said to disagree.
FORM_TOLERANCE_MM = 1.0
FORM_TOLERANCE_DEGREES = 1.0


def parse_header(path: Path, start: bytes) -> nib.Nifti1Header:
    """Header from the first bytes of a file; NIfTI-1 and NIfTI-2 of either byte order.

    Raises
    ------
    InputError
        If the bytes are no NIfTI header.
    """
    kinds: tuple[tuple[Any, bytes], ...] = ((nib.Nifti1Header, start[344:348]), (nib.Nifti2Header, start[4:8]))
    for kind, magic in kinds:
        if magic[:2] in (b"n+", b"ni") and len(start) >= kind.sizeof_hdr:
            return kind(start[: kind.sizeof_hdr], check=False)
    if start[128:132] == b"DICM":
        raise InputError(f"{path}: is a DICOM file, not NIfTI; give `lookonce label` its folder, unpacked")
    if len(start) < nib.Nifti1Header.sizeof_hdr:
        raise InputError(f"{path}: has only {len(start)} bytes, fewer than a NIfTI header; copy it again")
    if 348 in (int.from_bytes(start[:4], "little"), int.from_bytes(start[:4], "big")):
        raise InputError(f"{path}: is an Analyze 7.5 image, which does not tell left from right; convert it to NIfTI")
    raise InputError(f"{path}: is not a NIfTI image; convert it to .nii.gz first")


def image_shape(path: Path, header: nib.Nifti1Header) -> tuple[tuple[int, int, int], int]:
    """Shape (X, Y, Z) of one volume and the number of volumes; a 2D image has Z = 1.

    Raises
    ------
    InputError
        If the header has no plausible shape, or more dimensions than space and one for volumes.
    """
    count = int(header["dim"][0])
    shape = [int(length) for length in header["dim"][1 : count + 1]]
    text = " x ".join(map(str, shape))
    if not 1 <= count <= 7 or min(shape) < 1 or np.prod(shape, dtype=object) > MOST_VOXELS:
        raise InputError(f"{path}: its header is damaged (dimensions {text or count}); copy or convert it again")
    if count == 1:
        raise InputError(f"{path}: holds a list of {text} numbers, not an image; name the scan itself")
    x, y, z, volumes, *others = (*shape, *[1] * (4 - count)) if count < 4 else shape
    if any(length > 1 for length in others):
        raise InputError(
            f"{path}: has {count} dimensions ({text}); labelling needs a grey 3D image: take one part of it"
        )
    return (x, y, z), volumes


def voxel_type(path: Path, header: nib.Nifti1Header) -> np.dtype:
    """Type of the stored voxels.

    Raises
    ------
    InputError
        If it is unknown, a colour or complex.
    """
    try:
        dtype = header.get_data_dtype()
    except (HeaderDataError, KeyError, ValueError):
        dtype = np.dtype(np.void)
    if dtype.kind in "iuf":
        return dtype
    if dtype.kind == "c":
        raise InputError(f"{path}: its voxels are complex numbers; export the magnitude image")
    if dtype.names:
        raise InputError(f"{path}: its voxels are colours; labelling needs the grey scan that they were drawn over")
    code = int(header["datatype"])
    raise InputError(f"{path}: its voxel type (NIfTI code {code}) is not supported; convert it to 16-bit integers")


def image_affine(path: Path, header: nib.Nifti1Header, shape: tuple[int, int, int]) -> tuple[FloatArray, list[str]]:
    """Voxel to RAS+ world matrix, (4, 4), in mm, and what is doubtful about it.

    The sform counts before the qform, as in SCT and nibabel; a header with neither is placed by its voxel sizes alone.

    Raises
    ------
    GeometryError
        If the voxel sizes or the matrices that the header declares are broken.
    """
    warnings = _mend_voxel_sizes(path, header)
    forms: dict[str, FloatArray] = {}
    broken: dict[str, str] = {}
    for name in ("sform", "qform"):
        if int(header[f"{name}_code"]) > 0:
            try:
                forms[name] = np.array(getattr(header, f"get_{name}")(), dtype=np.float64)
                check_affine(forms[name])
            except (HeaderDataError, GeometryError, ValueError) as error:
                forms.pop(name, None)
                broken[name] = str(error)
    if not forms and broken:
        raise GeometryError(f"{path}: {'; '.join(f'{name}: {cause}' for name, cause in broken.items())}")
    if not forms:
        affine = np.array(header.get_base_affine(), dtype=np.float64)
        _check_fallback(path, affine)
        warnings.append(
            "the header gives no orientation (sform and qform codes are 0); left and right, head and foot are guessed "
            "from the order of the axes"
        )
        return affine, warnings
    used = "sform" if "sform" in forms else "qform"
    warnings.extend(f"the header's {name} is broken and was ignored; the {used} was used" for name in broken)
    if len(forms) == 2:
        warnings.extend(_disagreement(forms["sform"], forms["qform"], shape))
    return forms[used], warnings


def _mend_voxel_sizes(path: Path, header: nib.Nifti1Header) -> list[str]:
    sizes = np.array(header["pixdim"][1:4], dtype=np.float64)
    bad = ~np.isfinite(sizes) | (sizes == 0)
    if int(header["dim"][0]) == 2 and bad[2] and not bad[:2].any():
        header["pixdim"][3] = 1.0
        return ["the 2D image does not say how thick its slice is; 1 mm was assumed"]
    if bad.any():
        text = " x ".join(f"{size:.3g}" for size in sizes)
        raise GeometryError(f"{path}: its header gives voxels of {text} mm; convert the scan again from its source")
    return []


def _check_fallback(path: Path, affine: FloatArray) -> None:
    try:
        check_affine(affine)
    except GeometryError as error:
        raise GeometryError(f"{path}: {error}") from None


def _disagreement(sform: FloatArray, qform: FloatArray, shape: tuple[int, int, int]) -> list[str]:
    """Warning when two affines place the image's corners or axes differently, else nothing."""
    corners = np.stack(np.meshgrid(*[(0, length - 1) for length in shape], indexing="ij"), axis=-1).reshape(-1, 3)
    apart = voxel_to_world(corners, affine=sform) - voxel_to_world(corners, affine=qform)
    millimetres = float(np.linalg.norm(apart, axis=1).max())
    one, other = (form[:3, :3] / np.linalg.norm(form[:3, :3], axis=0) for form in (sform, qform))
    degrees = float(np.degrees(np.arccos(np.clip((one * other).sum(axis=0), -1, 1))).max())
    if millimetres <= FORM_TOLERANCE_MM and degrees <= FORM_TOLERANCE_DEGREES:
        return []
    return [
        f"the header's sform and qform disagree by up to {millimetres:.1f} mm and {degrees:.1f} degrees; "
        "the sform was used"
    ]
