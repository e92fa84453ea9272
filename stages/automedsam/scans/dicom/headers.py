"""Headers of DICOM files, read without the pixels."""

import re
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from automedsam.runtime.errors import InputError
from automedsam.scans.dicom.content import is_dicom_file

TAGS = [
    "SOPClassUID",
    "Modality",
    "ImageType",
    "SeriesDescription",
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
    "SharedFunctionalGroupsSequence",
]
# Objects that have rows and columns, but do not show the patient.
DERIVED_MODALITIES = ("SEG", "RTDOSE")
SECONDARY_CAPTURE = "1.2.840.10008.5.1.4.1.1.7"
LOCALIZER_NAMES = re.compile(r"locali[sz]er|scout|topogram|surview", re.IGNORECASE)
Numbers = tuple[float, ...]


class NoImageError(InputError):
    """A DICOM file that shows no patient: a report, a plan, contours or a segmentation.

    Args:
      path: The file.
      kind: Its modality, such as SR or RTSTRUCT, or the name of its class.
    """

    def __init__(self, path: Path, kind: str) -> None:
        super().__init__(f"{path}: this DICOM file contains no image to segment, but {kind}")
        self.kind = kind


@dataclass(frozen=True)
class DicomHeader:
    """Size, colour and geometry of one file.

    Positions and directions are in DICOM's frame: x to the patient's left, y to the back, z to the
    head.

    Attributes:
      path: The file.
      series: SeriesInstanceUID; empty if absent.
      size: Rows and columns.
      frames: Number of images in the file; above 1 for a cine without positions in the patient.
      is_colour: Whether the pixels have three channels.
      pixel_mm: Distance between rows and between columns, in mm; None if unknown.
      thickness_mm: Slice thickness in mm; 1 if unknown.
      orientation: Unit vectors (x, y, z) to the next column, then to the next row; None if unknown.
      position: Centre (x, y, z) of the first voxel, in mm; None if unknown.
      companion: What the image is if it only accompanies a series, such as "localizer"; else empty.
    """

    path: Path
    series: str
    size: tuple[int, int]
    frames: int
    is_colour: bool
    pixel_mm: Numbers | None
    thickness_mm: float
    orientation: Numbers | None
    position: Numbers | None
    companion: str

    @property
    def has_place(self) -> bool:
        """Whether the position of the image in the patient is known."""
        return self.orientation is not None and self.position is not None


def read_header(path: Path) -> DicomHeader:
    """Read the header of one file.

    Raises:
      NoImageError: If the file is DICOM without an image of the patient.
      InputError: If pydicom is not installed, or if the file cannot be read, contains several
        frames with positions, or has an invalid geometry.
    """
    with dicom_errors(path):
        dataset = read_dataset(path, stop_before_pixels=True, specific_tags=TAGS)
        size = _image_size(path, dataset)
        pixel_mm = _pixel_spacing(path, dataset)
        (thickness_mm,) = _numbers(path, dataset, "SliceThickness", 1) or (0.0,)
        return DicomHeader(
            path=path,
            series=str(dataset.get("SeriesInstanceUID") or ""),
            size=size,
            frames=_count_frames(path, dataset),
            is_colour=not str(dataset.PhotometricInterpretation).startswith("MONOCHROME"),
            pixel_mm=pixel_mm,
            thickness_mm=thickness_mm if thickness_mm > 0 else 1.0,
            orientation=_numbers(path, dataset, "ImageOrientationPatient", 6),
            position=_numbers(path, dataset, "ImagePositionPatient", 3),
            companion=_companion_kind(dataset),
        )


def read_dataset(path: Path, **options: Any) -> Any:
    """Read pydicom's data set of a file, with or without a preamble.

    Args:
      path: The file.
      options: Arguments of `pydicom.dcmread`.

    Raises:
      ValueError: If the content is not DICOM.
      InputError: If pydicom is not installed.
    """
    pydicom = import_pydicom(path)
    if path.is_file() and not is_dicom_file(path):
        raise ValueError("the content is not DICOM")
    return pydicom.dcmread(path, force=True, **options)


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


def _image_size(path: Path, dataset: Any) -> tuple[int, int]:
    """Rows and columns.

    Raises:
      NoImageError: If the file is of a kind that shows no patient.
      InputError: If the size is missing, for example because the file is truncated.
    """
    size = int(dataset.get("Rows") or 0), int(dataset.get("Columns") or 0)
    modality = str(dataset.get("Modality") or "")
    sop_class = dataset.get("SOPClassUID") or dataset.file_meta.get("MediaStorageSOPClassUID")
    is_image_class = not sop_class or "Image Storage" in sop_class.name
    if modality in DERIVED_MODALITIES or (0 in size and not is_image_class):
        raise NoImageError(path, modality or sop_class.name)
    if 0 in size:
        raise InputError(f"{path}: the size of the image is missing; the file may be truncated")
    return size


def _count_frames(path: Path, dataset: Any) -> int:
    """Number of frames, at least 1."""
    frames = int(dataset.get("NumberOfFrames") or 1)
    places = ("ImageOrientationPatient", "ImagePositionPatient", "SharedFunctionalGroupsSequence")
    if frames > 1 and any(dataset.get(keyword) for keyword in places):
        raise InputError(
            f"{path}: the file contains {frames} frames; save them as a series or as NIfTI"
        )
    return max(frames, 1)


def _companion_kind(dataset: Any) -> str:
    image_type = str(dataset.get("ImageType") or "").upper()
    if "LOCALIZER" in image_type or LOCALIZER_NAMES.search(str(dataset.get("SeriesDescription"))):
        return "localizer"
    is_capture = str(dataset.get("SOPClassUID") or "").startswith(SECONDARY_CAPTURE)
    return "screenshot" if is_capture and not dataset.get("ImagePositionPatient") else ""


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
