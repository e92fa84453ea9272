"""What `auto` stands for: few drawn boxes are all used for training."""

import pytest

from automedsam.preparation.amounts import Amounts, choose_amounts
from fake_scans import BOX, draw_mask_of, make_scan, single_class


def drawn(count, group=None, first=0, **fields):
    """Scans of one slice with a drawn box each."""
    return [
        make_scan(f"{n:03d}", boxes=single_class({0: (BOX,)}), group=group or f"{n:03d}", **fields)
        for n in range(first, first + count)
    ]


def choose(scans, val_fraction="auto", test_fraction="auto", train_cases="auto"):
    chosen = choose_amounts(scans, val_fraction, test_fraction, train_cases)
    return chosen.val_fraction, chosen.test_fraction, chosen.train_cases


@pytest.mark.parametrize(("count", "expected"), [(2, (0, 0)), (29, (0, 0)), (30, (0.2, 0.3))])
def test_few_drawn_boxes_are_all_for_training(count, expected):
    assert choose(drawn(count)) == (*expected, None)


def test_images_without_a_box_do_not_count():
    empty = [make_scan(f"e{n}", boxes=single_class({0: ()})) for n in range(30)]
    assert choose([*drawn(29), *empty])[:2] == (0, 0)


def test_boxed_slices_of_volumes_count():
    volumes = [
        make_scan(name, slices=12, boxes=single_class(dict.fromkeys(range(10), (BOX,))))
        for name in "abcdefghij"
    ]
    assert choose(volumes)[:2] == (0.2, 0.3)
    assert choose(volumes[:2])[:2] == (0, 0)


def test_too_few_groups_are_all_for_training():
    scans = [scan for n in range(10) for scan in drawn(4, f"p{n}", first=4 * n)]
    assert choose(scans[:36]) == (0, 0, None)
    assert choose(scans) == (0.2, 0.3, None)


def test_boxes_from_masks_keep_all_splits():
    assert choose([make_scan(name, draw_mask_of(BOX)) for name in "abc"]) == (0.2, 0.3, 10)


def test_boxed_images_with_masks_are_still_set_aside_for_testing():
    masked = [
        make_scan(f"m{n}", draw_mask_of(BOX), boxes=single_class({0: (BOX,)})) for n in range(9)
    ]
    assert choose([*drawn(9), *masked]) == (0, 0.3, None)
    assert choose([*drawn(10), *masked]) == (0, 0, None)  # most would be lost without a Dice
    assert choose(masked[:3]) == (0, 0.3, None)
    assert choose(masked[:2]) == (0, 0, None)  # too few for a test and a cross-validation
    # Images with a mask and no box are the test split, whatever its share.
    test = make_scan("m", draw_mask_of(BOX), split="test")
    assert choose([*drawn(9), test]) == (0, 0, None)


def test_boxes_of_groups_in_the_test_split_do_not_count():
    test = make_scan("m", draw_mask_of(BOX), group="p1", split="test")
    assert choose([*drawn(20, "p1"), *drawn(29, first=20), test])[:2] == (0, 0)
    assert choose([*drawn(20, "p1"), *drawn(30, first=20), test])[:2] == (0.2, 0.3)


def test_given_values_are_kept():
    assert choose(drawn(5), 0.2, "auto", 4) == (0.2, 0, 4)
    assert choose(drawn(5), "auto", 0.3, None) == (0, 0.3, None)
    assert choose(drawn(50), 0, 0.0, "auto") == (0, 0, None)
    masked = [make_scan(name, draw_mask_of(BOX)) for name in "abc"]
    assert choose(masked, 0, 0, None) == (0, 0, None)


def test_reasons_name_the_parameter_and_what_is_missing():
    assert choose_amounts(drawn(15), "auto", 0.0, "auto") == Amounts(
        0,
        0,
        None,
        {
            "val": "val_fraction: auto, 15 boxed images; a split needs 30",
            "test": "test_fraction: 0",
        },
    )
    reasons = choose_amounts(drawn(40, "p"), "auto", "auto", "auto").reasons
    assert reasons["test"] == "test_fraction: auto, 1 group; a split needs 10"
