"""Recognition of DICOM files by their content."""

import os
import struct

import numpy as np
import pytest
from PIL import Image

from automedsam.scans.dicom.content import has_dicom_suffix, is_dicom_file
from dicom_files import pydicom, write_dicom

OTHER_CONTENT = {
    "empty": b"",
    "zeros": bytes(5000),
    "text": b"image,x_min,y_min\n" * 20,
    "short": b"\x08\x00\x16\x00UI\x02\x00",
    "descending tags": struct.pack("<HH2sH2s", 8, 0x18, b"UI", 2, b"1\0") * 4,
    "another group": struct.pack("<HHL4s", 0x0028, 2, 4, b"abcd") + bytes(100),
}


@pytest.mark.parametrize("name", ["IM0001", "a.IMA", "a.dicom", "1.2.840.10008", "a.png"])
def test_file_with_a_preamble_is_recognized(tmp_path, name):
    assert is_dicom_file(write_dicom(tmp_path / name, np.zeros((4, 5), np.uint8)))


@pytest.mark.parametrize("is_implicit", [True, False])
def test_file_without_a_preamble_is_recognized(tmp_path, is_implicit):
    path = write_dicom(tmp_path / "a.dcm", np.zeros((4, 5), np.uint8))
    dataset = pydicom.dcmread(path)
    dataset.file_meta, dataset.preamble = pydicom.dataset.FileMetaDataset(), None
    dataset.save_as(tmp_path / "IM0001", implicit_vr=is_implicit, little_endian=True)
    assert b"DICM" not in (tmp_path / "IM0001").read_bytes()
    assert is_dicom_file(tmp_path / "IM0001")


def test_file_with_meta_information_and_no_preamble_is_recognized(tmp_path):
    path = write_dicom(tmp_path / "a.dcm", np.zeros((4, 5), np.uint8))
    (tmp_path / "IM0001").write_bytes(path.read_bytes()[132:])
    assert is_dicom_file(tmp_path / "IM0001")


@pytest.mark.parametrize("name", OTHER_CONTENT)
def test_other_content_is_not_dicom(tmp_path, name):
    (tmp_path / "a.dcm").write_bytes(OTHER_CONTENT[name])
    assert not is_dicom_file(tmp_path / "a.dcm")


def test_images_folders_pipes_and_missing_files_are_not_dicom(tmp_path):
    Image.fromarray(np.zeros((40, 50), np.uint8)).save(tmp_path / "a.png")
    if hasattr(os, "mkfifo"):
        os.mkfifo(tmp_path / "pipe")
    for name in ("a.png", "pipe", "gone", "."):
        assert not is_dicom_file(tmp_path / name)


def test_suffix_is_compared_in_any_case(tmp_path):
    assert all(has_dicom_suffix(tmp_path / name) for name in ("a.dcm", "a.DCM", "b.IMA", "c.Dicom"))
    assert not any(has_dicom_suffix(tmp_path / name) for name in ("IM0001", "dcm", "a.dcm.gz"))
