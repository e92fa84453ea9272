"""Boxes simulated from masks: one per object or part, minimum size, and jitter."""

from collections import Counter
from dataclasses import replace

import numpy as np
import pytest

from automedsam.cases.boxes import fill_boxes
from automedsam.preparation.simulated_boxes import BoxSimulation

SIZE = (12, 16)
BOX = (2, 3, 9, 7)
# Parts of 6 px, of 5 px that touch at a corner, and of 1 px.
PARTS = fill_boxes([(6, 0, 8, 2), (1, 1, 4, 3), (8, 2, 9, 3), (14, 9, 15, 10)], SIZE)


@pytest.mark.parametrize(
    ("boxes_per_object", "min_object_px", "boxes"),
    [
        ("union", 1, ((1, 0, 15, 10),)),
        ("union", 12, ((1, 0, 15, 10),)),
        ("union", 13, ()),
        ("component", 1, ((6, 0, 9, 3), (1, 1, 4, 3), (14, 9, 15, 10))),
        ("component", 2, ((6, 0, 9, 3), (1, 1, 4, 3))),
        ("component", 6, ((1, 1, 4, 3),)),
        ("component", 7, ()),
    ],
)
def test_boxes_enclose_the_object_or_each_large_enough_part(boxes_per_object, min_object_px, boxes):
    assert BoxSimulation(boxes_per_object, min_object_px, box_jitter=9).simulate(PARTS) == boxes


@pytest.mark.parametrize("boxes_per_object", ["union", "component"])
def test_an_empty_mask_has_no_box(boxes_per_object):
    assert BoxSimulation(boxes_per_object).simulate(np.zeros(SIZE, bool)) == ()
    assert BoxSimulation(boxes_per_object, box_jitter=9).jitter((), SIZE, "a") == ()


def test_jitter_moves_each_side_outwards_by_at_most_box_jitter():
    rules = BoxSimulation(box_jitter=2)
    moves = Counter()
    for number in range(200):
        ((x0, y0, x1, y1),) = rules.jitter(((5, 5, 9, 8),), SIZE, f"case_{number}")
        moves.update([("left", 5 - x0), ("above", 5 - y0), ("right", x1 - 9), ("below", y1 - 8)])
    assert moves.keys() == {
        (side, px) for side in ("left", "above", "right", "below") for px in (0, 1, 2)
    }
    assert min(moves.values()) > 40  # 67 is the mean


def test_jitter_stays_inside_the_image():
    for number in range(50):
        boxes = BoxSimulation(box_jitter=100).jitter(
            ((0, 0, 16, 12), (1, 2, 15, 11)), SIZE, f"case_{number}"
        )
        assert boxes[0] == (0, 0, 16, 12)
        assert 0 <= boxes[1][0] <= 1
        assert 0 <= boxes[1][1] <= 2
        assert 15 <= boxes[1][2] <= 16
        assert 11 <= boxes[1][3] <= 12


def test_jitter_depends_on_name_and_seed():
    boxes, rules = ((50, 50, 60, 60),), BoxSimulation(box_jitter=40)
    once = rules.jitter(boxes, (200, 200), "a")
    assert rules.jitter(boxes, (200, 200), "a") == once
    assert rules.jitter(boxes, (200, 200), "b") != once
    assert replace(rules, seed=1).jitter(boxes, (200, 200), "a") != once


def test_boxes_of_an_image_are_jittered_independently():
    one, other = BoxSimulation(box_jitter=40).jitter(((50, 50, 60, 60),) * 2, (200, 200), "a")
    assert one != other


def test_without_jitter_boxes_are_unchanged():
    assert BoxSimulation().jitter((BOX, (0, 0, 1, 1)), SIZE, "a") == (BOX, (0, 0, 1, 1))
