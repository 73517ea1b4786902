"""Pictures: every form that people have reads as the same colours; what is none, or damaged, is named."""

from __future__ import annotations

import os
import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageOps

from lookonce.errors import InputError
from lookonce.io.pictures import MOST_PIXELS, eight_bits, find_pictures, picture_of, read_picture

RAMP = np.linspace(0, 255, 24 * 36 * 3).reshape(24, 36, 3).astype(np.uint8)
GREY = np.linspace(0, 1, 24 * 36).reshape(24, 36)
#: Room for what JPEG and palettes lose.
LOSSY = 14


def colours() -> Image.Image:
    return Image.fromarray(RAMP)


@pytest.mark.parametrize(
    ("name", "options", "tolerance"),
    [
        ("a.png", {}, 0),
        ("a.bmp", {}, 0),
        ("a.tif", {}, 0),
        ("a.tiff", {"compression": "tiff_lzw"}, 0),
        ("a.TIF", {"compression": "jpeg"}, LOSSY),
        ("a.jpg", {"quality": 95}, LOSSY),
        ("a.JPEG", {"quality": 95, "progressive": True}, LOSSY),
        ("a.webp", {"lossless": True}, 0),
        ("a.ppm", {}, 0),
        ("a.jp2", {}, LOSSY),
    ],
)
def test_every_usual_format_is_read(tmp_path, name, options, tolerance):
    colours().save(tmp_path / name, **options)
    picture = read_picture(tmp_path / name)
    assert picture.pixels.shape == RAMP.shape
    assert picture.pixels.dtype == np.uint8
    assert picture.warnings == []
    np.testing.assert_allclose(picture.pixels.astype(int), RAMP, atol=tolerance)


@pytest.mark.parametrize("mode", ["RGBA", "P", "CMYK", "YCbCr"])
def test_other_colours_become_red_green_and_blue(tmp_path, mode):
    path = tmp_path / "a.tif"
    (colours().quantize(256) if mode == "P" else colours().convert(mode)).save(path)
    assert Image.open(path).mode == mode
    np.testing.assert_allclose(read_picture(path).pixels.astype(int), RAMP, atol=LOSSY)


def test_a_cmyk_jpeg_keeps_its_colours(tmp_path):
    colours().convert("CMYK").save(tmp_path / "a.jpg", quality=95)
    np.testing.assert_allclose(read_picture(tmp_path / "a.jpg").pixels.astype(int), RAMP, atol=LOSSY)


@pytest.mark.parametrize("mode", ["L", "LA", "1"])
def test_grey_becomes_three_equal_channels(tmp_path, mode):
    Image.fromarray((GREY * 255).astype(np.uint8)).convert(mode).save(tmp_path / "a.png")
    pixels = read_picture(tmp_path / "a.png").pixels
    assert pixels.shape == RAMP.shape
    assert (pixels == pixels[..., :1]).all()
    assert np.ptp(pixels) == 255


@pytest.mark.parametrize("bits", [8, 10, 12, 14, 16])
@pytest.mark.parametrize("ending", ["png", "tif"])
def test_grey_of_many_bits_is_scaled_from_the_depth_that_it_uses(tmp_path, bits, ending):
    Image.fromarray(np.rint(GREY * (2**bits - 1)).astype(np.uint16)).save(tmp_path / f"a.{ending}")
    pixels = read_picture(tmp_path / f"a.{ending}").pixels
    np.testing.assert_allclose(pixels[..., 1], GREY * 255, atol=1)


@pytest.mark.parametrize("highest", [1.0, 255.0, 4095.0])
def test_a_tiff_of_floats_is_scaled_likewise(tmp_path, highest):
    Image.fromarray((GREY * highest).astype(np.float32)).save(tmp_path / "a.tif")
    np.testing.assert_allclose(read_picture(tmp_path / "a.tif").pixels[..., 0], GREY * 255, atol=1)


def test_floats_that_resampling_pushed_a_little_beyond_0_and_1_keep_their_shades():
    values = GREY.astype(np.float32)
    values[0, 0], values[0, 1] = -0.04, 1.04
    pixels = picture_of(values).pixels[..., 0]
    assert (pixels[0, 0], pixels[0, 1]) == (0, 255)
    np.testing.assert_allclose(pixels[1:], GREY[1:] * 255, atol=1)


def test_values_that_are_no_numbers_are_refused(tmp_path):
    values = GREY.astype(np.float32)
    values[3, 4] = np.nan
    Image.fromarray(values).save(tmp_path / "a.tif")
    with pytest.raises(InputError, match=r"a\.tif: holds values that are no numbers"):
        read_picture(tmp_path / "a.tif")


def test_sixteen_bits_of_each_colour_are_read(tmp_path):
    path = tmp_path / "a.png"
    path.write_bytes(png_of_16_bits(RAMP.astype(np.uint16) * 257))
    np.testing.assert_array_equal(read_picture(path).pixels, RAMP)


def png_of_16_bits(values: np.ndarray) -> bytes:
    """An RGB PNG of 16 bits a channel, which Pillow reads but does not write."""

    def chunk(kind: bytes, content: bytes) -> bytes:
        return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))

    header = struct.pack(">IIBBBBB", values.shape[1], values.shape[0], 16, 2, 0, 0, 0)
    rows = b"".join(b"\0" + row.astype(">u2").tobytes() for row in values)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")


def test_transparent_parts_are_white(tmp_path):
    pixels = np.dstack([RAMP, np.full(RAMP.shape[:2], 255, np.uint8)])
    pixels[:, :18, 3] = 0
    Image.fromarray(pixels).save(tmp_path / "a.png")
    read = read_picture(tmp_path / "a.png").pixels
    assert (read[:, :18] == 255).all()
    np.testing.assert_array_equal(read[:, 18:], RAMP[:, 18:])


@pytest.mark.parametrize("ending", ["png", "tif"])
@pytest.mark.parametrize("orientation", range(2, 9))
def test_a_photograph_is_turned_as_its_exif_says_and_that_is_said(tmp_path, orientation, ending):
    exif = Image.Exif()
    exif[0x0112] = orientation
    colours().save(tmp_path / f"a.{ending}", exif=exif)
    picture = read_picture(tmp_path / f"a.{ending}")
    turned = ImageOps.exif_transpose(Image.open(tmp_path / f"a.{ending}"))
    np.testing.assert_array_equal(picture.pixels, np.asarray(turned))
    assert picture.pixels.shape[0] == (36 if orientation > 4 else 24)
    assert "turned as its EXIF says" in picture.warnings[0]


def test_the_first_of_several_pictures_in_a_file_is_read_and_that_is_said(tmp_path):
    colours().save(tmp_path / "a.tif", save_all=True, append_images=[Image.new("RGB", (9, 9))] * 2)
    picture = read_picture(tmp_path / "a.tif")
    np.testing.assert_array_equal(picture.pixels, RAMP)
    assert picture.warnings == ["the file holds 3 pictures; this is the first"]


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "is empty"),
        (b"some words\n" * 40, "is no picture that can be read"),
        (b"\0\0\0\x18ftypheic" + bytes(99), "is HEIC, which telephones make; save it as JPEG or PNG"),
        (bytes(128) + b"DICM" + bytes(99), "is DICOM; export it"),
        (b"%PDF-1.7" + bytes(99), "is a PDF"),
        (b"PK\x03\x04" + bytes(99), "is a zip; unpack it"),
        (b"version https://git-lfs.github.com/spec/v1\n", "is a git-lfs placeholder"),
    ],
)
def test_what_is_no_picture_is_named_with_a_remedy(tmp_path, content, reason):
    (tmp_path / "a.jpg").write_bytes(content)
    with pytest.raises(InputError, match=f"a\\.jpg: {reason}"):
        read_picture(tmp_path / "a.jpg")


def test_a_format_that_another_program_would_have_to_read_is_refused(tmp_path):
    colours().save(tmp_path / "a.eps")
    with pytest.raises(InputError, match=r"a\.eps: is no picture that can be read"):
        read_picture(tmp_path / "a.eps")


def test_the_two_pictures_of_a_telephone_s_file_are_one_photograph(tmp_path):
    colours().save(tmp_path / "a.jpg", format="MPO", save_all=True, append_images=[colours().resize((18, 12))])
    picture = read_picture(tmp_path / "a.jpg")
    assert picture.pixels.shape == RAMP.shape
    assert picture.warnings == []


def test_a_missing_picture_is_named(tmp_path):
    with pytest.raises(InputError, match=r"a\.jpg: no such file"):
        read_picture(tmp_path / "a.jpg")


@pytest.mark.parametrize("name", ["a.png", "a.jpg", "a.bmp", "a.tif", "a.webp"])
@pytest.mark.parametrize("share", [0.3, 0.6, 0.9])
def test_a_picture_that_is_cut_short_is_refused(tmp_path, name, share):
    Image.fromarray(np.random.default_rng(0).integers(0, 255, (64, 64, 3), np.uint8)).save(tmp_path / name)
    content = (tmp_path / name).read_bytes()
    (tmp_path / name).write_bytes(content[: int(share * len(content))])
    with pytest.raises(InputError, match=f"{name}: is (damaged or cut short|no picture)"):
        read_picture(tmp_path / name)


def test_a_picture_is_not_called_damaged_when_memory_runs_out(tmp_path, monkeypatch):
    def fail(image):
        raise MemoryError

    colours().save(tmp_path / "a.png")
    monkeypatch.setattr("lookonce.io.pictures._rgb", fail)
    with pytest.raises(MemoryError):
        read_picture(tmp_path / "a.png")


@settings(max_examples=60)
@given(
    st.sampled_from(["png", "jpg", "bmp", "tif", "gif", "webp"]),
    st.lists(st.tuples(st.floats(0, 0.999), st.integers(0, 255)), min_size=1, max_size=6),
)
def test_a_damaged_picture_is_read_or_refused_and_nothing_else(tmp_path, ending, changes):
    path = tmp_path / f"a.{ending}"
    colours().save(path)
    content = bytearray(path.read_bytes())
    for place, value in changes:
        content[int(place * len(content))] = value
    path.write_bytes(content)
    try:
        message = ""
        assert read_picture(path).pixels.shape[2] == 3
    except InputError as error:
        message = str(error)
    assert not message or str(path) in message


def test_a_bomb_is_refused_before_it_is_unpacked(tmp_path):
    side = int(MOST_PIXELS**0.5) + 1
    Image.new("1", (side, side)).save(tmp_path / "bomb.png")
    assert (tmp_path / "bomb.png").stat().st_size < 1e6
    with pytest.raises(InputError, match=r"bomb\.png: \d+ x \d+: claims more than the 150 million pixels"):
        read_picture(tmp_path / "bomb.png")


def test_a_bomb_beyond_what_pillow_takes_is_refused_too(tmp_path):
    content = png_of_16_bits(RAMP.astype(np.uint16))
    claim = struct.pack(">II", 60000, 60000) + content[24:29]
    checksum = struct.pack(">I", zlib.crc32(b"IHDR" + claim))
    (tmp_path / "bomb.png").write_bytes(content[:16] + claim + checksum + content[33:])
    with pytest.raises(InputError, match=r"bomb\.png: claims more than the 150 million pixels"):
        read_picture(tmp_path / "bomb.png")


def test_a_picture_too_small_to_show_anything_is_refused(tmp_path):
    Image.new("RGB", (300, 3)).save(tmp_path / "a.png")
    with pytest.raises(InputError, match=r"a\.png: is 300 x 3 pixels, too small"):
        read_picture(tmp_path / "a.png")


@pytest.mark.parametrize(
    ("dtype", "white"), [(np.uint8, 255), (np.uint16, 65535), (np.int32, 1023), (np.float32, 1), (bool, 1)]
)
def test_arrays_of_any_type_are_pictures(dtype, white):
    pixels = picture_of((np.round(GREY) * white).astype(dtype)).pixels
    assert pixels.shape == RAMP.shape
    assert set(np.unique(pixels)) == {0, 255}


@pytest.mark.parametrize("shape", [(24,), (24, 36, 2), (24, 36, 3, 1), (3, 36, 24)])
def test_arrays_of_another_shape_are_refused(shape):
    with pytest.raises(InputError, match="an array of shape"):
        picture_of(np.zeros(shape, np.uint8))


def test_an_array_of_text_is_refused():
    with pytest.raises(InputError, match="is no picture; needed: integers or floats"):
        picture_of(np.full((9, 9), "red"))


def test_a_transparent_array_is_white_where_it_is_clear():
    values = np.zeros((9, 9, 4), np.uint8)
    assert (picture_of(values).pixels == 255).all()


def test_black_stays_black():
    assert not eight_bits(np.zeros((2, 2), np.uint16)).any()
    assert not eight_bits(np.full((2, 2), -1.5)).any()


def touch(folder: Path, *names: str) -> None:
    for name in names:
        (folder / name).write_bytes(b"-")


def test_the_pictures_of_a_folder_are_found_by_name_without_our_own_results(tmp_path):
    touch(tmp_path, "b.JPG", "a.png", "notes.txt", ".hidden.png", "c.heic", "x_mask.png")
    touch(tmp_path, "a_mask.png", "a_overlay.jpg", "a_objects.png", "a_outline.geojson", "b.JPG_mask.png")
    (tmp_path / "sub.png").mkdir()
    assert [path.name for path in find_pictures(tmp_path)] == ["a.png", "b.JPG", "c.heic", "x_mask.png"]


def test_a_folder_without_pictures_is_refused(tmp_path):
    touch(tmp_path, "notes.txt")
    with pytest.raises(InputError, match="holds no picture"):
        find_pictures(tmp_path)


@pytest.mark.skipif(os.name == "nt" or os.geteuid() == 0, reason="root and Windows ignore permissions")
def test_a_folder_that_may_not_be_read_is_named(tmp_path):
    tmp_path.chmod(0)
    try:
        with pytest.raises(InputError, match="cannot be looked into"):
            find_pictures(tmp_path)
    finally:
        tmp_path.chmod(0o700)
