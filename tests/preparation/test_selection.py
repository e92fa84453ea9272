"""The choice of slices, and the data sets that are rejected."""

import numpy as np
import pytest

from automedsam.cases.case import SPLITS
from automedsam.cases.classes import Classes, ObjectClass
from automedsam.preparation.selection import check_splits, choose_slices
from automedsam.runtime.errors import InputError
from fake_scans import BOX, OBJECT, make_scan, make_slice, names_of


def test_chosen_slices_are_sorted_by_name():
    slices = [make_slice("c", "val"), make_slice("a", "test"), make_slice("b")]
    assert names_of(choose_slices(slices, None, True, 0)) == ["a", "b", "c"]


def test_slices_without_an_object_are_used_if_keep_empty():
    slices = [
        make_slice(f"{split}_{kind}", split, boxes)
        for split in SPLITS
        for kind, boxes in (("boxed", (BOX,)), ("empty", ()))
    ]
    assert names_of(choose_slices(slices, None, True, 0)) == sorted(names_of(slices))
    assert names_of(choose_slices(slices, None, False, 0)) == [
        "test_boxed",
        "train_boxed",
        "val_boxed",
    ]


def test_slices_with_a_too_small_object_are_used_for_testing_only():
    slices = [make_slice(split, split, (BOX,) if split == "test" else (), True) for split in SPLITS]
    assert names_of(choose_slices(slices, None, True, 0)) == ["test"]
    assert choose_slices(slices, None, False, 0) == []


def test_train_cases_counts_boxed_slices_and_adds_empty_ones():
    slices = [
        make_slice(f"{number:02d}", boxes_xyxy=(BOX,) if number % 3 else ()) for number in range(60)
    ]
    for seed in range(20):
        chosen = choose_slices(slices, 12, True, seed)
        boxed = [s for s in chosen if s.all_boxes_xyxy]
        assert len(boxed) == 12
        # The last slice has a box, so 11 cases bring at most as many empty slices.
        assert set(names_of(choose_slices(slices, 11, True, seed))) < set(names_of(chosen))
    empty = [len(choose_slices(slices, 12, True, seed)) - 12 for seed in range(20)]
    assert 4 < np.mean(empty) < 8  # a third of the slices are empty: 6 to 12
    assert len(choose_slices(slices, 12, False, 0)) == 12


def test_train_cases_above_the_number_of_boxes_uses_all_slices():
    slices = [
        make_slice(f"{number:02d}", boxes_xyxy=(BOX,) if number % 3 else ()) for number in range(9)
    ]
    assert choose_slices(slices, 100, True, 0) == choose_slices(slices, None, True, 0) == slices


def test_more_train_cases_keep_the_earlier_ones_and_seeds_differ():
    slices = [make_slice(f"{number:02d}") for number in range(30)]
    choices = [set(names_of(choose_slices(slices, count, True, 0))) for count in (1, 4, 9, 29)]
    assert [len(choice) for choice in choices] == [1, 4, 9, 29]
    assert choices[0] < choices[1] < choices[2] < choices[3]
    assert len({tuple(names_of(choose_slices(slices, 4, True, seed))) for seed in range(5)}) == 5


def test_val_and_test_slices_depend_on_neither_count_nor_seed():
    slices = [make_slice(f"{split}_{n}", split) for split in SPLITS for n in range(5)]
    for count, seed in ((1, 0), (3, 1), (None, 2)):
        chosen = choose_slices(slices, count, True, seed)
        assert names_of(chosen, "val") == [f"val_{n}" for n in range(5)]
        assert names_of(chosen, "test") == [f"test_{n}" for n in range(5)]


def test_choice_does_not_depend_on_the_order_of_slices():
    slices = [make_slice(f"{number:02d}") for number in range(30)]
    assert choose_slices(slices, 7, True, 3) == choose_slices(slices[::-1], 7, True, 3)


def one_per_split(**fields):
    return [make_slice(split, split, **fields) for split in SPLITS]


def test_check_splits_accepts_an_object_in_each_split():
    check_splits(one_per_split(), one_per_split(), OBJECT, [1])


def test_check_splits_requires_an_object_in_the_splits_that_are_used_only():
    slices = one_per_split()
    check_splits(slices, slices[:1], OBJECT, [1], {"train"})
    check_splits(slices, [slices[0], slices[2]], OBJECT, [1], {"train", "test"})
    with pytest.raises(InputError, match="no object in the 0 chosen val images"):
        check_splits(slices, slices[:1], OBJECT, [1], {"train", "val"})
    with pytest.raises(InputError, match="no object in the 0 chosen train images"):
        check_splits(slices, [], OBJECT, [1], ())


def test_check_splits_names_each_split_without_an_object():
    slices = [
        *one_per_split(boxes_xyxy=()),
        make_slice("boxed", "val"),
        make_slice("another", "test", ()),
    ]
    with pytest.raises(InputError) as caught:
        check_splits(slices, slices, OBJECT, [1, 7, "liver"])
    assert str(caught.value) == "; ".join(
        f"class_ids, val_fraction, test_fraction: no object in the {count} {split} images "
        "(classes in the data: 1, 7, liver)"
        for split, count in (("train", 1), ("test", 2))
    )


def test_check_splits_names_masks_that_alone_make_the_test_split():
    train = make_slice("a", scan=make_scan("a", boxes={0: {255: (BOX,)}}))
    slices = [train, make_slice("b", "test", (), scan=make_scan("b", split="test"))]
    with pytest.raises(InputError) as caught:
        check_splits(slices, slices, OBJECT, [1], {"train", "test"})
    assert str(caught.value) == (
        "masks, unboxed, class_ids: no object in the 1 test image, chosen because of a mask "
        "and no box; add masks that show one, or remove these masks; if the images show none "
        "and are listed, unboxed: empty takes them for negative examples"
    )


def test_check_splits_counts_objects_that_are_too_small():
    slices = [
        *one_per_split()[1:],
        *(make_slice(name, boxes_xyxy=(), is_too_small=True) for name in "ab"),
    ]
    with pytest.raises(
        InputError,
        match=r"no object in the 2 train images \(classes in the data: none\), "
        r"2 objects below min_object_px$",
    ):
        check_splits(slices, slices[:2], OBJECT, [])


def test_check_splits_ignores_objects_of_unused_slices():
    slices = one_per_split()
    with pytest.raises(
        InputError,
        match=r"no object in the 0 chosen val images, although other val images show one$",
    ):
        check_splits(slices, [s for s in slices if s.split != "val"], OBJECT, [1])


TWO = Classes([ObjectClass("liver", 1), ObjectClass("spleen", 2)])


def test_check_splits_requires_each_class_in_each_split():
    slices = [
        make_slice(split, split, boxes={1: (BOX,), 2: () if split == "val" else (BOX,)})
        for split in SPLITS
    ]
    with pytest.raises(InputError) as caught:
        check_splits(slices, slices, TWO, ["liver", "spleen"])
    assert str(caught.value) == (
        "class_ids, val_fraction, test_fraction: no object of class spleen in the 1 val images "
        "(classes in the data: liver, spleen)"
    )


def test_check_splits_names_train_cases_if_a_class_was_not_chosen():
    slices = [make_slice(split, split, boxes={1: (BOX,), 2: (BOX,)}) for split in SPLITS]
    chosen = [make_slice("another", boxes={1: (BOX,), 2: ()}), *slices[1:]]
    with pytest.raises(InputError) as caught:
        check_splits([*slices, chosen[0]], chosen, TWO, [])
    assert str(caught.value) == (
        "train_cases, seed, keep_empty: no object of class spleen in the 1 chosen train images, "
        "although other train images show one"
    )
