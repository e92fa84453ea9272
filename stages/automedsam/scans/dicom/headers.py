"""Headers of DICOM files, read without the pixels."""

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from automedsam.runtime.errors import InputError

TAGS = [
    "SeriesInstanceUID",
    "Rows",
    "Columns",
    "NumberOfFrames",
    "PhotometricInterpretation",
    "PixelSpacing",
    "ImagerPixelSpacing",
    "SliceThickness",
    "ImageOrientationPatient",
    "ImagePositionPatient",
]
Numbers = tuple[float, ...]


@dataclass(frozen=True)
class DicomHeader:
    """Size, colour and geometry of one file.

    Positions and directions are in DICOM's frame: x to the patient's left, y to the back, z to the
    head.

    Attributes:
      path: The file.
      series: SeriesInstanceUID; empty if absent.
      size: Rows and columns.
      is_colour: Whether the pixels have three channels.
      pixel_mm: Distance between rows and between columns, in mm; None if unknown.
      thickness_mm: Slice thickness in mm; 1 if unknown.
      orientation: Unit vectors (x, y, z) to the next column, then to the next row; None if unknown.
      position: Centre (x, y, z) of the first voxel, in mm; None if unknown.
    """

    path: Path
    series: str
    size: tuple[int, int]
    is_colour: bool
    pixel_mm: Numbers | None
    thickness_mm: float
    orientation: Numbers | None
    position: Numbers | None

    @property
    def has_place(self) -> bool:
        """Whether the position of the image in the patient is known."""
        return self.orientation is not None and self.position is not None


def read_header(path: Path) -> DicomHeader:
    """Read the header of one file.

    Raises:
      InputError: If pydicom is not installed, or if the file cannot be read, contains no image or
        several frames, or has an invalid geometry.
    """
    pydicom = import_pydicom(path)
    with dicom_errors(path):
        dataset = pydicom.dcmread(path, stop_before_pixels=True, specific_tags=TAGS)
        size = int(dataset.get("Rows") or 0), int(dataset.get("Columns") or 0)
        if 0 in size:
            raise InputError(
                f"{path}: this DICOM file contains no image; it may be a report, a plan or contours"
            )
        frames = int(dataset.get("NumberOfFrames") or 1)
        if frames > 1:
            raise InputError(
                f"{path}: the file contains {frames} frames; save them as a series or as NIfTI"
            )
        pixel_mm = _pixel_spacing(path, dataset)
        (thickness_mm,) = _numbers(path, dataset, "SliceThickness", 1) or (0.0,)
        return DicomHeader(
            path=path,
            series=str(dataset.get("SeriesInstanceUID") or ""),
            size=size,
            is_colour=not str(dataset.PhotometricInterpretation).startswith("MONOCHROME"),
            pixel_mm=pixel_mm,
            thickness_mm=thickness_mm if thickness_mm > 0 else 1.0,
            orientation=_numbers(path, dataset, "ImageOrientationPatient", 6),
            position=_numbers(path, dataset, "ImagePositionPatient", 3),
        )


def import_pydicom(path: Path) -> Any:
    """Import pydicom, which is an optional dependency.

    Raises:
      InputError: If pydicom is not installed; the message names the file that needs it.
    """
    try:
        import pydicom
    except ImportError:
        raise InputError(
            f"{path}: reading DICOM requires pydicom; run `pip install .[dicom]`"
        ) from None
    return pydicom


@contextmanager
def dicom_errors(path: Path) -> Iterator[None]:
    """Turn every failure inside the block into an InputError that names the file.

    pydicom's warnings are silenced, because users cannot change the files of their scanners.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            yield
        except InputError:
            raise
        except FileNotFoundError:
            raise InputError(f"{path}: file not found") from None
        # On broken files, pydicom and its decoders raise nearly every class of exception.
        except Exception as error:
            reason = " ".join(str(error).split())
            raise InputError(f"{path}: cannot read the DICOM image ({reason})") from error


def _pixel_spacing(path: Path, dataset: Any) -> Numbers | None:
    pixel_mm = _numbers(path, dataset, "PixelSpacing", 2)
    if pixel_mm is None:
        pixel_mm = _numbers(path, dataset, "ImagerPixelSpacing", 2)
    if pixel_mm is not None and min(pixel_mm) <= 0:
        raise InputError(f"{path}: the pixel spacing must be positive, found {pixel_mm} mm")
    return pixel_mm


def _numbers(path: Path, dataset: Any, keyword: str, count: int) -> Numbers | None:
    """Values of a tag; None if it is absent or empty."""
    value = dataset.get(keyword)
    if value is None or value == "":
        return None
    numbers = np.array(value, np.float64).ravel()
    if len(numbers) != count or not np.isfinite(numbers).all():
        raise InputError(f"{path}: {keyword} must be {count} finite numbers, found {value}")
    return tuple(numbers.tolist())
