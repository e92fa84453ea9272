"""Scans of all file formats as stacks of slices; a single image is a stack of one."""

from collections import defaultdict
from pathlib import Path
from typing import Protocol
from unicodedata import normalize

import numpy as np

from automedsam.cases.boxes import Spacing
from automedsam.runtime.errors import ErrorCollector, InputError
from automedsam.runtime.options import SliceAxis
from automedsam.scans import image as images
from automedsam.scans import nifti
from automedsam.scans.dicom import content as dicom
from automedsam.scans.dicom.content import has_dicom_suffix, is_dicom_file
from automedsam.scans.dicom.dicom_scan import DicomScan
from automedsam.scans.dicom.series import find_series
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

    def read_labels(self) -> np.ndarray:
        """The file as a mask: (slices, height, width), whole numbers."""

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
    if not path.exists():
        raise InputError(f"{path}: file not found")
    name = path.name.lower()
    if path.is_dir() or _is_dicom(path):
        return DicomScan(path, slice_axis)
    if name.endswith(nifti.SUFFIXES):
        return NiftiScan(path, slice_axis)
    if name.endswith(tiff.SUFFIXES):
        return TiffScan(path)
    return ImageScan(path)


def find_scans(folder: Path) -> list[Path]:
    """All scans below a folder, sorted: files with a known suffix, and folders of DICOM series.

    DICOM files without a known suffix are recognized by their content. Hidden files and folders
    are ignored.
    """
    files: list[Path] = []
    dicom_files: list[Path] = []
    for path in sorted(folder.rglob("*")):
        is_hidden = any(part.startswith(".") for part in path.relative_to(folder).parts)
        if is_hidden or not path.is_file():
            continue
        if _is_dicom(path):
            dicom_files.append(path)
        elif _has_known_suffix(path):
            files.append(path)
    return sorted([*files, *find_series(dicom_files)])


def name_scans(folder: Path) -> dict[str, Path]:
    """Map scan names to paths, sorted by name.

    A name is the path below the folder without suffix, with `__` as separator.

    Raises:
      InputError: If there is no scan, or if several have the same name.
    """
    paths_by_name = defaultdict(list)
    for path in find_scans(folder):
        name = "__".join((*path.relative_to(folder).parent.parts, stem(path)))
        # macOS stores an accented letter as two characters, other systems as one.
        paths_by_name[normalize("NFC", name)].append(path)
    if not paths_by_name:
        raise InputError(
            f"{folder}: no {', '.join(SUFFIXES)} files; check dataset, data_dir and annotations"
        )
    errors = ErrorCollector()
    for paths in paths_by_name.values():
        if len(paths) > 1:
            errors.add(f"{', '.join(map(str, paths))}: scans must have different names")
    errors.raise_if_any()
    return {name: paths[0] for name, paths in sorted(paths_by_name.items())}


def mask_path(path: Path, folder: Path) -> Path:
    """Relative path of the mask of a scan: its own path below the folder, in its own format.

    JPEG, BMP and WebP have a PNG mask, because JPEG and WebP blur values. A DICOM scan has a NIfTI
    mask.
    """
    relative = path.relative_to(folder).parent / path.name
    if path.is_dir() or _is_dicom(path):
        return relative.with_name(f"{stem(path)}.nii.gz")
    if path.suffix.lower() in (".jpg", ".jpeg", ".bmp", ".webp"):
        return relative.with_suffix(".png")
    return relative


def stem(path: Path) -> str:
    """File name without the suffix of its format; `.nii.gz` is one suffix, folders have none."""
    name = path.name.lower()
    suffixes = [suffix for suffix in SUFFIXES if name.endswith(suffix)]
    return path.name[: len(path.name) - len(max(suffixes, key=len, default=""))]


def _is_dicom(path: Path) -> bool:
    """Whether a file is read as DICOM: by its suffix, or by its content if that is unknown."""
    return has_dicom_suffix(path) or (not _has_known_suffix(path) and is_dicom_file(path))


def _has_known_suffix(path: Path) -> bool:
    return path.name.lower().endswith(SUFFIXES)


def slice_name(scan_name: str, number: int) -> str:
    """Name of one slice of a volume, for cases and for pictures to draw boxes on."""
    return f"{scan_name}_s{number:03d}"


def read_mask(scan_path: Path, mask_path: Path, slice_axis: SliceAxis) -> np.ndarray:
    """Read the mask of a scan from a file of its own.

    Args:
      scan_path: The scan.
      mask_path: The mask.
      slice_axis: The axis along which the scan is cut into slices; the mask is cut alike.

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
    return mask.read_labels()
