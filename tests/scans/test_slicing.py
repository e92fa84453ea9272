"""Volumes in all 48 orders and directions of their axes, straight and oblique, cut as a radiologist looks at them."""

import numpy as np
import pytest

from automedsam.runtime.errors import InputError
from automedsam.scans.slicing import Slicing
from orientations import OBLIQUE, ORIENTATIONS, ROTATIONS, SEEN, SHAPE, STACK_AXES, numbered, store


def test_there_are_48_orientations():
    assert len(set(ORIENTATIONS)) == 48


@pytest.mark.parametrize("rotation", ROTATIONS)
@pytest.mark.parametrize("plane", SEEN)
@pytest.mark.parametrize("orientation", ORIENTATIONS)
def test_a_stack_is_the_same_whatever_way_the_file_keeps_it(orientation, plane, rotation):
    stored, affine = store(numbered(), (1.0, 1.25, 2.5), orientation, rotation)
    slicing = Slicing(stored.shape, affine, plane)
    expected = SEEN[plane](numbered())
    stack = slicing.to_stack(stored)
    assert (slicing.plane, slicing.shape) == (plane, expected.shape)
    np.testing.assert_array_equal(stack, expected)
    np.testing.assert_array_equal(slicing.from_stack(stack), stored)
    assert slicing.spacing_mm == pytest.approx(
        [(1.0, 1.25, 2.5)[axis] for axis in STACK_AXES[plane]]
    )


@pytest.mark.parametrize("rotation", ROTATIONS)
@pytest.mark.parametrize("plane", SEEN)
@pytest.mark.parametrize("orientation", ORIENTATIONS)
def test_a_stacks_affine_puts_each_voxel_where_the_files_does(orientation, plane, rotation):
    stored, affine = store(numbered(), (1.0, 1.25, 2.5), orientation, rotation)
    slicing = Slicing(stored.shape, affine, plane)
    stack = slicing.to_stack(stored)
    for number in range(stack.size):
        in_file = affine @ [*np.argwhere(stored == number)[0], 1]
        in_stack = slicing.affine @ [*np.argwhere(stack == number)[0], 1]
        np.testing.assert_allclose(in_stack, in_file, rtol=0, atol=1e-9)


@pytest.mark.parametrize("rotation", ROTATIONS)
@pytest.mark.parametrize("orientation", ORIENTATIONS)
def test_the_patients_left_is_right_in_the_picture_and_the_front_is_above(orientation, rotation):
    stored, affine = store(numbered(), (2.0, 2.0, 2.0), orientation, rotation)
    slicing = Slicing(stored.shape, affine, "axial")
    to_next_slice, to_next_row, to_next_column = slicing.affine[:3, :3].T / 2.0  # right, front, up
    assert to_next_slice[2] > 0.9
    assert to_next_row[1] < -0.9
    assert to_next_column[0] < -0.9


@pytest.mark.parametrize("rotation", ROTATIONS)
@pytest.mark.parametrize(("along", "plane"), [(0, "sagittal"), (1, "coronal"), (2, "axial")])
@pytest.mark.parametrize("orientation", ORIENTATIONS)
def test_auto_cuts_along_the_axis_of_the_thick_slices(orientation, along, plane, rotation):
    lengths = np.array([0.8, 1.0, 0.9])
    lengths[along] = 5.0
    stored, affine = store(numbered(), lengths, orientation, rotation)
    slicing = Slicing(stored.shape, affine, "auto")
    assert slicing.plane == plane
    np.testing.assert_array_equal(slicing.to_stack(stored), SEEN[plane](numbered()))
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
@pytest.mark.parametrize("orientation", ORIENTATIONS[::7])
def test_auto_is_axial_where_no_axis_is_clearly_the_longest(orientation, lengths, plane):
    stored, affine = store(numbered(), lengths, orientation, OBLIQUE)
    assert Slicing(stored.shape, affine, "auto").plane == plane


@pytest.mark.parametrize("slice_axis", ["auto", *SEEN])
@pytest.mark.parametrize(("along", "plane"), [(0, "sagittal"), (1, "coronal"), (2, "axial")])
@pytest.mark.parametrize("orientation", ORIENTATIONS[::5])
def test_a_volume_one_voxel_thick_is_one_slice_whatever_was_asked_for(
    orientation, along, plane, slice_axis
):
    shape = [4, 5, 6]
    shape[along] = 1
    stored, affine = store(numbered(shape), (1, 2, 1), orientation, OBLIQUE)
    slicing = Slicing(stored.shape, affine, slice_axis)
    assert slicing.plane == plane
    assert slicing.shape[0] == 1
    np.testing.assert_array_equal(slicing.to_stack(stored), SEEN[plane](numbered(shape)))


@pytest.mark.parametrize("shape", [(1, 1, 6), (1, 5, 1), (1, 1, 1)])
def test_a_line_of_voxels_can_be_cut_too(shape):
    slicing = Slicing(shape, np.eye(4), "coronal")
    assert slicing.plane == "coronal"
    np.testing.assert_array_equal(
        slicing.to_stack(numbered(shape)), SEEN["coronal"](numbered(shape))
    )


def test_stacks_of_the_same_voxels_lie_in_the_same_place():
    slicings = []
    for orientation in ORIENTATIONS:
        stored, affine = store(numbered(), (1, 2, 3), orientation, OBLIQUE)
        slicings.append(Slicing(stored.shape, affine, "axial"))
    assert max(slicings[0].offset_voxels(other) for other in slicings) < 1e-9


def test_an_offset_is_that_of_the_farthest_corner_in_voxels():
    shape, lengths = (11, 21, 101), (1.0, 2.0, 4.0)
    affine = np.diag([*lengths, 1.0])
    slicing = Slicing(shape, affine, "axial")
    shifted = affine.copy()
    shifted[:3, 3] = 0.3, 0.5, 0.8  # mm: 0.3, 0.25 and 0.2 voxels
    assert slicing.offset_voxels(Slicing(shape, shifted, "axial")) == pytest.approx(0.3)
    stretched = affine @ np.diag(
        [1, 1, 1.01, 1]
    )  # from the first slice to the last, 100 voxels: one more
    assert slicing.offset_voxels(Slicing(shape, stretched, "axial")) == pytest.approx(1.0)
    flipped = np.diag([-1.0, 1, 1, 1]) @ affine
    assert slicing.offset_voxels(Slicing(shape, flipped, "axial")) == pytest.approx(10)


@pytest.mark.parametrize("length_mm", [4e-6, 1e-4, 1e-3, 1, 1e6])
def test_voxels_may_be_of_any_size_and_so_be_told_in_any_unit(length_mm):
    stored, affine = store(
        numbered(), (length_mm, length_mm, 3 * length_mm), ORIENTATIONS[20], OBLIQUE
    )
    slicing = Slicing(stored.shape, affine, "auto")
    np.testing.assert_array_equal(slicing.to_stack(stored), SEEN["axial"](numbered()))
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
    ids=["zero", "twice", "flat", "nan", "inf"],
)
def test_an_affine_that_gives_no_place_is_refused(columns):
    affine = np.eye(4)
    affine[:3, :3] = np.transpose(columns)
    with pytest.raises(InputError, match="expected an affine that can be inverted, found"):
        Slicing(SHAPE, affine, "axial")
