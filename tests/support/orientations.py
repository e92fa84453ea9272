"""Volumes that are stored in any of the 48 axis orders and directions, straight or oblique."""

from itertools import permutations, product

import numpy as np
from scipy.spatial.transform import Rotation

SHAPE = (4, 5, 6)  # of an upright volume: x to the right, y to the front, z up
ORIENTATIONS = list(product(permutations(range(3)), product((False, True), repeat=3)))
STRAIGHT = np.eye(3)
OBLIQUE = Rotation.from_rotvec(np.deg2rad(20) * np.array([1, 2, 3]) / 14**0.5).as_matrix()
ROTATIONS = {"straight": STRAIGHT, "oblique": OBLIQUE}
ORIGIN = np.array([-31.0, 12.5, 7.0])
# Radiological slices of an upright array (x, y, z). Slice, row and column increase up, back, left;
# back, down, left; and left, down, back.
RADIOLOGICAL = {
    "axial": lambda upright: upright[::-1, ::-1, :].transpose(2, 1, 0),
    "coronal": lambda upright: upright[::-1, ::-1, ::-1].transpose(1, 2, 0),
    "sagittal": lambda upright: upright[::-1, ::-1, ::-1].transpose(0, 2, 1),
}
STACK_AXES = {"axial": (2, 1, 0), "coronal": (1, 2, 0), "sagittal": (0, 2, 1)}


def numbered(shape=SHAPE) -> np.ndarray:
    """A volume (x, y, z) in which all voxels differ."""
    return np.arange(np.prod(shape)).reshape(shape)


def store(upright, lengths_mm, orientation, rotation=STRAIGHT):
    """The array and the affine of a file that stores an upright volume in another orientation."""
    order, flips = orientation
    affine = np.eye(4)
    affine[:3, :3] = rotation * lengths_mm
    affine[:3, 3] = ORIGIN
    stored = upright.transpose(order)
    to_upright = np.zeros((4, 4))  # from indices of the stored array to those of `upright`
    to_upright[3, 3] = 1
    for axis, (upright_axis, is_flipped) in enumerate(zip(order, flips, strict=True)):
        to_upright[upright_axis, axis] = -1 if is_flipped else 1
        if is_flipped:
            stored = np.flip(stored, axis)
            to_upright[upright_axis, 3] = upright.shape[upright_axis] - 1
    return stored, affine @ to_upright
