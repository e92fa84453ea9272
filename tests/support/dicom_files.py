"""Valid DICOM files, written with pydicom; test modules that import this are skipped without it."""

import numpy as np
import pytest

pydicom = pytest.importorskip("pydicom", reason="pydicom, an optional dependency, is not installed")

SLICES, ROWS, COLUMNS = 4, 5, 6
ROW_MM, COLUMN_MM, SLICE_MM = 0.5, 0.75, 2.5
FIRST_POSITION = np.array([-11.0, 7.0, 30.0])  # mm to the patient's left, back and head
TILT = np.deg2rad(20)
ORIENTATIONS = {  # directions to the next column and to the next row
    "axial": ((1, 0, 0), (0, 1, 0)),
    "axial from above": ((-1, 0, 0), (0, 1, 0)),
    "sagittal": ((0, 1, 0), (0, 0, -1)),
    "coronal": ((1, 0, 0), (0, 0, -1)),
    "oblique axial": ((np.cos(TILT), np.sin(TILT), 0), (-np.sin(TILT), np.cos(TILT), 0)),
    "oblique coronal": ((1, 0, 0), (0, np.sin(TILT), -np.cos(TILT))),
}
NO_PLACE = {"ImageOrientationPatient": None, "ImagePositionPatient": None}
MR_IMAGE = "1.2.840.10008.5.1.4.1.1.4"
BASIC_TEXT_SR = "1.2.840.10008.5.1.4.1.1.88.11"


def write_dicom(path, pixels, **tags):
    """Write (rows, columns) or (rows, columns, 3); tags with the value None are omitted."""
    is_colour = pixels.shape[2:] == (3,)
    dataset = pydicom.Dataset()
    dataset.file_meta = pydicom.dataset.FileMetaDataset()
    dataset.file_meta.TransferSyntaxUID = pydicom.uid.ExplicitVRLittleEndian
    dataset.file_meta.MediaStorageSOPClassUID = dataset.SOPClassUID = MR_IMAGE
    uid = pydicom.uid.generate_uid()
    dataset.file_meta.MediaStorageSOPInstanceUID = dataset.SOPInstanceUID = uid
    defaults = {
        "SeriesInstanceUID": "1.2.3",
        "ImageOrientationPatient": [1, 0, 0, 0, 1, 0],
        "ImagePositionPatient": [0, 0, 0],
        "PixelSpacing": [ROW_MM, COLUMN_MM],
        "PhotometricInterpretation": "RGB" if is_colour else "MONOCHROME2",
        "SamplesPerPixel": 3 if is_colour else 1,
        "PlanarConfiguration": 0 if is_colour else None,
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


def write_report(path, sop_class, modality):
    """Write a file without pixels; modality None writes only the meta information of its class."""
    path = write_dicom(path, np.zeros((1, 1), np.uint8))
    image = pydicom.dcmread(path)
    image.file_meta.MediaStorageSOPClassUID = sop_class
    report = pydicom.Dataset()
    report.file_meta, report.preamble = image.file_meta, image.preamble
    report.SOPInstanceUID = image.SOPInstanceUID
    if modality is not None:
        report.SOPClassUID, report.Modality = sop_class, modality
    report.save_as(path, enforce_file_format=False)
    return path


def write_slice(folder, number, z=None, pixels=None, **tags):
    """Write slice `number` of an axial series, 2 mm apart unless `z` is given."""
    tags = {"ImagePositionPatient": [0, 0, 2.0 * number if z is None else z]} | tags
    pixels = np.zeros((4, 4), np.int16) if pixels is None else pixels
    return write_dicom(folder / f"{number}.dcm", pixels, **tags)


def write_series(folder, slices, orientation="axial", step=None, **tags):
    """Write slices whose file names and instance numbers do not have the order of the positions.

    Returns the position of each voxel, (slices, rows, columns, 3), in mm left, back and head.
    """
    to_column, to_row = np.array(ORIENTATIONS[orientation], float)
    step = np.cross(to_column, to_row) * SLICE_MM if step is None else np.array(step)
    rng = np.random.default_rng(5)
    names, numbers = rng.permutation(len(slices)), rng.permutation(len(slices))
    for k, pixels in enumerate(slices):
        write_dicom(
            folder / f"{names[k]}.dcm",
            pixels,
            ImageOrientationPatient=[f"{cosine:.12f}" for cosine in (*to_column, *to_row)],
            ImagePositionPatient=[f"{mm:.8f}" for mm in FIRST_POSITION + k * step],
            InstanceNumber=int(numbers[k]),
            **tags,
        )
    k, row, column = (index[..., None] for index in np.indices(slices.shape))
    return FIRST_POSITION + k * step + column * COLUMN_MM * to_column + row * ROW_MM * to_row


def distinct_values(dtype=np.int16, shape=(SLICES, ROWS, COLUMNS)):
    """An array in which all values differ, in random order."""
    return np.random.default_rng(3).permutation(np.prod(shape)).reshape(shape).astype(dtype)
