"""NIfTI files as stacks of slices, and masks in the same voxels, affine and header."""

import gzip
import zlib
from pathlib import Path
from typing import Any, cast

import nibabel as nib
import numpy as np
from nibabel.filebasedimages import ImageFileError
from nibabel.spatialimages import HeaderDataError

from automedsam.runtime.errors import InputError
from automedsam.runtime.files import atomic_file
from automedsam.runtime.options import SliceAxis
from automedsam.scans.pixels import check_finite, check_labels
from automedsam.scans.slicing import Slicing

SUFFIXES = (".nii", ".nii.gz")
UNREADABLE = (OSError, EOFError, ValueError, TypeError, OverflowError, MemoryError, zlib.error, ImageFileError,
              HeaderDataError)  # fmt: skip
PROBABILITY = 1 / 255  # a step of one that is kept in 8 bits
TO_MM = {
    1: 1000.0,
    3: 0.001,
}  # codes of metres and micrometres; anything else is mm, as nearly every file means it


class NiftiScan:
    """A NIfTI image of two or three dimensions.

    Raises:
      InputError: a file that cannot be read, 4-D or colour data, or an affine that gives no place.
    """

    def __init__(self, path: Path, slice_axis: SliceAxis) -> None:
        self.path = path
        try:
            self._image = cast(Any, nib.load(path))  # nibabel tells less of it than is true
            if not issubclass(found := type(self._image), nib.Nifti1Image):
                raise ValueError(f"{found.__name__}, which is no grid of voxels")
            self._shape = self._image.shape
            kind = self._image.get_data_dtype().kind
            affine = self._image.affine
        except FileNotFoundError:
            raise InputError(f"{path}: expected a NIfTI file, found no such file") from None
        except UNREADABLE as error:
            raise InputError(
                f"{path}: expected a NIfTI file, found one that cannot be read ({error})"
            ) from error
        if kind not in "iuf":
            raise InputError(
                f"{path}: expected one real number a voxel, found {self._image.get_data_dtype()}"
            )
        if (
            len(self._shape) < 2
            or any(length != 1 for length in self._shape[3:])
            or 0 in self._shape
        ):
            raise InputError(
                f"{path}: expected two or three dimensions, found {' x '.join(map(str, self._shape))}; "
                "save each volume of a series as a file of its own"
            )
        try:
            self.slicing = Slicing((*self._shape, 1)[:3], affine, slice_axis)
        except InputError as fault:
            raise InputError(f"{path}: {fault}") from None
        self.shape = self.slicing.shape
        self.is_volume = self.shape[0] > 1

    @property
    def spacing_mm(self) -> tuple[float, float, float]:
        factor = TO_MM.get(int(self._image.header["xyzt_units"]) % 8, 1.0)
        slice_mm, row_mm, column_mm = self.slicing.spacing_mm
        return slice_mm * factor, row_mm * factor, column_mm * factor

    def read_values(self) -> np.ndarray:
        """(slices, height, width), float32, scaled as the header says."""
        return check_finite(self.path, self._stack(self._read(np.float32)))

    def read_labels(self) -> np.ndarray:
        """(slices, height, width), whole numbers, of a mask."""
        return check_labels(self.path, self._stack(self._read(np.float64)))

    def write(self, path: Path, stack: np.ndarray) -> None:
        """A mask (slices, height, width), bool, as 0 and 1, or labels, uint8.

        Dimensions, affine, codes and units are this image's own.
        """
        write_mask(path, self._unstack(stack), type(self._image), self._image.header.copy())

    def write_soft(self, path: Path, stack: np.ndarray) -> None:
        """Probabilities (slices, height, width) of 0 to 255, uint8, scaled to 0 to 1."""
        write_mask(
            path, self._unstack(stack), type(self._image), self._image.header.copy(), PROBABILITY
        )

    def _read(self, kind: type) -> np.ndarray:
        try:
            return self._image.get_fdata(caching="unchanged", dtype=kind)
        except UNREADABLE as error:
            raise InputError(
                f"{self.path}: expected voxels, found data that cannot be read ({error})"
            ) from error

    def _unstack(self, stack: np.ndarray) -> np.ndarray:
        return self.slicing.from_stack(stack).reshape(self._shape)

    def _stack(self, volume: np.ndarray) -> np.ndarray:
        return np.ascontiguousarray(self.slicing.to_stack(volume.reshape((*self._shape, 1)[:3])))


def write_mask(
    path: Path,
    volume: np.ndarray,
    kind: type[nib.Nifti1Image],
    header: nib.Nifti1Header,
    slope: float = 1,
) -> None:
    """A mask, bool, as 0 and 1, or uint8, as it is or with what a step of it means; all else as the header says."""
    header.set_data_dtype(np.uint8)
    header["cal_min"], header["cal_max"] = (
        0,
        max(slope * volume.max(), 1),
    )  # what a viewer shows black and white
    written = kind(volume.astype(np.uint8), None, header)
    written.header.set_slope_inter(slope, 0)  # the data themselves stay as they are
    content = written.to_bytes()
    with atomic_file(path) as building:
        building.write_bytes(
            gzip.compress(content, mtime=0) if path.suffix.lower() == ".gz" else content
        )
