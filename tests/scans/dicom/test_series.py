"""DICOM series: which files form one, and which stacks of slices are accepted."""

import re
import sys

import numpy as np
import pytest

from automedsam.runtime.errors import InputError
from automedsam.scans.dicom.dicom_scan import DicomScan
from automedsam.scans.dicom.series import find_series
from dicom_files import BASIC_TEXT_SR, NO_PLACE, write_report, write_slice


@pytest.mark.parametrize(
    ("heights", "message"),
    [
        (
            (0, 2, 6, 8),
            r"slices must be evenly spaced, found distances from 2 to 4 mm; the largest is between "
            r"1\.dcm and 2\.dcm; is a file missing",
        ),
        ((0, 2, 2, 4), r"1\.dcm and 2\.dcm are at the same position"),
        # Multiples of 0.1 mm, but further apart than rounding explains.
        ((0, 0.5, 1, 1.7), r"slices must be evenly spaced, found distances from 0\.5 to 0\.7 mm"),
        ((0, 0.1, 0.3, 0.4), r"slices must be evenly spaced, found distances from 0\.1 to 0\.2 mm"),
        ((0, 0.3, 0.6, 1.2), r"slices must be evenly spaced, found distances from 0\.3 to 0\.6 mm"),
        ((0, 2, 4.05), r"slices must be evenly spaced, found distances from 2 to 2\.05 mm"),
    ],
)
def test_gap_repetition_or_uneven_step_is_reported(tmp_path, heights, message):
    for k, z in enumerate(heights):
        write_slice(tmp_path, k, z)
    with pytest.raises(InputError, match=rf"^{re.escape(str(tmp_path))}: {message}"):
        DicomScan(tmp_path, "auto")


@pytest.mark.parametrize(
    "heights",
    [
        (0, 0.62, 1.25, 1.88, 2.5),
        (0, 5, 10.04),
        (0, 0.6, 1.2, 1.9, 2.5, 3.1, 3.8, 4.4),  # 0.625 mm, rounded to 0.1 mm
        (-101.3, -100.9, -100.6, -100.3, -99.9),  # 0.35 mm
    ],
)
def test_rounded_positions_are_accepted(tmp_path, heights):
    for k, z in enumerate(heights):
        write_slice(tmp_path, k, z)
    scan = DicomScan(tmp_path, "axial")
    assert scan.spacing_mm[0] == pytest.approx((heights[-1] - heights[0]) / (len(heights) - 1))


@pytest.mark.parametrize(
    ("tags", "message"),
    [
        ({"SeriesInstanceUID": "9.9"}, r"the folder contains 2 series"),
        (
            {"ImageOrientationPatient": [0, 1, 0, 0, 0, -1]},
            r"1\.dcm: ImageOrientationPatient .* must equal .* of .*0\.dcm",
        ),
        (
            {"PixelSpacing": [1, 1]},
            r"1\.dcm: PixelSpacing \(1\.0, 1\.0\) must equal \(0\.5, 0\.75\) of .*0\.dcm",
        ),
        ({"PixelSpacing": None}, r"1\.dcm: PixelSpacing None must equal .* of .*0\.dcm"),
        (
            {"pixels": np.zeros((4, 5), np.int16)},
            r"1\.dcm: rows and columns \(4, 5\) must equal \(4, 4\) of .*0\.dcm",
        ),
        (
            {"pixels": np.zeros((4, 4, 3), np.uint8)},
            r"1\.dcm: slices of a series must be grey, found colour",
        ),
        (NO_PLACE, r"1\.dcm: ImageOrientationPatient or ImagePositionPatient is missing"),
        ({"NumberOfFrames": 3}, r"1\.dcm: the file contains 3 frames"),
    ],
)
def test_file_that_does_not_match_the_series_is_named(tmp_path, tags, message):
    write_slice(tmp_path, 0)
    write_slice(tmp_path, 1, **tags)
    with pytest.raises(InputError, match=message) as caught:
        DicomScan(tmp_path, "auto")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("tags", "message"),
    [
        (
            {"ImageOrientationPatient": [1, 0, 0, 1, 0, 0]},
            "ImageOrientationPatient must be two unit vectors at right angles",
        ),
        ({"PixelSpacing": None}, "PixelSpacing is missing"),
    ],
)
def test_invalid_position_is_rejected(tmp_path, tags, message):
    with pytest.raises(InputError, match=rf"0\.dcm: {message}"):
        DicomScan(write_slice(tmp_path, 0, **tags), "auto")


def test_folder_without_dicom_is_rejected(tmp_path):
    path = re.escape(str(tmp_path))
    with pytest.raises(InputError, match=rf"^{path}: the folder contains no DICOM image"):
        DicomScan(tmp_path, "auto")


def series_below(folder):
    files = list(folder.rglob("*.dcm"))
    scans = find_series(files)
    assert find_series(sorted(files, reverse=True)) == scans
    return [path.relative_to(folder).as_posix() for path in scans]


def test_find_series_returns_folders_of_one_series_and_single_files(tmp_path):
    for k in range(3):
        write_slice(tmp_path / "b" / "ct", k)
        write_slice(tmp_path / "a", k, SeriesInstanceUID=f"1.{k}")
        write_slice(tmp_path / "c", k, **NO_PLACE)  # ultrasound images of one exam
    write_slice(tmp_path / "d", 0)
    single_files = ["a/0.dcm", "a/1.dcm", "a/2.dcm", "c/0.dcm", "c/1.dcm", "c/2.dcm", "d/0.dcm"]
    assert series_below(tmp_path) == sorted([*single_files, "b/ct"])
    assert find_series([]) == []


def test_find_series_leaves_unreadable_files_to_the_reader(tmp_path):
    for k in range(3):
        write_slice(tmp_path / "ct", k)
    (tmp_path / "ct" / "3.dcm").write_bytes(b"")
    (tmp_path / "broken.dcm").write_bytes(b"")
    assert series_below(tmp_path) == ["broken.dcm", "ct"]
    with pytest.raises(InputError, match=r"3\.dcm: cannot read the DICOM image"):
        DicomScan(tmp_path / "ct", "auto")


def test_find_series_leaves_mixed_series_to_the_reader(tmp_path):
    for k in range(6):
        write_slice(tmp_path / "exam", k, SeriesInstanceUID=f"1.{k // 2}")
    assert series_below(tmp_path) == ["exam"]
    message = rf"^{re.escape(str(tmp_path / 'exam'))}: the folder contains 3 series"
    with pytest.raises(InputError, match=message):
        DicomScan(tmp_path / "exam", "auto")


def test_find_series_without_pydicom_returns_all_files(tmp_path, monkeypatch):
    for k in range(3):
        write_slice(tmp_path / "ct", k)
    monkeypatch.setitem(sys.modules, "pydicom", None)
    assert series_below(tmp_path) == ["ct/0.dcm", "ct/1.dcm", "ct/2.dcm"]


def test_reports_beside_a_series_are_left_out_with_a_warning(tmp_path, caplog):
    folder = tmp_path / "ct"
    for k in range(3):
        write_slice(folder, k)
    write_report(folder / "SR.dcm", BASIC_TEXT_SR, "SR")
    write_report(folder / "PR", "1.2.840.10008.5.1.4.1.1.11.1", "PR")
    assert series_below(tmp_path) == ["ct"]
    assert caplog.messages == []
    for _ in range(2):  # reported once
        assert DicomScan(folder, "axial").shape == (3, 4, 4)
    assert caplog.messages == [
        f"{folder}: left out 2 DICOM files without an image to segment: PR (PR), SR.dcm (SR)"
    ]


def test_localizers_and_screenshots_beside_a_series_are_left_out(tmp_path, caplog):
    for k in range(3):
        write_slice(tmp_path, k)
    write_slice(
        tmp_path,
        4,
        pixels=np.zeros((9, 9), np.int16),
        ImageType=["ORIGINAL", "PRIMARY", "LOCALIZER"],
        SeriesInstanceUID="9.9",
        ImageOrientationPatient=[0, 1, 0, 0, 0, -1],
    )
    capture = {"SOPClassUID": "1.2.840.10008.5.1.4.1.1.7", "SeriesInstanceUID": "9.8"}
    write_slice(tmp_path, 5, pixels=np.zeros((9, 9, 3), np.uint8), **capture, **NO_PLACE)
    assert DicomScan(tmp_path, "axial").shape == (3, 4, 4)
    assert caplog.messages == [
        f"{tmp_path}: left out 2 DICOM files without an image to segment: 4.dcm (localizer), "
        "5.dcm (screenshot)"
    ]


def test_series_of_localizers_is_read(tmp_path, caplog):
    for k in range(3):
        write_slice(tmp_path / "survey", k, ImageType=["ORIGINAL", "PRIMARY", "LOCALIZER"])
    assert series_below(tmp_path) == ["survey"]
    assert DicomScan(tmp_path / "survey", "axial").shape == (3, 4, 4)
    assert caplog.messages == []


def test_find_series_leaves_out_a_lone_report_with_a_warning(tmp_path, caplog):
    write_report(tmp_path / "reports/SR.dcm", BASIC_TEXT_SR, "SR")
    write_slice(tmp_path / "us", 0, **NO_PLACE)
    assert series_below(tmp_path) == ["us/0.dcm"]
    assert caplog.messages == [
        f"{tmp_path / 'reports'}: left out 1 DICOM file without an image to segment: SR.dcm (SR)"
    ]
    with pytest.raises(InputError, match="the folder contains no DICOM image"):
        DicomScan(tmp_path / "reports", "auto")


def test_truncated_slice_of_a_series_is_reported(tmp_path):
    for k in range(3):
        write_slice(tmp_path, k)
    (tmp_path / "3.dcm").write_bytes((tmp_path / "0.dcm").read_bytes()[:400])
    with pytest.raises(InputError, match=r"3\.dcm: "):
        DicomScan(tmp_path, "auto")


def test_series_without_suffixes_is_read_by_content(tmp_path):
    for k in range(3):
        write_slice(tmp_path, k).rename(tmp_path / f"IM{k:04d}")
    (tmp_path / "README").write_text("a hospital")
    assert DicomScan(tmp_path, "axial").shape == (3, 4, 4)
