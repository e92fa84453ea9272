"""Boxes: half open, tight to the pixel, and their overlap by hand."""

import numpy as np
import pytest

from automedsam.boxes import EMPTY, box_area, box_iou, fill_box, tight_box


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
    mask = fill_box(box_xyxy, (12, 20))
    assert (mask.shape, mask.dtype) == ((12, 20), bool)
    assert tight_box(mask) == box_xyxy
    assert mask.sum() == box_area(box_xyxy)


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
        masks = fill_box(one, (20, 20)), fill_box(other, (20, 20))
        assert box_iou(one, other) == pytest.approx((masks[0] & masks[1]).sum() / (masks[0] | masks[1]).sum())
