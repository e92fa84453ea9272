"""Who trains, who validates, who tests: by hash, so that one more image moves no other."""

import hashlib
from collections import Counter

from automedsam.cases import Split
from automedsam.errors import InputError


def assign_splits(groups: dict[str, str], val_fraction: float, test_fraction: float) -> dict[str, Split]:
    """The split of every case, whole groups together, the same for every seed.

    Groups are ranked by the hash of their names; the first ones go to test until it holds its share of the cases, the
    next to val, the rest to train. Each split gets a group at least.

    Args:
      groups: case name to group name.
      val_fraction, test_fraction: shares of the cases.

    Raises:
      InputError: fewer than three groups.
    """
    sizes = Counter(groups.values())
    if len(sizes) < 3:
        raise InputError(f"expected at least 3 groups (patients, exams) to split, found {len(sizes)}: see group_by")
    ranked = sorted(sizes, key=rank)
    split_of: dict[str, Split] = {}
    for split, fraction in (("test", test_fraction), ("val", val_fraction)):
        count = 0
        still_wanted = 1 if split == "test" else 0  # groups to leave for val, beside the one for train
        while count == 0 or (count < round(fraction * len(groups)) and len(ranked) > 1 + still_wanted):
            group = ranked.pop(0)
            split_of[group] = split  # type: ignore[assignment]
            count += sizes[group]
    return {case: split_of.get(group, "train") for case, group in groups.items()}


def rank(name: str, seed: int = 0) -> bytes:
    """A place in a shuffle that depends on nothing but the name and the seed."""
    return hashlib.sha256(f"{seed}/{name}".encode()).digest()
