"""Splits: undivided groups, shares of the scans, and stability when a case is added."""

import random
from collections import Counter

import pytest

from automedsam.cases.case import SPLITS
from automedsam.preparation.splits import assign_splits, name_hash
from automedsam.runtime.errors import InputError

SEEDS = range(100)  # of random group structures
EXTREMES = [(0.001, 0.001), (0.001, 0.998), (0.998, 0.001), (0.4999, 0.4999), (0.2, 0.3)]


def random_groups(seed: int, min_groups: int = 3) -> dict[str, str]:
    """Map cases to up to 30 groups of 1 to 40 cases."""
    rng = random.Random(seed)
    sizes = [rng.choice([1, 1, 2, 5, 40]) for _ in range(rng.randint(min_groups, 30))]
    return {
        f"{seed}_{group}_{number}": f"{seed}_{group}"
        for group, size in enumerate(sizes)
        for number in range(size)
    }


@pytest.mark.parametrize(("val_fraction", "test_fraction"), EXTREMES)
def test_groups_are_not_divided_and_no_split_is_empty(val_fraction, test_fraction):
    for seed in SEEDS:
        groups = random_groups(seed)
        split_of = assign_splits(groups, {}, val_fraction, test_fraction)
        assert split_of.keys() == groups.keys()
        assert set(split_of.values()) == set(SPLITS)
        splits_of_groups = {(groups[case], split) for case, split in split_of.items()}
        assert len(splits_of_groups) == len(set(groups.values()))


@pytest.mark.parametrize(("val_fraction", "test_fraction"), EXTREMES)
def test_three_groups_fill_the_three_splits(val_fraction, test_fraction):
    for seed in SEEDS:
        groups = {f"{seed}{letter}": f"{seed}{letter}" for letter in "abc"}
        split_of = assign_splits(groups, {}, val_fraction, test_fraction)
        assert Counter(split_of.values()) == dict.fromkeys(SPLITS, 1)


@pytest.mark.parametrize(
    ("val_fraction", "test_fraction", "sizes"),
    [
        (0.2, 0.3, (50, 20, 30)),
        (0.1, 0.1, (80, 10, 10)),
        (0.5, 0.45, (5, 50, 45)),
        (0.001, 0.001, (98, 1, 1)),
    ],
)
def test_fractions_are_exact_for_groups_of_one_case(val_fraction, test_fraction, sizes):
    groups = {f"case_{number}": f"case_{number}" for number in range(100)}
    counts = Counter(assign_splits(groups, {}, val_fraction, test_fraction).values())
    assert tuple(counts[split] for split in SPLITS) == sizes


def test_a_split_exceeds_its_share_by_less_than_one_group():
    for seed in SEEDS:
        groups = random_groups(seed, min_groups=10)
        sizes = Counter(groups.values())
        counts = Counter(assign_splits(groups, {}, 0.2, 0.3).values())
        for split, fraction in (("val", 0.2), ("test", 0.3)):
            assert counts[split] < max(round(fraction * len(groups)), 1) + max(sizes.values())


def test_a_split_is_below_its_share_only_if_groups_run_out():
    for seed in SEEDS:
        groups = random_groups(seed)
        split_of = assign_splits(groups, {}, 0.2, 0.3)
        counts = Counter(split_of.values())
        remaining = {groups[case] for case, split in split_of.items() if split == "train"}
        if counts["val"] < round(0.2 * len(groups)):
            assert len(remaining) == 1


def test_order_of_cases_is_irrelevant():
    for seed in SEEDS:
        cases = list(random_groups(seed).items())
        random.Random(seed).shuffle(cases)
        assert assign_splits(dict(cases), {}, 0.2, 0.3) == assign_splits(
            random_groups(seed), {}, 0.2, 0.3
        )


def test_a_new_case_moves_at_most_one_other_across_each_boundary():
    cases = {f"case_{number}": f"case_{number}" for number in range(41)}
    before = assign_splits(cases, {}, 0.2, 0.3)
    for number in range(200):
        after = assign_splits(cases | {f"new_{number}": f"new_{number}"}, {}, 0.2, 0.3)
        moves = Counter(
            tuple(sorted((before[case], after[case])))
            for case in cases
            if before[case] != after[case]
        )
        assert moves.keys() <= {("test", "val"), ("train", "val")}
        assert set(moves.values()) <= {1}


def test_a_new_case_moves_at_most_one_group_into_or_out_of_the_test_split():
    for seed in SEEDS:
        groups = random_groups(seed)
        before = assign_splits(groups, {}, 0.2, 0.3)
        after = assign_splits(groups | {"new": "new"}, {}, 0.2, 0.3)
        moved = {
            groups[case] for case in groups if (before[case] == "test") != (after[case] == "test")
        }
        assert len(moved) <= 1


def test_splits_are_stable_across_releases():
    split_of = assign_splits({letter: letter for letter in "abcdefghij"}, {}, 0.2, 0.3)
    members = [
        "".join(case for case in split_of if split_of[case] == split)
        for split in ("train", "val", "test")
    ]
    assert members == ["adehi", "bj", "cfg"]


@pytest.mark.parametrize("groups", [{}, {"a": "p"}, {"a": "p", "b": "p", "c": "q"}])
def test_fewer_than_three_groups_are_rejected(groups):
    count = len(set(groups.values()))
    message = (
        rf"^expected at least 3 groups \(patients, volumes\) to split, found {count}: see group_by"
    )
    with pytest.raises(InputError, match=message):
        assign_splits(groups, {}, 0.2, 0.3)


@pytest.mark.parametrize("fixed_split", ["train", "val", "test"])
def test_a_fixed_split_holds_for_the_whole_group(fixed_split):
    for seed in SEEDS:
        groups = random_groups(seed, min_groups=4)
        scan = min(groups)
        split_of = assign_splits(groups, {scan: fixed_split}, 0.2, 0.3)
        assert {split_of[other] for other in groups if groups[other] == groups[scan]} == {
            fixed_split
        }
        assert set(split_of.values()) == set(SPLITS)


@pytest.mark.parametrize("fixed_split", ["val", "test"])
def test_val_or_test_with_a_fixed_scan_gets_no_other_group(fixed_split):
    for seed in SEEDS:
        groups = random_groups(seed, min_groups=4)
        scan = max(groups)
        split_of = assign_splits(groups, {scan: fixed_split}, 0.4, 0.4)
        assert {groups[other] for other in groups if split_of[other] == fixed_split} == {
            groups[scan]
        }


def test_fractions_refer_to_scans_without_a_fixed_split():
    names = [f"case_{number}" for number in range(150)]
    groups = dict(zip(names, names, strict=True))
    fixed = dict.fromkeys(names[:50], "test")
    split_of = assign_splits(groups, fixed, 0.2, 0.3)
    assert Counter(split_of.values()) == {"test": 50, "val": 20, "train": 80}
    assert all(split_of[name] == "test" for name in names[:50])


def test_fixed_scans_do_not_move_other_scans():
    names = [f"case_{number}" for number in range(20)]
    fixed = {"x": "train", "y": "train"}
    without = assign_splits({name: name for name in names}, {}, 0.2, 0.3)
    with_fixed = assign_splits({name: name for name in [*names, *fixed]}, fixed, 0.2, 0.3)
    assert with_fixed == without | fixed


def test_a_completely_fixed_data_set_is_unchanged():
    fixed = {"a": "train", "b": "val", "c": "test", "d": "val"}
    assert assign_splits({name: name for name in fixed}, fixed, 0.2, 0.3) == fixed


def test_scans_that_the_lists_of_a_data_set_omit_are_for_training():
    fixed = {"a": "train", "b": "val", "c": "test"}
    groups = {name: name for name in "abcde"}
    assert assign_splits(groups, fixed, 0.2, 0.3) == fixed | {"d": "train", "e": "train"}


@pytest.mark.parametrize(
    ("fixed", "count"),
    [({}, 3), ({"x": "train"}, 2), ({"x": "test"}, 2), ({"x": "val", "y": "train"}, 1)],
)
def test_each_empty_split_needs_a_free_group(fixed, count):
    groups = {name: name for name in (*fixed, *"abc"[:count])}
    assert set(assign_splits(groups, fixed, 0.2, 0.3).values()) == set(SPLITS)
    del groups["abc"[count - 1]]
    with pytest.raises(
        InputError, match=rf"at least {count} groups? .* found {count - 1}: see group_by"
    ):
        assign_splits(groups, fixed, 0.2, 0.3)


@pytest.mark.parametrize(
    ("val_fraction", "test_fraction", "counts"),
    [
        (0, 0, {"train": 10}),
        (0, 0.3, {"train": 7, "test": 3}),
        (0.2, 0, {"train": 8, "val": 2}),
    ],
)
def test_a_share_of_0_leaves_out_the_split(val_fraction, test_fraction, counts):
    groups = {letter: letter for letter in "abcdefghij"}
    split_of = assign_splits(groups, {}, val_fraction, test_fraction)
    assert Counter(split_of.values()) == counts
    # The test split does not depend on the others.
    expected = assign_splits(groups, {}, 0.2, 0.3)
    if test_fraction:
        assert {case for case in groups if split_of[case] == "test"} == {
            case for case in groups if expected[case] == "test"
        }


def test_a_share_of_0_requires_no_group():
    assert assign_splits({"a": "p", "b": "p"}, {}, 0, 0) == {"a": "train", "b": "train"}
    assert set(assign_splits({"a": "a", "b": "b"}, {}, 0, 0.3).values()) == {"train", "test"}
    with pytest.raises(InputError, match=r"at least 2 groups .*, found 1: .* val_fraction: 0 and"):
        assign_splits({"a": "p"}, {}, 0.2, 0)


def test_fixed_scans_keep_their_split_if_its_share_is_0():
    fixed = {"a": "test", "b": "val"}
    groups = {name: name for name in "abcde"}
    assert assign_splits(groups, fixed, 0, 0) == fixed | dict.fromkeys("cde", "train")


def test_groups_with_two_fixed_splits_are_reported_together():
    groups = {"p1_a": "p1", "p1_b": "p1", "p1_c": "p1", "p2_a": "p2", "p3_a": "p3", "p3_b": "p3"}
    fixed = {
        "p3_a": "test",
        "p3_b": "val",
        "p1_a": "test",
        "p1_b": "train",
        "p1_c": "val",
        "p2_a": "val",
    }
    with pytest.raises(InputError) as error:
        assign_splits(groups, fixed, 0.2, 0.3)
    assert str(error.value).split("; ") == [
        "p1: expected one split for the whole group, found train, val, test",
        "p3: expected one split for the whole group, found val, test",
    ]


def test_name_hash_depends_on_name_and_seed():
    assert name_hash("a", 1) == name_hash("a", 1)
    assert len({name_hash("a", 0), name_hash("a", 1), name_hash("b", 0), name_hash("b", 1)}) == 4
