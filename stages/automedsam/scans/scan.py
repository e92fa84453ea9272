"""Whatever holds pixels, as a stack of slices: an image is a stack of one."""

from collections import defaultdict
from pathlib import Path
from typing import Protocol
from unicodedata import normalize

import numpy as np

from automedsam.runtime.errors import ErrorCollector, InputError
from automedsam.runtime.options import SliceAxis
from automedsam.scans import dicom, nifti, tiff
from automedsam.scans import image as images
from automedsam.scans.dicom import DicomScan
from automedsam.scans.image import ImageScan
from automedsam.scans.nifti import NiftiScan
from automedsam.scans.slicing import Slicing
from automedsam.scans.tiff import TiffScan

SUFFIXES = (*images.SUFFIXES, *tiff.SUFFIXES, *nifti.SUFFIXES, *dicom.SUFFIXES)
SAME_PLACE_VOXELS = 0.1  # affines of one scan differ in their last digits from tool to tool


class Scan(Protocol):
    """An image or a volume, known by its header until its values are read."""

    path: Path
    shape: tuple[int, int, int]  # slices, height, width in px
    is_volume: bool

    @property
    def slicing(self) -> Slicing | None:
        """How a scan that lies in space was cut."""

    @property
    def spacing_mm(self) -> tuple[float, float, float] | None:
        """From slice to slice, row to row and column to column; None: unknown."""

    def read_values(self) -> np.ndarray:
        """(slices, height, width), or (slices, height, width, 3) if colour, of any type, finite."""


class ScanFile(Scan, Protocol):
    """A scan in a file, or in a folder if it is a DICOM series, whose masks can be read and written."""

    def read_labels(self) -> np.ndarray:
        """(slices, height, width), whole numbers: the file as a mask."""

    def write(self, path: Path, stack: np.ndarray) -> None:
        """A mask (slices, height, width), bool, or labels, uint8, in this scan's own geometry."""

    def write_soft(self, path: Path, stack: np.ndarray) -> None:
        """Probabilities of 0 to 255, uint8, in the same."""


def open_scan(path: Path, slice_axis: SliceAxis) -> ScanFile:
    """Read the header of a file, or of the DICOM files of a folder.

    Raises:
      InputError: no such path, or one that is no scan.
    """
    if not path.exists():
        raise InputError(f"{path}: expected an image, found no such file")
    if path.is_dir() or path.name.lower().endswith(dicom.SUFFIXES):
        return DicomScan(path, slice_axis)
    if path.name.lower().endswith(nifti.SUFFIXES):
        return NiftiScan(path, slice_axis)
    return TiffScan(path) if path.name.lower().endswith(tiff.SUFFIXES) else ImageScan(path)


def find_scans(folder: Path) -> list[Path]:
    """The files below a folder that are scans by their names, and the folders that are DICOM series; nothing hidden."""
    files = [
        path
        for path in sorted(folder.rglob("*"))
        if path.name.lower().endswith(SUFFIXES)
        and path.is_file()
        and not any(part.startswith(".") for part in path.relative_to(folder).parts)
    ]
    of_dicom = {path for path in files if path.name.lower().endswith(dicom.SUFFIXES)}
    return sorted(
        [*(path for path in files if path not in of_dicom), *dicom.find_series(sorted(of_dicom))]
    )


def name_scans(folder: Path) -> dict[str, Path]:
    """Scan name (path below the folder, no suffix, `__` for the separators) to path, sorted by name.

    Raises:
      InputError: no scan, or two of one name.
    """
    found = defaultdict(list)
    for path in find_scans(folder):
        name = "__".join((*path.relative_to(folder).parent.parts, stem(path)))
        found[normalize("NFC", name)].append(
            path
        )  # macOS spells accents in two characters, others in one
    if not found:
        raise InputError(
            f"{folder}: expected {', '.join(SUFFIXES)} files, found none; see dataset, data_dir and annotations"
        )
    errors = ErrorCollector()
    for paths in found.values():
        if len(paths) > 1:
            errors.add(f"{', '.join(map(str, paths))}: expected one file a scan")
    errors.raise_if_any()
    return {name: paths[0] for name, paths in sorted(found.items())}


def mask_path(path: Path, folder: Path) -> Path:
    """Where the mask of a scan below the folder belongs: under the same name and format.

    A JPEG's, which would be blurred, is a PNG, and one of DICOM images is NIfTI.
    """
    place = path.relative_to(folder).parent / path.name
    if path.is_dir() or path.name.lower().endswith(dicom.SUFFIXES):
        return place.with_name(f"{stem(path)}.nii.gz")
    return place.with_suffix(".png") if path.suffix.lower() in (".jpg", ".jpeg") else place


def stem(path: Path) -> str:
    """A scan's name without its suffix, `.nii.gz` being one; a folder's as it is."""
    suffix = max(
        (suffix for suffix in SUFFIXES if path.name.lower().endswith(suffix)), key=len, default=""
    )
    return path.name[: len(path.name) - len(suffix)]


def slice_name(scan_name: str, number: int) -> str:
    """What one slice of a volume is called, as a case and as a picture to draw boxes on."""
    return f"{scan_name}_s{number:03d}"


def read_mask(scan_path: Path, mask_path: Path, slice_axis: SliceAxis) -> np.ndarray:
    """(slices, height, width), whole numbers: a scan's mask, from a file of its own.

    Raises:
      InputError: a mask of another size, in another place, or of a NIfTI image in a format that tells no place.
    """
    scan = open_scan(scan_path, slice_axis)
    mask = open_scan(mask_path, scan.slicing.plane if scan.slicing else "auto")
    if mask.shape != scan.shape:
        expected, found = (" x ".join(map(str, shape)) for shape in (scan.shape, mask.shape))
        raise InputError(
            f"{mask_path}: expected the size of {scan_path}, {expected} (slices, rows, columns), found {found}"
        )
    if (
        isinstance(scan, NiftiScan) and not mask.slicing
    ):  # its slices may have been turned, and nobody could tell
        raise InputError(
            f"{mask_path}: expected the mask of a NIfTI image as NIfTI, found one that lies nowhere"
        )
    if (
        scan.slicing
        and mask.slicing
        and (offset := scan.slicing.offset_voxels(mask.slicing)) > SAME_PLACE_VOXELS
    ):
        raise InputError(
            f"{mask_path}: expected the affine of {scan_path}, found voxels up to {offset:.3g} voxels off"
        )
    return mask.read_labels()
