"""NIfTI files as stacks of slices, and masks with the same voxels, affine and header."""

import gzip
import zlib
from pathlib import Path

import nibabel as nib
import numpy as np
from nibabel.filebasedimages import ImageFileError
from nibabel.spatialimages import HeaderDataError

from automedsam.cases.boxes import Spacing
from automedsam.runtime.errors import InputError
from automedsam.runtime.files import atomic_file
from automedsam.runtime.options import SliceAxis
from automedsam.scans.nifti_file import read_header, read_voxels
from automedsam.scans.pixels import check_labels, fill_invalid
from automedsam.scans.slicing import Slicing

SUFFIXES = (".nii", ".nii.gz")
# Exceptions that nibabel raises on broken files.
UNREADABLE = (
    OSError,
    EOFError,
    ValueError,
    TypeError,
    OverflowError,
    MemoryError,
    zlib.error,
    ImageFileError,
    HeaderDataError,
)
PROBABILITY_STEP = 1 / 255  # of probabilities that are stored in 8 bits
# Unit codes of metres and micrometres. All others are read as mm, which nearly every file means.
UNIT_MM = {1: 1000.0, 3: 0.001}


class NiftiScan:
    """A NIfTI image of two or three dimensions, compressed or not, whatever its suffix is.

    Args:
      path: The file.
      slice_axis: The axis along which a volume is cut into slices.

    Raises:
      InputError: If the file cannot be read, is 4-D or in colour, or its affine cannot be inverted.
    """

    def __init__(self, path: Path, slice_axis: SliceAxis) -> None:
        self.path = path
        try:
            self._image_type, self._header = read_header(path)
            self._shape = self._header.get_data_shape()
            dtype = self._header.get_data_dtype()
            affine = self._header.get_best_affine()
        except FileNotFoundError:
            raise InputError(f"{path}: file not found") from None
        except UNREADABLE as error:
            raise InputError(f"{path}: cannot read the NIfTI file ({error})") from error
        if dtype.kind not in "iuf":
            raise InputError(f"{path}: voxels must be real numbers, found {dtype}")
        is_4d = any(length != 1 for length in self._shape[3:])
        if len(self._shape) < 2 or is_4d or min(self._shape) < 1:
            raise InputError(
                f"{path}: a NIfTI image must have two or three dimensions, "
                f"found {' x '.join(map(str, self._shape))}; save each volume as a file of its own"
            )
        try:
            self.slicing = Slicing((*self._shape, 1)[:3], affine, slice_axis)
        except InputError as error:
            raise InputError(f"{path}: {error}") from None
        self.shape = self.slicing.shape
        self.is_volume = self.shape[0] > 1

    @property
    def spacing_mm(self) -> Spacing:
        """Distance between slices, rows and columns in mm."""
        factor = UNIT_MM.get(int(self._header["xyzt_units"]) % 8, 1.0)
        slice_mm, row_mm, column_mm = self.slicing.spacing_mm
        return slice_mm * factor, row_mm * factor, column_mm * factor

    def read_values(self) -> np.ndarray:
        """Voxel values (slices, height, width), float32, scaled as the header specifies.

        Raises:
          InputError: If the voxels cannot be read, or if none is finite.
        """
        return fill_invalid(self.path, self._stack(self._read(np.float32)))

    def read_labels(self) -> np.ndarray:
        """Mask values (slices, height, width), int64.

        Raises:
          InputError: If the voxels cannot be read or are not whole numbers.
        """
        return check_labels(self.path, self._stack(self._read(np.float64)))

    def write(self, path: Path, stack: np.ndarray) -> None:
        """Write a mask with the dimensions, affine, codes and units of this image.

        Args:
          path: The file to write, `.nii` or `.nii.gz`.
          stack: (slices, height, width); bool is stored as 0 and 1, uint8 labels as they are.
        """
        write_mask(path, self._unstack(stack), self._image_type, self._header.copy())

    def write_soft(self, path: Path, stack: np.ndarray) -> None:
        """Write probabilities with the dimensions, affine, codes and units of this image.

        Args:
          path: The file to write, `.nii` or `.nii.gz`.
          stack: (slices, height, width), uint8; 0 to 255 is stored as 0 to 1.
        """
        volume, header = self._unstack(stack), self._header.copy()
        write_mask(path, volume, self._image_type, header, PROBABILITY_STEP)

    def _read(self, dtype: type) -> np.ndarray:
        try:
            return read_voxels(self.path, self._header, dtype)
        except UNREADABLE as error:
            raise InputError(f"{self.path}: cannot read the voxels ({error})") from error

    def _unstack(self, stack: np.ndarray) -> np.ndarray:
        return self.slicing.from_stack(stack).reshape(self._shape)

    def _stack(self, volume: np.ndarray) -> np.ndarray:
        return np.ascontiguousarray(self.slicing.to_stack(volume.reshape((*self._shape, 1)[:3])))


def write_mask(
    path: Path,
    volume: np.ndarray,
    image_type: type[nib.Nifti1Image],
    header: nib.Nifti1Header,
    slope: float = 1,
) -> None:
    """Write a mask as uint8, compressed if the file name ends in `.gz`.

    Args:
      path: The file to write.
      volume: Voxels, bool or uint8, in the shape of the image.
      image_type: NIfTI-1 or NIfTI-2.
      header: The header to write; its type, display range and scaling are replaced.
      slope: The value that one step of a stored uint8 represents.
    """
    header.set_data_dtype(np.uint8)
    # The values that viewers show as black and white.
    header["cal_min"] = 0
    header["cal_max"] = max(slope * volume.max(), 1)
    image = image_type(volume.astype(np.uint8), None, header)
    # Set after the image was made, because nibabel would otherwise rescale the stored values.
    image.header.set_slope_inter(slope, 0)
    content = image.to_bytes()
    if path.suffix.lower() == ".gz":
        content = gzip.compress(content, mtime=0)
    with atomic_file(path) as building:
        building.write_bytes(content)
