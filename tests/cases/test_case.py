"""Tests of the record of one case."""

from automedsam.cases.case import Case

BOX, OTHER_BOX, THIRD_BOX = (2, 3, 9, 7), (0, 0, 1, 1), (4, 4, 9, 9)


def case_with(boxes):
    return Case("a", "patient", "train", 12, 20, boxes)


def test_only_a_case_with_a_box_has_an_object():
    assert case_with({255: (BOX, OTHER_BOX)}).has_object
    assert not case_with({255: ()}).has_object
    assert case_with({1: (), 3: (BOX,)}).has_object
    assert not case_with({1: (), 3: ()}).has_object
    assert not case_with({}).has_object


def test_all_boxes_xyxy_contains_the_boxes_of_all_classes():
    case = case_with({1: (BOX, THIRD_BOX), 2: (), 3: (OTHER_BOX,)})
    assert case.all_boxes_xyxy == (BOX, THIRD_BOX, OTHER_BOX)
    assert case_with({255: ()}).all_boxes_xyxy == ()


def test_image_size_is_height_then_width():
    assert case_with({255: ()}).image_size == (12, 20)


def test_equal_cases_have_equal_hashes():
    one, other = case_with({255: (BOX,)}), case_with({255: (BOX,)})
    assert one == other != case_with({255: ()})
    assert hash(one) == hash(other)
