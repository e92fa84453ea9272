"""Folds: no divided group, balanced boxes, and classes that every fold can learn."""

import random
from collections import Counter

import pytest

from automedsam.cases.case import Case
from automedsam.cases.classes import SINGLE_CLASS_VALUE, Classes, ObjectClass
from automedsam.cases.folds import (
    assign_folds,
    check_folds,
    describe_folds,
    divided_groups,
)
from automedsam.runtime.errors import InputError

OBJECT = Classes([ObjectClass("object", SINGLE_CLASS_VALUE)])
TWO = Classes([ObjectClass("liver", 1), ObjectClass("spleen", 2)])
BOXES = ((0, 0, 2, 2),)


def make_case(name: str, group: str | None = None, values: tuple[int, ...] = (1,)) -> Case:
    boxes = {value: BOXES if value in values else () for value in (1, 2)}
    return Case(name, group or name, "train", 4, 4, boxes)


def empty(name: str, group: str | None = None) -> Case:
    return make_case(name, group, ())


def names_of(folds: list[list[Case]]) -> list[list[str]]:
    return [[case.name for case in fold] for fold in folds]


def all_names(folds: list[list[Case]]) -> list[str]:
    return [name for names in names_of(folds) for name in names]


def boxed_counts(folds: list[list[Case]]) -> list[int]:
    return [sum(case.has_object for case in fold) for fold in folds]


def random_cases(seed: int) -> list[Case]:
    """Two to twelve groups of one to nine cases, of which at least two groups have a box."""
    rng = random.Random(seed)
    cases = [make_case(f"{seed}_{group}_box", f"{seed}_{group}") for group in "ab"]
    for group in "abcdefghijkl"[: rng.randint(2, 12)]:
        cases += [
            make_case(f"{seed}_{group}_{n}", f"{seed}_{group}", rng.choice([(), (1,)]))
            for n in range(rng.randint(0, 8))
        ]
    return cases


def test_fifteen_images_are_three_folds_of_five():
    folds = assign_folds([make_case(f"{n:02d}") for n in range(15)])
    assert boxed_counts(folds) == [5, 5, 5]
    assert describe_folds(folds) == "3 folds of 5, 5 and 5 boxed images from 15 groups"


def test_every_case_is_in_one_fold_and_every_group_too():
    for seed in range(100):
        cases = random_cases(seed)
        folds = assign_folds(cases)
        assert sorted(all_names(folds)) == sorted(case.name for case in cases)
        assert divided_groups(folds) == []
        assert all(boxed_counts(folds))
        boxed_groups = {case.group for case in cases if case.has_object}
        assert len(folds) == min(len(boxed_groups), 3)


def test_folds_depend_on_neither_order_nor_other_names():
    for seed in range(20):
        cases = random_cases(seed)
        shuffled = random.Random(seed).sample(cases, len(cases))
        assert assign_folds(shuffled) == assign_folds(cases)


def test_large_groups_are_balanced_by_small_ones():
    sizes = {"a": 6, "b": 3, "c": 3, "d": 2, "e": 2}
    cases = [make_case(f"{group}{n}", group) for group, size in sizes.items() for n in range(size)]
    assert boxed_counts(assign_folds(cases)) == [6, 5, 5]


def test_images_without_a_box_are_balanced_apart():
    cases = [make_case(f"{n:02d}") for n in range(7)] + [empty(f"empty {n}") for n in range(7)]
    folds = assign_folds(cases)
    assert sorted(boxed_counts(folds)) == [2, 2, 3]
    assert sorted(sum(not case.has_object for case in fold) for fold in folds) == [2, 2, 3]


def test_two_groups_are_two_folds():
    cases = [make_case("a1", "a"), make_case("a2", "a"), make_case("b1", "b"), empty("c")]
    folds = assign_folds(cases)
    assert boxed_counts(folds) == [2, 1]
    assert {case.group for case in folds[0]} >= {"a"}


def test_a_single_group_is_divided_into_neighbours():
    slices = [make_case(f"v_s{n:03d}", "v", (1,) if n in (2, 3, 5, 7, 8) else ()) for n in range(9)]
    folds = assign_folds([*slices, empty("other")])
    assert boxed_counts(folds) == [2, 2, 1]
    assert [name for name in all_names(folds) if name != "other"] == [case.name for case in slices]
    assert divided_groups(folds) == ["v"]
    assert describe_folds(folds) == "3 folds of 2, 2 and 1 boxed images from 1 group"


def test_two_boxed_images_of_one_group_are_two_folds():
    folds = assign_folds([make_case("v1", "v"), make_case("v2", "v"), empty("v0", "v")])
    assert names_of(folds) == [["v0", "v1"], ["v2"]]


def test_the_groups_of_a_rare_class_are_in_different_folds():
    for seed in range(50):
        rng = random.Random(seed)
        both = rng.sample(range(12), 2)
        cases = [
            make_case(f"{seed}_{n:02d}", None, (1, 2) if n in both else (1,)) for n in range(12)
        ]
        folds = assign_folds(cases)
        assert boxed_counts(folds) == [4, 4, 4]
        assert sorted(sum(bool(case.boxes[2]) for case in fold) for fold in folds) == [0, 1, 1]


def test_classes_that_share_no_image_are_each_spread():
    cases = [make_case(f"liver {n}", None, (1,)) for n in range(6)]
    cases += [make_case(f"spleen {n}", None, (2,)) for n in range(3)]
    folds = assign_folds(cases)
    counts = [Counter(case.name.split()[0] for case in fold) for fold in folds]
    assert counts == [{"liver": 2, "spleen": 1}] * 3


@pytest.mark.parametrize("boxed", [0, 1])
def test_fewer_than_two_boxed_images_are_rejected(boxed: int):
    cases = [Case(f"c{n}", "c", "train", 4, 4, {255: BOXES * (n < boxed)}) for n in range(4)]
    with pytest.raises(InputError) as caught:
        check_folds(cases, OBJECT)
    assert str(caught.value) == (
        "val_fraction: cross-validation requires at least 2 boxed training images, "
        f"found {boxed}; draw more boxes, or raise train_cases"
    )


def test_each_class_needs_two_boxed_images():
    cases = [make_case("a"), make_case("b"), make_case("c", None, (2,))]
    message = r"images of class spleen, found 1; draw more boxes, or raise train_cases$"
    with pytest.raises(InputError, match=message):
        check_folds(cases, TWO)
    check_folds([*cases, make_case("d", None, (2,))], TWO)
