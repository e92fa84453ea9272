"""How classes are written in the parameters: an item each, a list for what is merged."""

import pytest

from automedsam.runtime.options import are_mask_values, flatten_ids, group_ids, repeated_ids


def test_an_item_is_a_class_and_a_list_merges_several():
    assert group_ids([[1, 2], 3, ["liver"]]) == [(1, 2), (3,), ("liver",)]


def test_all_can_be_merged_and_nothing_stays_nothing():
    assert flatten_ids([[1, 2], 3]) == (1, 2, 3)
    assert flatten_ids(None) is None


@pytest.mark.parametrize(
    ("ids", "expected"), [((1, 300), True), ((), True), ((0,), False), ((1, "liver"), False)]
)
def test_values_of_an_object_are_whole_numbers_over_0(ids, expected):
    assert are_mask_values(ids) == expected


def test_what_is_there_twice_is_told_once_as_it_is_written():
    assert repeated_ids([3, "b", 1, "3", "b", 1, 1, "c"]) == ["1", "3", "b"]
    assert repeated_ids([1, "liver", 2]) == []
