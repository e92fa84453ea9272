"""Which slices are used, and which data sets are of no use."""

import numpy as np
import pytest

from automedsam.cases.case import SPLITS
from automedsam.cases.classes import ObjectClass
from automedsam.preparation.selection import check_splits, choose_slices
from automedsam.runtime.errors import InputError
from fake_scans import BOX, OBJECT, make_slice, names_of


def test_chosen_slices_are_sorted_by_name():
    slices = [make_slice("c", "val"), make_slice("a", "test"), make_slice("b")]
    assert names_of(choose_slices(slices, None, True, 0)) == ["a", "b", "c"]


def test_slices_without_the_object_are_used_only_if_empty_ones_are_kept():
    slices = [make_slice(f"{split}_{kind}", split, boxes) for split in ("train", "val", "test")
              for kind, boxes in (("boxed", (BOX,)), ("empty", ()))]  # fmt: skip
    assert names_of(choose_slices(slices, None, True, 0)) == sorted(names_of(slices))
    assert names_of(choose_slices(slices, None, False, 0)) == [
        "test_boxed",
        "train_boxed",
        "val_boxed",
    ]


def test_slices_whose_object_is_too_small_are_at_most_tested_on():
    slices = [
        make_slice(split, split, (BOX,) if split == "test" else (), True)
        for split in ("train", "val", "test")
    ]
    assert names_of(choose_slices(slices, None, True, 0)) == ["test"]
    assert choose_slices(slices, None, False, 0) == []


def test_training_slices_are_drawn_until_so_many_have_a_box_and_empty_ones_come_along():
    slices = [
        make_slice(f"{number:02d}", boxes_xyxy=(BOX,) if number % 3 else ()) for number in range(60)
    ]
    for seed in range(20):
        chosen = choose_slices(slices, 12, True, seed)
        boxed = [s for s in chosen if s.boxes_xyxy]
        assert len(boxed) == 12
        # The last draw had a box: the next one smaller has as many empty ones, or fewer.
        assert set(names_of(choose_slices(slices, 11, True, seed))) < set(names_of(chosen))
    empty = [len(choose_slices(slices, 12, True, seed)) - 12 for seed in range(20)]
    assert 4 < np.mean(empty) < 8  # a third of the slices are empty: 6 to 12
    assert len(choose_slices(slices, 12, False, 0)) == 12


def test_all_training_slices_are_used_where_boxes_run_out_or_none_are_counted():
    slices = [
        make_slice(f"{number:02d}", boxes_xyxy=(BOX,) if number % 3 else ()) for number in range(9)
    ]
    assert choose_slices(slices, 100, True, 0) == choose_slices(slices, None, True, 0) == slices


def test_more_training_slices_keep_the_ones_drawn_before_and_the_seed_draws_others():
    slices = [make_slice(f"{number:02d}") for number in range(30)]
    picks = [set(names_of(choose_slices(slices, count, True, 0))) for count in (1, 4, 9, 29)]
    assert [len(pick) for pick in picks] == [1, 4, 9, 29]
    assert picks[0] < picks[1] < picks[2] < picks[3]
    assert len({tuple(names_of(choose_slices(slices, 4, True, seed))) for seed in range(5)}) == 5


def test_what_is_validated_and_tested_on_depends_on_neither_count_nor_seed():
    slices = [
        make_slice(f"{split}_{n}", split) for split in ("train", "val", "test") for n in range(5)
    ]
    for count, seed in ((1, 0), (3, 1), (None, 2)):
        chosen = choose_slices(slices, count, True, seed)
        assert names_of(chosen, "val") == [f"val_{n}" for n in range(5)]
        assert names_of(chosen, "test") == [f"test_{n}" for n in range(5)]


def test_the_order_in_which_slices_were_found_does_not_matter():
    slices = [make_slice(f"{number:02d}") for number in range(30)]
    assert choose_slices(slices, 7, True, 3) == choose_slices(slices[::-1], 7, True, 3)


def of_each_split(**fields):
    return [make_slice(split, split, **fields) for split in ("train", "val", "test")]


def test_splits_with_an_object_each_are_in_order():
    check_splits(of_each_split(), of_each_split(), OBJECT, [1])


def test_each_split_without_an_object_is_told_with_the_classes_that_there_are():
    slices = [
        *of_each_split(boxes_xyxy=()),
        make_slice("boxed", "val"),
        make_slice("another", "test", ()),
    ]
    with pytest.raises(InputError) as told:
        check_splits(slices, slices, OBJECT, [1, 7, "liver"])
    assert str(told.value) == "; ".join(
        f"class_ids, val_fraction, test_fraction: expected an object in the {split} images, found none in {count}, "
        "of the classes 1, 7, liver"
        for split, count in (("train", 1), ("test", 2))
    )


def test_objects_that_are_too_small_are_told_too():
    slices = [
        *of_each_split()[1:],
        *(make_slice(name, boxes_xyxy=(), is_too_small=True) for name in "ab"),
    ]
    with pytest.raises(
        InputError,
        match=r"found none in 2, of the classes none, and 2 objects below min_object_px$",
    ):
        check_splits(slices, slices[:2], OBJECT, [])


def test_objects_of_slices_that_are_not_used_do_not_count():
    slices = of_each_split()
    with pytest.raises(
        InputError, match="expected an object in the val images, found none in the 0 chosen ones"
    ):
        check_splits(slices, [s for s in slices if s.split != "val"], OBJECT, [1])


TWO = [ObjectClass("liver", 1), ObjectClass("spleen", 2)]


def test_each_class_must_be_in_each_split():
    slices = [
        make_slice(split, split, boxes={1: (BOX,), 2: (BOX,) * (split != "val")})
        for split in SPLITS
    ]
    with pytest.raises(InputError) as told:
        check_splits(slices, slices, TWO, ["liver", "spleen"])
    assert str(told.value) == (
        "class_ids, val_fraction, test_fraction: expected an object of class spleen in the val images, "
        "found none in 1, of the classes liver, spleen"
    )


def test_a_class_that_is_there_and_was_not_drawn_is_told():
    slices = [make_slice(split, split, boxes={1: (BOX,), 2: (BOX,)}) for split in SPLITS]
    chosen = [make_slice("another", boxes={1: (BOX,), 2: ()}), *slices[1:]]
    with pytest.raises(InputError) as told:
        check_splits([*slices, chosen[0]], chosen, TWO, [])
    assert str(told.value) == (
        "train_cases, seed, keep_empty: expected an object of class spleen in the train images, "
        "found none in the 1 chosen ones"
    )
