"""Pixels of DICOM files, decompressed and rescaled."""

from typing import Any

import numpy as np

from automedsam.runtime.errors import InputError
from automedsam.scans.dicom.headers import DicomHeader, dicom_errors, import_pydicom, read_dataset


def read_pixels(header: DicomHeader) -> tuple[np.ndarray, np.ndarray]:
    """Read the pixels of one file.

    Returns:
      The values, (frames, rows, columns), float32, or (frames, rows, columns, 3), uint8 or uint16;
      and whether each grey pixel has the padding value of the header, (frames, rows, columns),
      bool.

    Raises:
      InputError: If the pixels cannot be read, or if their shape is not that of the header.
    """
    import_pydicom(header.path)
    from pydicom.pixels import apply_color_lut, apply_modality_lut

    from automedsam.scans.dicom import jpeg_plugin

    jpeg_plugin.register()
    with dicom_errors(header.path):
        dataset = read_dataset(header.path)
        _complete_transfer_syntax(dataset)
        pixels: np.ndarray = dataset.pixel_array
        if dataset.PhotometricInterpretation == "PALETTE COLOR":
            pixels = apply_color_lut(pixels, dataset)[..., :3]
        pixels = _check_shape(header, pixels)
        if header.is_colour:
            return pixels, np.zeros(pixels.shape[:3], bool)
        values = apply_modality_lut(pixels, dataset).astype(np.float32)
        if dataset.PhotometricInterpretation == "MONOCHROME1":
            limits = apply_modality_lut(np.array(_stored_range(dataset)), dataset)
            values = limits.astype(np.float32).sum() - values
        return values, _find_padding(pixels, dataset)


def darken_padding(values: np.ndarray, is_padding: np.ndarray) -> None:
    """Set padding to the smallest other value, in place.

    Padding between the other values does not decide the grey scale, and is kept: the headers of
    some scanners name a value that occurs in the patient.

    Args:
      values: (slices, rows, columns) or (slices, rows, columns, 3).
      is_padding: (slices, rows, columns), bool.
    """
    if not is_padding.any() or is_padding.all():
        return
    measured, padding = values[~is_padding], values[is_padding]
    if padding.max() < measured.min() or padding.min() > measured.max():
        values[is_padding] = measured.min()


def _complete_transfer_syntax(dataset: Any) -> None:
    """Set the transfer syntax of a file without meta information, which is uncompressed."""
    from pydicom.uid import ExplicitVRLittleEndian, ImplicitVRLittleEndian

    if "TransferSyntaxUID" not in dataset.file_meta:
        is_implicit, _ = dataset.original_encoding
        syntax = ImplicitVRLittleEndian if is_implicit else ExplicitVRLittleEndian
        dataset.file_meta.TransferSyntaxUID = syntax


def _check_shape(header: DicomHeader, pixels: np.ndarray) -> np.ndarray:
    """Add the axis of frames to the pixels of a single frame.

    Raises:
      InputError: If the shape is not that of the header.
    """
    expected_shape = (*header.size, 3) if header.is_colour else header.size
    if header.frames > 1:
        expected_shape = (header.frames, *expected_shape)
    if pixels.shape != expected_shape:
        raise InputError(
            f"{header.path}: the header specifies pixels of shape {expected_shape}, "
            f"found {pixels.shape}"
        )
    return pixels if header.frames > 1 else pixels[None]


def _find_padding(pixels: np.ndarray, dataset: Any) -> np.ndarray:
    """Whether each stored pixel is padding, bool."""
    value = dataset.get("PixelPaddingValue")
    if value is None or pixels.dtype.kind not in "iu":
        return np.zeros(pixels.shape, bool)
    limit = dataset.get("PixelPaddingRangeLimit")
    # Some headers write a negative value as an unsigned one; the conversion restores it.
    ends = np.array([value, value if limit is None else limit], np.int64).astype(pixels.dtype)
    return (pixels >= ends.min()) & (pixels <= ends.max())


def _stored_range(dataset: Any) -> tuple[int, int]:
    """Minimum and maximum that the stored pixel type can represent."""
    count = 2 ** int(dataset.BitsStored)
    low = -count // 2 if dataset.PixelRepresentation else 0
    return low, low + count - 1
