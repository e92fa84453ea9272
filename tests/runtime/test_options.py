"""Helpers for `class_ids` and `mask_ids`."""

import pytest

from automedsam.runtime.options import (
    are_mask_values,
    class_name,
    flatten_ids,
    group_ids,
    repeated_ids,
)


def test_group_ids_returns_the_ids_of_each_class():
    assert group_ids([[1, 2], 3, ["liver"]]) == [(1, 2), (3,), ("liver",)]


def test_flatten_ids_merges_all_classes_and_keeps_none():
    assert flatten_ids([[1, 2], 3]) == (1, 2, 3)
    assert flatten_ids(None) is None


def test_class_name_joins_the_ids():
    assert [class_name(ids) for ids in ([3], (1, 2), ["liver"])] == ["3", "1+2", "liver"]


@pytest.mark.parametrize(
    ("ids", "expected"), [((1, 300), True), ((), True), ((0,), False), ((1, "liver"), False)]
)
def test_mask_values_are_integers_above_0(ids, expected):
    assert are_mask_values(ids) == expected


def test_0_is_the_value_of_an_object_if_it_is_allowed():
    assert are_mask_values((0, 3), lowest=0)
    assert not are_mask_values((0, -1), lowest=0)


def test_repeated_ids_are_listed_once():
    assert repeated_ids([3, "b", 1, "3", "b", 1, 1, "c"]) == ["1", "3", "b"]
    assert repeated_ids([1, "liver", 2]) == []
