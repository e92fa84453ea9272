"""Volumes whose axes are stored in any of the 48 orders and directions, straight or oblique."""

from itertools import permutations, product

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

SHAPE = (4, 5, 6)  # x to the right, y to the front, z up: numpy order of `upright`
ORIENTATIONS = list(product(permutations(range(3)), product((False, True), repeat=3)))
STRAIGHT = np.eye(3)
OBLIQUE = Rotation.from_rotvec(np.deg2rad(20) * np.array([1, 2, 3]) / 14**0.5).as_matrix()
ROTATIONS = [pytest.param(STRAIGHT, id="straight"), pytest.param(OBLIQUE, id="oblique")]
ORIGIN = np.array([-31.0, 12.5, 7.0])
# The way a radiologist looks at it, from an array (x, y, z) that points right, front, up:
# slice, row and column point up, back, left; back, down, left; left, down, back.
SEEN = {
    "axial": lambda upright: upright[::-1, ::-1, :].transpose(2, 1, 0),
    "coronal": lambda upright: upright[::-1, ::-1, ::-1].transpose(1, 2, 0),
    "sagittal": lambda upright: upright[::-1, ::-1, ::-1].transpose(0, 2, 1),
}
STACK_AXES = {"axial": (2, 1, 0), "coronal": (1, 2, 0), "sagittal": (0, 2, 1)}


def numbered(shape=SHAPE) -> np.ndarray:
    """A volume (x, y, z) in which no two voxels are alike."""
    return np.arange(np.prod(shape)).reshape(shape)


def store(upright, lengths_mm, orientation, rotation=STRAIGHT):
    """The array and affine of a file that keeps its axes in another order or direction, of the same voxels in space."""
    order, flips = orientation
    affine = np.eye(4)
    affine[:3, :3] = rotation * lengths_mm
    affine[:3, 3] = ORIGIN
    stored = upright.transpose(order)
    to_upright = np.zeros((4, 4))  # from the stored array's indices to those of `upright`
    to_upright[3, 3] = 1
    for axis, (along, is_flipped) in enumerate(zip(order, flips, strict=True)):
        to_upright[along, axis] = -1 if is_flipped else 1
        if is_flipped:
            stored = np.flip(stored, axis)
            to_upright[along, 3] = upright.shape[along] - 1
    return stored, affine @ to_upright
