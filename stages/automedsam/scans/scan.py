"""Scans of all file formats as stacks of slices; a single image is a stack of one."""

import os
from pathlib import Path
from typing import Protocol

import numpy as np

from automedsam.cases.boxes import Spacing
from automedsam.runtime.errors import InputError
from automedsam.runtime.names import MAX_CASE_BYTES, fit_name
from automedsam.runtime.options import SliceAxis
from automedsam.scans import image as images
from automedsam.scans import nifti
from automedsam.scans.dicom import content as dicom
from automedsam.scans.dicom.content import has_dicom_suffix, is_dicom_file
from automedsam.scans.dicom.dicom_scan import DicomScan
from automedsam.scans.image import ImageScan
from automedsam.scans.nifti import NiftiScan
from automedsam.scans.slicing import Slicing
from automedsam.scans.tiff import tiff_scan as tiff
from automedsam.scans.tiff.tiff_scan import TiffScan

SUFFIXES = (*images.SUFFIXES, *tiff.SUFFIXES, *nifti.SUFFIXES, *dicom.SUFFIXES)
SAME_PLACE_VOXELS = 0.1  # affines of one scan differ in their last digits between tools


class Scan(Protocol):
    """An image or a volume; opening it reads the header only.

    Attributes:
      path: The file, or the folder of a DICOM series.
      shape: Number of slices, height and width in px.
      is_volume: Whether there are several slices.
    """

    path: Path
    shape: tuple[int, int, int]
    is_volume: bool

    @property
    def slicing(self) -> Slicing | None:
        """The cut of the voxel array; None if the scan has no position in space."""

    @property
    def spacing_mm(self) -> Spacing | None:
        """Distance between slices, rows and columns in mm; None if unknown."""

    def read_values(self) -> np.ndarray:
        """Finite values of any type: (slices, height, width), with a last axis of 3 if colour."""


class ScanFile(Scan, Protocol):
    """A scan on disk, which can be read as a mask and whose masks can be written."""

    def read_labels(self, as_shown: bool = False) -> np.ndarray:
        """The file as a mask: (slices, height, width), whole numbers.

        Args:
          as_shown: Read masks of two colours as viewers show them, where that differs from the
            stored values.
        """

    def write(self, path: Path, stack: np.ndarray) -> None:
        """Write a mask (slices, height, width), bool or uint8, in the geometry of this scan."""

    def write_soft(self, path: Path, stack: np.ndarray) -> None:
        """Write probabilities (slices, height, width), uint8, in the geometry of this scan."""


def open_scan(path: Path, slice_axis: SliceAxis) -> ScanFile:
    """Open a file, or a folder as a DICOM series, and read its header.

    Args:
      path: The file or folder; the suffix selects the format. A file without a known suffix is
        DICOM if its content is, and otherwise an image.
      slice_axis: The axis along which NIfTI and DICOM volumes are cut into slices.

    Raises:
      InputError: If the path does not exist or cannot be read as a scan.
    """
    if not os.path.exists(path):  # other than pathlib, without an error for a name that is too long
        found = f"a link to {os.readlink(path)}, which is missing" if os.path.islink(path) else ""
        raise InputError(f"{path}: {found or 'file not found'}")
    if not path.is_file() and not path.is_dir():
        raise InputError(f"{path}: neither a file nor a folder")
    name = path.name.lower()
    if path.is_dir() or is_dicom(path):
        return DicomScan(path, slice_axis)
    if name.endswith(nifti.SUFFIXES):
        return NiftiScan(path, slice_axis)
    if name.endswith(tiff.SUFFIXES):
        return TiffScan(path)
    return ImageScan(path)


def mask_path(path: Path, folder: Path) -> Path:
    """Relative path of the mask of a scan: its own path below the folder, in its own format.

    JPEG, BMP and WebP have a PNG mask, because JPEG and WebP blur values. A DICOM scan has a NIfTI
    mask.
    """
    relative = path.relative_to(folder).parent / own_name(path)
    if path.is_dir() or is_dicom(path):
        return relative.with_name(fit_name(stem(path), ".nii.gz"))
    if path.suffix.lower() in (".jpg", ".jpeg", ".bmp", ".webp"):
        return relative.with_suffix(".png")
    return relative


def stem(path: Path) -> str:
    """File name without the suffix of its format; `.nii.gz` is one suffix, folders have none."""
    name = own_name(path)
    suffixes = [suffix for suffix in SUFFIXES if name.lower().endswith(suffix)]
    return name[: len(name) - len(max(suffixes, key=len, default=""))]


def own_name(path: Path) -> str:
    """The name of a file or folder, also if it is given as `.` or `..`."""
    return path.resolve().name if path.name in ("", "..") else path.name


def is_dicom(path: Path) -> bool:
    """Whether a file is read as DICOM: by its suffix, or by its content if that is unknown."""
    return has_dicom_suffix(path) or (not has_known_suffix(path) and is_dicom_file(path))


def has_known_suffix(path: Path) -> bool:
    """Whether the name of a file ends in the suffix of a format."""
    return path.name.lower().endswith(SUFFIXES)


def slice_name(scan_name: str, number: int) -> str:
    """Name of one slice of a volume, for cases and for pictures to draw boxes on."""
    return fit_name(scan_name, f"_s{number:03d}", MAX_CASE_BYTES)


def read_mask(
    scan_path: Path, mask_path: Path, slice_axis: SliceAxis, as_shown: bool = False
) -> np.ndarray:
    """Read the mask of a scan from a file of its own.

    Args:
      scan_path: The scan.
      mask_path: The mask.
      slice_axis: The axis along which the scan is cut into slices; the mask is cut alike.
      as_shown: As in `read_labels`.

    Returns:
      (slices, height, width), whole numbers.

    Raises:
      InputError: If the mask differs from the scan in size or position, or if the scan is NIfTI
        and the mask has no position.
    """
    scan = open_scan(scan_path, slice_axis)
    mask = open_scan(mask_path, scan.slicing.plane if scan.slicing else "auto")
    if mask.shape != scan.shape:
        scan_size, mask_size = (" x ".join(map(str, shape)) for shape in (scan.shape, mask.shape))
        raise InputError(
            f"{mask_path}: the size {mask_size} (slices, rows, columns) must equal {scan_size} of "
            f"{scan_path}"
        )
    # The slices of a NIfTI image may be rotated, and such a mask does not record how.
    if isinstance(scan, NiftiScan) and not mask.slicing:
        raise InputError(
            f"{mask_path}: a NIfTI image needs a NIfTI mask; this one has no spatial information"
        )
    if scan.slicing and mask.slicing:
        offset = scan.slicing.offset_voxels(mask.slicing)
        if offset > SAME_PLACE_VOXELS:
            raise InputError(
                f"{mask_path}: the affine must equal that of {scan_path}, "
                f"found voxels up to {offset:.3g} voxels off"
            )
    return mask.read_labels(as_shown)
