"""DICOM files as stacks of slices: a folder that holds one series, or a single file. Reading them takes pydicom."""

import warnings
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np

from automedsam.runtime.errors import InputError
from automedsam.runtime.options import SliceAxis
from automedsam.scans.nifti import PROBABILITY, write_mask
from automedsam.scans.pixels import check_finite
from automedsam.scans.slicing import Slicing

SUFFIXES = (".dcm",)
TAGS = [
    "SeriesInstanceUID", "Rows", "Columns", "NumberOfFrames", "PhotometricInterpretation", "PixelSpacing",
    "ImagerPixelSpacing", "SliceThickness", "ImageOrientationPatient", "ImagePositionPatient",
]  # fmt: skip
Numbers = tuple[float, ...]
LPS_TO_RAS = np.diag([-1.0, -1.0, 1.0])
ORIENTATION_TOLERANCE = 1e-4  # numbers of one series differ in their last digits
RIGHT_ANGLED = 1e-3
SAME_PLACE_MM = 1e-3
EVEN_SHARE, EVEN_MM = 0.01, 0.01  # by which steps from slice to slice may differ, whichever is more


class DicomScan:
    """A folder whose DICOM files are one series, or a single DICOM file, which need not tell its place in the patient.

    Raises:
      InputError: no pydicom, files that cannot be read, several frames in a file, or slices that make no even stack.
    """

    def __init__(self, path: Path, slice_axis: SliceAxis) -> None:
        self.path = path
        self._headers = [_read_header(file) for file in (_files(path) if path.is_dir() else [path])]
        first = self._headers[0]
        in_space = len(self._headers) > 1 or first.has_place
        if in_space:
            self._headers, self._affine = _stack_up(path, self._headers)
        else:
            self._affine = _flat_affine(first)
        rows, columns = first.size
        self._array_shape = columns, rows, len(self._headers)
        try:
            self._cut = Slicing(self._array_shape, self._affine, slice_axis)
        except InputError as fault:
            raise InputError(f"{path}: {fault}") from None
        self.slicing = self._cut if in_space else None
        self.shape = self._cut.shape
        self.is_volume = self.shape[0] > 1

    @property
    def spacing_mm(self) -> tuple[float, float, float] | None:
        """From slice to slice (a single one's thickness), row to row and column to column; None: unknown."""
        return self._cut.spacing_mm if self._headers[0].pixel_mm else None

    def read_values(self) -> np.ndarray:
        """(slices, height, width), float32, rescaled as the files say, more is brighter; or (1, height, width, 3)."""
        slices = np.stack([_read_pixels(header) for header in self._headers])
        return check_finite(
            self.path, np.ascontiguousarray(self._cut.to_stack(np.swapaxes(slices, 0, 2)))
        )

    def read_labels(self) -> np.ndarray:
        """Always refused: what is drawn on DICOM images is kept in other formats."""
        raise InputError(
            f"{self.path}: expected the mask of a DICOM image as NIfTI, PNG or TIFF, found DICOM"
        )

    def write(self, path: Path, stack: np.ndarray) -> None:
        """A mask (slices, height, width), bool, as 0 and 1, or labels, uint8: a NIfTI file of the series' voxels."""
        write_mask(path, self._cut.from_stack(stack), nib.Nifti1Image, self._nifti_header())

    def write_soft(self, path: Path, stack: np.ndarray) -> None:
        """Probabilities (slices, height, width) of 0 to 255, uint8, scaled to 0 to 1, likewise."""
        write_mask(
            path, self._cut.from_stack(stack), nib.Nifti1Image, self._nifti_header(), PROBABILITY
        )

    def _nifti_header(self) -> nib.Nifti1Header:
        """That puts the series' voxels in their places."""
        code = "scanner" if self.slicing else "aligned"
        header = nib.Nifti1Header()
        header.set_data_shape(self._array_shape)
        header.set_xyzt_units("mm")
        header.set_sform(self._affine, code)
        header.set_qform(self._affine, code)
        if not np.allclose(header.get_qform(), self._affine, atol=SAME_PLACE_MM):
            header["qform_code"] = 0  # a tilted gantry's shear, which a qform cannot tell
        return header


def find_series(paths: list[Path]) -> list[Path]:
    """The scans that DICOM files make up: each folder with a series, and each file that is a series of its own; sorted.

    A file that does not tell its place is one of its own. One that cannot be read is left to whoever opens the scan,
    as is a folder with more in it than one series, and all of them where pydicom is absent.
    """
    folders = defaultdict(list)
    for path in sorted(paths):
        folders[path.parent].append(path)
    return sorted(
        scan for folder, files in folders.items() for scan in _scans_of_folder(folder, files)
    )


@dataclass(frozen=True)
class _Header:
    """What one file tells without its pixels. Lengths in mm; x to the patient's left, y to the back, z to the head."""

    path: Path
    series: str
    size: tuple[int, int]  # rows, columns
    is_colour: bool
    pixel_mm: Numbers | None  # from row to row and column to column
    thickness_mm: float
    orientation: (
        Numbers | None
    )  # x, y, z of where the next column lies, then of where the next row lies
    position: Numbers | None  # of the first voxel

    @property
    def has_place(self) -> bool:
        return self.orientation is not None and self.position is not None


def _scans_of_folder(folder: Path, files: list[Path]) -> list[Path]:
    series: dict[str | Path, int] = defaultdict(int)
    for file in files:
        try:
            header = _read_header(file)
        except InputError:
            continue
        series[header.series if header.has_place else file] += 1
    if max(series.values(), default=0) < 2:
        return files
    return [folder]  # also where there is more beside it: whoever opens the scan is told


def _files(folder: Path) -> list[Path]:
    files = [
        p
        for p in sorted(folder.iterdir())
        if p.name.lower().endswith(SUFFIXES) and not p.name.startswith(".")
    ]
    if not files:
        raise InputError(f"{folder}: expected a DICOM series, found no .dcm file")
    return files


def _read_header(path: Path) -> _Header:
    pydicom = _import_pydicom(path)
    with _telling(path):
        dataset = pydicom.dcmread(path, stop_before_pixels=True, specific_tags=TAGS)
        size = int(dataset.get("Rows") or 0), int(dataset.get("Columns") or 0)
        if 0 in size:
            raise InputError(
                f"{path}: expected a DICOM image, found none in it; is it a report, a plan, contours?"
            )
        if (frames := int(dataset.get("NumberOfFrames") or 1)) > 1:
            raise InputError(
                f"{path}: expected one image, found {frames} frames; save its frames as a series or NIfTI"
            )
        pixel_mm = _numbers(path, dataset, "PixelSpacing", 2) or _numbers(
            path, dataset, "ImagerPixelSpacing", 2
        )
        if pixel_mm and min(pixel_mm) <= 0:
            raise InputError(f"{path}: expected a pixel spacing over 0 mm, found {pixel_mm}")
        (thickness_mm,) = _numbers(path, dataset, "SliceThickness", 1) or (0,)
        return _Header(
            path,
            str(dataset.get("SeriesInstanceUID") or ""),
            size,
            not str(dataset.PhotometricInterpretation).startswith("MONOCHROME"),
            pixel_mm,
            thickness_mm if thickness_mm > 0 else 1.0,
            _numbers(path, dataset, "ImageOrientationPatient", 6),
            _numbers(path, dataset, "ImagePositionPatient", 3),
        )


def _numbers(path: Path, dataset: Any, keyword: str, count: int) -> Numbers | None:
    """None: absent or empty."""
    if (value := dataset.get(keyword)) is None or value == "":
        return None
    numbers = np.array(value, np.float64).ravel()
    if len(numbers) != count or not np.isfinite(numbers).all():
        raise InputError(f"{path}: expected a {keyword} of {count} numbers, found {value}")
    return tuple(numbers.tolist())


def _stack_up(path: Path, headers: list[_Header]) -> tuple[list[_Header], np.ndarray]:
    """The files of one series from slice to slice, and the affine of the array (column, row, slice)."""
    _check_alike(path, headers)
    first = headers[0]
    directions = np.reshape(first.orientation or (), (2, 3))
    if not np.allclose(directions @ directions.T, np.eye(2), atol=RIGHT_ANGLED):
        raise InputError(
            f"{first.path}: expected an ImageOrientationPatient at right angles, found {first.orientation}"
        )
    if first.pixel_mm is None:
        raise InputError(f"{first.path}: expected a PixelSpacing, found none")
    normal = np.cross(*directions)
    positions = np.array([header.position for header in headers])
    order = np.argsort(positions @ normal, kind="stable")
    headers, positions = [headers[number] for number in order], positions[order]
    step = (
        _even_step(path, headers, positions, normal)
        if len(headers) > 1
        else normal * first.thickness_mm
    )
    return headers, _affine(directions, first.pixel_mm, step, positions[0])


def _check_alike(path: Path, headers: list[_Header]) -> None:
    if (count := len({header.series for header in headers})) > 1:
        raise InputError(
            f"{path}: expected one series a folder, found {count}; give each a folder of its own"
        )
    first = headers[0]
    for header in headers:
        if not header.has_place:
            raise InputError(
                f"{header.path}: expected ImageOrientationPatient and ImagePositionPatient, found none"
            )
        if header.is_colour and len(headers) > 1:
            raise InputError(
                f"{header.path}: expected a series of grey slices, found one in colour"
            )
        for what, expected, found in (
            ("rows and columns", first.size, header.size),
            ("ImageOrientationPatient", first.orientation, header.orientation),
            ("PixelSpacing", first.pixel_mm, header.pixel_mm),
        ):
            if not np.allclose(expected or 0, found or 0, rtol=0, atol=ORIENTATION_TOLERANCE):
                raise InputError(
                    f"{header.path}: expected the {what} of {first.path}, {expected}, found {found}"
                )


def _even_step(
    path: Path, headers: list[_Header], positions: np.ndarray, normal: np.ndarray
) -> np.ndarray:
    """(3,), mm: from one slice to the next."""
    steps = np.diff(positions, axis=0)
    apart_mm = steps @ normal
    closest, widest = int(apart_mm.argmin()), int(apart_mm.argmax())
    if apart_mm[closest] < SAME_PLACE_MM:
        one, other = headers[closest].path.name, headers[closest + 1].path.name
        raise InputError(
            f"{path}: expected one slice a position, found {one} and {other} at the same"
        )
    step: np.ndarray = steps.mean(axis=0)
    if np.abs(steps - step).max() > max(EVEN_SHARE * float(np.linalg.norm(step)), EVEN_MM):
        found = f"{apart_mm[closest]:.4g} to {apart_mm[widest]:.4g} mm"
        between = f"{headers[widest].path.name} and {headers[widest + 1].path.name}"
        raise InputError(
            f"{path}: expected slices at even distances, found {found}, the most between {between}; is a file missing?"
        )
    return step


def _flat_affine(header: _Header) -> np.ndarray:
    """Of one image that does not tell its place: an axial slice, for want of anything better."""
    step = np.array([0, 0, header.thickness_mm])
    return _affine(np.eye(3)[:2], header.pixel_mm or (1.0, 1.0), step, np.zeros(3))


def _affine(
    directions: np.ndarray, pixel_mm: Numbers, step: np.ndarray, position: np.ndarray
) -> np.ndarray:
    """Of the array (column, row, slice) to mm right, anterior, superior; in float32's precision, as NIfTI keeps it."""
    row_mm, column_mm = pixel_mm
    affine = np.eye(4)
    affine[:3] = LPS_TO_RAS @ np.column_stack(
        [directions[0] * column_mm, directions[1] * row_mm, step, position]
    )
    return affine.astype(np.float32).astype(np.float64)


def _read_pixels(header: _Header) -> np.ndarray:
    """(rows, columns), float32, or (rows, columns, 3), uint8 or uint16."""
    pydicom = _import_pydicom(header.path)
    from pydicom.pixels import apply_color_lut, apply_modality_lut

    with _telling(header.path):
        dataset = pydicom.dcmread(header.path)
        pixels: np.ndarray = dataset.pixel_array
        if dataset.PhotometricInterpretation == "PALETTE COLOR":
            pixels = apply_color_lut(pixels, dataset)[..., :3]
        if pixels.shape != (expected := (*header.size, 3) if header.is_colour else header.size):
            raise InputError(
                f"{header.path}: expected pixels of shape {expected}, found {pixels.shape}"
            )
        if header.is_colour:
            return pixels
        values = apply_modality_lut(pixels, dataset).astype(np.float32)
        if dataset.PhotometricInterpretation == "MONOCHROME1":
            ends = apply_modality_lut(np.array(_stored_range(dataset)), dataset).astype(np.float32)
            values = ends.sum() - values
        return values


def _stored_range(dataset: Any) -> tuple[int, int]:
    """The least and the greatest value that a pixel could have."""
    count = 2 ** int(dataset.BitsStored)
    low = -count // 2 if dataset.PixelRepresentation else 0
    return low, low + count - 1


@contextmanager
def _telling(path: Path) -> Iterator[None]:
    """Whatever goes wrong with a file names it; what pydicom only warns of is not the user's to change."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            yield
        except InputError:
            raise
        except FileNotFoundError:
            raise InputError(f"{path}: expected a DICOM file, found no such file") from None
        except Exception as error:  # there is hardly a class that pydicom and its decoders do not raise on broken files
            told = " ".join(str(error).split())
            raise InputError(
                f"{path}: expected a DICOM image, found one that cannot be read ({told})"
            ) from error


def _import_pydicom(path: Path) -> Any:
    try:
        import pydicom
    except ImportError:
        raise InputError(
            f"{path}: expected pydicom to read DICOM, found none installed; pip install .[dicom]"
        ) from None
    return pydicom
