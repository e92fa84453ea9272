"""Headers of DICOM files: invalid ones are reported in one line."""

import sys

import numpy as np
import pytest

from automedsam.runtime.errors import InputError
from automedsam.scans.dicom.dicom_scan import DicomScan
from automedsam.scans.dicom.headers import NoImageError, read_header
from automedsam.scans.dicom.series import find_series
from dicom_files import (
    BASIC_TEXT_SR,
    MR_IMAGE,
    NO_PLACE,
    pydicom,
    write_dicom,
    write_report,
    write_slice,
)


@pytest.mark.parametrize(
    ("tags", "message"),
    [
        ({"NumberOfFrames": 3}, "the file contains 3 frames; save them as a series or as NIfTI"),
        ({"Rows": None}, "the size of the image is missing; the file may be truncated"),
        ({"PixelSpacing": [0, 1]}, r"the pixel spacing must be positive, found \(0\.0, 1\.0\) mm"),
        (
            {"PixelSpacing": [1, 1, 1]},
            r"PixelSpacing must be 2 finite numbers, found \[1\.0, 1\.0, 1\.0\]",
        ),
        ({"PhotometricInterpretation": None}, "cannot read the DICOM image"),
    ],
)
def test_invalid_header_is_reported_in_one_line(tmp_path, tags, message):
    path = write_slice(tmp_path, 0, **tags)
    with pytest.raises(InputError, match=rf"0\.dcm: {message}") as caught:
        read_header(path)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "content", [b"", b"not an image\n", bytes(128) + b"DICM"], ids=["empty", "text", "preamble"]
)
def test_file_that_is_not_dicom_is_named(tmp_path, content):
    path = tmp_path / "a.dcm"
    path.write_bytes(content)
    with pytest.raises(InputError, match=r"a\.dcm: (cannot read the DICOM image|.* is missing)"):
        read_header(path)


def test_report_and_segmentation_contain_no_image_to_segment(tmp_path):
    with pytest.raises(NoImageError, match=r"SR\.dcm: .* no image to segment, but SR$"):
        read_header(write_report(tmp_path / "SR.dcm", BASIC_TEXT_SR, "SR"))
    with pytest.raises(NoImageError, match=r"DICOMDIR: .*, but Media Storage Directory Storage$"):
        read_header(write_report(tmp_path / "DICOMDIR", "1.2.840.10008.1.3.10", None))
    segmentation = write_slice(tmp_path, 0, Modality="SEG")
    with pytest.raises(NoImageError, match=r"0\.dcm: .* no image to segment, but SEG$"):
        read_header(segmentation)


def test_truncated_image_is_not_taken_for_a_report(tmp_path):
    with pytest.raises(InputError, match="the file may be truncated") as caught:
        read_header(write_report(tmp_path / "a.dcm", MR_IMAGE, "MR"))
    assert not isinstance(caught.value, NoImageError)


@pytest.mark.parametrize(
    ("tags", "companion"),
    [
        ({}, ""),
        ({"ImageType": ["ORIGINAL", "PRIMARY", "AXIAL"], "SeriesDescription": "t1"}, ""),
        ({"ImageType": ["ORIGINAL", "PRIMARY", "LOCALIZER"]}, "localizer"),
        ({"SeriesDescription": "3-plane Localiser"}, "localizer"),
        ({"SeriesDescription": "Topogram 0.6"}, "localizer"),
        ({"SOPClassUID": "1.2.840.10008.5.1.4.1.1.7"}, ""),
        ({"SOPClassUID": "1.2.840.10008.5.1.4.1.1.7", **NO_PLACE}, "screenshot"),
    ],
)
def test_images_that_accompany_a_series_are_recognized(tmp_path, tags, companion):
    assert read_header(write_slice(tmp_path, 0, **tags)).companion == companion


def test_frames_without_positions_are_counted(tmp_path):
    path = write_slice(tmp_path, 0, NumberOfFrames=3, **NO_PLACE)
    assert read_header(path).frames == 3
    assert read_header(write_slice(tmp_path, 1)).frames == 1
    groups = {"SharedFunctionalGroupsSequence": [pydicom.Dataset()]}
    with pytest.raises(InputError, match=r"2\.dcm: the file contains 3 frames; save them as"):
        read_header(write_slice(tmp_path, 2, NumberOfFrames=3, **NO_PLACE, **groups))


def test_missing_file_is_named(tmp_path):
    with pytest.raises(InputError, match=r"a\.dcm: file not found"):
        read_header(tmp_path / "a.dcm")


def test_warnings_of_pydicom_are_silenced(tmp_path):
    path = write_dicom(tmp_path / "a.dcm", np.ones((2, 2), np.uint8))
    content = path.read_bytes()
    assert content.count(b"1.2.3\0") == 1
    path.write_bytes(content.replace(b"1.2.3\0", b"1.2.x\0"))
    with pytest.warns(UserWarning, match="Invalid value for VR UI"):
        assert pydicom.dcmread(path).SeriesInstanceUID == "1.2.x"
    assert read_header(path).series == "1.2.x"
    assert (DicomScan(path, "auto").read_values() == 1).all()
    assert find_series([path]) == [path]


def test_missing_pydicom_is_reported_with_the_install_command(tmp_path, monkeypatch):
    path = write_slice(tmp_path, 0)
    monkeypatch.setitem(sys.modules, "pydicom", None)
    with pytest.raises(
        InputError, match=r"0\.dcm: reading DICOM requires pydicom; run `pip install \.\[dicom\]`"
    ):
        read_header(path)
