"""Uploads that mean harm, or that harm has come to: bombs, lies, cuts and path tricks, in NIfTI, DICOM and zip."""

from __future__ import annotations

import gzip
import io
import pickle
import struct
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory

import nibabel as nib
import numpy as np
from pydicom.dataset import Dataset
from pydicom.uid import DeflatedExplicitVRLittleEndian, JPEG2000Lossless, RLELossless
from tests.conftest import oblique
from tests.dicom_files import dicom_volume, save, slices

#: A grey image large enough to be a scan.
_SHAPE = (8, 80, 90)
_GREY = np.random.default_rng(0).integers(0, 900, _SHAPE).astype(np.int16)
_ZEROS = bytes(1 << 26)
_PACKED_ZEROS = gzip.compress(_ZEROS, 6)
_SECRET = "../../../../../../etc/passwd"


def nifti(data=_GREY, affine=None, *, kind=nib.Nifti1Image, **fields: object) -> bytes:
    """A NIfTI file with header fields overridden as they stand."""
    image = kind(np.asarray(data), oblique() if affine is None else affine)
    content = bytearray(image.to_bytes())
    header = type(image.header)(bytes(content[: image.header.sizeof_hdr]), check=False)
    for name, value in fields.items():
        header[name] = value
    content[: image.header.sizeof_hdr] = header.binaryblock
    return bytes(content)


def dicom(change: Callable[[Dataset], object] = lambda header: None, syntax: str = "1.2.840.10008.1.2.1") -> bytes:
    """A DICOM file of one slice, its header changed before it is written."""
    header = slices(_volume())[4]
    change(header)
    return _saved(header, syntax)


def zipped(members: dict[str, bytes], method: int = zipfile.ZIP_DEFLATED) -> bytes:
    """A zip with some members."""
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", method) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return stream.getvalue()


def _volume():
    return dicom_volume(_GREY.astype(np.uint16), np.diag([4.0, 1.1, 1.2, 1.0]))


def _saved(header: Dataset, syntax: str, *, packed: bool = False) -> bytes:
    with TemporaryDirectory() as folder:
        return save(header, Path(folder, "a.dcm"), syntax, packed=packed).read_bytes()


def _gzip_bomb() -> bytes:
    """A header, then 26 GB of zeros in as many bytes as a scan has."""
    return gzip.compress(nifti()[:352]) + 400 * _PACKED_ZEROS


def _flipped(content: bytes, place: int) -> bytes:
    return content[:place] + bytes([content[place] ^ 0xFF]) + content[place + 1 :]


def _set(**values: object) -> Callable[[Dataset], object]:
    def change(header: Dataset) -> None:
        for keyword, value in values.items():
            setattr(header, keyword, value)

    return change


def _black_picture(side: int) -> bytes:
    """One RLE picture that claims side x side pixels, in a few bytes."""
    header = slices(_volume())[0]
    header.Rows = header.Columns = side
    runs = b"\x81\x00" * (side * side // 128 // 64)
    segment = struct.pack("<16L", 2, 64, 64 + len(runs), *[0] * 13) + runs + runs
    return _saved(_encapsulated(header, segment), RLELossless, packed=True)


def _lying_jpeg() -> bytes:
    """A small slice whose JPEG 2000 stream says that it has 60000 x 60000 pixels."""
    header = slices(_volume())[0]
    sizes = struct.pack(">HHLLLLLLLLH", 0xFF51, 47, 0, 60000, 60000, 0, 0, 60000, 60000, 0, 0) + bytes(40)
    return _saved(_encapsulated(header, b"\xff\x4f" + sizes), JPEG2000Lossless, packed=True)


def _encapsulated(header: Dataset, fragment: bytes) -> Dataset:
    from pydicom.encaps import encapsulate

    header.PixelData = encapsulate([fragment + b"\0" * (len(fragment) % 2)])
    header["PixelData"].VR = "OB"
    header["PixelData"].is_undefined_length = True
    return header


def _deflate_bomb() -> bytes:
    """A deflated data set that inflates to more than a header may have."""
    content = dicom(syntax=DeflatedExplicitVRLittleEndian)
    meta = content[: 144 + int.from_bytes(content[140:144], "little")]
    packer = zlib.compressobj(1, zlib.DEFLATED, -zlib.MAX_WBITS)
    element = b"\x09\x00\x10\x10UN\0\0" + struct.pack("<L", 3 * len(_ZEROS))
    return meta + packer.compress(element) + b"".join(packer.compress(_ZEROS) for _ in range(3)) + packer.flush()


def _deep_sequence() -> bytes:
    """Sequences in sequences, ten thousand deep."""
    start = b"\x08\x00\x40\x11SQ\0\0\xff\xff\xff\xff" + b"\xfe\xff\x00\xe0\xff\xff\xff\xff"
    content = dicom()
    end = 144 + int.from_bytes(content[140:144], "little")
    return content[:end] + 10_000 * start


def _dicomdir(*names: str) -> bytes:
    """A DICOMDIR that lists one file."""
    header = Dataset()
    header.SOPClassUID = "1.2.840.10008.1.3.10"
    header.SOPInstanceUID = "1.2.3"
    record = Dataset()
    record.DirectoryRecordType, record.ReferencedFileID = "IMAGE", list(names)
    header.DirectoryRecordSequence = [record]
    return _saved(header, "1.2.840.10008.1.2.1")


def _link() -> bytes:
    """A zip with a symbolic link out of it."""
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        member = zipfile.ZipInfo("slice.dcm")
        member.create_system, member.external_attr = 3, 0o120777 << 16
        archive.writestr(member, _SECRET)
    return stream.getvalue()


def _locked() -> bytes:
    """A zip that says that it has a password."""
    content = bytearray(zipped({"a.dcm": dicom()}))
    content[6] |= 1
    content[content.rindex(b"PK\x01\x02") + 8] |= 1
    return bytes(content)


def _claims(size: int) -> bytes:
    """A zip whose one small member says that it has another size."""
    content = bytearray(zipped({"a.dcm": dicom()}, zipfile.ZIP_STORED))
    place = content.rindex(b"PK\x01\x02")
    content[place + 20 : place + 28] = struct.pack("<LL", size, size)
    return bytes(content)


def _overlapping() -> bytes:
    """A zip whose entries all show the same bytes, which unpack to gigabytes."""
    kernel = zipped({"a.dcm": bytes(30_000_000)})
    start = kernel.rindex(b"PK\x01\x02")
    end = kernel.rindex(b"PK\x05\x06")
    entry, count = kernel[start:end], 1000
    directory = entry * count
    tail = struct.pack("<4s4H2LH", b"PK\x05\x06", 0, 0, count, count, len(directory), start, 0)
    return kernel[:start] + directory + tail


def _many_members(count: int = 25_000) -> bytes:
    """A zip of empty files."""
    return zipped({f"{number:05d}": b"" for number in range(count)}, zipfile.ZIP_STORED)


def _wide_lzma() -> bytes:
    """An LZMA member whose dictionary would take four gigabytes."""
    content = bytearray(zipped({"a.dcm": dicom()}, zipfile.ZIP_LZMA))
    place = content.index(b"a.dcm") + len(b"a.dcm") + 4
    content[place + 1 : place + 5] = b"\xff\xff\xff\xff"
    return bytes(content)


_LAUGHS = b'<?xml version="1.0"?><!DOCTYPE a [<!ENTITY b "%s">]><a>&b;</a>' % (b"&b;" * 999)

#: What is sent, by name; made when called, for some are large.
HOSTILE: dict[str, Callable[[], bytes]] = {
    "nothing": lambda: b"",
    "one byte": lambda: b"\0",
    "text": lambda: b"hello\n" * 200,
    "noise": lambda: np.random.default_rng(1).bytes(100_000),
    "an address": lambda: b"http://127.0.0.1:8000/metrics\n" * 20,
    "a path": lambda: f"{_SECRET}\n".encode() * 20,
    "a pickle": lambda: pickle.dumps({"data": _GREY}),
    "XML with entities": lambda: _LAUGHS,
    "only a gzip magic": lambda: b"\x1f\x8b",
    "gzip of text": lambda: gzip.compress(b"hello\n" * 999),
    "gzip in gzip": lambda: gzip.compress(gzip.compress(nifti())),
    "gzip bomb": _gzip_bomb,
    "gzip bomb of zeros": lambda: 400 * _PACKED_ZEROS,
    "gzip bomb before the voxels": lambda: gzip.compress(nifti(vox_offset=9e9)) + 200 * _PACKED_ZEROS,
    "truncated gzip": lambda: gzip.compress(nifti())[:40_000],
    "flipped bit in gzip": lambda: _flipped(gzip.compress(nifti()), 30_000),
    "wrong checksum": lambda: _flipped(gzip.compress(nifti()), -8),
    "half a header": lambda: nifti()[:200],
    "truncated NIfTI": lambda: nifti()[:9_000],
    "wrong magic": lambda: nifti(magic=b"n+9"),
    "Analyze": lambda: nifti(magic=b""),
    "ten dimensions": lambda: nifti(dim=[10, 8, 80, 90, 1, 1, 1, 1]),
    "minus one dimensions": lambda: nifti(dim=[-1, 8, 80, 90, 1, 1, 1, 1]),
    "negative size": lambda: nifti(dim=[3, 8, -80, 90, 1, 1, 1, 1]),
    "no size": lambda: nifti(dim=[3, 8, 0, 90, 1, 1, 1, 1]),
    "huge size": lambda: gzip.compress(nifti(dim=[3, 30000, 30000, 30000, 1, 1, 1, 1])),
    "large size": lambda: gzip.compress(nifti(dim=[3, 900, 900, 900, 1, 1, 1, 1])) + 40 * _PACKED_ZEROS,
    "huge NIfTI-2": lambda: nifti(kind=nib.Nifti2Image, dim=[3, 1 << 40, 1 << 40, 1 << 40, 1, 1, 1, 1]),
    "thousands of volumes": lambda: gzip.compress(nifti(dim=[4, 8, 80, 90, 32000, 1, 1, 1])),
    "seven dimensions": lambda: nifti(dim=[7, 2, 2, 2, 2, 2, 2, 900]),
    "NaN affine": lambda: nifti(srow_x=[np.nan] * 4, srow_y=[np.nan] * 4, srow_z=[np.nan] * 4, qform_code=0),
    "infinite affine": lambda: nifti(srow_x=[np.inf] * 4, srow_y=[1e38] * 4, qform_code=0),
    "singular affine": lambda: nifti(srow_x=[0] * 4, srow_y=[0] * 4, qform_code=0),
    "NaN voxel sizes": lambda: nifti(pixdim=[1, np.nan, np.nan, np.nan, 1, 1, 1, 1]),
    "voxels of no size": lambda: nifti(pixdim=[1, 0, 0, 0, 1, 1, 1, 1]),
    "a small file of a large room": lambda: gzip.compress(nifti(np.tile(_GREY, (1, 6, 5)), np.diag([4.0, 4, 4, 1]))),
    "voxels beyond this world": lambda: nifti(vox_offset=3e38),
    "unknown voxel type": lambda: nifti(datatype=77),
    "complex voxels": lambda: nifti(_GREY.astype(np.complex64)),
    "infinite scaling": lambda: nifti(scl_slope=np.inf, scl_inter=np.nan),
    "only NaN": lambda: nifti(np.full(_SHAPE, np.nan, np.float32)),
    "only zeros": lambda: gzip.compress(nifti(0 * _GREY)),
    "no spine": lambda: gzip.compress(nifti()),
    "only a DICOM magic": lambda: bytes(128) + b"DICM",
    "truncated DICOM": lambda: dicom()[:700],
    "DICOM without its end": lambda: dicom()[:-5_000],
    "an element of four gigabytes": lambda: dicom()[:300] + b"\x09\x00\x10\x10UN\0\0\xf0\xff\xff\xff" + bytes(999),
    "sequences without end": _deep_sequence,
    "deflate bomb": _deflate_bomb,
    "picture bomb": lambda: _black_picture(40_000),
    "JPEG that lies": _lying_jpeg,
    "two billion frames": lambda: dicom(_set(NumberOfFrames=2_000_000_000)),
    "NaN position": lambda: dicom(_set(ImageOrientationPatient=["nan"] * 6)),
    "DICOMDIR that leads out": lambda: _dicomdir("..", "..", "..", "etc", "passwd"),
    "DICOMDIR with a root": lambda: _dicomdir("/etc/passwd"),
    "zip of nothing": lambda: zipped({}),
    "zip that leads out": lambda: zipped({_SECRET: dicom(), "/tmp/x.dcm": dicom(), "..\\..\\x": dicom()}),
    "zip with a link": _link,
    "zip with a password": _locked,
    "truncated zip": lambda: zipped({"a.dcm": dicom()})[:500],
    "zip of a NIfTI": lambda: zipped({"a.nii": nifti()}),
    "zip in zip": lambda: zipped({"a.zip": zipped({"a.dcm": dicom()})}),
    "zip bomb": lambda: zipped({"a.dcm": _ZEROS}),
    "zip bomb of bzip2": lambda: zipped({"a.dcm": _ZEROS}, zipfile.ZIP_BZIP2),
    "zip with a wide LZMA": _wide_lzma,
    "zip with damaged LZMA": lambda: _flipped(zipped({"a.dcm": dicom()}, zipfile.ZIP_LZMA), 60),
    "zip that claims four gigabytes": lambda: _claims(4_000_000_000),
    "zip of overlapping bombs": _overlapping,
    "zip of many files": _many_members,
}
