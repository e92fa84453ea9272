"""Headers of DICOM files: invalid ones are reported in one line."""

import sys

import numpy as np
import pytest

from automedsam.runtime.errors import InputError
from automedsam.scans.dicom.dicom_scan import DicomScan
from automedsam.scans.dicom.headers import read_header
from automedsam.scans.dicom.series import find_series
from dicom_files import pydicom, write_dicom, write_slice


@pytest.mark.parametrize(
    ("tags", "message"),
    [
        ({"NumberOfFrames": 3}, "the file contains 3 frames; save them as a series or as NIfTI"),
        ({"Rows": None}, "this DICOM file contains no image"),
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
    with pytest.raises(InputError, match=r"a\.dcm: (cannot read the DICOM image|.* no image)"):
        read_header(path)


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
