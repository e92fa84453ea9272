"""The content of one mask: values, flat areas, and the extent of the object."""

import numpy as np

from automedsam.preparation.mask_look import look_at_mask

MASK = np.array(
    [
        [0, 0, 0, 0, 0],
        [0, 7, 7, 0, 0],
        [0, 7, 7, 9, 0],
        [0, 0, 0, 0, 0],
    ]
)


def look(*masks, values=None):
    raw = np.stack(masks)
    return look_at_mask("a.png", raw, (raw > 0).astype(np.uint8) if values is None else values)


def test_values_are_counted_with_those_in_flat_squares():
    found = look(MASK)
    assert found.counts == {0: 15, 7: 4, 9: 1}
    # Squares begin at the first 7, and at the two zeros whose right and lower neighbours are zeros.
    assert found.flat_counts == {7: 1, 0: 1}
    assert (found.pairs, found.unequal_pairs) == (5, 1)


def test_values_far_apart_are_counted():
    found = look(np.array([[0, 2**40], [2**40, 0]]))
    assert found.counts == {0: 2, 2**40: 2}
    assert not found.flat_counts


def test_bool_and_signed_masks_are_counted():
    assert look(np.array([[True, False]])).counts == {1: 1, 0: 1}
    assert look(np.array([[-1, 3]], np.int8)).counts == {-1: 1, 3: 1}


def test_the_extent_of_objects_is_measured_per_slice():
    full, empty = np.ones((4, 5), int), np.zeros((4, 5), int)
    found = look(MASK, full, empty)
    assert (found.slices, found.objects, found.filled) == (3, 2, 1)
    assert found.shares == (0.25, 1.0)
    assert found.parts == (1, 1)


def test_a_mask_without_an_object():
    found = look(np.zeros((4, 5), int))
    assert (found.objects, found.filled, found.shares, found.parts) == (0, 0, (0, 0), (0, 0))
    assert not found.has_far_specks


def test_the_object_touches_all_edges_without_covering_the_slice():
    ring = np.ones((5, 5), int)
    ring[1:4, 1:4] = 0
    assert look(ring).filled == 1
    ring[0] = 0
    assert look(ring).filled == 0


def test_specks_count_if_they_enlarge_the_box():
    mask = np.zeros((40, 40), int)
    mask[10:30, 10:30] = 1  # 400 px
    mask[10, 10] = 0
    near, far, large = mask.copy(), mask.copy(), mask.copy()
    near[15:18, 15:18] = 0
    near[16, 16] = 1
    far[2, 2] = 1
    large[2:4, 2:5] = 1  # 6 px, more than 1 %
    assert [look(one).has_far_specks for one in (mask, near, far, large)] == [
        False,
        False,
        True,
        False,
    ]
    assert look(far).parts == (2, 2)


def test_even_pixels_have_no_neighbours_of_other_values_but_0():
    mask = np.array([[1, 0, 2, 2], [0, 0, 2, 3], [4, 4, 0, 3]], np.uint8)
    found = look_at_mask("a.png", mask[None], mask[None])
    # The 2 above the 3 and the 2 beside it, and the upper 3, touch another value.
    assert {value: found.even_counts[value] for value in (1, 2, 3, 4)} == {1: 1, 2: 1, 3: 1, 4: 2}
