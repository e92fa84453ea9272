"""Who trains, who validates, who tests: by hash, so that one more image moves no other."""

import hashlib
from collections import Counter
from collections.abc import Mapping

from automedsam.cases.case import SPLITS, Split
from automedsam.runtime.errors import ErrorCollector, InputError


def assign_splits(
    groups: Mapping[str, str], fixed: Mapping[str, Split], val_fraction: float, test_fraction: float
) -> dict[str, Split]:
    """The split of every scan, whole groups together, the same for every seed.

    Groups are ranked by the hash of their names; the first ones go to test until it holds its share of the scans, the
    next to val, the rest to train. Each split gets a group at least; test or val, where it
    holds a fixed scan, gets no other.

    Args:
      groups: scan name to group name.
      fixed: splits that are given, by scan name; the rest of a group follows.
      val_fraction, test_fraction: shares of the scans that are not fixed.

    Raises:
      InputError: fewer groups than splits to fill, or a group that was given two splits.
    """
    split_of = _splits_of_groups(groups, fixed)
    to_fill = [split for split in ("test", "val") if split not in split_of.values()]
    sizes = Counter(group for group in groups.values() if group not in split_of)
    least = len(to_fill) + ("train" not in split_of.values())
    if len(sizes) < least:
        raise InputError(
            f"expected at least {least} groups (patients, volumes) to split, found {len(sizes)}: see group_by; "
            "one volume alone is never torn apart, its slices are too alike"
        )
    ranked = sorted(sizes, key=name_hash)
    fractions = {"val": val_fraction, "test": test_fraction}
    total = sum(sizes.values())
    for left, split in zip(range(least - 1, -1, -1), to_fill, strict=False):
        count = 0
        while count == 0 or (count < round(fractions[split] * total) and len(ranked) > left):
            group = ranked.pop(0)
            split_of[group] = split  # type: ignore[assignment]
            count += sizes[group]
    return {scan: split_of.get(group, "train") for scan, group in groups.items()}


def _splits_of_groups(groups: Mapping[str, str], fixed: Mapping[str, Split]) -> dict[str, Split]:
    given: dict[str, set[Split]] = {}
    for scan, split in fixed.items():
        given.setdefault(groups[scan], set()).add(split)
    errors = ErrorCollector()
    for group, splits in sorted(given.items()):
        if len(splits) > 1:
            found = ", ".join(s for s in SPLITS if s in splits)
            errors.add(f"{group}: expected one split for all of the group, found {found}")
    errors.raise_if_any()
    return {group: split for group, (split,) in given.items()}


def name_hash(name: str, seed: int = 0) -> bytes:
    """A place in a shuffle that depends on nothing but the name and the seed."""
    return hashlib.sha256(f"{seed}/{name}".encode()).digest()
