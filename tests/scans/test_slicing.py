"""Slicing of volumes in all 48 orientations, straight and oblique."""

from itertools import product

import numpy as np
import pytest
from nibabel.affines import apply_affine

from automedsam.runtime.errors import InputError
from automedsam.scans.slicing import Slicing
from combination import combination
from orientations import (
    OBLIQUE,
    ORIENTATIONS,
    RADIOLOGICAL,
    ROTATIONS,
    SHAPE,
    STACK_AXES,
    numbered,
    store,
)

LENGTHS = (1.0, 1.25, 2.5)
ACROSS = {"sagittal": 0, "coronal": 1, "axial": 2}


def test_there_are_48_orientations():
    assert len(set(ORIENTATIONS)) == 48


def test_stack_is_the_same_for_every_stored_orientation():
    for plane, (name, rotation) in product(RADIOLOGICAL, ROTATIONS.items()):
        expected = RADIOLOGICAL[plane](numbered())
        spacing_mm = [LENGTHS[axis] for axis in STACK_AXES[plane]]
        for orientation in ORIENTATIONS:
            with combination(orientation=orientation, plane=plane, rotation=name):
                stored, affine = store(numbered(), LENGTHS, orientation, rotation)
                slicing = Slicing(stored.shape, affine, plane)
                stack = slicing.to_stack(stored)
                assert (slicing.plane, slicing.shape) == (plane, expected.shape)
                np.testing.assert_array_equal(stack, expected)
                np.testing.assert_array_equal(slicing.from_stack(stack), stored)
                assert slicing.spacing_mm == pytest.approx(spacing_mm)


def positions_by_value(array, affine):
    """Positions in mm of the voxels of a numbered array, in the order of their numbers."""
    indices = np.array(np.unravel_index(np.argsort(array, axis=None), array.shape)).T
    return apply_affine(affine, indices)


def test_affine_of_the_stack_keeps_each_voxel_in_its_place():
    for (name, rotation), plane in product(ROTATIONS.items(), RADIOLOGICAL):
        for orientation in ORIENTATIONS:
            with combination(orientation=orientation, plane=plane, rotation=name):
                stored, affine = store(numbered(), LENGTHS, orientation, rotation)
                slicing = Slicing(stored.shape, affine, plane)
                np.testing.assert_allclose(
                    positions_by_value(slicing.to_stack(stored), slicing.affine),
                    positions_by_value(stored, affine),
                    rtol=0,
                    atol=1e-9,
                )


def test_axial_slices_have_left_on_the_right_and_front_above():
    for (name, rotation), orientation in product(ROTATIONS.items(), ORIENTATIONS):
        with combination(orientation=orientation, rotation=name):
            stored, affine = store(numbered(), (2.0, 2.0, 2.0), orientation, rotation)
            slicing = Slicing(stored.shape, affine, "axial")
            to_slice, to_row, to_column = slicing.affine[:3, :3].T / 2.0  # right, front, up
            assert to_slice[2] > 0.9
            assert to_row[1] < -0.9
            assert to_column[0] < -0.9


def test_auto_cuts_along_the_axis_of_thick_slices():
    for (plane, axis), (name, rotation) in product(ACROSS.items(), ROTATIONS.items()):
        lengths = np.array([0.8, 1.0, 0.9])
        lengths[axis] = 5.0
        for orientation in ORIENTATIONS:
            with combination(orientation=orientation, plane=plane, rotation=name):
                stored, affine = store(numbered(), lengths, orientation, rotation)
                slicing = Slicing(stored.shape, affine, "auto")
                assert slicing.plane == plane
                np.testing.assert_array_equal(
                    slicing.to_stack(stored), RADIOLOGICAL[plane](numbered())
                )
                assert slicing.spacing_mm[0] == pytest.approx(5.0)


@pytest.mark.parametrize(
    ("lengths", "plane"),
    [
        ((1, 1, 1), "axial"),
        ((1.4, 1, 1), "axial"),
        ((1.6, 1, 1), "sagittal"),
        ((1, 1.6, 1), "coronal"),
        ((3, 3, 1), "axial"),  # thin slices: no axis is clearly the longest
        ((1, 3, 3), "axial"),
        ((3, 1.9, 0.1), "sagittal"),
    ],
)
def test_auto_is_axial_unless_one_axis_is_clearly_the_longest(lengths, plane):
    for orientation in ORIENTATIONS[::7]:
        with combination(orientation=orientation):
            stored, affine = store(numbered(), lengths, orientation, OBLIQUE)
            assert Slicing(stored.shape, affine, "auto").plane == plane


@pytest.mark.parametrize(("plane", "axis"), ACROSS.items())
def test_volume_one_voxel_thick_is_one_slice(plane, axis):
    shape = [4, 5, 6]
    shape[axis] = 1
    for orientation, slice_axis in product(ORIENTATIONS[::5], ["auto", *RADIOLOGICAL]):
        with combination(orientation=orientation, slice_axis=slice_axis):
            stored, affine = store(numbered(shape), (1, 2, 1), orientation, OBLIQUE)
            slicing = Slicing(stored.shape, affine, slice_axis)
            assert slicing.plane == plane
            assert slicing.shape[0] == 1
            np.testing.assert_array_equal(
                slicing.to_stack(stored), RADIOLOGICAL[plane](numbered(shape))
            )


@pytest.mark.parametrize("shape", [(1, 1, 6), (1, 5, 1), (1, 1, 1)])
def test_line_of_voxels_is_cut_as_requested(shape):
    slicing = Slicing(shape, np.eye(4), "coronal")
    assert slicing.plane == "coronal"
    np.testing.assert_array_equal(
        slicing.to_stack(numbered(shape)), RADIOLOGICAL["coronal"](numbered(shape))
    )


def test_offset_is_zero_for_the_same_voxels_in_any_orientation():
    slicings = []
    for orientation in ORIENTATIONS:
        stored, affine = store(numbered(), (1, 2, 3), orientation, OBLIQUE)
        slicings.append(Slicing(stored.shape, affine, "axial"))
    assert max(slicings[0].offset_voxels(other) for other in slicings) < 1e-9


def test_offset_is_that_of_the_farthest_corner_in_voxels():
    shape, lengths = (11, 21, 101), (1.0, 2.0, 4.0)
    affine = np.diag([*lengths, 1.0])
    slicing = Slicing(shape, affine, "axial")
    shifted = affine.copy()
    shifted[:3, 3] = 0.3, 0.5, 0.8  # mm: 0.3, 0.25 and 0.2 voxels
    assert slicing.offset_voxels(Slicing(shape, shifted, "axial")) == pytest.approx(0.3)
    # One voxel more over the 100 voxels from the first slice to the last.
    stretched = affine @ np.diag([1, 1, 1.01, 1])
    assert slicing.offset_voxels(Slicing(shape, stretched, "axial")) == pytest.approx(1.0)
    flipped = np.diag([-1.0, 1, 1, 1]) @ affine
    assert slicing.offset_voxels(Slicing(shape, flipped, "axial")) == pytest.approx(10)


@pytest.mark.parametrize("length_mm", [4e-6, 1e-4, 1e-3, 1, 1e6])
def test_voxels_of_any_size_are_accepted(length_mm):
    stored, affine = store(
        numbered(), (length_mm, length_mm, 3 * length_mm), ORIENTATIONS[20], OBLIQUE
    )
    slicing = Slicing(stored.shape, affine, "auto")
    np.testing.assert_array_equal(slicing.to_stack(stored), RADIOLOGICAL["axial"](numbered()))
    assert slicing.spacing_mm == pytest.approx((3 * length_mm, length_mm, length_mm))


@pytest.mark.parametrize(
    "columns",
    [
        [[0, 0, 0], [0, 1, 0], [0, 0, 1]],
        [[1, 2, 3], [1, 2, 3], [0, 0, 1]],
        [[1, 0, 0], [0, 1, 0], [1, 1, 0]],
        [[np.nan, 0, 0], [0, 1, 0], [0, 0, 1]],
        [[np.inf, 0, 0], [0, 1, 0], [0, 0, 1]],
    ],
    ids=["zero", "parallel", "flat", "nan", "inf"],
)
def test_affine_that_cannot_be_inverted_is_rejected(columns):
    affine = np.eye(4)
    affine[:3, :3] = np.transpose(columns)
    with pytest.raises(InputError, match="the affine cannot be inverted"):
        Slicing(SHAPE, affine, "axial")


@pytest.mark.parametrize(
    ("affine", "expected"),
    [
        (np.eye(4), True),
        (np.diag([-1, -1, 1, 1]), True),
        (np.diag([1, 1, 2, 1]), False),
        (np.array([[1, 0, 0, 5], [0, 1, 0, 0], [0, 0, 1, 0], [0, 0, 0, 1]]), False),
    ],
)
def test_a_default_geometry_has_voxels_of_1_mm_at_the_origin(affine, expected):
    assert Slicing((3, 4, 5), affine.astype(float), "auto").is_default == expected
