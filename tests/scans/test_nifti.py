"""NIfTI files of every orientation, type and version, and masks written in their geometry."""

import gzip
from itertools import cycle, product

import nibabel as nib
import numpy as np
import pytest

from automedsam.runtime.errors import InputError
from automedsam.scans.nifti import NiftiScan
from combination import combination
from orientations import OBLIQUE, ORIENTATIONS, RADIOLOGICAL, ROTATIONS, numbered, store

LENGTHS = (1.0, 1.25, 2.5)
KINDS = [nib.Nifti1Image, nib.Nifti2Image]
NAMES = ["a.nii", "a.nii.gz"]
# Fields in which the header of a mask may differ from that of its image.
MASK_FIELDS = {"datatype", "bitpix", "vox_offset", "scl_slope", "scl_inter", "cal_max", "cal_min"}


def save(path, stored, affine, kind=nib.Nifti1Image, codes=(1, 2), **fields):
    """Save an image with optional header fields, and with different codes of qform and sform."""
    image = kind(stored, affine)
    image.header.set_xyzt_units("mm", "sec")
    image.header.set_sform(affine, codes[1])
    image.header.set_qform(affine, codes[0])
    defaults = {"descrip": b"scanner 3", "aux_file": b"aux", "toffset": 2.5, "slice_code": 1}
    for field, value in (defaults | fields).items():
        image.header[field] = value
    image = kind(stored, None, image.header)
    nib.save(image, path)


def scale_stored(path, slope, intercept):
    """Set slope and intercept in a NIfTI-1 file without changing the stored values."""
    content = bytearray(path.read_bytes())
    content[112:120] = np.array([slope, intercept], "<f4").tobytes()
    path.write_bytes(content)


def differing_fields(header, other):
    return {key for key in header if header[key].tobytes() != other[key].tobytes()}


def stored_values(path):
    """Voxels as stored in the file, without slope and intercept."""
    return np.asarray(nib.load(path).dataobj.get_unscaled())


def read_everything(path):
    scan = NiftiScan(path, "auto")
    return scan.read_values(), scan.read_labels()


def test_values_and_masks_of_every_orientation(tmp_path):
    # test_slicing.py tests every combination; here, each orientation meets one plane and rotation.
    planes_and_rotations = cycle(product(RADIOLOGICAL.items(), ROTATIONS.items()))
    for orientation in ORIENTATIONS:
        (plane, seen), (name, rotation) = next(planes_and_rotations)
        with combination(orientation=orientation, plane=plane, rotation=name):
            stored, affine = store(numbered().astype(np.int16), LENGTHS, orientation, rotation)
            save(tmp_path / "a.nii.gz", stored, affine)
            image = nib.load(tmp_path / "a.nii.gz")
            scan = NiftiScan(tmp_path / "a.nii.gz", plane)
            values = scan.read_values()
            assert scan.shape == values.shape
            np.testing.assert_array_equal(values, seen(numbered()))
            scan.write(tmp_path / "mask.nii.gz", values % 7 < 3)
            mask = nib.load(tmp_path / "mask.nii.gz")
            np.testing.assert_array_equal(np.asarray(mask.dataobj), stored % 7 < 3)
            np.testing.assert_array_equal(mask.affine, image.affine)
            assert mask.get_data_dtype() == np.uint8
            assert differing_fields(mask.header, image.header) <= MASK_FIELDS
            labels = NiftiScan(tmp_path / "mask.nii.gz", plane).read_labels()
            np.testing.assert_array_equal(labels, values % 7 < 3)


@pytest.mark.parametrize("orientation", ORIENTATIONS[::9])
def test_marker_keeps_its_position_in_the_patient(tmp_path, orientation):
    stored, affine = store(np.zeros((40, 50, 30), np.uint8), (2, 2, 2), orientation, OBLIQUE)
    centre = np.array(stored.shape) // 2
    affine[:3, 3] -= affine[:3, :3] @ centre + affine[:3, 3]  # the central voxel is at 0, 0, 0 mm
    for mm in ([20, 0, 0], [0, 20, 0], [0, 0, 20]):  # right, front, up
        volume = stored.copy()
        volume[tuple(np.round(np.linalg.solve(affine, [*mm, 1]))[:3].astype(int))] = 1
        volume[tuple(centre)] = 2
        save(tmp_path / "a.nii", volume, affine)
        labels = NiftiScan(tmp_path / "a.nii", "axial").read_labels()
        (marker,), (middle,) = np.argwhere(labels == 1), np.argwhere(labels == 2)
        right, front, up = OBLIQUE.T @ mm / 2  # voxels along the axes of the rotated volume
        assert tuple(marker - middle) == pytest.approx((up, -front, -right), abs=0.51)


@pytest.mark.parametrize("codes", [(0, 0), (1, 0), (0, 2), (1, 4)], ids=str)
@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("kind", KINDS)
def test_mask_keeps_version_header_and_codes(tmp_path, kind, name, codes):
    stored, affine = store(numbered().astype(np.float32), LENGTHS, ORIENTATIONS[29], OBLIQUE)
    save(tmp_path / name, stored, affine, kind, codes, intent_code=1001, dim_info=57, cal_max=90)
    scan = NiftiScan(tmp_path / name, "sagittal")
    scan.write(tmp_path / f"mask_{name}", scan.read_values() > 60)
    image, mask = nib.load(tmp_path / name), nib.load(tmp_path / f"mask_{name}")
    assert type(mask) is kind
    assert differing_fields(mask.header, image.header) <= MASK_FIELDS
    assert (mask.header["qform_code"], mask.header["sform_code"]) == codes
    assert mask.header["descrip"] == b"scanner 3"
    assert mask.header.get_zooms() == image.header.get_zooms()
    assert mask.header.get_xyzt_units() == ("mm", "sec")
    np.testing.assert_array_equal(mask.affine, image.affine)
    np.testing.assert_array_equal(mask.header.get_qform(), image.header.get_qform())
    np.testing.assert_array_equal(stored_values(tmp_path / f"mask_{name}"), stored > 60)
    assert (mask.header["cal_min"], mask.header["cal_max"]) == (0, 1)


def test_mask_keeps_a_qform_that_differs_from_the_sform(tmp_path):
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


def test_mask_keeps_header_extensions(tmp_path):
    image = nib.Nifti1Image(numbered().astype(np.int16), np.eye(4))
    image.header.extensions.append(nib.nifti1.Nifti1Extension("comment", b"kept"))
    nib.save(image, tmp_path / "a.nii")
    scan = NiftiScan(tmp_path / "a.nii", "axial")
    scan.write(tmp_path / "mask.nii", scan.read_values() > 60)
    (extension,) = nib.load(tmp_path / "mask.nii").header.extensions
    assert extension.text == "kept"
    np.testing.assert_array_equal(stored_values(tmp_path / "mask.nii"), numbered() > 60)


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
def test_mask_has_the_dimensions_of_its_image(tmp_path, shape, slices):
    stored = numbered(shape).astype(np.int16)
    for name, kind in product(NAMES, KINDS):
        with combination(name=name, kind=kind.__name__):
            save(tmp_path / name, stored, np.diag([-1, -1, 3, 1]), kind)
            scan = NiftiScan(tmp_path / name, "auto")
            values = scan.read_values()
            assert values.shape == scan.shape
            assert (scan.shape[0], scan.is_volume) == (slices, slices > 1)
            for stack, expected in (
                (values % 7 < 3, stored % 7 < 3),
                ((values % 7).astype(np.uint8), stored % 7),
            ):
                scan.write(tmp_path / f"mask_{name}", stack)
                mask = nib.load(tmp_path / f"mask_{name}")
                assert mask.shape == shape
                fields = differing_fields(mask.header, nib.load(tmp_path / name).header)
                assert fields <= MASK_FIELDS
                np.testing.assert_array_equal(stored_values(tmp_path / f"mask_{name}"), expected)


def test_2d_image_is_transposed_to_rows_and_columns(tmp_path):
    save(tmp_path / "a.nii", numbered((4, 5)).astype(np.int16), np.diag([-0.5, -0.25, 1, 1]))
    scan = NiftiScan(tmp_path / "a.nii", "coronal")
    assert scan.spacing_mm == (1, 0.25, 0.5)
    np.testing.assert_array_equal(scan.read_values()[0], numbered((4, 5)).T)


@pytest.mark.parametrize("name", NAMES)
def test_same_mask_is_written_as_the_same_bytes(tmp_path, name):
    save(tmp_path / name, numbered().astype(np.int16), np.eye(4))
    scan = NiftiScan(tmp_path / name, "axial")
    for place in ("one", "other"):
        scan.write(tmp_path / place / f"{place}_{name}", scan.read_values() > 60)
    one, other = ((tmp_path / place / f"{place}_{name}").read_bytes() for place in ("one", "other"))
    assert one == other
    assert one.startswith(b"\x1f\x8b") == name.endswith(".gz")
    if name.endswith(".gz"):
        assert one[4:8] == bytes(4)  # no time stamp
        assert len(gzip.decompress(one)) == 352 + numbered().size


@pytest.mark.parametrize("kind", KINDS)
def test_soft_mask_is_stored_as_0_to_1(tmp_path, kind):
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


def test_mask_of_a_scaled_image_is_not_scaled(tmp_path):
    save(tmp_path / "a.nii", numbered().astype(np.int16), np.eye(4))
    scale_stored(tmp_path / "a.nii", 0.5, -1024)
    scan = NiftiScan(tmp_path / "a.nii", "axial")
    scan.write(tmp_path / "mask.nii", scan.read_values() > -1000)
    np.testing.assert_array_equal(nib.load(tmp_path / "mask.nii").get_fdata(), numbered() > 48)
    scan.write_soft(tmp_path / "soft.nii", np.full(scan.shape, 51, np.uint8))
    np.testing.assert_allclose(nib.load(tmp_path / "soft.nii").get_fdata(), 0.2, rtol=1e-6)


def test_numbers_of_every_type_and_byte_order_are_read(tmp_path):
    dtypes = ["u1", "i1", "u2", "i2", "u4", "i4", "u8", "i8", "f4", "f8"]
    for dtype, order in product(dtypes, "<>"):
        with combination(dtype=dtype, order=order):
            stored = numbered() - (0 if dtype[0] == "u" else 100)
            stored = stored.astype(np.dtype(dtype).newbyteorder(order))
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
            mask = nib.load(tmp_path / "mask.nii")
            np.testing.assert_array_equal(np.asarray(mask.dataobj), stored > 0)


def test_values_are_scaled_as_the_header_specifies(tmp_path):
    save(tmp_path / "a.nii", numbered().astype(np.int16), np.diag([-1, -1, 1, 1]))
    scale_stored(tmp_path / "a.nii", 0.5, -1024)
    values = NiftiScan(tmp_path / "a.nii", "axial").read_values()
    np.testing.assert_array_equal(values, numbered().T * 0.5 - 1024)


def test_values_of_16_bits_are_kept(tmp_path):
    stored = np.arange(0, 65536, 16, np.uint16).reshape(16, 16, 16)
    save(tmp_path / "a.nii.gz", stored, np.diag([-1, -1, 1, 1]))
    assert len(np.unique(NiftiScan(tmp_path / "a.nii.gz", "axial").read_values())) == 4096


def test_labels_beyond_float32_are_exact(tmp_path):
    save(tmp_path / "a.nii", np.full((2, 3, 4), 2**24 + 1, np.int32), np.eye(4))
    assert set(NiftiScan(tmp_path / "a.nii", "axial").read_labels().ravel()) == {2**24 + 1}


@pytest.mark.parametrize(
    ("units", "mm"), [(0, 1), (1, 1000), (2, 1), (3, 0.001), (10, 1), (5, 1), (255, 1)]
)
def test_spacing_is_converted_to_mm(tmp_path, units, mm):
    stored, affine = store(numbered().astype(np.int16), LENGTHS, ORIENTATIONS[17], OBLIQUE)
    save(tmp_path / "a.nii", stored, affine, xyzt_units=units)
    scan = NiftiScan(tmp_path / "a.nii", "axial")
    assert scan.spacing_mm == pytest.approx((2.5 * mm, 1.25 * mm, 1.0 * mm))
    scan.write(tmp_path / "mask.nii", np.zeros(scan.shape, bool))
    assert nib.load(tmp_path / "mask.nii").header["xyzt_units"] == units


def test_small_voxels_in_metres_are_accepted(tmp_path):
    save(
        tmp_path / "a.nii",
        numbered().astype(np.int16),
        np.diag([1e-4, 1e-4, 1e-4, 1]),
        xyzt_units=1,
    )
    assert NiftiScan(tmp_path / "a.nii", "auto").spacing_mm == pytest.approx((0.1, 0.1, 0.1))


def test_suffix_in_capitals_is_compressed(tmp_path):
    save(tmp_path / "a.nii.gz", numbered().astype(np.int16), np.eye(4))
    (tmp_path / "a.nii.gz").rename(tmp_path / "A.NII.GZ")
    scan = NiftiScan(tmp_path / "A.NII.GZ", "axial")
    scan.write(tmp_path / "MASK.NII.GZ", scan.read_values() > 60)
    np.testing.assert_array_equal(stored_values(tmp_path / "MASK.NII.GZ"), numbered() > 60)


@pytest.mark.parametrize("shape", [(4, 5, 6, 2), (4, 5, 1, 3), (4, 5, 6, 1, 3), (7,)])
@pytest.mark.parametrize("name", NAMES)
def test_other_than_two_or_three_dimensions_are_rejected(tmp_path, name, shape):
    nib.save(nib.Nifti1Image(np.zeros(shape, np.int16), np.eye(4)), tmp_path / name)
    with pytest.raises(InputError) as caught:
        NiftiScan(tmp_path / name, "axial")
    assert str(caught.value) == (
        f"{tmp_path / name}: a NIfTI image must have two or three dimensions, "
        f"found {' x '.join(map(str, shape))}; save each volume as a file of its own"
    )


@pytest.mark.parametrize(
    "dtype", [np.complex64, np.dtype([("R", "u1"), ("G", "u1"), ("B", "u1")])], ids=str
)
def test_colours_and_complex_numbers_are_rejected(tmp_path, dtype):
    nib.save(nib.Nifti1Image(np.zeros((4, 5, 6), dtype), np.eye(4)), tmp_path / "a.nii")
    with pytest.raises(InputError, match=r"a\.nii: voxels must be real numbers, found"):
        NiftiScan(tmp_path / "a.nii", "axial")


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize(
    "content", [b"", b"not an image\n", b"\x1f\x8b\x08", bytes(352), bytes(600)]
)
def test_file_that_is_not_nifti_is_named(tmp_path, name, content):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(InputError, match=rf"{name}: cannot read the NIfTI file"):
        NiftiScan(tmp_path / name, "axial")


@pytest.mark.parametrize("name", NAMES)
def test_truncated_file_is_named(tmp_path, name):
    noise = np.random.default_rng(0).integers(0, 2**15, (20, 20, 20), np.int16)
    nib.save(nib.Nifti1Image(noise, np.eye(4)), tmp_path / name)
    content = (tmp_path / name).read_bytes()
    for share in (0.001, 0.01, 0.1, 0.5, 0.9, 0.999):
        with combination(share=share):
            (tmp_path / name).write_bytes(content[: int(share * len(content))])
            with pytest.raises(InputError, match=rf"{name}: cannot read the (NIfTI file|voxels)"):
                read_everything(tmp_path / name)


def test_damaged_gz_is_named(tmp_path):
    nib.save(nib.Nifti1Image(np.zeros((40, 40, 40), np.int16), np.eye(4)), tmp_path / "a.nii")
    content = bytearray(gzip.compress((tmp_path / "a.nii").read_bytes(), 0))
    content[10 + 5 + 65535] = 255  # the header of the second block
    (tmp_path / "a.nii.gz").write_bytes(content)
    with pytest.raises(InputError, match=r"a\.nii\.gz: cannot read the voxels"):
        read_everything(tmp_path / "a.nii.gz")


@pytest.mark.parametrize("name", NAMES)
def test_missing_file_is_named(tmp_path, name):
    with pytest.raises(InputError, match=rf"{name}: file not found"):
        NiftiScan(tmp_path / name, "axial")


def test_surface_in_nifti_is_rejected(tmp_path):
    axes = (
        nib.cifti2.ScalarAxis(["thickness"]),
        nib.cifti2.BrainModelAxis.from_mask(np.ones((2, 2, 2), bool), affine=np.eye(4)),
    )
    nib.save(nib.Cifti2Image(np.zeros((1, 8), np.float32), axes), tmp_path / "a.dscalar.nii")
    with pytest.raises(
        InputError,
        match=r"a\.dscalar\.nii: cannot read the NIfTI file \(a CIFTI file is not a",
    ):
        NiftiScan(tmp_path / "a.dscalar.nii", "axial")


def test_affine_that_cannot_be_inverted_is_named(tmp_path):
    image = nib.Nifti1Image(numbered().astype(np.int16), None)
    image.header.set_sform(np.diag([1, 1, 0, 1]), 2)
    nib.save(nib.Nifti1Image(numbered().astype(np.int16), None, image.header), tmp_path / "a.nii")
    with pytest.raises(
        InputError, match=r"a\.nii: the affine cannot be inverted: \[\[1\.0, 0\.0, "
    ):
        NiftiScan(tmp_path / "a.nii", "axial")


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_voxels_that_are_not_finite_are_background(tmp_path, value, caplog):
    stored = numbered().astype(np.float32) + 3
    stored[1, 2, 3] = value
    save(tmp_path / "a.nii", stored, np.diag([-1, -1, 1, 1]))
    scan = NiftiScan(tmp_path / "a.nii", "axial")
    for read, background in ((scan.read_values, 3), (scan.read_labels, 0)):
        expected = stored.copy()
        expected[1, 2, 3] = background
        np.testing.assert_array_equal(read(), expected.T)
    (of_values, of_labels) = caplog.messages
    assert of_values.startswith(f"{tmp_path / 'a.nii'}: 1 of {stored.size} values are NaN or inf")
    assert of_labels.endswith("they are read as 0")


@pytest.mark.parametrize("slope", [0.9999999997671694, 1.00000006])
def test_mask_that_was_scaled_is_rounded(tmp_path, slope):
    save(tmp_path / "a.nii", (numbered() % 3).astype(np.int16), np.diag([-1, -1, 1, 1]))
    scale_stored(tmp_path / "a.nii", slope, 0)
    labels = NiftiScan(tmp_path / "a.nii", "axial").read_labels()
    np.testing.assert_array_equal(labels, numbered().T % 3)


def test_probabilities_in_8_bits_are_a_mask_if_they_are_0_and_1(tmp_path):
    save(tmp_path / "a.nii", (255 * (numbered() % 2)).astype(np.uint8), np.diag([-1, -1, 1, 1]))
    scale_stored(tmp_path / "a.nii", 1 / 255, 0)
    labels = NiftiScan(tmp_path / "a.nii", "axial").read_labels()
    np.testing.assert_array_equal(labels, numbered().T % 2)


def test_mask_of_fractions_is_rejected(tmp_path):
    save(tmp_path / "a.nii", numbered() / 255, np.eye(4))
    with pytest.raises(InputError, match=r"a\.nii: mask values must be whole numbers"):
        NiftiScan(tmp_path / "a.nii", "axial").read_labels()


def test_failed_write_leaves_no_file(tmp_path):
    save(tmp_path / "a.nii", numbered().astype(np.int16), np.eye(4))
    with pytest.raises(ValueError, match="reshape"):
        NiftiScan(tmp_path / "a.nii", "axial").write(
            tmp_path / "mask.nii", np.zeros((1, 2, 3), bool)
        )
    assert [path.name for path in tmp_path.iterdir()] == ["a.nii"]


def test_labels_are_written_unscaled(tmp_path):
    save(tmp_path / "a.nii", numbered().astype(np.int16), np.eye(4))
    scale_stored(tmp_path / "a.nii", 0.5, -1024)
    scan = NiftiScan(tmp_path / "a.nii", "axial")
    labels = (3 * (scan.read_values() > -1000)).astype(np.uint8)
    scan.write(tmp_path / "labels.nii", labels)
    written = nib.load(tmp_path / "labels.nii")
    np.testing.assert_array_equal(written.get_fdata(), 3 * (numbered() > 48))
    assert (written.header["cal_min"], written.header["cal_max"]) == (0, 3)
