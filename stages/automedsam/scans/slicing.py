"""How a volume is cut into slices: along an anatomical axis, each slice the way a radiologist looks at it."""

import numpy as np
from nibabel.affines import apply_affine, voxel_sizes
from nibabel.orientations import (
    apply_orientation,
    axcodes2ornt,
    inv_ornt_aff,
    io_orientation,
    ornt_transform,
)

from automedsam.runtime.errors import InputError
from automedsam.runtime.options import SliceAxis

# Where slice number, row and column point to: Superior, Posterior, Left ... Patients are seen from their feet and
# their front, as everywhere in radiology: their right side is on the picture's left.
PLANES: dict[SliceAxis, str] = {"axial": "SPL", "coronal": "PIL", "sagittal": "LIP"}
THICK_SLICE_RATIO = (
    1.5  # times longer than along the other axes: the axis that the scanner sliced along
)
MIN_VOXEL_VOLUME = (
    1e-6  # volume of a voxel with edges of length 1, whatever the unit, below which it has none
)


class Slicing:
    """Turns one volume's array (X, Y, Z) into a stack (slices, height, width) and back; no voxel is resampled.

    An oblique volume is cut along the array axis that is nearest to the wanted one. "auto" takes the axis along which
    the voxels are clearly longest: the one that the scanner sliced along; where there is none, axial. A volume that is
    one voxel thick is one slice, whatever was asked for.

    Raises:
      InputError: an affine that gives no place in space.
    """

    def __init__(
        self, shape: tuple[int, int, int], affine: np.ndarray, slice_axis: SliceAxis
    ) -> None:
        if not np.isfinite(affine).all() or _is_flat(affine):
            raise InputError(
                f"expected an affine that can be inverted, found {np.round(affine, 3).tolist()}"
            )
        orientation = io_orientation(affine)
        self.plane = _choose_plane(shape, affine, orientation, slice_axis)
        stacked = axcodes2ornt(PLANES[self.plane])
        self._to_stack = ornt_transform(orientation, stacked)
        self._from_stack = ornt_transform(stacked, orientation)
        self.affine = affine @ inv_ornt_aff(
            self._to_stack, shape
        )  # of the stack: slice, row, column to mm
        order = np.argsort(self._to_stack[:, 0])
        self.shape = (shape[order[0]], shape[order[1]], shape[order[2]])

    @property
    def spacing_mm(self) -> tuple[float, float, float]:
        """From slice to slice, row to row and column to column."""
        slice_mm, row_mm, column_mm = voxel_sizes(self.affine).tolist()
        return slice_mm, row_mm, column_mm

    def to_stack(self, volume: np.ndarray) -> np.ndarray:
        """(X, Y, Z) to (slices, height, width)."""
        return apply_orientation(volume, self._to_stack)

    def from_stack(self, stack: np.ndarray) -> np.ndarray:
        """(slices, height, width) to (X, Y, Z)."""
        return apply_orientation(stack, self._from_stack)

    def offset_voxels(self, other: "Slicing") -> float:
        """How far the corners of two stacks of one shape lie apart, at most, in voxels of this one."""
        corners = np.array(np.meshgrid(*[(0, n - 1) for n in self.shape])).reshape(3, -1).T
        between = np.linalg.inv(self.affine) @ other.affine
        return float(np.abs(apply_affine(between, corners) - corners).max())


def _is_flat(affine: np.ndarray) -> bool:
    lengths = voxel_sizes(affine)
    return bool(
        (lengths == 0).any() or abs(np.linalg.det(affine[:3, :3] / lengths)) < MIN_VOXEL_VOLUME
    )


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
