"""Drawn boxes: their classes, and the label that marks images without the object."""

import pytest

from automedsam.datasets.annotations.drawn import (
    Annotations,
    DrawnBox,
    apply_empty_labels,
    is_empty_label,
)
from automedsam.runtime.errors import InputError


def drawn(image, *classes):
    return DrawnBox(f"x, {image}", image, None, classes, (0, 0, 1, 1))


def test_classes_are_unique_and_numbers_come_first():
    boxes = [drawn("a", *classes) for classes in [(10, "b"), ("a",), (2, "b"), (10,)]]
    assert Annotations(boxes, {}).classes == [2, 10, "a", "b"]
    assert Annotations([], {}).classes == []


def test_only_the_exact_label_marks_an_image():
    assert [
        is_empty_label(classes) for classes in [(3, "empty"), ("EMPTY",), (3,), ("emptyish",)]
    ] == [
        True,
        True,
        False,
        False,
    ]


def test_boxes_with_the_label_empty_mark_their_image():
    locations = {(name, None): name for name in "abc"}
    boxes = [drawn("a", 1, "liver"), drawn("b", 2, "empty"), drawn("b", 2, "empty")]
    found = apply_empty_labels(Annotations(boxes, locations, marked_empty=frozenset({("c", None)})))
    assert found == Annotations(
        boxes[:1], locations, marked_empty=frozenset({("b", None), ("c", None)})
    )
    assert found.boxed == {("a", None)}


def test_a_contradiction_is_reported_for_each_box():
    boxes = [drawn("a", "liver"), drawn("a", "empty"), drawn("b", 1)]
    annotations = Annotations(boxes, {}, marked_empty=frozenset({("b", None)}))
    with pytest.raises(InputError, match=r"^x, a: a is marked as empty, .*; x, b: b is marked"):
        apply_empty_labels(annotations)
