"""DICOM series: which files form one, and how their slices stack up in space."""

from collections import defaultdict
from pathlib import Path

import numpy as np

from automedsam.runtime.errors import InputError
from automedsam.scans.dicom.content import has_dicom_suffix, is_dicom_file
from automedsam.scans.dicom.headers import DicomHeader, Numbers, read_header

LPS_TO_RAS = np.diag([-1.0, -1.0, 1.0])
HEADER_TOLERANCE = 1e-4  # values of one series differ in their last digits
RIGHT_ANGLE_TOLERANCE = 1e-3
SAME_PLACE_MM = 1e-3
# Steps from slice to slice may differ by the larger of these two: positions are often rounded.
STEP_TOLERANCE_SHARE = 0.01
STEP_TOLERANCE_MM = 0.01


def find_series(paths: list[Path]) -> list[Path]:
    """The scans that DICOM files form, sorted: folders with a series, and single files.

    A file without a position in the patient is a scan of its own. Errors are left to the code that
    opens the scans: unreadable files, folders with several series and a missing pydicom are not
    reported here.
    """
    files_by_folder = defaultdict(list)
    for path in sorted(paths):
        files_by_folder[path.parent].append(path)
    return sorted(
        scan for folder, files in files_by_folder.items() for scan in _scans_in(folder, files)
    )


def series_files(folder: Path) -> list[Path]:
    """The DICOM files of a folder, sorted, without hidden ones.

    Raises:
      InputError: If there is none.
    """
    files = [
        path
        for path in sorted(folder.iterdir())
        if not path.name.startswith(".") and (has_dicom_suffix(path) or is_dicom_file(path))
    ]
    if not files:
        raise InputError(f"{folder}: the folder contains no DICOM file")
    return files


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
    series_sizes: dict[str | Path, int] = defaultdict(int)
    for file in files:
        try:
            header = read_header(file)
        except InputError:
            continue
        series_sizes[header.series if header.has_place else file] += 1
    if max(series_sizes.values(), default=0) < 2:
        return files
    # Other files in the same folder are an error, which is reported when the scan is opened.
    return [folder]


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
    if np.abs(steps - step).max() > tolerance:
        before, after = headers[widest].path.name, headers[widest + 1].path.name
        raise InputError(
            f"{path}: slices must be evenly spaced, found distances from "
            f"{distances_mm[closest]:.4g} to {distances_mm[widest]:.4g} mm; the largest is between "
            f"{before} and {after}; is a file missing?"
        )
    return step


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
