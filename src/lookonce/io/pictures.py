"""Colour pictures in every form people have them, as red, green and blue of 8 bits."""

from __future__ import annotations

import warnings
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import ExifTags, Image, ImageOps, UnidentifiedImageError

from lookonce.errors import InputError, about
from lookonce.io.files import read_start

#: Endings of files in a folder that are taken for pictures. HEIC is among them to be named, not passed over.
SUFFIXES = frozenset(
    (
        *(".jpg", ".jpeg", ".jpe", ".jfif", ".png", ".bmp", ".dib", ".tif", ".tiff", ".webp", ".gif", ".jp2"),
        *(".ppm", ".pgm", ".avif", ".heic", ".heif"),
    )
)
#: Pillow knows others, some of which it hands to other programs, and may lack some of these.
FORMATS = ("JPEG", "PNG", "TIFF", "BMP", "DIB", "WEBP", "GIF", "JPEG2000", "PPM", "AVIF")
#: Endings, after a picture's own name, of the pictures that `lookonce segment` writes beside it.
RESULT_ENDINGS = {"mask": "_mask.png", "overlay": "_overlay.jpg", "objects": "_objects.png"}
#: The largest cameras of telephones give 108 million pixels; a few kilobytes can claim any number.
MOST_PIXELS = 150_000_000
SMALLEST_SIDE = 8
_TOO_MANY = (
    f"claims more than the {MOST_PIXELS / 1e6:.0f} million pixels that are read; cut out or scale down what matters"
)
#: Bits that a channel of a 16-bit file may really use: scanners and microscopes store 10, 12 or 14.
_DEPTHS = (8, 10, 12, 14, 16)
#: Floats meant as 0..1 may leave it by so much: resampling overshoots at edges, and so do noise and bias.
_OVERSHOOT = 0.1
#: Grey of more than 8 bits, in Pillow's terms.
_DEEP_MODES = ("I", "F", "I;16", "I;16B", "I;16L", "I;16N")
_TRANSPARENT_MODES = ("RGBA", "LA", "PA", "RGBa")
#: What people give instead of a picture, by its first bytes: place, bytes and remedy.
_STRANGERS = (
    (4, b"ftypheic", "HEIC, which telephones make; save it as JPEG or PNG"),
    (4, b"ftypheix", "HEIC, which telephones make; save it as JPEG or PNG"),
    (4, b"ftypmif1", "HEIF, which telephones make; save it as JPEG or PNG"),
    (128, b"DICM", "DICOM; export it as PNG or TIFF"),
    (0, b"%PDF", "a PDF; save the picture in it as PNG"),
    (0, b"PK\x03\x04", "a zip; unpack it and give the folder"),
)


@dataclass(frozen=True)
class Picture:
    """A colour picture as people see it.

    Attributes
    ----------
    pixels : (H, W, 3) uint8 array
        Red, green and blue, turned as the file says.
    path : Path, optional
    warnings : list of str
        What the reader should know of how the file was read.
    """

    pixels: NDArray[np.uint8]
    path: Path | None = None
    warnings: list[str] = field(default_factory=list)


def read_picture(path: str | Path) -> Picture:
    """Read a JPEG, PNG, BMP, TIFF, WebP or GIF file of any colours and depth.

    Grey becomes three equal channels, CMYK and palettes red, green and blue; transparent parts show white; a
    photograph is turned as its EXIF says; values of more than 8 bits are scaled from the depth that they use (10, 12,
    14 or 16 bits; floats from 0..1 if they all but stay within). Of several pictures in a file the first is read.

    Raises
    ------
    InputError
        If the file is missing, damaged, cut short, no picture, too small, or claims more than `MOST_PIXELS`.
    """
    path = Path(path)
    start = read_start(path, 256)
    for place, magic, what in _STRANGERS:
        if start[place:].startswith(magic):
            raise InputError(f"{path}: is {what}")
    try:
        return _decoded(path)
    except InputError as error:
        raise about(path, error) from None
    except Image.DecompressionBombError:
        raise InputError(f"{path}: {_TOO_MANY}") from None
    except UnidentifiedImageError:
        raise InputError(f"{path}: is no picture that can be read; save it as JPEG, PNG or TIFF") from None
    except MemoryError:
        raise  # the file is not at fault
    except Exception as error:  # Pillow's readers raise whatever a damaged file makes them stumble over
        cause = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise InputError(f"{path}: is damaged or cut short ({cause}); copy it again") from None


def open_picture(path: Path) -> Image.Image:
    """A picture file of which only the header is read yet; raises whatever Pillow's readers stumble over."""
    Image.init()
    return Image.open(path, formats=[name for name in FORMATS if name in Image.OPEN])


def picture_of(values: NDArray) -> Picture:
    """A picture from an array (H, W), (H, W, 3) or (H, W, 4) of integers or floats; see `read_picture`.

    Raises
    ------
    InputError
        If it has another shape or type, or holds values that are no numbers.

    Examples
    --------
    >>> picture_of(np.full((8, 8), 0.2)).pixels[0, 0].tolist()
    [51, 51, 51]
    """
    if values.ndim not in (2, 3) or (values.ndim == 3 and values.shape[2] not in (3, 4)):
        raise InputError(f"an array of shape {values.shape} is no picture; needed: (H, W), (H, W, 3) or (H, W, 4)")
    if values.dtype.kind not in "buif":
        raise InputError(f"an array of {values.dtype} is no picture; needed: integers or floats")
    _check_size(values.shape[1], values.shape[0])
    shades = eight_bits(values[..., :3] if values.ndim == 3 else values[..., None])
    if values.ndim == 3 and values.shape[2] == 4:
        return Picture(np.asarray(_on_white(np.concatenate([shades, eight_bits(values[..., 3:])], axis=2))))
    return Picture(np.broadcast_to(shades, (*shades.shape[:2], 3)))


def find_pictures(folder: Path) -> list[Path]:
    """The pictures in a folder, by name, without what `lookonce segment` wrote beside them.

    Raises
    ------
    InputError
        If there is none.
    """
    try:
        files = sorted(path for path in folder.iterdir() if not path.name.startswith(".") and path.is_file())
    except OSError as error:
        raise InputError(
            f"{folder}: cannot be looked into ({error.strerror or error}); check its permissions"
        ) from None
    pictures = [path for path in files if path.suffix.lower() in SUFFIXES]
    names = {name for path in pictures for name in (path.stem, path.name)}
    ours = {name + ending for name in names for ending in RESULT_ENDINGS.values()}
    found = [path for path in pictures if path.name not in ours]
    if not found:
        raise InputError(f"{folder}: holds no picture; name the folder that does (folders in it are not searched)")
    return found


def eight_bits(values: NDArray) -> NDArray[np.uint8]:
    """Values of any type as 0..255, scaled from the depth that they use; raises InputError where they are no numbers.

    Examples
    --------
    >>> eight_bits(np.array([0, 2048, 4095], np.uint16)).tolist()
    [0, 128, 255]
    """
    if values.dtype == np.uint8:
        return values
    if values.dtype == np.bool_:
        return values.astype(np.uint8) * 255
    lowest, highest = float(values.min()), float(values.max())
    if not np.isfinite(lowest + highest):
        raise InputError("holds values that are no numbers, or infinite; replace them")
    if values.dtype.kind == "f" and lowest >= -_OVERSHOOT and highest <= 1 + _OVERSHOOT:
        white = 1.0
    else:
        white = float(next((2**depth - 1 for depth in _DEPTHS if highest < 2**depth), highest))
    return np.rint(np.clip(values.astype(np.float32), 0, white) * np.float32(255 / white)).astype(np.uint8)


def _decoded(path: Path) -> Picture:
    notes = []
    with warnings.catch_warnings():
        # Pillow warns of many pixels, which have a limit of their own here, and of odd but harmless tags.
        warnings.simplefilter("ignore")
        with open_picture(path) as image:
            _check_size(*image.size)
            frames = getattr(image, "n_frames", 1)
            if frames > 1 and image.format != "MPO":  # telephones keep a preview in the same file
                notes.append(f"the file holds {frames} pictures; this is the first")
            # Asked before the pixels are there: Pillow turns those of a TIFF itself, and forgets that it did.
            if image.getexif().get(ExifTags.Base.Orientation, 1) not in (0, 1):
                notes.append("the picture is turned as its EXIF says; masks and outlines are of the turned one")
            image.load()
            pixels = np.asarray(_rgb(ImageOps.exif_transpose(image)))
    return Picture(pixels, path, notes)


def _check_size(width: int, height: int) -> None:
    if width * height > MOST_PIXELS:
        raise InputError(f"{width} x {height}: {_TOO_MANY}")
    if min(width, height) < SMALLEST_SIDE:
        raise InputError(f"is {width} x {height} pixels, too small to show anything; give the original")


def _rgb(image: Image.Image) -> Image.Image:
    if image.mode in _DEEP_MODES:
        return Image.fromarray(eight_bits(np.asarray(image))).convert("RGB")
    if image.mode in _TRANSPARENT_MODES or "transparency" in image.info:
        return _on_white(np.asarray(image.convert("RGBA")))
    return image.convert("RGB")


def _on_white(pixels: NDArray[np.uint8]) -> Image.Image:
    """RGB of pixels (H, W, 4) before white."""
    image = Image.fromarray(np.ascontiguousarray(pixels))
    white = Image.new("RGBA", image.size, "white")
    return Image.alpha_composite(white, image).convert("RGB")
