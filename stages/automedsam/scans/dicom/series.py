"""DICOM series: which files form one, and how their slices stack up in space."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from pathlib import Path

import numpy as np

from automedsam.runtime.errors import InputError, count_phrase, name_some
from automedsam.scans.dicom.content import has_dicom_suffix, is_dicom_file
from automedsam.scans.dicom.headers import DicomHeader, NoImageError, Numbers, read_header
from automedsam.scans.notices import warn_once

LPS_TO_RAS = np.diag([-1.0, -1.0, 1.0])
HEADER_TOLERANCE = 1e-4  # values of one series differ in their last digits
RIGHT_ANGLE_TOLERANCE = 1e-3
SAME_PLACE_MM = 1e-3
# Steps from slice to slice may differ by the larger of these two: positions are often rounded.
STEP_TOLERANCE_SHARE = 0.01
STEP_TOLERANCE_MM = 0.01
POSITION_UNIT_MM = 0.1  # to which some scanners round positions
MAX_ROUNDED_STEP_RATIO = 1.5  # between two steps that are equal before rounding


def find_series(paths: list[Path]) -> list[Path]:
    """The scans that DICOM files form, sorted: folders with a series, and single files.

    A file without a position in the patient is a scan of its own. Files without an image, such as
    reports, are left out with a warning. Errors are left to the code that opens the scans:
    unreadable files, folders with several series and a missing pydicom are not reported here.
    """
    files_by_folder = defaultdict(list)
    for path in sorted(paths):
        files_by_folder[path.parent].append(path)
    return sorted(
        scan for folder, files in files_by_folder.items() for scan in _scans_in(folder, files)
    )


def read_series(folder: Path) -> list[DicomHeader]:
    """Headers of the images of a folder, sorted by file name, without hidden files.

    Files without an image, and localizers and screenshots beside a series, are left out with a
    warning.

    Raises:
      InputError: If there is no image, or if a file cannot be read.
    """
    headers: list[DicomHeader] = []
    left_out: dict[Path, str] = {}
    for path in sorted(folder.iterdir()):
        if path.name.startswith(".") or not (has_dicom_suffix(path) or is_dicom_file(path)):
            continue
        try:
            headers.append(read_header(path))
        except NoImageError as error:
            left_out[path] = error.kind
    if _has_series(header for header in headers if not header.companion):
        left_out |= {header.path: header.companion for header in headers if header.companion}
    _report_left_out(folder, left_out)
    headers = [header for header in headers if header.path not in left_out]
    if not headers:
        raise InputError(f"{folder}: the folder contains no DICOM image")
    return headers


def stack_series(path: Path, headers: list[DicomHeader]) -> tuple[list[DicomHeader], np.ndarray]:
    """Sort the files of one series along the normal of their slices.

    Args:
      path: The folder or file, for messages.
      headers: One or more headers, in any order.

    Returns:
      The sorted headers, and the affine (4, 4) from (column, row, slice) to mm right, anterior,
      superior.

    Raises:
      InputError: If the files belong to several series, differ in geometry, have no position, or
        are not evenly spaced.
    """
    _check_consistent(path, headers)
    first = headers[0]
    directions = np.reshape(first.orientation or (), (2, 3))
    if not np.allclose(directions @ directions.T, np.eye(2), atol=RIGHT_ANGLE_TOLERANCE):
        raise InputError(
            f"{first.path}: ImageOrientationPatient must be two unit vectors at right angles, "
            f"found {first.orientation}"
        )
    if first.pixel_mm is None:
        raise InputError(f"{first.path}: PixelSpacing is missing")
    normal = np.cross(*directions)
    positions = np.array([header.position for header in headers])
    order = np.argsort(positions @ normal, kind="stable")
    headers, positions = [headers[number] for number in order], positions[order]
    if len(headers) > 1:
        step = _slice_step(path, headers, positions, normal)
    else:
        step = normal * first.thickness_mm
    return headers, _affine(directions, first.pixel_mm, step, positions[0])


def axial_affine(header: DicomHeader) -> np.ndarray:
    """Affine (4, 4) of an image without a position in the patient: an axial slice at the origin."""
    step = np.array([0, 0, header.thickness_mm])
    return _affine(np.eye(3)[:2], header.pixel_mm or (1.0, 1.0), step, np.zeros(3))


def _scans_in(folder: Path, files: list[Path]) -> list[Path]:
    headers: list[DicomHeader] = []
    without_image: dict[Path, str] = {}
    for file in files:
        try:
            headers.append(read_header(file))
        except NoImageError as error:
            without_image[file] = error.kind
        except InputError:
            continue
    if _has_series(headers):
        # Other files in the same folder are reported when the scan is opened.
        return [folder]
    _report_left_out(folder, without_image)
    return [file for file in files if file not in without_image]


def _has_series(headers: Iterable[DicomHeader]) -> bool:
    """Whether several images with a position belong to one series."""
    sizes = Counter(header.series for header in headers if header.has_place)
    return max(sizes.values(), default=0) > 1


def _report_left_out(folder: Path, left_out: Mapping[Path, str]) -> None:
    """Log one line with the files, and with what each of them is."""
    names = [f"{path.name} ({kind})" if kind else path.name for path, kind in left_out.items()]
    if names:
        count = count_phrase(len(names), "DICOM file")
        fault = f"left out {count} without an image to segment"
        warn_once(folder, fault, f": {name_some(names)}")


def _check_consistent(path: Path, headers: list[DicomHeader]) -> None:
    count = len({header.series for header in headers})
    if count > 1:
        raise InputError(
            f"{path}: the folder contains {count} series; move each to a folder of its own"
        )
    first = headers[0]
    for header in headers:
        if not header.has_place:
            raise InputError(
                f"{header.path}: ImageOrientationPatient or ImagePositionPatient is missing"
            )
        if header.is_colour and len(headers) > 1:
            raise InputError(f"{header.path}: slices of a series must be grey, found colour")
        for name, expected, value in (
            ("rows and columns", first.size, header.size),
            ("ImageOrientationPatient", first.orientation, header.orientation),
            ("PixelSpacing", first.pixel_mm, header.pixel_mm),
        ):
            if not np.allclose(expected or 0, value or 0, rtol=0, atol=HEADER_TOLERANCE):
                raise InputError(
                    f"{header.path}: {name} {value} must equal {expected} of {first.path}"
                )


def _slice_step(
    path: Path, headers: list[DicomHeader], positions: np.ndarray, normal: np.ndarray
) -> np.ndarray:
    """Mean step from one slice to the next, (3,), in mm.

    Raises:
      InputError: If two slices are in one place, or if the steps differ.
    """
    steps = np.diff(positions, axis=0)
    distances_mm = steps @ normal
    closest, widest = int(distances_mm.argmin()), int(distances_mm.argmax())
    if distances_mm[closest] < SAME_PLACE_MM:
        one, other = headers[closest].path.name, headers[closest + 1].path.name
        raise InputError(
            f"{path}: {one} and {other} are at the same position; keep one file per position"
        )
    step: np.ndarray = steps.mean(axis=0)
    tolerance = max(STEP_TOLERANCE_SHARE * float(np.linalg.norm(step)), STEP_TOLERANCE_MM)
    is_even = np.abs(steps - step).max() <= tolerance
    if not is_even and not _is_rounded_grid(positions, distances_mm):
        before, after = headers[widest].path.name, headers[widest + 1].path.name
        raise InputError(
            f"{path}: slices must be evenly spaced, found distances from "
            f"{distances_mm[closest]:.4g} to {distances_mm[widest]:.4g} mm; the largest is between "
            f"{before} and {after}; is a file missing?"
        )
    return step


def _is_rounded_grid(positions: np.ndarray, distances_mm: np.ndarray) -> bool:
    """Whether positions (n, 3) are evenly spaced positions that were rounded to 0.1 mm."""
    units = positions / POSITION_UNIT_MM
    if not np.allclose(units, np.rint(units), rtol=0, atol=HEADER_TOLERANCE):
        return False
    even = np.linspace(positions[0], positions[-1], len(positions))
    is_near = np.abs(positions - even).max() <= POSITION_UNIT_MM + HEADER_TOLERANCE
    # Without a missing slice, which would be a step of twice the length.
    return bool(is_near and distances_mm.max() <= MAX_ROUNDED_STEP_RATIO * distances_mm.min())


def _affine(
    directions: np.ndarray, pixel_mm: Numbers, step: np.ndarray, position: np.ndarray
) -> np.ndarray:
    """Affine (4, 4) from (column, row, slice) to mm right, anterior, superior.

    It is rounded to float32, the precision of NIfTI, so that a mask that is read back has the same
    affine.
    """
    row_mm, column_mm = pixel_mm
    affine = np.eye(4)
    affine[:3] = LPS_TO_RAS @ np.column_stack(
        [directions[0] * column_mm, directions[1] * row_mm, step, position]
    )
    return affine.astype(np.float32).astype(np.float64)
