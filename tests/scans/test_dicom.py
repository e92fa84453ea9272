"""DICOM series and single files: every voxel in its place and of its value, masks back as NIfTI, faults in one line."""

import re
import sys

import nibabel as nib
import numpy as np
import pytest
from nibabel.affines import apply_affine

from automedsam.runtime.errors import InputError
from automedsam.scans.dicom import DicomScan, find_series
from automedsam.scans.nifti import NiftiScan

pydicom = pytest.importorskip(
    "pydicom", reason="pydicom, the optional extra that reads DICOM, is not installed"
)

SLICES, ROWS, COLUMNS = 4, 5, 6
ROW_MM, COLUMN_MM, SLICE_MM = 0.5, 0.75, 2.5
FIRST_POSITION = np.array([-11.0, 7.0, 30.0])  # mm to the patient's left, back and head
TILT = np.deg2rad(20)
ORIENTATIONS = {  # where the next column lies, where the next row lies
    "axial": ((1, 0, 0), (0, 1, 0)),
    "axial from above": ((-1, 0, 0), (0, 1, 0)),
    "sagittal": ((0, 1, 0), (0, 0, -1)),
    "coronal": ((1, 0, 0), (0, 0, -1)),
    "oblique axial": ((np.cos(TILT), np.sin(TILT), 0), (-np.sin(TILT), np.cos(TILT), 0)),
    "oblique coronal": ((1, 0, 0), (0, np.sin(TILT), -np.cos(TILT))),
}
# Where slice number, row and column of a stack point to, mm left, back, head: as radiologists look at it.
STACK_AXES = {
    "axial": ((0, 0, 1), (0, 1, 0), (1, 0, 0)),
    "sagittal": ((1, 0, 0), (0, 0, -1), (0, 1, 0)),
    "coronal": ((0, 1, 0), (0, 0, -1), (1, 0, 0)),
}
MIN_VOXEL_VOLUME = {"ImageOrientationPatient": None, "ImagePositionPatient": None}


def write_dicom(path, pixels, kind="1.2.840.10008.5.1.4.1.1.4", **tags):
    """A clean file of (rows, columns) or (rows, columns, 3); a tag of None is left out."""
    dataset = pydicom.Dataset()
    dataset.file_meta = pydicom.dataset.FileMetaDataset()
    dataset.file_meta.TransferSyntaxUID = pydicom.uid.ExplicitVRLittleEndian
    dataset.file_meta.MediaStorageSOPClassUID = dataset.SOPClassUID = kind
    dataset.file_meta.MediaStorageSOPInstanceUID = dataset.SOPInstanceUID = (
        pydicom.uid.generate_uid()
    )
    defaults = {
        "SeriesInstanceUID": "1.2.3",
        "ImageOrientationPatient": [1, 0, 0, 0, 1, 0],
        "ImagePositionPatient": [0, 0, 0],
        "PixelSpacing": [ROW_MM, COLUMN_MM],
        "PhotometricInterpretation": "RGB" if pixels.shape[2:] == (3,) else "MONOCHROME2",
        "SamplesPerPixel": 3 if pixels.shape[2:] == (3,) else 1,
        "PlanarConfiguration": 0 if pixels.shape[2:] == (3,) else None,
        "Rows": pixels.shape[0],
        "Columns": pixels.shape[1],
        "BitsAllocated": 8 * pixels.itemsize,
        "BitsStored": 8 * pixels.itemsize,
        "HighBit": 8 * pixels.itemsize - 1,
        "PixelRepresentation": int(pixels.dtype.kind == "i"),
        "PixelData": pixels.tobytes(),
    }
    for keyword, value in (defaults | tags).items():
        if value is not None:
            setattr(dataset, keyword, value)
    path.parent.mkdir(parents=True, exist_ok=True)
    dataset.save_as(path, enforce_file_format=True)
    return path


def write_series(folder, slices, orientation="axial", step=None, **tags):
    """Files in an order that is not theirs in space, InstanceNumber being no help; gives the position of each voxel."""
    to_column, to_row = np.array(ORIENTATIONS[orientation], float)
    step = np.cross(to_column, to_row) * SLICE_MM if step is None else np.array(step)
    positions = np.empty((*slices.shape, 3))
    rng = np.random.default_rng(5)
    names, numbers = rng.permutation(len(slices)), rng.permutation(len(slices))
    for k, pixels in enumerate(slices):
        first = FIRST_POSITION + k * step
        for row in range(pixels.shape[0]):
            for column in range(pixels.shape[1]):
                positions[k, row, column] = (
                    first + column * COLUMN_MM * to_column + row * ROW_MM * to_row
                )
        write_dicom(
            folder / f"{names[k]}.dcm",
            pixels,
            ImageOrientationPatient=[f"{cosine:.12f}" for cosine in (*to_column, *to_row)],
            ImagePositionPatient=[f"{mm:.8f}" for mm in first],
            InstanceNumber=int(numbers[k]),
            **tags,
        )
    return positions


def distinct_values(dtype=np.int16, shape=(SLICES, ROWS, COLUMNS)):
    return np.random.default_rng(3).permutation(np.prod(shape)).reshape(shape).astype(dtype)


def order_by_value(values, positions):
    return positions.reshape(-1, 3)[np.argsort(values, axis=None)]


def positions_in_nifti(path):
    """Position of each voxel, mm left, back and head, in the order of the voxels' values: by nibabel alone."""
    image = nib.load(path)
    ranks = image.get_fdata().astype(int)
    assert sorted(ranks.ravel()) == list(range(ranks.size))
    indices = np.array(np.unravel_index(np.argsort(ranks, axis=None), ranks.shape)).T
    return apply_affine(image.affine, indices) * (-1, -1, 1)


@pytest.mark.parametrize("slice_axis", ["auto", "axial", "coronal", "sagittal"])
@pytest.mark.parametrize("orientation", ORIENTATIONS)
def test_every_voxel_keeps_its_value_and_its_place_in_the_patient(
    tmp_path, orientation, slice_axis
):
    slices = distinct_values()
    positions = write_series(tmp_path / "series", slices, orientation)
    scan = DicomScan(tmp_path / "series", slice_axis)
    values = scan.read_values()
    assert (scan.is_volume, values.shape, values.dtype) == (True, scan.shape, np.float32)
    assert sorted(values.ravel()) == sorted(slices.ravel())
    scan.write(tmp_path / "ranks.nii.gz", values.astype(np.uint8))  # 0 to 119
    assert np.allclose(
        positions_in_nifti(tmp_path / "ranks.nii.gz"), order_by_value(slices, positions), atol=1e-3
    )

    plane = orientation.split()[-1] if slice_axis == "auto" else slice_axis
    plane = "axial" if plane == "above" else plane
    assert scan.slicing.plane == plane
    place_of = order_by_value(slices, positions)[values.astype(int)]  # values are ranks
    for axis, towards in enumerate(STACK_AXES[plane]):
        step = np.diff(place_of, axis=axis).reshape(-1, 3)[0]
        assert np.allclose(step, np.diff(place_of, axis=axis), atol=1e-6)
        assert step @ towards > 0.9 * np.linalg.norm(step)
        assert scan.spacing_mm[axis] == pytest.approx(np.linalg.norm(step), abs=1e-5)


def test_axial_slices_go_from_feet_to_head_as_they_were_stored(tmp_path):
    slices = distinct_values()
    write_series(tmp_path, slices, "axial")
    scan = DicomScan(tmp_path, "auto")
    assert (scan.slicing.plane, scan.shape) == ("axial", (SLICES, ROWS, COLUMNS))
    assert scan.spacing_mm == pytest.approx((SLICE_MM, ROW_MM, COLUMN_MM))
    assert np.array_equal(scan.read_values(), slices)


@pytest.mark.parametrize("slices", [SLICES, 1])
@pytest.mark.parametrize("orientation", ORIENTATIONS)
def test_masks_come_back_from_nifti_as_they_were_written(tmp_path, orientation, slices):
    write_series(
        tmp_path / "series",
        distinct_values(shape=(slices, ROWS, COLUMNS)),
        orientation,
        SliceThickness=3,
    )
    scan = DicomScan(tmp_path / "series", "auto")
    mask = np.random.default_rng(1).random(scan.shape) < 0.3
    scan.write(tmp_path / "mask.nii.gz", mask)
    written = NiftiScan(tmp_path / "mask.nii.gz", "auto")
    assert np.array_equal(written.read_labels(), mask)
    assert (written.slicing.plane, written.spacing_mm) == (scan.slicing.plane, scan.spacing_mm)
    assert scan.slicing.offset_voxels(written.slicing) < 1e-6
    assert nib.load(tmp_path / "mask.nii.gz").get_data_dtype() == np.uint8

    soft = np.random.default_rng(2).integers(0, 256, scan.shape).astype(np.uint8)
    scan.write_soft(tmp_path / "soft.nii.gz", soft)
    assert np.allclose(
        NiftiScan(tmp_path / "soft.nii.gz", "auto").read_values(), soft / 255, atol=1e-6
    )


def test_viewers_that_know_qforms_alone_see_the_mask_in_its_place(tmp_path):
    write_series(tmp_path / "series", distinct_values(), "oblique coronal")
    DicomScan(tmp_path / "series", "auto").write(
        tmp_path / "mask.nii.gz", np.ones((SLICES, ROWS, COLUMNS), bool)
    )
    header = nib.load(tmp_path / "mask.nii.gz").header
    assert np.allclose(header.get_qform(coded=True)[0], header.get_sform(coded=True)[0], atol=1e-4)
    assert (header.get_qform(coded=True)[1], header.get_sform(coded=True)[1]) == (1, 1)
    assert header.get_xyzt_units()[0] == "mm"


def test_a_tilted_gantry_is_sheared_not_straightened(tmp_path):
    slices = distinct_values()
    positions = write_series(tmp_path / "series", slices, "axial", step=(0, 0.8, 2.5))
    scan = DicomScan(tmp_path / "series", "auto")
    scan.write(tmp_path / "ranks.nii.gz", scan.read_values().astype(np.uint8))
    assert np.allclose(
        positions_in_nifti(tmp_path / "ranks.nii.gz"), order_by_value(slices, positions), atol=1e-3
    )
    assert nib.load(tmp_path / "ranks.nii.gz").get_qform(coded=True)[0] is None


@pytest.mark.parametrize("first", [0, 2])
def test_the_axis_is_the_same_for_a_series_and_its_mask_where_it_is_close(tmp_path, first):
    """Slices exactly 1.5 times as thick as pixels are wide: the last digits decide."""
    to_column, to_row = ORIENTATIONS["oblique coronal"]
    for k in range(3):
        position = np.cross(to_column, to_row) * 1.2 * (first + k)
        write_dicom(tmp_path / "series" / f"{k}.dcm", np.zeros((4, 5), np.uint8), PixelSpacing=[0.8, 0.8],
                    ImageOrientationPatient=[*map("{:.12f}".format, (*to_column, *to_row))],
                    ImagePositionPatient=[*map("{:.8f}".format, position)])  # fmt: skip
    scan = DicomScan(tmp_path / "series", "auto")
    scan.write(tmp_path / "mask.nii.gz", np.ones(scan.shape, bool))
    assert NiftiScan(tmp_path / "mask.nii.gz", "auto").slicing.plane == scan.slicing.plane


def test_each_file_is_rescaled_by_its_own_slope_and_intercept(tmp_path):
    for k, (slope, intercept) in enumerate([(1, -1024), (2, -1000)]):
        write_dicom(tmp_path / f"{k}.dcm", np.array([[0, 24], [1024, 3000]], np.int16),
                    ImagePositionPatient=[0, 0, k], RescaleSlope=slope, RescaleIntercept=intercept)  # fmt: skip
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
def test_values_of_a_file_are_brighter_where_there_is_more(tmp_path, stored, tags, expected):
    tags = dict(tags)
    if tags.pop("inverted", False):
        tags["PhotometricInterpretation"] = "MONOCHROME1"
    values = DicomScan(write_dicom(tmp_path / "a.dcm", stored, **tags), "auto").read_values()
    assert values.dtype == np.float32
    assert values.tolist() == [[expected]]


def test_a_colour_image_keeps_its_colours(tmp_path):
    colours = np.random.default_rng(0).integers(0, 256, (ROWS, COLUMNS, 3)).astype(np.uint8)
    scan = DicomScan(write_dicom(tmp_path / "a.dcm", colours, **MIN_VOXEL_VOLUME), "auto")
    assert scan.shape == (1, ROWS, COLUMNS)
    values = scan.read_values()
    assert values.dtype == np.uint8
    assert np.array_equal(values, colours[None])


def test_ybr_and_palettes_become_rgb(tmp_path):
    grey = np.full((2, 2, 3), (90, 128, 128), np.uint8)
    path = write_dicom(
        tmp_path / "ybr.dcm", grey, **MIN_VOXEL_VOLUME, PhotometricInterpretation="YBR_FULL"
    )
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
        **MIN_VOXEL_VOLUME,
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
def test_an_image_that_does_not_tell_its_place_is_one_slice_that_lies_nowhere(
    tmp_path, tags, spacing_mm
):
    pixels = distinct_values(np.uint16, (ROWS, COLUMNS))
    scan = DicomScan(write_dicom(tmp_path / "a.dcm", pixels, **MIN_VOXEL_VOLUME | tags), "coronal")
    assert (scan.shape, scan.is_volume, scan.slicing) == ((1, ROWS, COLUMNS), False, None)
    assert scan.spacing_mm == (spacing_mm and pytest.approx(spacing_mm))
    assert np.array_equal(scan.read_values(), pixels[None])

    mask = pixels[None] % 3 == 0
    scan.write(tmp_path / "mask.nii.gz", mask)
    written = NiftiScan(tmp_path / "mask.nii.gz", "auto")
    assert np.array_equal(written.read_labels(), mask)
    assert written.spacing_mm == pytest.approx(spacing_mm or (1, 1, 1))


def test_a_single_file_that_tells_its_place_is_one_slice_in_space(tmp_path):
    tags = {"ImageOrientationPatient": [0, 1, 0, 0, 0, -1], "SliceThickness": 4}
    scan = DicomScan(
        write_dicom(tmp_path / "a.dcm", np.ones((ROWS, COLUMNS), np.uint8), **tags), "axial"
    )
    assert (scan.shape, scan.slicing.plane) == ((1, ROWS, COLUMNS), "sagittal")
    assert scan.spacing_mm == pytest.approx((4, ROW_MM, COLUMN_MM))


def put(folder, k, z=None, pixels=None, **tags):
    tags = {"ImagePositionPatient": [0, 0, 2.0 * k if z is None else z]} | tags
    return write_dicom(
        folder / f"{k}.dcm", np.zeros((4, 4), np.int16) if pixels is None else pixels, **tags
    )


@pytest.mark.parametrize(
    ("heights", "told"),
    [
        (
            (0, 2, 6, 8),
            r"slices at even distances, found 2 to 4 mm, the most between 1\.dcm and 2\.dcm; is a file missing",
        ),
        ((0, 2, 2, 4), r"one slice a position, found 1\.dcm and 2\.dcm at the same"),
        ((0, 2, 4.05), r"slices at even distances, found 2 to 2\.05 mm"),
    ],
)
def test_a_gap_a_repetition_or_an_uneven_step_is_told(tmp_path, heights, told):
    for k, z in enumerate(heights):
        put(tmp_path, k, z)
    with pytest.raises(InputError, match=rf"^{re.escape(str(tmp_path))}: expected {told}"):
        DicomScan(tmp_path, "auto")


@pytest.mark.parametrize("heights", [(0, 0.62, 1.25, 1.88, 2.5), (0, 5, 10.04)])
def test_rounded_positions_are_even_enough(tmp_path, heights):
    for k, z in enumerate(heights):
        put(tmp_path, k, z)
    scan = DicomScan(tmp_path, "axial")
    assert scan.spacing_mm[0] == pytest.approx(heights[-1] / (len(heights) - 1))


@pytest.mark.parametrize(
    ("tags", "told"),
    [
        ({"SeriesInstanceUID": "9.9"}, r"expected one series a folder, found 2"),
        ({"ImageOrientationPatient": [0, 1, 0, 0, 0, -1]}, r"1\.dcm: expected the ImageOrientationPatient of .*0\.dcm"),
        ({"PixelSpacing": [1, 1]}, r"1\.dcm: expected the PixelSpacing of .*, \(0\.5, 0\.75\), found \(1\.0, 1\.0\)"),
        ({"PixelSpacing": None}, r"1\.dcm: expected the PixelSpacing of .*, found None"),
        ({"pixels": np.zeros((4, 5), np.int16)}, r"1\.dcm: expected the rows and columns .*, \(4, 4\), found \(4, 5\)"),
        ({"pixels": np.zeros((4, 4, 3), np.uint8)}, r"1\.dcm: expected a series of grey slices, found one in colour"),
        (MIN_VOXEL_VOLUME, r"1\.dcm: expected ImageOrientationPatient and ImagePositionPatient, found none"),
        ({"NumberOfFrames": 3}, r"1\.dcm: expected one image, found 3 frames; save its frames as a series or NIfTI"),
        ({"Rows": None}, r"1\.dcm: expected a DICOM image, found none in it"),
        ({"PixelSpacing": [0, 1]}, r"1\.dcm: expected a pixel spacing over 0 mm, found \(0\.0, 1\.0\)"),
        ({"PixelSpacing": [1, 1, 1]}, r"1\.dcm: expected a PixelSpacing of 2 numbers, found \[1\.0, 1\.0, 1\.0\]"),
        ({"PhotometricInterpretation": None}, r"1\.dcm: expected a DICOM image, found one that cannot be read"),
    ],
)  # fmt: skip
def test_a_file_that_does_not_belong_is_named(tmp_path, tags, told):
    put(tmp_path, 0)
    put(tmp_path, 1, **tags)
    with pytest.raises(InputError, match=told) as fault:
        DicomScan(tmp_path, "auto")
    assert "\n" not in str(fault.value)


@pytest.mark.parametrize(
    ("tags", "told"),
    [
        (
            {"ImageOrientationPatient": [1, 0, 0, 1, 0, 0]},
            "ImageOrientationPatient at right angles",
        ),
        ({"PixelSpacing": None}, "expected a PixelSpacing, found none"),
    ],
)
def test_a_place_that_is_none_is_refused(tmp_path, tags, told):
    with pytest.raises(InputError, match=rf"0\.dcm: .*{told}"):
        DicomScan(put(tmp_path, 0, **tags), "auto")


def test_a_folder_without_dicom_and_a_missing_file_are_told(tmp_path):
    with pytest.raises(
        InputError,
        match=rf"^{re.escape(str(tmp_path))}: expected a DICOM series, found no \.dcm file",
    ):
        DicomScan(tmp_path, "auto")
    with pytest.raises(InputError, match=r"a\.dcm: expected a DICOM file, found no such file"):
        DicomScan(tmp_path / "a.dcm", "auto")


@pytest.mark.parametrize(
    "content", [b"", b"not an image\n", bytes(128) + b"DICM"], ids=["empty", "text", "preamble"]
)
def test_a_broken_file_is_named(tmp_path, content):
    path = tmp_path / "a.dcm"
    path.write_bytes(content)
    with pytest.raises(InputError, match=r"a\.dcm: expected a DICOM image"):
        DicomScan(path, "auto").read_values()


def test_no_cut_and_no_flipped_byte_does_more_than_a_line_naming_the_file(tmp_path):
    whole = write_dicom(tmp_path / "a.dcm", distinct_values(shape=(ROWS, COLUMNS))).read_bytes()
    rng = np.random.default_rng(0)
    told = []
    for trial in range(300):
        content = bytearray(whole[: rng.integers(len(whole))] if trial % 2 else whole)
        if trial % 2 == 0:
            content[rng.integers(128, len(content))] ^= int(rng.integers(1, 256))
        (tmp_path / "a.dcm").write_bytes(content)
        try:
            scan = DicomScan(tmp_path / "a.dcm", "auto")
            assert scan.read_values().shape[:3] == scan.shape
        except InputError as fault:
            told.append(str(fault))
    assert len(told) > 150
    assert all(
        line.startswith(f"{tmp_path / 'a.dcm'}: expected ") and "\n" not in line for line in told
    )


def test_what_pydicom_only_warns_of_does_not_stop_a_file(tmp_path):
    path = write_dicom(tmp_path / "a.dcm", np.ones((2, 2), np.uint8))
    content = path.read_bytes()
    assert content.count(b"1.2.3\0") == 1
    path.write_bytes(content.replace(b"1.2.3\0", b"1.2.x\0"))
    with pytest.warns(UserWarning, match="Invalid value for VR UI"):
        assert pydicom.dcmread(path).SeriesInstanceUID == "1.2.x"
    assert (DicomScan(path, "auto").read_values() == 1).all()
    assert find_series([path]) == [path]


def test_a_compression_that_nothing_here_decodes_is_told_in_a_line(tmp_path):
    path = write_dicom(tmp_path / "a.dcm", np.zeros((4, 4), np.uint8))
    dataset = pydicom.dcmread(path)
    dataset.file_meta.TransferSyntaxUID = pydicom.uid.HTJ2K
    dataset.PixelData = pydicom.encaps.encapsulate([b"\xff\x4f\xff\x51"])
    dataset["PixelData"].VR = "OB"
    dataset.save_as(path)
    scan = DicomScan(path, "auto")
    with pytest.raises(InputError, match=r"a\.dcm: expected a DICOM image, .*decompress") as fault:
        scan.read_values()
    assert "\n" not in str(fault.value)


def test_compressed_without_loss_is_read_as_it_was(tmp_path):
    pixels = distinct_values(np.uint16, (ROWS, COLUMNS))
    path = write_dicom(tmp_path / "a.dcm", pixels)
    dataset = pydicom.dcmread(path)
    dataset.compress(pydicom.uid.RLELossless)
    dataset.save_as(path)
    assert np.array_equal(DicomScan(path, "auto").read_values(), pixels[None])


def test_values_that_are_not_finite_are_refused(tmp_path):
    values = np.array([[0, 1], [np.nan, 2]], np.float32)
    tags = dict.fromkeys(["PixelData", "BitsStored", "HighBit", "PixelRepresentation"])
    path = write_dicom(tmp_path / "a.dcm", values, **tags, FloatPixelData=values.tobytes())
    with pytest.raises(InputError, match=r"a\.dcm: expected finite values"):
        DicomScan(path, "auto").read_values()


def test_dicom_is_no_mask(tmp_path):
    with pytest.raises(
        InputError, match=r"0\.dcm: expected the mask of a DICOM image as NIfTI, PNG or TIFF"
    ):
        DicomScan(put(tmp_path, 0), "auto").read_labels()


def found(folder):
    files = list(folder.rglob("*.dcm"))
    scans = find_series(files)
    assert find_series(sorted(files, reverse=True)) == scans
    return [path.relative_to(folder).as_posix() for path in scans]


def test_a_folder_of_one_series_is_a_scan_and_so_is_each_file_of_its_own(tmp_path):
    for k in range(3):
        put(tmp_path / "b" / "ct", k)
        put(tmp_path / "a", k, SeriesInstanceUID=f"1.{k}")
        put(tmp_path / "c", k, **MIN_VOXEL_VOLUME)  # ultrasound pictures of one exam
    put(tmp_path / "d", 0)
    assert found(tmp_path) == [
        "a/0.dcm",
        "a/1.dcm",
        "a/2.dcm",
        "b/ct",
        "c/0.dcm",
        "c/1.dcm",
        "c/2.dcm",
        "d/0.dcm",
    ]
    assert find_series([]) == []


def test_a_file_that_cannot_be_read_is_left_to_whoever_opens_the_scan(tmp_path):
    for k in range(3):
        put(tmp_path / "ct", k)
    (tmp_path / "ct" / "3.dcm").write_bytes(b"")
    (tmp_path / "broken.dcm").write_bytes(b"")
    assert found(tmp_path) == ["broken.dcm", "ct"]
    with pytest.raises(InputError, match=r"3\.dcm: expected a DICOM image"):
        DicomScan(tmp_path / "ct", "auto")


def test_a_folder_that_mixes_series_is_told_to_whoever_opens_it(tmp_path):
    for k in range(6):
        put(tmp_path / "exam", k, SeriesInstanceUID=f"1.{k // 2}")
    assert found(tmp_path) == ["exam"]
    message = rf"^{re.escape(str(tmp_path / 'exam'))}: expected one series a folder, found 3"
    with pytest.raises(InputError, match=message):
        DicomScan(tmp_path / "exam", "auto")


def test_without_pydicom_the_command_that_installs_it_is_told(tmp_path, monkeypatch):
    path = put(tmp_path, 0)
    monkeypatch.setitem(sys.modules, "pydicom", None)
    with pytest.raises(
        InputError,
        match=r"0\.dcm: expected pydicom .* found none installed; pip install \.\[dicom\]",
    ):
        DicomScan(path, "auto")


def test_without_pydicom_files_are_found_all_the_same_and_told_by_whoever_opens_them(
    tmp_path, monkeypatch
):
    for k in range(3):
        put(tmp_path / "ct", k)
    monkeypatch.setitem(sys.modules, "pydicom", None)
    assert found(tmp_path) == ["ct/0.dcm", "ct/1.dcm", "ct/2.dcm"]
