"""Tests of the classes that the parameters `class_ids` and `mask_ids` define."""

import numpy as np
import pytest

from automedsam.cases.classes import Classes, ObjectClass, label_mask
from automedsam.datasets.class_ids import parse_classes


def test_without_class_ids_there_is_one_object():
    everything = ObjectClass("object", 255, None, None)
    assert parse_classes(None, None, False) == Classes([everything])
    masked = ObjectClass("object", 255, None, (1, 2, 4))
    assert parse_classes(None, [[1, 2], 4], True) == Classes([masked])


@pytest.mark.parametrize(
    ("class_ids", "expected"),
    [
        ([3], [("3", 255, (3,))]),
        ([[1, 2]], [("1+2", 255, (1, 2))]),
        ([1, 3], [("1", 1, (1,)), ("3", 3, (3,))]),
        ([[2, 1], 3], [("2+1", 2, (2, 1)), ("3", 3, (3,))]),
        ([3, 255], [("3", 3, (3,)), ("255", 255, (255,))]),
        ([600, 205], [("600", 1, (600,)), ("205", 2, (205,))]),
    ],
)
def test_classes_of_masks_have_the_value_of_their_first_id_if_it_fits(class_ids, expected):
    classes = parse_classes(class_ids, None, False)
    assert [(cls.name, cls.value, cls.mask_values) for cls in classes] == expected


@pytest.mark.parametrize(
    ("class_ids", "mask_ids", "expected"),
    [
        (["liver"], None, [("liver", 255, None)]),
        (["liver"], [2, 5], [("liver", 255, (2, 5))]),
        (
            ["liver", ["kidney_l", "kidney_r"]],
            None,
            [("liver", 1, ()), ("kidney_l+kidney_r", 2, ())],
        ),
        (
            ["liver", ["kidney_l", "kidney_r"]],
            [6, [1, 2]],
            [("liver", 6, (6,)), ("kidney_l+kidney_r", 1, (1, 2))],
        ),
        ([4, [2, 3]], None, [("4", 4, (4,)), ("2+3", 2, (2, 3))]),
        ([0, 1], None, [("0", 1, ()), ("1", 2, ())]),  # no mask has the first class of YOLO
        ([0, 1], [7, 9], [("0", 7, (7,)), ("1", 9, (9,))]),
        ([1, 2], [2, 1], [("1", 2, (2,)), ("2", 1, (1,))]),
        ([1, 2], [400, 3], [("1", 1, (400,)), ("2", 2, (3,))]),
    ],
)
def test_annotated_classes_have_values_from_mask_ids_or_ids(class_ids, mask_ids, expected):
    classes = parse_classes(class_ids, mask_ids, True)
    assert [(cls.name, cls.value, cls.mask_values) for cls in classes] == expected


def test_a_class_takes_boxes_with_any_of_its_ids_or_names():
    kidneys, liver = parse_classes([["left", 5], "liver"], None, True)
    (anything,) = parse_classes(None, None, True)
    assert kidneys.takes((2, "left"))
    assert kidneys.takes((5, "right"))
    assert not liver.takes((2, "left"))
    assert anything.takes((9,))


def test_label_mask_of_parsed_classes():
    raw_mask = np.array([[0, 1, 2], [3, 600, 1]])
    several, single = parse_classes([[1, 600], 3], None, False), parse_classes(None, None, False)
    assert label_mask(raw_mask, several).tolist() == [[0, 1, 0], [3, 1, 1]]
    assert label_mask(raw_mask, single).tolist() == [[0, 255, 255], [255, 255, 255]]
    assert label_mask(raw_mask, parse_classes([7], None, False)).dtype == np.uint8
