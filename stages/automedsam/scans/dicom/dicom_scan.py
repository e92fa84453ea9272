"""DICOM series and single DICOM files as stacks of slices. Requires pydicom."""

from pathlib import Path

import nibabel as nib
import numpy as np

from automedsam.cases.boxes import Spacing
from automedsam.runtime.errors import InputError
from automedsam.runtime.options import SliceAxis
from automedsam.scans.dicom.headers import read_header
from automedsam.scans.dicom.pixels import darken_padding, read_pixels
from automedsam.scans.dicom.series import SAME_PLACE_MM, axial_affine, read_series, stack_series
from automedsam.scans.nifti import PROBABILITY_STEP, write_mask
from automedsam.scans.notices import warn_once
from automedsam.scans.pixels import fill_invalid
from automedsam.scans.slicing import Slicing


class DicomScan:
    """A folder whose DICOM files form one series, or a single DICOM file.

    Only a single file may lack a position in the patient; `slicing` is then None. The frames of a
    cine, which has no position, are slices.

    Args:
      path: The folder or the file.
      slice_axis: The axis along which the series is cut into slices.

    Raises:
      InputError: If pydicom is not installed, a file cannot be read or contains several frames with
        positions, or the slices do not form an evenly spaced stack.
    """

    def __init__(self, path: Path, slice_axis: SliceAxis) -> None:
        self.path = path
        self._headers = read_series(path) if path.is_dir() else [read_header(path)]
        first = self._headers[0]
        is_in_space = len(self._headers) > 1 or first.has_place
        if is_in_space:
            self._headers, self._affine = stack_series(path, self._headers)
        else:
            self._affine = axial_affine(first)
        self._is_cine = first.frames > 1
        if self._is_cine:
            warn_once(path, f"the {first.frames} frames of this file are read as slices")
        rows, columns = first.size
        self._array_shape = columns, rows, len(self._headers) * first.frames
        try:
            plane = "axial" if self._is_cine else slice_axis
            self._cut = Slicing(self._array_shape, self._affine, plane)
        except InputError as error:
            raise InputError(f"{path}: {error}") from None
        self.slicing = self._cut if is_in_space else None
        self.shape = self._cut.shape
        self.is_volume = self.shape[0] > 1

    @property
    def spacing_mm(self) -> Spacing | None:
        """Distance between slices, rows and columns in mm; None if unknown, and for a cine.

        The first value of a single file is its slice thickness.
        """
        is_known = self._headers[0].pixel_mm is not None and not self._is_cine
        return self._cut.spacing_mm if is_known else None

    def read_values(self) -> np.ndarray:
        """Pixel values, rescaled as each file specifies; higher values are brighter.

        Returns:
          (slices, height, width), float32, or (frames, height, width, 3) for a colour image.

        Raises:
          InputError: If pixels cannot be read, or if none is finite.
        """
        files = [read_pixels(header) for header in self._headers]
        slices = np.concatenate([values for values, _ in files])
        darken_padding(slices, np.concatenate([is_padding for _, is_padding in files]))
        stack = self._cut.to_stack(np.swapaxes(slices, 0, 2))
        return fill_invalid(self.path, np.ascontiguousarray(stack))

    def read_labels(self, as_shown: bool = False) -> np.ndarray:
        """Reject DICOM as a mask format.

        Raises:
          InputError: Always.
        """
        raise InputError(
            f"{self.path}: a DICOM file cannot be a mask; save the mask as NIfTI, PNG or TIFF"
        )

    def write(self, path: Path, stack: np.ndarray) -> None:
        """Write a mask as a NIfTI file with the voxel grid of the series.

        Args:
          path: The file to write, `.nii` or `.nii.gz`.
          stack: (slices, height, width); bool is stored as 0 and 1, uint8 labels as they are.
        """
        write_mask(path, self._cut.from_stack(stack), nib.Nifti1Image, self._nifti_header())

    def write_soft(self, path: Path, stack: np.ndarray) -> None:
        """Write probabilities as a NIfTI file with the voxel grid of the series.

        Args:
          path: The file to write, `.nii` or `.nii.gz`.
          stack: (slices, height, width), uint8; 0 to 255 is stored as 0 to 1.
        """
        volume = self._cut.from_stack(stack)
        write_mask(path, volume, nib.Nifti1Image, self._nifti_header(), PROBABILITY_STEP)

    def _nifti_header(self) -> nib.Nifti1Header:
        """NIfTI header with the shape and affine of the series."""
        code = "scanner" if self.slicing else "aligned"
        header = nib.Nifti1Header()
        header.set_data_shape(self._array_shape)
        header.set_xyzt_units("mm")
        header.set_sform(self._affine, code)
        header.set_qform(self._affine, code)
        if not np.allclose(header.get_qform(), self._affine, atol=SAME_PLACE_MM):
            header["qform_code"] = 0  # a qform cannot represent the shear of a tilted gantry
        return header
