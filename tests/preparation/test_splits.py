"""Splits: whole groups, the shares asked for, and as few moves as can be when a case is added."""

import random
from collections import Counter

import pytest

from automedsam.cases.case import SPLITS
from automedsam.preparation.splits import assign_splits, name_hash
from automedsam.runtime.errors import InputError

STRUCTURES = range(300)
EXTREMES = [(0.001, 0.001), (0.001, 0.998), (0.998, 0.001), (0.4999, 0.4999), (0.2, 0.3)]


def random_groups(seed: int, least: int = 3) -> dict[str, str]:
    """Case to group: up to 30 groups, from one case each to one that outweighs all others."""
    dice = random.Random(seed)
    sizes = [dice.choice([1, 1, 2, 5, 40]) for _ in range(dice.randint(least, 30))]
    return {
        f"{seed}_{group}_{number}": f"{seed}_{group}"
        for group, size in enumerate(sizes)
        for number in range(size)
    }


@pytest.mark.parametrize(("val_fraction", "test_fraction"), EXTREMES)
def test_a_group_never_crosses_and_no_split_is_empty(val_fraction, test_fraction):
    for seed in STRUCTURES:
        groups = random_groups(seed)
        split_of = assign_splits(groups, {}, val_fraction, test_fraction)
        assert split_of.keys() == groups.keys()
        assert set(split_of.values()) == set(SPLITS)
        assert len({(groups[case], split) for case, split in split_of.items()}) == len(
            set(groups.values())
        )


@pytest.mark.parametrize(("val_fraction", "test_fraction"), EXTREMES)
def test_three_groups_get_a_split_each(val_fraction, test_fraction):
    for seed in STRUCTURES:
        groups = {f"{seed}{letter}": f"{seed}{letter}" for letter in "abc"}
        assert Counter(
            assign_splits(groups, {}, val_fraction, test_fraction).values()
        ) == dict.fromkeys(SPLITS, 1)


@pytest.mark.parametrize(
    ("val_fraction", "test_fraction", "sizes"),
    [
        (0.2, 0.3, (50, 20, 30)),
        (0.1, 0.1, (80, 10, 10)),
        (0.5, 0.45, (5, 50, 45)),
        (0.001, 0.001, (98, 1, 1)),
    ],
)
def test_fractions_of_single_cases_are_met_exactly(val_fraction, test_fraction, sizes):
    cases = [f"case_{number}" for number in range(100)]
    counts = Counter(
        assign_splits(
            dict(zip(cases, cases, strict=True)), {}, val_fraction, test_fraction
        ).values()
    )
    assert tuple(counts[split] for split in SPLITS) == sizes


def test_a_split_of_groups_is_over_its_share_by_less_than_one_group():
    for seed in STRUCTURES:
        groups = random_groups(seed, least=10)
        sizes, counts = (
            Counter(groups.values()),
            Counter(assign_splits(groups, {}, 0.2, 0.3).values()),
        )
        for split, fraction in (("val", 0.2), ("test", 0.3)):
            assert counts[split] < max(round(fraction * len(groups)), 1) + max(sizes.values())


def test_a_split_is_under_its_share_only_when_groups_run_out():
    for seed in STRUCTURES:
        groups = random_groups(seed)
        split_of = assign_splits(groups, {}, 0.2, 0.3)
        counts = Counter(split_of.values())
        left = {groups[case] for case, split in split_of.items() if split == "train"}
        if counts["val"] < round(0.2 * len(groups)):
            assert len(left) == 1


def test_order_of_cases_does_not_matter():
    for seed in STRUCTURES:
        cases = list(random_groups(seed).items())
        random.Random(seed).shuffle(cases)
        assert assign_splits(dict(cases), {}, 0.2, 0.3) == assign_splits(
            random_groups(seed), {}, 0.2, 0.3
        )


def test_one_more_case_moves_at_most_one_other_over_each_boundary():
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


def test_one_more_case_moves_at_most_one_other_group_in_or_out_of_the_test_set():
    for seed in STRUCTURES:
        groups = random_groups(seed)
        before, after = (
            assign_splits(groups, {}, 0.2, 0.3),
            assign_splits(groups | {"new": "new"}, {}, 0.2, 0.3),
        )
        assert (
            len(
                {
                    groups[case]
                    for case in groups
                    if (before[case] == "test") != (after[case] == "test")
                }
            )
            <= 1
        )


def test_splits_are_the_same_in_every_release():
    split_of = assign_splits({letter: letter for letter in "abcdefghij"}, {}, 0.2, 0.3)
    members = [
        "".join(case for case in split_of if split_of[case] == split)
        for split in ("train", "val", "test")
    ]
    assert members == ["adehi", "bj", "cfg"]


@pytest.mark.parametrize("groups", [{}, {"a": "p"}, {"a": "p", "b": "p", "c": "q"}])
def test_fewer_than_three_groups_are_refused(groups):
    expected = rf"^expected at least 3 groups \(patients, volumes\) to split, found {len(set(groups.values()))}: see group_by"
    with pytest.raises(InputError, match=expected):
        assign_splits(groups, {}, 0.2, 0.3)


@pytest.mark.parametrize("given", ["train", "val", "test"])
def test_a_fixed_scan_stays_where_it_was_put_and_its_group_with_it(given):
    for seed in STRUCTURES:
        groups = random_groups(seed, least=4)
        scan = min(groups)
        split_of = assign_splits(groups, {scan: given}, 0.2, 0.3)
        assert {split_of[other] for other in groups if groups[other] == groups[scan]} == {given}
        assert set(split_of.values()) == set(SPLITS)


@pytest.mark.parametrize("given", ["val", "test"])
def test_val_or_test_that_holds_a_fixed_scan_gets_no_other(given):
    for seed in STRUCTURES:
        groups = random_groups(seed, least=4)
        scan = max(groups)
        split_of = assign_splits(groups, {scan: given}, 0.4, 0.4)
        assert {groups[other] for other in groups if split_of[other] == given} == {groups[scan]}


def test_shares_are_those_of_the_scans_that_are_not_fixed():
    names = [f"case_{number}" for number in range(150)]
    groups = dict(zip(names, names, strict=True))
    to_test_on = dict.fromkeys(names[:50], "test")
    split_of = assign_splits(groups, to_test_on, 0.2, 0.3)
    assert Counter(split_of.values()) == {"test": 50, "val": 20, "train": 80}
    assert all(split_of[name] == "test" for name in names[:50])


def test_fixed_scans_do_not_move_the_others():
    names = [f"case_{number}" for number in range(20)]
    alone = assign_splits({name: name for name in names}, {}, 0.2, 0.3)
    beside = {name: name for name in [*names, "x", "y"]}
    assert assign_splits(beside, {"x": "train", "y": "train"}, 0.2, 0.3) == alone | {
        "x": "train",
        "y": "train",
    }


def test_a_data_set_that_is_fixed_as_a_whole_is_taken_as_it_is():
    fixed = {"a": "train", "b": "val", "c": "test", "d": "val"}
    assert assign_splits({name: name for name in fixed}, fixed, 0.2, 0.3) == fixed


def test_what_the_lists_of_a_whole_data_set_leave_out_is_trained_on():
    fixed = {"a": "train", "b": "val", "c": "test"}
    groups = {name: name for name in "abcde"}
    assert assign_splits(groups, fixed, 0.2, 0.3) == fixed | {"d": "train", "e": "train"}


@pytest.mark.parametrize(
    ("fixed", "least"),
    [({}, 3), ({"x": "train"}, 2), ({"x": "test"}, 2), ({"x": "val", "y": "train"}, 1)],
)
def test_each_split_that_holds_nothing_needs_a_group_that_is_free(fixed, least):
    groups = {name: name for name in (*fixed, *"abc"[:least])}
    assert set(assign_splits(groups, fixed, 0.2, 0.3).values()) == set(SPLITS)
    del groups["abc"[least - 1]]
    with pytest.raises(
        InputError, match=rf"at least {least} groups .* found {least - 1}: see group_by"
    ):
        assign_splits(groups, fixed, 0.2, 0.3)


def test_groups_that_were_given_two_splits_are_all_told():
    groups = {"p1_a": "p1", "p1_b": "p1", "p1_c": "p1", "p2_a": "p2", "p3_a": "p3", "p3_b": "p3"}
    fixed = {
        "p3_a": "test",
        "p3_b": "val",
        "p1_a": "test",
        "p1_b": "train",
        "p1_c": "val",
        "p2_a": "val",
    }
    with pytest.raises(InputError) as told:
        assign_splits(groups, fixed, 0.2, 0.3)
    assert str(told.value).split("; ") == [
        "p1: expected one split for all of the group, found train, val, test",
        "p3: expected one split for all of the group, found val, test",
    ]


def test_rank_depends_on_name_and_seed_alone():
    assert name_hash("a", 1) == name_hash("a", 1)
    assert len({name_hash("a", 0), name_hash("a", 1), name_hash("b", 0), name_hash("b", 1)}) == 4
