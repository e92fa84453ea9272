"""Cut volumes into slices along an anatomical axis, each in radiological orientation."""

from collections.abc import Sequence

import numpy as np
from nibabel.affines import apply_affine, voxel_sizes
from nibabel.orientations import (
    apply_orientation,
    axcodes2ornt,
    inv_ornt_aff,
    io_orientation,
    ornt_transform,
)

from automedsam.cases.boxes import Spacing
from automedsam.runtime.errors import InputError, count_phrase, name_some
from automedsam.runtime.options import SliceAxis

# Directions of increasing slice number, row and column: Superior, Posterior, Left and so on. In
# radiological orientation, patients are viewed from the feet and from the front, so their right
# side is on the left.
PLANES: dict[SliceAxis, str] = {"axial": "SPL", "coronal": "PIL", "sagittal": "LIP"}
# Voxels that are longer along one axis by this factor belong to thick slices across that axis.
THICK_SLICE_RATIO = 1.5
MIN_DETERMINANT = 1e-6  # of the directions of a voxel's edges; below it, the voxel is flat


class Slicing:
    """Reorders the array (X, Y, Z) of a volume to a stack (slices, height, width) and back.

    No voxel is resampled: an oblique volume is cut along the array axis nearest to the requested
    one.

    Args:
      shape: Shape (X, Y, Z) of the array.
      affine: (4, 4), from array indices to mm right, anterior, superior.
      slice_axis: "axial", "coronal" or "sagittal". "auto" selects the axis along which the voxels
        are clearly longest, because the scanner sliced along it, or "axial" if there is none. A
        volume that is one voxel thick is one slice for every value.

    Attributes:
      plane: The axis along which the volume is cut: "axial", "coronal" or "sagittal".
      shape: Shape (slices, height, width) of the stack.
      affine: (4, 4), from slice, row and column to mm right, anterior, superior.
      is_default: Whether voxels of 1 mm begin at the origin, as in files that were made from an
        array without its spacing.

    Raises:
      InputError: If the affine cannot be inverted.
    """

    def __init__(
        self, shape: tuple[int, int, int], affine: np.ndarray, slice_axis: SliceAxis
    ) -> None:
        if not np.isfinite(affine).all() or _is_flat(affine):
            raise InputError(f"the affine cannot be inverted: {np.round(affine, 3).tolist()}")
        orientation = io_orientation(affine)
        self.plane = _choose_plane(shape, affine, orientation, slice_axis)
        stack_orientation = axcodes2ornt(PLANES[self.plane])
        self._to_stack = ornt_transform(orientation, stack_orientation)
        self._from_stack = ornt_transform(stack_orientation, orientation)
        self.affine = affine @ inv_ornt_aff(self._to_stack, shape)
        # Also without signs, because some tools write their own directions in this case.
        self.is_default = np.array_equal(np.abs(affine), np.eye(4))
        order = np.argsort(self._to_stack[:, 0])
        self.shape = (shape[order[0]], shape[order[1]], shape[order[2]])

    @property
    def spacing_mm(self) -> Spacing:
        """Distance between slices, rows and columns, in the unit of the affine."""
        slice_mm, row_mm, column_mm = voxel_sizes(self.affine).tolist()
        return slice_mm, row_mm, column_mm

    def to_stack(self, volume: np.ndarray) -> np.ndarray:
        """Reorder (X, Y, Z) to (slices, height, width)."""
        return apply_orientation(volume, self._to_stack)

    def from_stack(self, stack: np.ndarray) -> np.ndarray:
        """Reorder (slices, height, width) to (X, Y, Z)."""
        return apply_orientation(stack, self._from_stack)

    def offset_voxels(self, other: "Slicing") -> float:
        """Maximum distance between the corners of two stacks of the same shape.

        The distance is measured per axis, in voxels of this stack.
        """
        corners = np.array(np.meshgrid(*[(0, length - 1) for length in self.shape]))
        corners = corners.reshape(3, -1).T
        other_to_self = np.linalg.inv(self.affine) @ other.affine
        return float(np.abs(apply_affine(other_to_self, corners) - corners).max())


def describe_default_geometry(names: Sequence[str]) -> str:
    """A warning about volumes whose `Slicing` is the default one."""
    count = count_phrase(len(names), "volume")
    return (
        f"{count} with voxels of 1 mm at the origin ({name_some(names)}): if the spacing was lost "
        "when the files were made, all values in mm are wrong"
    )


def _is_flat(affine: np.ndarray) -> bool:
    lengths = voxel_sizes(affine)
    if (lengths == 0).any():
        return True
    # The edges are scaled to length 1, so that the result does not depend on the unit.
    return bool(abs(np.linalg.det(affine[:3, :3] / lengths)) < MIN_DETERMINANT)


def _choose_plane(
    shape: tuple[int, int, int], affine: np.ndarray, orientation: np.ndarray, slice_axis: SliceAxis
) -> SliceAxis:
    planes: tuple[SliceAxis, ...] = ("sagittal", "coronal", "axial")  # across x, y, z
    lengths = voxel_sizes(affine)
    if shape.count(1) == 1:
        return planes[int(orientation[shape.index(1), 0])]
    if slice_axis != "auto":
        return slice_axis
    is_thick = lengths.max() >= THICK_SLICE_RATIO * np.sort(lengths)[-2]
    return planes[int(orientation[lengths.argmax(), 0])] if is_thick else "axial"
