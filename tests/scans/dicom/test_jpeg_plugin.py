"""JPEG streams in DICOM files, decompressed with imagecodecs."""

import imagecodecs
import numpy as np
import pytest

from automedsam.runtime.errors import InputError
from automedsam.scans.dicom.dicom_scan import DicomScan
from dicom_files import NO_PLACE, pydicom, write_dicom

RANDOM = np.random.default_rng(0)
GREY = RANDOM.integers(0, 256, (16, 20)).astype(np.uint8)
COLOURS = RANDOM.integers(0, 256, (16, 20, 3)).astype(np.uint8)
DEEP = RANDOM.integers(0, 4096, (16, 20)).astype(np.uint16)
SIGNED = RANDOM.integers(-2000, 2000, (16, 20)).astype(np.int16)
SMOOTH = np.add.outer(np.arange(16), np.arange(20)).astype(np.uint16) * 100
TWELVE_BITS = {"BitsStored": 12, "HighBit": 11}


def write_compressed(path, pixels, syntax, stream, **tags):
    write_dicom(path, pixels, **NO_PLACE, **tags)
    dataset = pydicom.dcmread(path)
    dataset.file_meta.TransferSyntaxUID = syntax
    dataset.PixelData = pydicom.encaps.encapsulate([stream])
    dataset["PixelData"].VR = "OB"
    dataset.save_as(path)
    return path


@pytest.mark.parametrize(
    ("pixels", "syntax", "encode", "tags"),
    [
        (GREY, "JPEGLosslessSV1", imagecodecs.ljpeg_encode, {}),
        (DEEP, "JPEGLosslessSV1", imagecodecs.ljpeg_encode, {}),
        (
            GREY,
            "JPEGLossless",
            lambda pixels: imagecodecs.jpeg8_encode(pixels, lossless=True, predictor=6),
            {},
        ),
        (
            COLOURS,
            "JPEGLosslessSV1",
            lambda pixels: imagecodecs.jpeg8_encode(pixels, lossless=True),
            {},
        ),
        (
            SIGNED,
            "JPEGLosslessSV1",
            lambda pixels: imagecodecs.ljpeg_encode(
                pixels.view(np.uint16) & 0xFFF, bitspersample=12
            ),
            TWELVE_BITS,
        ),
        (GREY, "JPEGLSLossless", imagecodecs.jpegls_encode, {}),
        (DEEP, "JPEGLSLossless", imagecodecs.jpegls_encode, {}),
        (COLOURS, "JPEGLSLossless", imagecodecs.jpegls_encode, {}),
        (
            SIGNED,
            "JPEGLSLossless",
            lambda pixels: imagecodecs.jpegls_encode(pixels.view(np.uint16)),
            {},
        ),
        (DEEP, "HTJ2KLossless", imagecodecs.htj2k_encode, {}),
        (
            COLOURS,
            "HTJ2KLossless",
            imagecodecs.htj2k_encode,
            {"PhotometricInterpretation": "YBR_RCT"},
        ),
    ],
)
def test_lossless_streams_are_read(tmp_path, pixels, syntax, encode, tags):
    uid = getattr(pydicom.uid, syntax)
    path = write_compressed(tmp_path / "a.dcm", pixels, uid, encode(pixels), **tags)
    np.testing.assert_array_equal(DicomScan(path, "auto").read_values(), pixels[None])


def test_lossy_streams_are_read(tmp_path):
    stream = imagecodecs.jpegls_encode(GREY, level=2)
    path = write_compressed(tmp_path / "near.dcm", GREY, pydicom.uid.JPEGLSNearLossless, stream)
    values = DicomScan(path, "auto").read_values()[0]
    assert 0 < np.abs(values - GREY).max() <= 2

    stream = imagecodecs.jpeg8_encode(SMOOTH, bitspersample=12, level=95)
    path = write_compressed(
        tmp_path / "deep.dcm", SMOOTH, pydicom.uid.JPEGExtended12Bit, stream, **TWELVE_BITS
    )
    assert np.abs(DicomScan(path, "auto").read_values()[0] - SMOOTH).max() < 12


def test_each_frame_of_a_compressed_cine_is_read(tmp_path):
    frames = np.stack([GREY, GREY[::-1], GREY // 2])
    streams = [imagecodecs.ljpeg_encode(np.ascontiguousarray(frame)) for frame in frames]
    syntax = pydicom.uid.JPEGLosslessSV1
    path = write_compressed(tmp_path / "a.dcm", GREY, syntax, streams[0], NumberOfFrames=3)
    dataset = pydicom.dcmread(path)
    dataset.PixelData = pydicom.encaps.encapsulate(streams)
    dataset.save_as(path)
    np.testing.assert_array_equal(DicomScan(path, "auto").read_values(), frames)


@pytest.mark.parametrize("syntax", ["JPEGLosslessSV1", "JPEGLSLossless", "HTJ2KLossless"])
def test_damaged_stream_is_reported_in_one_line(tmp_path, syntax):
    uid = getattr(pydicom.uid, syntax)
    path = write_compressed(tmp_path / "a.dcm", GREY, uid, b"\xff\xd8\xff\xf7 damaged")
    with pytest.raises(InputError, match=r"a\.dcm: cannot read the DICOM image") as caught:
        DicomScan(path, "auto").read_values()
    assert "\n" not in str(caught.value)


def test_deep_jpeg_in_colour_is_rejected(tmp_path):
    colours = np.dstack([SMOOTH] * 3)
    stream = imagecodecs.jpeg8_encode(colours, bitspersample=12)
    path = write_compressed(
        tmp_path / "a.dcm", colours, pydicom.uid.JPEGExtended12Bit, stream, **TWELVE_BITS
    )
    with pytest.raises(InputError, match="JPEG of 12 bits must be grey"):
        DicomScan(path, "auto").read_values()
