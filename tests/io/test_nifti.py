import gzip

import nibabel as nib
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.conftest import GREY, SHAPE, oblique, orientations, save_nifti, scans

from lookonce.errors import InputError
from lookonce.io.nifti import SpineImage, encode_labels, label_stem, read_image, read_volume, write_labels


@pytest.mark.parametrize("name", ["a.nii", "a.nii.gz", "A.NII.GZ"])
@pytest.mark.parametrize("dtype", [np.uint8, np.int16, np.uint16, np.int32, np.int64, np.float32, np.float64])
def test_every_number_type_is_read_as_it_is(tmp_path, name, dtype):
    path = tmp_path / name
    content = nib.Nifti1Image(GREY.astype(dtype), oblique(), dtype=dtype).to_bytes()
    path.write_bytes(content if name == "a.nii" else gzip.compress(content))
    image = read_image(path)
    assert image.data.dtype == dtype
    assert np.array_equal(image.data, GREY)
    assert image.affine == pytest.approx(oblique(), abs=1e-5)
    assert (image.path, image.warnings) == (path, [])


@given(scans(), orientations(), st.sampled_from([nib.Nifti1Image, nib.Nifti2Image]))
@settings(max_examples=15)
def test_images_in_every_orientation_come_back_with_their_place(tmp_path, scan, orientation, kind):
    stored = scan.stored(orientation)
    image = read_image(save_nifti(tmp_path / "a.nii", stored.data, stored.affine, kind))
    assert np.array_equal(image.data, stored.data)
    assert image.affine == pytest.approx(stored.affine, abs=1e-4)


def test_scaled_voxels_are_scaled_in_single_precision(tmp_path):
    image = read_image(save_nifti(tmp_path / "a.nii.gz", scl_slope=0.5, scl_inter=-10))
    assert image.data.dtype == np.float32
    assert image.data == pytest.approx(GREY * 0.5 - 10)


@pytest.mark.parametrize("slope", [0, np.nan])
def test_a_slope_that_is_none_is_no_scaling(tmp_path, slope):
    assert np.array_equal(read_image(save_nifti(tmp_path / "a.nii.gz", scl_slope=slope, scl_inter=3)).data, GREY)


@pytest.mark.parametrize("dtype", [">i2", ">f4"])
def test_big_endian_files_are_read(tmp_path, dtype):
    header = nib.Nifti1Header(endianness=">")
    header.set_data_dtype(dtype)
    nib.save(nib.Nifti1Image(GREY.astype(dtype), oblique(), header), tmp_path / "a.nii")
    image = read_image(tmp_path / "a.nii")
    assert (tmp_path / "a.nii").read_bytes()[:4] == (348).to_bytes(4, "big")
    assert image.data.dtype.isnative
    assert np.array_equal(image.data, GREY)


@pytest.mark.parametrize("ending", ["", ".gz"])
def test_pairs_of_header_and_image_are_read_by_either_name(tmp_path, ending):
    nib.save(nib.Nifti1Pair(GREY, oblique()), tmp_path / f"a.img{ending}")
    for name in ("a.img", "a.hdr"):
        image = read_image(tmp_path / f"{name}{ending}")
        assert np.array_equal(image.data, GREY)
        assert encode_labels(GREY.astype(np.uint8), image, packed=False)[344:347] == b"n+1"


def test_a_file_of_several_gzip_streams_is_read(tmp_path):
    content = save_nifti(tmp_path / "a.nii").read_bytes()
    parts = [content[:100], content[100:450], content[450:]]
    (tmp_path / "b.nii.gz").write_bytes(b"".join(map(gzip.compress, parts)) + b"\0" * 64)
    assert np.array_equal(read_image(tmp_path / "b.nii.gz").data, GREY)


@pytest.mark.parametrize("shape", [(5, 42), (5, 42, 1), (1, 5, 42), (5, 1, 42), (5, 6, 7, 1), (5, 6, 7, 1, 1, 1)])
def test_singleton_axes_are_no_hindrance(tmp_path, shape):
    image = read_image(save_nifti(tmp_path / "a.nii.gz", GREY.reshape(shape)))
    expected = (5, 42, 1) if shape == (5, 42) else shape[:3]
    assert image.data.shape == expected
    assert np.array_equal(image.data, GREY.reshape(expected))


def test_a_2d_image_without_a_slice_thickness_gets_one(tmp_path):
    pixdim = [1, 0.5, 0.5, 0, 0, 0, 0, 0]
    image = read_image(save_nifti(tmp_path / "a.nii.gz", GREY.reshape(5, 42), sform_code=0, pixdim=pixdim))
    assert "2D image does not say how thick" in image.warnings[0]
    assert np.linalg.norm(image.affine[:3, :3], axis=0) == pytest.approx([0.5, 0.5, 1])


def test_one_volume_of_several_is_asked_for_and_taken(tmp_path):
    volumes = np.stack([GREY, GREY[::-1], GREY + 7], axis=-1).astype(np.int16)
    path = save_nifti(tmp_path / "dwi.nii.gz", volumes)
    with pytest.raises(InputError, match=r"dwi.nii.gz: 3 volumes; .*--volume N \(0 to 2\)"):
        read_image(path)
    with pytest.raises(InputError, match="has no volume 3; --volume N counts from 0 to 2"):
        read_image(path, volume=3)
    for number in range(3):
        assert np.array_equal(read_image(path, volume=number).data, volumes[..., number])
    with pytest.raises(InputError, match="--volume N counts from 0 to 0"):
        read_image(save_nifti(tmp_path / "one.nii.gz"), volume=1)


@given(
    orientation=orientations(),
    codes=st.sampled_from([(1, 1), (2, 4), (0, 1), (1, 0), (0, 0)]),
    kind=st.sampled_from([nib.Nifti1Image, nib.Nifti2Image]),
)
@settings(max_examples=40)
def test_labels_keep_the_space_of_the_image(tmp_path, orientation, codes, kind):
    affine = oblique() @ nib.orientations.inv_ornt_aff(orientation, SHAPE)
    scan = kind(nib.orientations.apply_orientation(GREY, orientation).astype(np.int16), None)
    scan.set_sform(affine, codes[0])
    scan.set_qform(oblique(12, 3) @ nib.orientations.inv_ornt_aff(orientation, SHAPE), codes[1])
    scan.header.set_xyzt_units("mm", "sec")
    scan.header["cal_max"] = 200
    nib.save(scan, tmp_path / "a.nii")
    image = read_image(tmp_path / "a.nii")
    volume = np.zeros(image.data.shape, dtype=np.uint8)
    volume[1, 2, 3] = 25
    write_labels(tmp_path / "l.nii.gz", volume, image)
    written, original = nib.load(tmp_path / "l.nii.gz"), nib.load(tmp_path / "a.nii")
    assert np.array_equal(np.asanyarray(written.dataobj), volume)
    assert written.get_data_dtype() == np.uint8
    assert written.affine == pytest.approx(image.affine, abs=1e-6)
    for name in ("sform_code", "qform_code", "pixdim", "srow_x", "quatern_b", "qoffset_x", "xyzt_units"):
        assert np.array_equal(written.header[name], original.header[name]), name
    assert written.header["cal_max"] == 0
    assert read_volume(tmp_path / "l.nii.gz").affine == pytest.approx(image.affine, abs=1e-6)


def test_labels_of_scaled_big_endian_and_4d_images_are_plain(tmp_path):
    header = nib.Nifti1Header(endianness=">")
    header.set_data_dtype(">i2")
    volumes = nib.Nifti1Image(np.stack([GREY, GREY], axis=-1).astype(">i2"), oblique(), header)
    nib.save(volumes, tmp_path / "a.nii")
    content = bytearray((tmp_path / "a.nii").read_bytes())
    content[112:116] = np.array(0.25, ">f4").tobytes()  # scl_slope
    (tmp_path / "a.nii").write_bytes(content)
    image = read_image(tmp_path / "a.nii", volume=1)
    assert image.data.max() == GREY.max() / 4
    write_labels(tmp_path / "l.nii", GREY.astype(np.uint8), image)
    assert np.array_equal(np.asanyarray(nib.load(tmp_path / "l.nii").dataobj), GREY)


def test_labels_of_an_image_without_header_get_its_affine(tmp_path):
    image = SpineImage(GREY, oblique())
    write_labels(tmp_path / "l.nii.gz", GREY.astype(np.uint8), image)
    written = nib.load(tmp_path / "l.nii.gz")
    assert written.get_sform(coded=True)[1] == written.get_qform(coded=True)[1] == 1
    assert written.affine == pytest.approx(oblique(), abs=1e-5)


def test_labels_of_another_shape_are_a_mistake_of_the_caller():
    with pytest.raises(ValueError, match=r"\(1, 1, 1\).*\(5, 6, 7\)"):
        encode_labels(np.zeros((1, 1, 1), np.uint8), SpineImage(GREY, oblique()))


def test_the_same_labels_give_the_same_bytes():
    image = SpineImage(GREY, oblique())
    assert encode_labels(GREY.astype(np.uint8), image) == encode_labels(GREY.astype(np.uint8), image)


@pytest.mark.parametrize(
    ("name", "stem"),
    [
        ("x/a_T2w.nii.gz", "a_T2w"),
        ("a.nii", "a"),
        ("a.b.img.gz", "a.b"),
        ("A.NII.GZ", "A"),
        ("series1", "series1"),
        (".nii", ".nii"),
    ],
)
def test_the_stem_is_the_name_without_its_ending(name, stem):
    assert label_stem(name) == stem
