"""DICOM series and single files: values, positions, and masks written as NIfTI."""

import nibabel as nib
import numpy as np
import pytest
from nibabel.affines import apply_affine

from automedsam.runtime.errors import InputError
from automedsam.scans.dicom.dicom_scan import DicomScan
from automedsam.scans.nifti import NiftiScan
from combination import combination
from dicom_files import (
    COLUMN_MM,
    COLUMNS,
    NO_PLACE,
    ORIENTATIONS,
    ROW_MM,
    ROWS,
    SLICE_MM,
    SLICES,
    distinct_values,
    pydicom,
    write_dicom,
    write_series,
    write_slice,
)

# Directions of slice number, row and column in radiological orientation, mm left, back and head.
STACK_AXES = {
    "axial": ((0, 0, 1), (0, 1, 0), (1, 0, 0)),
    "sagittal": ((1, 0, 0), (0, 0, -1), (0, 1, 0)),
    "coronal": ((0, 1, 0), (0, 0, -1), (1, 0, 0)),
}


@pytest.fixture(scope="module")
def series(tmp_path_factory):
    """One series per orientation: folder, pixels (slices, rows, columns) and voxel positions."""
    root = tmp_path_factory.mktemp("series")
    slices = distinct_values()
    return {
        name: (root / name, slices, write_series(root / name, slices, name))
        for name in ORIENTATIONS
    }


def order_by_value(values, positions):
    return positions.reshape(-1, 3)[np.argsort(values, axis=None)]


def positions_in_nifti(path):
    """Voxel positions, mm left, back and head, in the order of the values; read with nibabel."""
    image = nib.load(path)
    ranks = image.get_fdata().astype(int)
    assert sorted(ranks.ravel()) == list(range(ranks.size))
    indices = np.array(np.unravel_index(np.argsort(ranks, axis=None), ranks.shape)).T
    return apply_affine(image.affine, indices) * (-1, -1, 1)


@pytest.mark.parametrize("orientation", ORIENTATIONS)
def test_voxels_keep_their_values_and_positions(tmp_path, series, orientation):
    folder, slices, positions = series[orientation]
    scanned_plane = {"above": "axial"}.get(orientation.split()[-1], orientation.split()[-1])
    for slice_axis in ("auto", "axial", "coronal", "sagittal"):
        with combination(slice_axis=slice_axis):
            scan = DicomScan(folder, slice_axis)
            values = scan.read_values()
            assert (scan.is_volume, values.shape, values.dtype) == (True, scan.shape, np.float32)
            assert sorted(values.ravel()) == sorted(slices.ravel())
            scan.write(tmp_path / "ranks.nii.gz", values.astype(np.uint8))  # 0 to 119
            expected = order_by_value(slices, positions)
            assert np.allclose(positions_in_nifti(tmp_path / "ranks.nii.gz"), expected, atol=1e-3)

            plane = scanned_plane if slice_axis == "auto" else slice_axis
            assert scan.slicing.plane == plane
            places = expected[values.astype(int)]  # values are ranks
            for axis, direction in enumerate(STACK_AXES[plane]):
                step = np.diff(places, axis=axis).reshape(-1, 3)[0]
                assert np.allclose(step, np.diff(places, axis=axis), atol=1e-6)
                assert step @ direction > 0.9 * np.linalg.norm(step)
                assert scan.spacing_mm[axis] == pytest.approx(np.linalg.norm(step), abs=1e-5)


def test_axial_slices_are_sorted_from_feet_to_head(series):
    folder, slices, _ = series["axial"]
    scan = DicomScan(folder, "auto")
    assert (scan.slicing.plane, scan.shape) == ("axial", (SLICES, ROWS, COLUMNS))
    assert scan.spacing_mm == pytest.approx((SLICE_MM, ROW_MM, COLUMN_MM))
    assert np.array_equal(scan.read_values(), slices)


def check_masks(folder, scan):
    """Write a mask and probabilities, and read them back."""
    mask = np.random.default_rng(1).random(scan.shape) < 0.3
    scan.write(folder / "mask.nii.gz", mask)
    written = NiftiScan(folder / "mask.nii.gz", "auto")
    assert np.array_equal(written.read_labels(), mask)
    assert (written.slicing.plane, written.spacing_mm) == (scan.slicing.plane, scan.spacing_mm)
    assert scan.slicing.offset_voxels(written.slicing) < 1e-6
    assert nib.load(folder / "mask.nii.gz").get_data_dtype() == np.uint8

    soft = np.random.default_rng(2).integers(0, 256, scan.shape).astype(np.uint8)
    scan.write_soft(folder / "soft.nii.gz", soft)
    values = NiftiScan(folder / "soft.nii.gz", "auto").read_values()
    assert np.allclose(values, soft / 255, atol=1e-6)


@pytest.mark.parametrize("orientation", ORIENTATIONS)
def test_masks_of_a_series_are_restored_from_nifti(tmp_path, series, orientation):
    folder, _, _ = series[orientation]
    check_masks(tmp_path, DicomScan(folder, "auto"))


@pytest.mark.parametrize("orientation", ORIENTATIONS)
def test_masks_of_one_slice_are_restored_from_nifti(tmp_path, orientation):
    slices = distinct_values(shape=(1, ROWS, COLUMNS))
    write_series(tmp_path / "series", slices, orientation, SliceThickness=3)
    check_masks(tmp_path, DicomScan(tmp_path / "series", "auto"))


def test_mask_has_equal_qform_and_sform(tmp_path, series):
    folder, _, _ = series["oblique coronal"]
    mask = np.ones((SLICES, ROWS, COLUMNS), bool)
    DicomScan(folder, "auto").write(tmp_path / "mask.nii.gz", mask)
    header = nib.load(tmp_path / "mask.nii.gz").header
    assert np.allclose(header.get_qform(coded=True)[0], header.get_sform(coded=True)[0], atol=1e-4)
    assert (header.get_qform(coded=True)[1], header.get_sform(coded=True)[1]) == (1, 1)
    assert header.get_xyzt_units()[0] == "mm"


def test_tilted_gantry_is_stored_as_shear(tmp_path):
    slices = distinct_values()
    positions = write_series(tmp_path / "series", slices, "axial", step=(0, 0.8, 2.5))
    scan = DicomScan(tmp_path / "series", "auto")
    scan.write(tmp_path / "ranks.nii.gz", scan.read_values().astype(np.uint8))
    expected = order_by_value(slices, positions)
    assert np.allclose(positions_in_nifti(tmp_path / "ranks.nii.gz"), expected, atol=1e-3)
    assert nib.load(tmp_path / "ranks.nii.gz").get_qform(coded=True)[0] is None


@pytest.mark.parametrize("first", [0, 2])
def test_auto_axis_of_series_and_mask_agree_at_the_threshold(tmp_path, first):
    """Slices are exactly 1.5 times as thick as pixels are wide, so that rounding decides."""
    to_column, to_row = ORIENTATIONS["oblique coronal"]
    for k in range(3):
        position = np.cross(to_column, to_row) * 1.2 * (first + k)
        write_dicom(
            tmp_path / "series" / f"{k}.dcm",
            np.zeros((4, 5), np.uint8),
            PixelSpacing=[0.8, 0.8],
            ImageOrientationPatient=[f"{cosine:.12f}" for cosine in (*to_column, *to_row)],
            ImagePositionPatient=[f"{mm:.8f}" for mm in position],
        )
    scan = DicomScan(tmp_path / "series", "auto")
    scan.write(tmp_path / "mask.nii.gz", np.ones(scan.shape, bool))
    assert NiftiScan(tmp_path / "mask.nii.gz", "auto").slicing.plane == scan.slicing.plane


def test_each_file_is_rescaled_by_its_own_slope_and_intercept(tmp_path):
    for k, (slope, intercept) in enumerate([(1, -1024), (2, -1000)]):
        write_dicom(
            tmp_path / f"{k}.dcm",
            np.array([[0, 24], [1024, 3000]], np.int16),
            ImagePositionPatient=[0, 0, k],
            RescaleSlope=slope,
            RescaleIntercept=intercept,
        )
    values = DicomScan(tmp_path, "axial").read_values()
    assert values.dtype == np.float32
    assert values.tolist() == [[[-1024, -1000], [0, 1976]], [[-1000, -952], [1048, 5000]]]


@pytest.mark.parametrize(
    ("stored", "tags", "expected"),
    [
        (np.array([[0, 60000]], np.uint16), {}, [0, 60000]),
        (np.array([[-5, 7]], np.int16), {}, [-5, 7]),
        (np.array([[0, 4095]], np.uint16), {"BitsStored": 12, "HighBit": 11}, [0, 4095]),
        (
            np.array([[0, 100]], np.uint16),
            {"BitsStored": 12, "HighBit": 11, "inverted": True},
            [4095, 3995],
        ),
        (np.array([[-3, 7]], np.int16), {"inverted": True}, [2, -8]),
        (
            np.array([[0, 10]], np.uint8),
            {"inverted": True, "RescaleSlope": 2, "RescaleIntercept": -100},
            [2 * 255 - 100, 2 * 245 - 100],
        ),
    ],
)
def test_higher_values_are_brighter(tmp_path, stored, tags, expected):
    tags = dict(tags)
    if tags.pop("inverted", False):
        tags["PhotometricInterpretation"] = "MONOCHROME1"
    values = DicomScan(write_dicom(tmp_path / "a.dcm", stored, **tags), "auto").read_values()
    assert values.dtype == np.float32
    assert values.tolist() == [[expected]]


def test_colour_image_keeps_its_colours(tmp_path):
    colours = np.random.default_rng(0).integers(0, 256, (ROWS, COLUMNS, 3)).astype(np.uint8)
    scan = DicomScan(write_dicom(tmp_path / "a.dcm", colours, **NO_PLACE), "auto")
    assert scan.shape == (1, ROWS, COLUMNS)
    values = scan.read_values()
    assert values.dtype == np.uint8
    assert np.array_equal(values, colours[None])


def test_ybr_and_palettes_become_rgb(tmp_path):
    grey = np.full((2, 2, 3), (90, 128, 128), np.uint8)
    path = write_dicom(tmp_path / "ybr.dcm", grey, **NO_PLACE, PhotometricInterpretation="YBR_FULL")
    assert (DicomScan(path, "auto").read_values() == 90).all()

    indices = np.array([[0, 1], [2, 1]], np.uint8)
    tables = {"Red": [10, 20, 30, 0], "Green": [40, 50, 60, 0], "Blue": [70, 80, 90, 0]}
    tags = {f"{colour}PaletteColorLookupTableDescriptor": [4, 0, 8] for colour in tables}
    tags |= {
        f"{colour}PaletteColorLookupTableData": bytes(table) for colour, table in tables.items()
    }
    path = write_dicom(
        tmp_path / "p.dcm",
        indices,
        **NO_PLACE,
        PhotometricInterpretation="PALETTE COLOR",
        **tags,
    )
    red, green, blue = [10, 40, 70], [20, 50, 80], [30, 60, 90]
    assert DicomScan(path, "auto").read_values().tolist() == [[[red, green], [blue, green]]]


@pytest.mark.parametrize(
    ("tags", "spacing_mm"),
    [
        ({"PixelSpacing": [0.2, 0.3]}, (1.0, 0.2, 0.3)),
        ({"PixelSpacing": None, "ImagerPixelSpacing": [0.2, 0.3]}, (1.0, 0.2, 0.3)),
        (
            {"PixelSpacing": [0.2, 0.3], "ImagerPixelSpacing": [0.4, 0.4], "SliceThickness": 4},
            (4.0, 0.2, 0.3),
        ),
        ({"PixelSpacing": None}, None),
    ],
)
def test_image_without_position_is_one_slice_without_slicing(tmp_path, tags, spacing_mm):
    pixels = distinct_values(np.uint16, (ROWS, COLUMNS))
    scan = DicomScan(write_dicom(tmp_path / "a.dcm", pixels, **NO_PLACE | tags), "coronal")
    assert (scan.shape, scan.is_volume, scan.slicing) == ((1, ROWS, COLUMNS), False, None)
    assert scan.spacing_mm == (spacing_mm and pytest.approx(spacing_mm))
    assert np.array_equal(scan.read_values(), pixels[None])

    mask = pixels[None] % 3 == 0
    scan.write(tmp_path / "mask.nii.gz", mask)
    written = NiftiScan(tmp_path / "mask.nii.gz", "auto")
    assert np.array_equal(written.read_labels(), mask)
    assert written.spacing_mm == pytest.approx(spacing_mm or (1, 1, 1))


def test_single_file_with_position_is_one_slice_in_space(tmp_path):
    tags = {"ImageOrientationPatient": [0, 1, 0, 0, 0, -1], "SliceThickness": 4}
    scan = DicomScan(
        write_dicom(tmp_path / "a.dcm", np.ones((ROWS, COLUMNS), np.uint8), **tags), "axial"
    )
    assert (scan.shape, scan.slicing.plane) == ((1, ROWS, COLUMNS), "sagittal")
    assert scan.spacing_mm == pytest.approx((4, ROW_MM, COLUMN_MM))


def error_message(path):
    """The message of the error that reading a file raises, or None."""
    try:
        scan = DicomScan(path, "auto")
        assert scan.read_values().shape[:3] == scan.shape
    except InputError as error:
        return str(error)
    return None


def test_truncated_or_damaged_file_is_read_or_named_in_one_line(tmp_path):
    path = write_dicom(tmp_path / "a.dcm", distinct_values(shape=(ROWS, COLUMNS)))
    content = path.read_bytes()
    rng = np.random.default_rng(0)
    messages = []
    for trial in range(300):
        if trial % 2:
            damaged = bytearray(content[: rng.integers(len(content))])
        else:
            damaged = bytearray(content)
            damaged[rng.integers(128, len(content))] ^= int(rng.integers(1, 256))
        path.write_bytes(damaged)
        messages.append(error_message(path))
    messages = [message for message in messages if message is not None]
    assert len(messages) > 150
    assert all(message.startswith(f"{path}: ") for message in messages)
    assert all("\n" not in message for message in messages)


def test_unsupported_compression_is_reported_in_one_line(tmp_path):
    path = write_dicom(tmp_path / "a.dcm", np.zeros((4, 4), np.uint8))
    dataset = pydicom.dcmread(path)
    dataset.file_meta.TransferSyntaxUID = pydicom.uid.MPEG4HP41
    dataset.PixelData = pydicom.encaps.encapsulate([bytes(4)])
    dataset["PixelData"].VR = "OB"
    dataset.save_as(path)
    scan = DicomScan(path, "auto")
    with pytest.raises(
        InputError, match=r"a\.dcm: cannot read the DICOM image \(.* is not supported"
    ) as caught:
        scan.read_values()
    assert "\n" not in str(caught.value)


def test_lossless_compression_is_read(tmp_path):
    pixels = distinct_values(np.uint16, (ROWS, COLUMNS))
    path = write_dicom(tmp_path / "a.dcm", pixels)
    dataset = pydicom.dcmread(path)
    dataset.compress(pydicom.uid.RLELossless)
    dataset.save_as(path)
    assert np.array_equal(DicomScan(path, "auto").read_values(), pixels[None])


def test_values_that_are_not_finite_become_the_smallest_other_value(tmp_path, caplog):
    values = np.array([[0, 1], [np.nan, 2]], np.float32)
    tags = dict.fromkeys(["PixelData", "BitsStored", "HighBit", "PixelRepresentation"])
    path = write_dicom(tmp_path / "a.dcm", values, **tags, FloatPixelData=values.tobytes())
    assert DicomScan(path, "auto").read_values().tolist() == [[[0, 1], [0, 2]]]
    assert caplog.messages == [
        f"{path}: 1 of 4 values are NaN or infinite; they are read as 0, the smallest other value"
    ]


@pytest.mark.parametrize("is_implicit", [True, False])
def test_file_without_preamble_and_meta_information_is_read(tmp_path, is_implicit):
    pixels = distinct_values(np.uint16, (ROWS, COLUMNS))
    dataset = pydicom.dcmread(write_dicom(tmp_path / "a.dcm", pixels))
    dataset.file_meta, dataset.preamble = pydicom.dataset.FileMetaDataset(), None
    dataset.save_as(tmp_path / "IM0", implicit_vr=is_implicit, little_endian=True)
    scan = DicomScan(tmp_path / "IM0", "auto")
    assert np.array_equal(scan.read_values(), pixels[None])
    assert scan.spacing_mm[1:] == pytest.approx((ROW_MM, COLUMN_MM))


@pytest.mark.parametrize("shape", [(3, 8, 9, 3), (3, 8, 9)], ids=["colour", "grey"])
@pytest.mark.parametrize("slice_axis", ["auto", "coronal"])
def test_frames_of_a_cine_are_slices(tmp_path, shape, slice_axis, caplog):
    frames = np.random.default_rng(0).integers(0, 256, shape).astype(np.uint8)
    tags = {"NumberOfFrames": 3, "PixelData": frames.tobytes(), "PixelSpacing": [2, 2]}
    path = write_dicom(tmp_path / "a.dcm", frames[0], **NO_PLACE | tags)
    scan = DicomScan(path, slice_axis)
    assert (scan.shape, scan.is_volume, scan.slicing) == ((3, 8, 9), True, None)
    assert scan.spacing_mm is None  # the distance between frames is a time
    assert np.array_equal(scan.read_values(), frames)
    assert caplog.messages == [f"{path}: the 3 frames of this file are read as slices"]

    mask = frames.reshape(3, 8, 9, -1)[..., 0] > 100
    scan.write(tmp_path / "mask.nii.gz", mask)
    stored = np.asarray(nib.load(tmp_path / "mask.nii.gz").dataobj)
    assert np.array_equal(stored, mask.transpose(2, 1, 0))


def test_cine_with_other_pixels_than_frames_is_rejected(tmp_path):
    pixels = np.zeros((8, 9), np.uint8)
    path = write_dicom(tmp_path / "a.dcm", pixels, NumberOfFrames=3, **NO_PLACE)
    with pytest.raises(InputError, match=r"a\.dcm: cannot read the DICOM image"):
        DicomScan(path, "auto").read_values()


@pytest.mark.parametrize(
    ("stored", "tags", "expected"),
    [
        # Outside of the field of view of a CT.
        ([-2000, -1000, 40], {"PixelPaddingValue": -2000}, [-1000, -1000, 40]),
        ([-2000, -1000, 40], {}, [-2000, -1000, 40]),
        (
            [-2000, -1000, 40],
            {"PixelPaddingValue": -2000, "RescaleIntercept": -24, "RescaleSlope": 1},
            [-1024, -1024, 16],
        ),
        (
            [-2000, -1990, -1000, 40],
            {"PixelPaddingValue": -2000, "PixelPaddingRangeLimit": -1980},
            [-1000, -1000, -1000, 40],
        ),
        # Above all values, and darkest in the display.
        ([5, 7, 3000], {"PixelPaddingValue": 3000}, [5, 7, 5]),
        (
            [-30000, 100, 200],
            {"PixelPaddingValue": -30000, "PhotometricInterpretation": "MONOCHROME1"},
            [-201, -101, -201],
        ),
        # In the middle of the values, where it does not decide the grey scale.
        ([-100, 0, 50], {"PixelPaddingValue": 0}, [-100, 0, 50]),
        ([7, 7, 7], {"PixelPaddingValue": 7}, [7, 7, 7]),
    ],
)
def test_padding_at_an_end_of_the_values_becomes_the_smallest_other(
    tmp_path, stored, tags, expected
):
    path = write_dicom(tmp_path / "a.dcm", np.array([stored], np.int16), **tags)
    assert DicomScan(path, "auto").read_values().tolist() == [[expected]]


def test_dicom_is_rejected_as_mask(tmp_path):
    with pytest.raises(InputError, match=r"0\.dcm: a DICOM file cannot be a mask"):
        DicomScan(write_slice(tmp_path, 0), "auto").read_labels()
