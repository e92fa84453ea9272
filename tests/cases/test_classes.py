"""What is looked for: names, values in label masks, and where raw data have it; and the table that says so."""

import numpy as np
import pytest

from automedsam.cases.classes import (
    ObjectClass,
    from_json,
    label_mask,
    parse_classes,
    read_classes,
    to_json,
    write_classes,
)
from automedsam.runtime.errors import InputError


def test_with_nothing_said_everything_is_one_object():
    assert parse_classes(None, None, False) == [ObjectClass("object", 255, None, None)]
    assert parse_classes(None, [[1, 2], 4], True) == [ObjectClass("object", 255, None, (1, 2, 4))]


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
def test_classes_of_masks_are_written_by_their_first_ids_if_those_fit(class_ids, expected):
    found = parse_classes(class_ids, None, False)
    assert [(of.name, of.value, of.mask_values) for of in found] == expected


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
        ([0, 1], None, [("0", 1, ()), ("1", 2, ())]),  # YOLO's first class, which no mask can have
        ([0, 1], [7, 9], [("0", 7, (7,)), ("1", 9, (9,))]),
        ([1, 2], [2, 1], [("1", 2, (2,)), ("2", 1, (1,))]),
        ([1, 2], [400, 3], [("1", 1, (400,)), ("2", 2, (3,))]),
    ],
)
def test_annotated_classes_are_written_by_what_masks_are_said_to_have_or_by_their_ids(
    class_ids, mask_ids, expected
):
    found = parse_classes(class_ids, mask_ids, True)
    assert [(of.name, of.value, of.mask_values) for of in found] == expected


def test_a_class_takes_the_boxes_of_its_ids_and_names():
    (kidneys, liver), (anything,) = (
        parse_classes([["left", 5], "liver"], None, True),
        parse_classes(None, None, True),
    )
    assert kidneys.takes((2, "left"))
    assert kidneys.takes((5, "right"))
    assert not liver.takes((2, "left"))
    assert anything.takes((9,))


def test_a_label_mask_has_the_classes_values_and_nothing_else():
    raw = np.array([[0, 1, 2], [3, 600, 1]])
    assert label_mask(raw, parse_classes([[1, 600], 3], None, False)).tolist() == [
        [0, 1, 0],
        [3, 1, 1],
    ]
    assert label_mask(raw, parse_classes(None, None, False)).tolist() == [
        [0, 255, 255],
        [255, 255, 255],
    ]
    assert label_mask(raw, parse_classes([7], None, False)).dtype == np.uint8


NAMED = [ObjectClass("null", 1), ObjectClass('left, "upper"', 2), ObjectClass("3", 255)]


def test_classes_come_back_from_their_table_whatever_they_are_called(tmp_path):
    write_classes(tmp_path / "classes.csv", NAMED)
    assert read_classes(tmp_path / "classes.csv") == NAMED


def test_the_table_is_a_plain_one(tmp_path):
    write_classes(tmp_path / "classes.csv", parse_classes([[1, 2], 3], None, False))
    assert (tmp_path / "classes.csv").read_bytes() == b"class,value\n1+2,1\n3,3\n"


def test_classes_come_back_from_a_header_in_their_order():
    assert from_json(to_json(NAMED[::-1])) == NAMED[::-1]


@pytest.mark.parametrize(
    ("content", "fault"),
    [
        (None, "found no such file; run `dvc repro`"),
        ("", "found No columns"),
        ("name,value\na,1\n", "found name, value"),
        ("class,value\na,b\n", "found invalid literal"),
    ],
)
def test_another_file_is_named(tmp_path, content, fault):
    if content is not None:
        (tmp_path / "classes.csv").write_text(content)
    with pytest.raises(InputError, match=rf"classes\.csv: expected .*{fault}"):
        read_classes(tmp_path / "classes.csv")
