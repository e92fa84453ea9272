"""The report on data without a validation or a test split, and warnings about its folds."""

from dataclasses import replace

import pytest

from automedsam.cases.classes import Classes, ObjectClass
from automedsam.preparation.amounts import Amounts
from automedsam.preparation.unsplit import describe_missing_splits, warn_about_folds
from automedsam.runtime.errors import InputError
from fake_scans import BOX, OBJECT, make_scan, make_slice

TWO = Classes([ObjectClass("liver", 1), ObjectClass("spleen", 2)])
AMOUNTS = Amounts(0, 0, None, {"val": "val_fraction: 0", "test": "test_fraction: 0"})


def of_group(group, count, **fields):
    return [
        make_slice(f"{group}_{n}", scan=make_scan(f"{group}_{n}", group=group), **fields)
        for n in range(count)
    ]


def test_missing_splits_are_described_with_what_replaces_them():
    train = [make_slice(f"{n:02d}") for n in range(15)]
    assert describe_missing_splits(train, {"train"}, AMOUNTS) == [
        "val: none (val_fraction: 0); train chooses the epoch by cross-validation in 3 folds of "
        "5, 5 and 5 boxed images from 15 groups, and the final model learns from all of them",
        "test: none (test_fraction: 0); evaluate reports the overlap of boxes from "
        "cross-validation",
    ]


def test_without_test_images_the_validation_boxes_are_reported():
    assert describe_missing_splits([make_slice("a")], {"train", "val"}, AMOUNTS) == [
        "test: none (test_fraction: 0); evaluate reports the overlap of boxes from the "
        "validation boxes"
    ]


def test_complete_splits_need_no_description():
    assert describe_missing_splits([], {"train", "val", "test"}, AMOUNTS) == []


def test_sound_folds_need_no_warning():
    assert warn_about_folds([make_slice("a"), make_slice("b")], OBJECT) == []


def test_a_single_group_is_a_warning():
    (warning,) = warn_about_folds(of_group("patient", 4), OBJECT)
    assert warning.startswith("all boxes are in the group patient, which the folds divide: ")
    assert "group_by" in warning


def test_a_class_of_a_single_group_is_a_warning():
    slices = [
        *of_group("p", 2, boxes={1: (BOX,), 2: (BOX,)}),
        *of_group("q", 2, boxes={1: (BOX,), 2: ()}),
    ]
    assert warn_about_folds(slices, TWO) == [
        "class spleen is boxed in one fold only (group p): cross-validation counts it as missed, "
        "because the other folds do not show it"
    ]


def test_a_class_in_one_part_of_a_divided_group_is_a_warning():
    """The folds are slices 0 to 3, 4 to 6 and 7 to 9; only the first shows the spleen."""
    slices = [
        replace(one, boxes={1: (BOX,), 2: (BOX,) if number < 4 else ()})
        for number, one in enumerate(of_group("p", 10))
    ]
    divided, spleen = warn_about_folds(slices, TWO)
    assert divided.startswith("all boxes are in the group p, which the folds divide: ")
    assert spleen.startswith("class spleen is boxed in one fold only (group p)")


def test_one_boxed_image_is_an_error():
    with pytest.raises(InputError, match="requires at least 2 boxed training images, found 1"):
        warn_about_folds([make_slice("a"), make_slice("b", boxes_xyxy=())], OBJECT)
