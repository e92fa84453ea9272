"""Tests of tight boxes, with expected values by hand."""

import numpy as np
import pytest

from automedsam.cases.boxes import (
    EMPTY,
    box_area,
    box_iou,
    component_boxes,
    enclosing_box,
    fill_boxes,
    largest_box,
    mask_box_iou,
    tight_box,
)


def read_drawing(*rows):
    """A mask from rows of `#` and `.`."""
    return np.array([list(row) for row in rows]) == "#"


PARTS = read_drawing(
    "......#.",
    ".##..#..",
    ".##.....",
    "........",
    "#......#",
)  # parts of 4 px, of 2 px that touch only at a corner, and twice of 1 px


def test_tight_box_is_half_open():
    mask = np.zeros((12, 20), bool)
    mask[3:7, 2:9] = True
    assert tight_box(mask) == (2, 3, 9, 7)


def test_tight_box_encloses_scattered_pixels():
    mask = np.zeros((12, 20), bool)
    mask[[1, 10, 5], [6, 18, 0]] = True
    assert tight_box(mask) == (0, 1, 19, 11)


def test_tight_box_of_one_pixel_has_area_1():
    mask = np.zeros((5, 5), bool)
    mask[4, 4] = True
    assert tight_box(mask) == (4, 4, 5, 5)
    assert box_area(tight_box(mask)) == 1


def test_tight_box_of_a_full_mask_is_the_image():
    assert tight_box(np.ones((7, 11), bool)) == (0, 0, 11, 7)


def test_tight_box_of_an_empty_mask_is_empty():
    assert tight_box(np.zeros((7, 11), bool)) == EMPTY
    assert box_area(EMPTY) == 0


def test_tight_box_returns_python_integers():
    assert {type(side) for side in tight_box(np.eye(4, dtype=bool))} == {int}


@pytest.mark.parametrize("box_xyxy", [(2, 3, 9, 7), (0, 0, 20, 12), (19, 11, 20, 12), EMPTY])
def test_fill_boxes_inverts_tight_box(box_xyxy):
    mask = fill_boxes([box_xyxy], (12, 20))
    assert (mask.shape, mask.dtype) == ((12, 20), bool)
    assert tight_box(mask) == box_xyxy
    assert mask.sum() == box_area(box_xyxy)


def test_fill_boxes_is_the_union_of_overlapping_boxes():
    mask = fill_boxes([(0, 0, 4, 2), (2, 1, 6, 3)], (3, 7))
    assert mask.tolist() == read_drawing("####...", "######.", "..####.").tolist()


def test_fill_boxes_without_boxes_is_empty():
    mask = fill_boxes((), (3, 7))
    assert (mask.shape, mask.dtype, mask.any()) == ((3, 7), bool, False)


def test_component_boxes_start_at_the_top_and_join_corners():
    assert component_boxes(PARTS) == [(5, 0, 7, 2), (1, 1, 3, 3), (0, 4, 1, 5), (7, 4, 8, 5)]


@pytest.mark.parametrize(
    ("min_px", "boxes"), [(2, [(5, 0, 7, 2), (1, 1, 3, 3)]), (4, [(1, 1, 3, 3)]), (5, [])]
)
def test_component_boxes_ignore_parts_below_min_px(min_px, boxes):
    assert component_boxes(PARTS, min_px) == boxes


def test_component_boxes_compare_min_px_with_the_area_of_the_part():
    ring = read_drawing("####", "#..#", "####")
    assert component_boxes(ring, 10) == [(0, 0, 4, 3)]
    assert component_boxes(ring, 11) == []


def test_component_boxes_include_a_part_inside_another():
    assert component_boxes(read_drawing("#####", "#...#", "#.#.#", "#...#", "#####")) == [
        (0, 0, 5, 5),
        (2, 2, 3, 3),
    ]


def test_largest_box_encloses_only_the_largest_part():
    assert largest_box(PARTS) == (1, 1, 3, 3)
    assert largest_box(fill_boxes([(0, 0, 3, 3), (5, 1, 9, 6)], (8, 12))) == (5, 1, 9, 6)


def test_largest_box_compares_parts_by_their_pixels():
    assert largest_box(read_drawing("#....##", "#....##", "####.##")) == (0, 0, 4, 3)
    assert largest_box(read_drawing("#...###", "#...###", "###.###")) == (4, 0, 7, 3)


def test_largest_box_does_not_join_parts_at_corners():
    assert largest_box(read_drawing("##..", "##..", "..#.")) == (0, 0, 2, 2)


def test_largest_box_of_an_empty_mask_is_empty():
    assert largest_box(np.zeros((4, 6), bool)) == EMPTY


def test_component_boxes_of_an_empty_mask_are_none():
    assert component_boxes(np.zeros((7, 11), bool)) == []


def test_component_boxes_return_python_integers():
    assert {type(side) for box in component_boxes(PARTS) for side in box} == {int}


@pytest.mark.parametrize(
    ("boxes", "expected"),
    [
        ([], EMPTY),
        ([(3, 4, 5, 6)], (3, 4, 5, 6)),
        ([(3, 4, 5, 6), (1, 5, 2, 9)], (1, 4, 5, 9)),
        ([(0, 0, 9, 9), (2, 2, 3, 3), (8, 1, 12, 2)], (0, 0, 12, 9)),
    ],
)
def test_enclosing_box_is_the_smallest_around_all(boxes, expected):
    assert enclosing_box(boxes) == expected


@pytest.mark.parametrize(
    ("boxes", "iou"),
    [
        ([(0, 0, 8, 5)], 1),  # the box of the whole mask
        ([(0, 0, 4, 5)], 20 / 40),
        ([], 0),
        ([(5, 0, 7, 2), (1, 1, 3, 3), (0, 4, 1, 5), (7, 4, 8, 5)], 1),
        ([(5, 0, 7, 2), (1, 1, 3, 3)], 8 / 10),  # the parts of one pixel are not in a box
        ([(1, 1, 3, 3), (1, 1, 3, 5)], 4 / (10 + 4)),  # the boxes overlap, together 8 px
        ([(4, 3, 5, 4), (3, 3, 4, 4)], 0),
    ],
)
def test_mask_box_iou_uses_the_mask_for_one_box_and_its_parts_for_several(boxes, iou):
    assert mask_box_iou(PARTS, boxes) == pytest.approx(iou)


def test_mask_box_iou_of_an_empty_mask_is_1_only_without_boxes():
    empty = np.zeros((5, 8), bool)
    assert mask_box_iou(empty, ()) == 1
    assert mask_box_iou(empty, [(0, 0, 2, 2)]) == 0
    assert mask_box_iou(empty, [(0, 0, 2, 2), (3, 3, 5, 5)]) == 0


@pytest.mark.parametrize(
    ("one", "other", "iou"),
    [
        ((0, 0, 4, 4), (0, 0, 4, 4), 1),
        ((0, 0, 4, 4), (2, 0, 6, 4), 8 / 24),
        ((0, 0, 4, 4), (1, 1, 3, 3), 4 / 16),
        ((0, 0, 4, 4), (4, 0, 8, 4), 0),
        ((0, 0, 4, 4), (9, 9, 12, 12), 0),
        ((0, 0, 4, 4), EMPTY, 0),
        ((5, 5, 9, 9), EMPTY, 0),
        (EMPTY, EMPTY, 1),
    ],
)
def test_box_iou_is_symmetric_and_equals_values_by_hand(one, other, iou):
    assert box_iou(one, other) == box_iou(other, one) == pytest.approx(iou)


def test_box_iou_equals_the_iou_of_filled_masks():
    rng = np.random.default_rng(0)
    for _ in range(100):
        (x0, x1), (y0, y1) = np.sort(rng.choice(20, (2, 2), replace=False), axis=1).tolist()
        one, other = (x0, y0, x1, y1), (3, 4, 15, 16)
        masks = fill_boxes([one], (20, 20)), fill_boxes([other], (20, 20))
        assert box_iou(one, other) == pytest.approx(
            (masks[0] & masks[1]).sum() / (masks[0] | masks[1]).sum()
        )
