"""NIfTI files of every orientation, type and version: read as scaled, masks back to the voxel with the header kept."""

import gzip

import nibabel as nib
import numpy as np
import pytest

from automedsam.runtime.errors import InputError
from automedsam.scans.nifti import NiftiScan
from orientations import OBLIQUE, ORIENTATIONS, ROTATIONS, SEEN, numbered, store

LENGTHS = (1.0, 1.25, 2.5)
KINDS = [nib.Nifti1Image, nib.Nifti2Image]
NAMES = ["a.nii", "a.nii.gz"]
OWN_FIELDS = {
    "datatype",
    "bitpix",
    "vox_offset",
    "scl_slope",
    "scl_inter",
    "cal_max",
    "cal_min",
}  # a mask's own


def save(path, stored, affine, kind=nib.Nifti1Image, codes=(1, 2), **fields):
    """An image whose header says more than it must; its qform is not its sform."""
    image = kind(stored, affine)
    image.header.set_xyzt_units("mm", "sec")
    image.header.set_sform(affine, codes[1])
    image.header.set_qform(affine, codes[0])
    for field, value in {
        "descrip": b"scanner 3",
        "aux_file": b"aux",
        "toffset": 2.5,
        "slice_code": 1,
        **fields,
    }.items():
        image.header[field] = value
    image = kind(stored, None, image.header)
    nib.save(image, path)


def scale_stored(path, slope, intercept):
    """Set what nibabel will not: how the values that already lie in a NIfTI-1 file are meant."""
    content = bytearray(path.read_bytes())
    content[112:120] = np.array([slope, intercept], "<f4").tobytes()
    path.write_bytes(content)


def same_header(one, other):
    return {
        key for key in one if np.asarray(one[key]).tobytes() != np.asarray(other[key]).tobytes()
    } <= OWN_FIELDS


def stored_values(path):
    """Voxels as they lie in the file, without slope and intercept."""
    return np.asarray(nib.load(path).dataobj.get_unscaled())


def read_wholly(path):
    scan = NiftiScan(path, "auto")
    return scan.read_values(), scan.read_labels()


@pytest.mark.parametrize("rotation", ROTATIONS)
@pytest.mark.parametrize("orientation", ORIENTATIONS)
def test_every_orientation_reads_the_same_and_masks_lie_on_the_same_voxels(
    tmp_path, orientation, rotation
):
    stored, affine = store(numbered().astype(np.int16), LENGTHS, orientation, rotation)
    save(tmp_path / "a.nii.gz", stored, affine)
    image = nib.load(tmp_path / "a.nii.gz")
    for plane, seen in SEEN.items():
        scan = NiftiScan(tmp_path / "a.nii.gz", plane)
        values = scan.read_values()
        assert scan.shape == values.shape
        np.testing.assert_array_equal(values, seen(numbered()))
        scan.write(tmp_path / "mask.nii.gz", values % 7 < 3)
        mask = nib.load(tmp_path / "mask.nii.gz")
        np.testing.assert_array_equal(np.asarray(mask.dataobj), stored % 7 < 3)
        np.testing.assert_array_equal(mask.affine, image.affine)
        assert mask.get_data_dtype() == np.uint8
        assert same_header(mask.header, image.header)
        np.testing.assert_array_equal(
            NiftiScan(tmp_path / "mask.nii.gz", plane).read_labels(), values % 7 < 3
        )


@pytest.mark.parametrize("orientation", ORIENTATIONS[::9])
def test_a_marker_is_found_where_it_lies_in_the_patient(tmp_path, orientation):
    stored, affine = store(np.zeros((40, 50, 30), np.uint8), (2, 2, 2), orientation, OBLIQUE)
    affine[:3, 3] -= (
        affine[:3, :3] @ (np.array(stored.shape) // 2) + affine[:3, 3]
    )  # 0, 0, 0 mm: the central voxel
    for mm in ([20, 0, 0], [0, 20, 0], [0, 0, 20]):  # right, front, up
        volume = stored.copy()
        volume[tuple(np.round(np.linalg.solve(affine, [*mm, 1]))[:3].astype(int))] = 1
        volume[tuple(np.array(stored.shape) // 2)] = 2
        save(tmp_path / "a.nii", volume, affine)
        labels = NiftiScan(tmp_path / "a.nii", "axial").read_labels()
        (slices, rows, columns), (centre,) = np.argwhere(labels == 1)[0], np.argwhere(labels == 2)
        offset = slices - centre[0], rows - centre[1], columns - centre[2]
        expected = (
            OBLIQUE.T @ mm / 2
        )  # voxels to the right, front, up along the volume's own, turned, axes
        assert offset == pytest.approx((expected[2], -expected[1], -expected[0]), abs=0.51)


@pytest.mark.parametrize("codes", [(0, 0), (1, 0), (0, 2), (1, 4)], ids=str)
@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("kind", KINDS)
def test_a_mask_keeps_version_header_and_codes(tmp_path, kind, name, codes):
    stored, affine = store(numbered().astype(np.float32), LENGTHS, ORIENTATIONS[29], OBLIQUE)
    save(tmp_path / name, stored, affine, kind, codes, intent_code=1001, dim_info=57, cal_max=90)
    scan = NiftiScan(tmp_path / name, "sagittal")
    scan.write(tmp_path / f"mask_{name}", scan.read_values() > 60)
    image, mask = nib.load(tmp_path / name), nib.load(tmp_path / f"mask_{name}")
    assert type(mask) is kind
    assert same_header(mask.header, image.header)
    assert (mask.header["qform_code"], mask.header["sform_code"]) == codes
    assert mask.header["descrip"] == b"scanner 3"
    assert mask.header.get_zooms() == image.header.get_zooms()
    assert mask.header.get_xyzt_units() == ("mm", "sec")
    np.testing.assert_array_equal(mask.affine, image.affine)
    np.testing.assert_array_equal(mask.header.get_qform(), image.header.get_qform())
    np.testing.assert_array_equal(stored_values(tmp_path / f"mask_{name}"), stored > 60)
    assert (mask.header["cal_min"], mask.header["cal_max"]) == (0, 1)


def test_a_qform_that_differs_from_the_sform_stays_so(tmp_path):
    stored, affine = store(numbered().astype(np.int16), LENGTHS, ORIENTATIONS[0])
    image = nib.Nifti1Image(stored, affine)
    image.header.set_sform(affine, 2)
    image.header.set_qform(np.diag([2, 2, 2, 1]), 1)
    nib.save(nib.Nifti1Image(stored, None, image.header), tmp_path / "a.nii")
    scan = NiftiScan(tmp_path / "a.nii", "axial")
    scan.write(tmp_path / "mask.nii", np.zeros(scan.shape, bool))
    written = nib.load(tmp_path / "mask.nii")
    np.testing.assert_array_equal(written.affine, affine)
    np.testing.assert_array_equal(written.get_qform(), np.diag([2, 2, 2, 1]))


def test_header_extensions_are_kept(tmp_path):
    image = nib.Nifti1Image(numbered().astype(np.int16), np.eye(4))
    image.header.extensions.append(nib.nifti1.Nifti1Extension("comment", b"kept"))
    nib.save(image, tmp_path / "a.nii")
    scan = NiftiScan(tmp_path / "a.nii", "axial")
    scan.write(tmp_path / "mask.nii", scan.read_values() > 60)
    (extension,) = nib.load(tmp_path / "mask.nii").header.extensions
    assert extension.text == "kept"
    np.testing.assert_array_equal(stored_values(tmp_path / "mask.nii"), numbered() > 60)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    ("shape", "slices"),
    [
        ((4, 5), 1),
        ((4, 5, 1), 1),
        ((4, 5, 1, 1), 1),
        ((4, 5, 6, 1), 6),
        ((4, 5, 6, 1, 1), 6),
        ((4, 1, 6), 1),
        ((1, 5, 6), 1),
    ],
)
def test_a_mask_has_the_dimensions_of_its_image(tmp_path, shape, slices, kind, name):
    stored = numbered(shape).astype(np.int16)
    save(tmp_path / name, stored, np.diag([-1, -1, 3, 1]), kind)
    scan = NiftiScan(tmp_path / name, "auto")
    values = scan.read_values()
    assert values.shape == scan.shape
    assert (scan.shape[0], scan.is_volume) == (slices, slices > 1)
    for stack in (values % 7 < 3, (values % 7).astype(np.uint8)):
        scan.write(tmp_path / f"mask_{name}", stack)
        mask = nib.load(tmp_path / f"mask_{name}")
        assert mask.shape == shape
        assert same_header(mask.header, nib.load(tmp_path / name).header)
        np.testing.assert_array_equal(
            stored_values(tmp_path / f"mask_{name}"),
            stored % 7 < 3 if stack.dtype == bool else stored % 7,
        )


def test_a_2_d_image_is_seen_with_its_x_to_the_side_and_its_y_upright(tmp_path):
    save(tmp_path / "a.nii", numbered((4, 5)).astype(np.int16), np.diag([-0.5, -0.25, 1, 1]))
    scan = NiftiScan(tmp_path / "a.nii", "coronal")
    assert scan.spacing_mm == (1, 0.25, 0.5)
    np.testing.assert_array_equal(scan.read_values()[0], numbered((4, 5)).T)


@pytest.mark.parametrize("name", NAMES)
def test_the_same_mask_is_written_as_the_same_bytes(tmp_path, name):
    save(tmp_path / name, numbered().astype(np.int16), np.eye(4))
    scan = NiftiScan(tmp_path / name, "axial")
    for place in ("one", "other"):
        scan.write(tmp_path / place / f"{place}_{name}", scan.read_values() > 60)
    one, other = ((tmp_path / place / f"{place}_{name}").read_bytes() for place in ("one", "other"))
    assert one == other
    assert one.startswith(b"\x1f\x8b") == name.endswith(".gz")
    if name.endswith(".gz"):
        assert one[4:8] == bytes(4)  # no time in it
        assert len(gzip.decompress(one)) == 352 + numbered().size


@pytest.mark.parametrize("kind", KINDS)
def test_a_soft_mask_is_0_to_1(tmp_path, kind):
    probabilities = np.random.default_rng(0).random((4, 5, 6))
    probabilities[0, 0, :2] = 0, 1
    save(tmp_path / "a.nii.gz", np.zeros((6, 5, 4), np.int16), np.diag([-1, -1, 1, 1]), kind)
    scan = NiftiScan(tmp_path / "a.nii.gz", "axial")
    scan.write_soft(tmp_path / "soft.nii.gz", (255 * probabilities).round().astype(np.uint8))
    soft = nib.load(tmp_path / "soft.nii.gz")
    assert soft.get_data_dtype() == np.uint8
    read = soft.get_fdata()
    assert (read.min(), read.max()) == pytest.approx((0, 1), abs=1e-6)
    assert np.abs(read - probabilities.T).max() <= 1 / 510 + 1e-6


def test_a_mask_of_a_scaled_image_is_0_and_1_and_not_scaled(tmp_path):
    save(tmp_path / "a.nii", numbered().astype(np.int16), np.eye(4))
    scale_stored(tmp_path / "a.nii", 0.5, -1024)
    scan = NiftiScan(tmp_path / "a.nii", "axial")
    scan.write(tmp_path / "mask.nii", scan.read_values() > -1000)
    np.testing.assert_array_equal(nib.load(tmp_path / "mask.nii").get_fdata(), numbered() > 48)
    scan.write_soft(tmp_path / "soft.nii", np.full(scan.shape, 51, np.uint8))
    np.testing.assert_allclose(nib.load(tmp_path / "soft.nii").get_fdata(), 0.2, rtol=1e-6)


@pytest.mark.parametrize("order", "<>")
@pytest.mark.parametrize("dtype", ["u1", "i1", "u2", "i2", "u4", "i4", "u8", "i8", "f4", "f8"])
def test_numbers_of_every_type_and_byte_order_are_read(tmp_path, dtype, order):
    stored = (numbered() + (0 if dtype[0] == "u" else -100)).astype(
        np.dtype(dtype).newbyteorder(order)
    )
    header = nib.Nifti1Header(endianness=order)
    header.set_data_dtype(stored.dtype)
    nib.save(nib.Nifti1Image(stored, np.diag([-1, -1, 1, 1]), header), tmp_path / "a.nii")
    assert nib.load(tmp_path / "a.nii").header.endianness == order
    scan = NiftiScan(tmp_path / "a.nii", "axial")
    values, labels = scan.read_values(), scan.read_labels()
    assert (values.dtype, labels.dtype) == (np.float32, np.int64)
    np.testing.assert_array_equal(values, stored.T)
    np.testing.assert_array_equal(labels, stored.T)
    scan.write(tmp_path / "mask.nii", values > 0)
    np.testing.assert_array_equal(np.asarray(nib.load(tmp_path / "mask.nii").dataobj), stored > 0)


def test_values_are_scaled_as_the_header_says(tmp_path):
    save(tmp_path / "a.nii", numbered().astype(np.int16), np.diag([-1, -1, 1, 1]))
    scale_stored(tmp_path / "a.nii", 0.5, -1024)
    values = NiftiScan(tmp_path / "a.nii", "axial").read_values()
    np.testing.assert_array_equal(values, numbered().T * 0.5 - 1024)


def test_16_bits_are_not_cut(tmp_path):
    stored = np.arange(0, 65536, 16, np.uint16).reshape(16, 16, 16)
    save(tmp_path / "a.nii.gz", stored, np.diag([-1, -1, 1, 1]))
    assert len(np.unique(NiftiScan(tmp_path / "a.nii.gz", "axial").read_values())) == 4096


def test_labels_beyond_float32_are_read_to_the_last_digit(tmp_path):
    save(tmp_path / "a.nii", np.full((2, 3, 4), 2**24 + 1, np.int32), np.eye(4))
    assert set(NiftiScan(tmp_path / "a.nii", "axial").read_labels().ravel()) == {2**24 + 1}


@pytest.mark.parametrize(
    ("units", "mm"), [(0, 1), (1, 1000), (2, 1), (3, 0.001), (10, 1), (5, 1), (255, 1)]
)
def test_spacing_is_in_mm_whatever_the_unit(tmp_path, units, mm):
    stored, affine = store(numbered().astype(np.int16), LENGTHS, ORIENTATIONS[17], OBLIQUE)
    save(tmp_path / "a.nii", stored, affine, xyzt_units=units)
    scan = NiftiScan(tmp_path / "a.nii", "axial")
    assert scan.spacing_mm == pytest.approx((2.5 * mm, 1.25 * mm, 1.0 * mm))
    scan.write(tmp_path / "mask.nii", np.zeros(scan.shape, bool))
    assert nib.load(tmp_path / "mask.nii").header["xyzt_units"] == units


def test_small_voxels_in_metres_are_no_flat_affine(tmp_path):
    save(
        tmp_path / "a.nii",
        numbered().astype(np.int16),
        np.diag([1e-4, 1e-4, 1e-4, 1]),
        xyzt_units=1,
    )
    assert NiftiScan(tmp_path / "a.nii", "auto").spacing_mm == pytest.approx((0.1, 0.1, 0.1))


def test_names_in_capitals_are_compressed_all_the_same(tmp_path):
    save(tmp_path / "a.nii.gz", numbered().astype(np.int16), np.eye(4))
    (tmp_path / "a.nii.gz").rename(tmp_path / "A.NII.GZ")
    scan = NiftiScan(tmp_path / "A.NII.GZ", "axial")
    scan.write(tmp_path / "MASK.NII.GZ", scan.read_values() > 60)
    np.testing.assert_array_equal(stored_values(tmp_path / "MASK.NII.GZ"), numbered() > 60)


@pytest.mark.parametrize("shape", [(4, 5, 6, 2), (4, 5, 1, 3), (4, 5, 6, 1, 3), (7,)])
@pytest.mark.parametrize("name", NAMES)
def test_other_than_two_or_three_dimensions_are_refused_with_their_number(tmp_path, name, shape):
    nib.save(nib.Nifti1Image(np.zeros(shape, np.int16), np.eye(4)), tmp_path / name)
    with pytest.raises(InputError) as told:
        NiftiScan(tmp_path / name, "axial")
    assert str(told.value) == (
        f"{tmp_path / name}: expected two or three dimensions, found {' x '.join(map(str, shape))}; "
        "save each volume of a series as a file of its own"
    )


@pytest.mark.parametrize(
    "dtype", [np.complex64, np.dtype([("R", "u1"), ("G", "u1"), ("B", "u1")])], ids=str
)
def test_colours_and_complex_numbers_are_refused(tmp_path, dtype):
    nib.save(nib.Nifti1Image(np.zeros((4, 5, 6), dtype), np.eye(4)), tmp_path / "a.nii")
    with pytest.raises(InputError, match=r"a\.nii: expected one real number a voxel, found"):
        NiftiScan(tmp_path / "a.nii", "axial")


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize(
    "content", [b"", b"not an image\n", b"\x1f\x8b\x08", bytes(352), bytes(600)]
)
def test_a_file_that_is_no_nifti_is_named(tmp_path, name, content):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(
        InputError, match=rf"{name}: expected a NIfTI file, found one that cannot be read"
    ):
        NiftiScan(tmp_path / name, "axial")


@pytest.mark.parametrize("share", [0.001, 0.01, 0.1, 0.5, 0.9, 0.999])
@pytest.mark.parametrize("name", NAMES)
def test_a_truncated_file_is_named(tmp_path, name, share):
    noise = np.random.default_rng(0).integers(0, 2**15, (20, 20, 20), np.int16)
    nib.save(nib.Nifti1Image(noise, np.eye(4)), tmp_path / name)
    whole = (tmp_path / name).read_bytes()
    (tmp_path / name).write_bytes(whole[: int(share * len(whole))])
    with pytest.raises(
        InputError, match=rf"{name}: expected (a NIfTI file|voxels), found .* that cannot be read"
    ):
        read_wholly(tmp_path / name)


def test_a_damaged_gz_is_named(tmp_path):
    nib.save(nib.Nifti1Image(np.zeros((40, 40, 40), np.int16), np.eye(4)), tmp_path / "a.nii")
    content = bytearray(gzip.compress((tmp_path / "a.nii").read_bytes(), 0))
    content[10 + 5 + 65535] = 255  # the head of the second block
    (tmp_path / "a.nii.gz").write_bytes(content)
    with pytest.raises(
        InputError, match=r"a\.nii\.gz: expected voxels, found data that cannot be read"
    ):
        read_wholly(tmp_path / "a.nii.gz")


@pytest.mark.parametrize("name", NAMES)
def test_a_missing_file_is_named(tmp_path, name):
    with pytest.raises(InputError, match=rf"{name}: expected a NIfTI file, found no such file"):
        NiftiScan(tmp_path / name, "axial")


def test_a_surface_in_nifti_is_named(tmp_path):
    axes = (
        nib.cifti2.ScalarAxis(["thickness"]),
        nib.cifti2.BrainModelAxis.from_mask(np.ones((2, 2, 2), bool), affine=np.eye(4)),
    )
    nib.save(nib.Cifti2Image(np.zeros((1, 8), np.float32), axes), tmp_path / "a.dscalar.nii")
    with pytest.raises(
        InputError, match=r"a\.dscalar\.nii: expected a NIfTI file, found .*Cifti2Image"
    ):
        NiftiScan(tmp_path / "a.dscalar.nii", "axial")


def test_an_affine_that_gives_no_place_is_named(tmp_path):
    image = nib.Nifti1Image(numbered().astype(np.int16), None)
    image.header.set_sform(np.diag([1, 1, 0, 1]), 2)
    nib.save(nib.Nifti1Image(numbered().astype(np.int16), None, image.header), tmp_path / "a.nii")
    with pytest.raises(
        InputError, match=r"a\.nii: expected an affine that can be inverted, found \[\[1\.0, 0\.0, "
    ):
        NiftiScan(tmp_path / "a.nii", "axial")


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_voxels_that_are_not_finite_are_refused(tmp_path, value):
    stored = numbered().astype(np.float32)
    stored[1, 2, 3] = value
    save(tmp_path / "a.nii", stored, np.eye(4))
    scan = NiftiScan(tmp_path / "a.nii", "axial")
    with pytest.raises(InputError, match=r"a\.nii: expected finite values, found NaN or infinity"):
        scan.read_values()
    with pytest.raises(
        InputError,
        match=r"a\.nii: expected a mask of whole numbers, found fractions, NaN or infinity",
    ):
        scan.read_labels()


def test_a_mask_of_fractions_is_refused(tmp_path):
    save(tmp_path / "a.nii", numbered() / 255, np.eye(4))
    with pytest.raises(
        InputError, match=r"a\.nii: expected a mask of whole numbers, found fractions"
    ):
        NiftiScan(tmp_path / "a.nii", "axial").read_labels()


def test_a_failed_write_leaves_nothing(tmp_path):
    save(tmp_path / "a.nii", numbered().astype(np.int16), np.eye(4))
    with pytest.raises(ValueError, match="reshape"):
        NiftiScan(tmp_path / "a.nii", "axial").write(
            tmp_path / "mask.nii", np.zeros((1, 2, 3), bool)
        )
    assert [path.name for path in tmp_path.iterdir()] == ["a.nii"]


def test_labels_are_written_as_they_are(tmp_path):
    save(tmp_path / "a.nii", numbered().astype(np.int16), np.eye(4))
    scale_stored(tmp_path / "a.nii", 0.5, -1024)
    scan = NiftiScan(tmp_path / "a.nii", "axial")
    labels = (3 * (scan.read_values() > -1000)).astype(np.uint8)
    scan.write(tmp_path / "labels.nii", labels)
    written = nib.load(tmp_path / "labels.nii")
    np.testing.assert_array_equal(written.get_fdata(), 3 * (numbered() > 48))
    assert (written.header["cal_min"], written.header["cal_max"]) == (0, 3)
