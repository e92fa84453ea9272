"""Boxes: half open, tight to the pixel, and their overlap by hand."""

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
)  # 4 px, then 2 that touch at a corner alone, then one and one


def test_box_of_a_rectangle_ends_one_pixel_past_it():
    mask = np.zeros((12, 20), bool)
    mask[3:7, 2:9] = True
    assert tight_box(mask) == (2, 3, 9, 7)


def test_box_encloses_scattered_pixels():
    mask = np.zeros((12, 20), bool)
    mask[[1, 10, 5], [6, 18, 0]] = True
    assert tight_box(mask) == (0, 1, 19, 11)


def test_box_of_one_pixel_has_an_area_of_one():
    mask = np.zeros((5, 5), bool)
    mask[4, 4] = True
    assert tight_box(mask) == (4, 4, 5, 5)
    assert box_area(tight_box(mask)) == 1


def test_box_of_a_full_mask_is_the_image():
    assert tight_box(np.ones((7, 11), bool)) == (0, 0, 11, 7)


def test_empty_mask_has_the_empty_box():
    assert tight_box(np.zeros((7, 11), bool)) == EMPTY
    assert box_area(EMPTY) == 0


def test_box_holds_plain_integers():
    assert {type(side) for side in tight_box(np.eye(4, dtype=bool))} == {int}


@pytest.mark.parametrize("box_xyxy", [(2, 3, 9, 7), (0, 0, 20, 12), (19, 11, 20, 12), EMPTY])
def test_filled_box_has_that_box_and_its_area(box_xyxy):
    mask = fill_boxes([box_xyxy], (12, 20))
    assert (mask.shape, mask.dtype) == ((12, 20), bool)
    assert tight_box(mask) == box_xyxy
    assert mask.sum() == box_area(box_xyxy)


def test_several_boxes_fill_one_mask_and_count_what_they_share_once():
    mask = fill_boxes([(0, 0, 4, 2), (2, 1, 6, 3)], (3, 7))
    assert mask.tolist() == read_drawing("####...", "######.", "..####.").tolist()


def test_no_boxes_fill_an_empty_mask():
    mask = fill_boxes((), (3, 7))
    assert (mask.shape, mask.dtype, mask.any()) == ((3, 7), bool, False)


def test_parts_get_a_box_each_from_the_top_and_corners_join_them():
    assert component_boxes(PARTS) == [(5, 0, 7, 2), (1, 1, 3, 3), (0, 4, 1, 5), (7, 4, 8, 5)]


@pytest.mark.parametrize(
    ("min_px", "boxes"), [(2, [(5, 0, 7, 2), (1, 1, 3, 3)]), (4, [(1, 1, 3, 3)]), (5, [])]
)
def test_parts_of_fewer_pixels_get_no_box(min_px, boxes):
    assert component_boxes(PARTS, min_px) == boxes


def test_a_part_is_counted_by_its_own_pixels_not_by_its_box():
    ring = read_drawing("####", "#..#", "####")
    assert component_boxes(ring, 10) == [(0, 0, 4, 3)]
    assert component_boxes(ring, 11) == []


def test_a_part_inside_another_has_a_box_of_its_own():
    assert component_boxes(read_drawing("#####", "#...#", "#.#.#", "#...#", "#####")) == [
        (0, 0, 5, 5),
        (2, 2, 3, 3),
    ]


def test_the_largest_part_has_its_box_alone():
    assert largest_box(PARTS) == (1, 1, 3, 3)
    assert largest_box(fill_boxes([(0, 0, 3, 3), (5, 1, 9, 6)], (8, 12))) == (5, 1, 9, 6)


def test_a_part_is_the_largest_by_its_pixels_not_by_its_box():
    assert largest_box(read_drawing("#....##", "#....##", "####.##")) == (0, 0, 4, 3)
    assert largest_box(read_drawing("#...###", "#...###", "###.###")) == (4, 0, 7, 3)


def test_parts_that_touch_at_a_corner_alone_are_two():
    assert largest_box(read_drawing("##..", "##..", "..#.")) == (0, 0, 2, 2)


def test_without_a_part_the_largest_box_is_empty():
    assert largest_box(np.zeros((4, 6), bool)) == EMPTY


def test_empty_mask_has_no_parts():
    assert component_boxes(np.zeros((7, 11), bool)) == []


def test_boxes_of_parts_hold_plain_integers():
    assert {type(side) for box in component_boxes(PARTS) for side in box} == {int}


@pytest.mark.parametrize(
    ("boxes", "around"),
    [
        ([], EMPTY),
        ([(3, 4, 5, 6)], (3, 4, 5, 6)),
        ([(3, 4, 5, 6), (1, 5, 2, 9)], (1, 4, 5, 9)),
        ([(0, 0, 9, 9), (2, 2, 3, 3), (8, 1, 12, 2)], (0, 0, 12, 9)),
    ],
)
def test_enclosing_box_is_the_smallest_round_all(boxes, around):
    assert enclosing_box(boxes) == around


@pytest.mark.parametrize(
    ("boxes", "iou"),
    [
        ([(0, 0, 8, 5)], 1),  # the box of the whole mask
        ([(0, 0, 4, 5)], 20 / 40),
        ([], 0),
        ([(5, 0, 7, 2), (1, 1, 3, 3), (0, 4, 1, 5), (7, 4, 8, 5)], 1),
        ([(5, 0, 7, 2), (1, 1, 3, 3)], 8 / 10),  # the two parts of one pixel are too many
        ([(1, 1, 3, 3), (1, 1, 3, 5)], 4 / (10 + 4)),  # the boxes overlap, together 8 px
        ([(4, 3, 5, 4), (3, 3, 4, 4)], 0),
    ],
)
def test_a_mask_fits_one_box_by_its_own_and_several_by_those_of_its_parts(boxes, iou):
    assert mask_box_iou(PARTS, boxes) == pytest.approx(iou)


def test_an_empty_mask_fits_an_absent_object_alone():
    nothing = np.zeros((5, 8), bool)
    assert mask_box_iou(nothing, ()) == 1
    assert mask_box_iou(nothing, [(0, 0, 2, 2)]) == 0
    assert mask_box_iou(nothing, [(0, 0, 2, 2), (3, 3, 5, 5)]) == 0


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
def test_overlap_is_the_one_by_hand_both_ways(one, other, iou):
    assert box_iou(one, other) == box_iou(other, one) == pytest.approx(iou)


def test_overlap_of_boxes_is_that_of_their_masks():
    rng = np.random.default_rng(0)
    for _ in range(100):
        (x0, x1), (y0, y1) = np.sort(rng.choice(20, (2, 2), replace=False), axis=1).tolist()
        one, other = (x0, y0, x1, y1), (3, 4, 15, 16)
        masks = fill_boxes([one], (20, 20)), fill_boxes([other], (20, 20))
        assert box_iou(one, other) == pytest.approx(
            (masks[0] & masks[1]).sum() / (masks[0] | masks[1]).sum()
        )
