"""Assignment of scans to training, validation and test by a hash of their group names.

Because each group is ranked by its own hash, a new group hardly moves the others.
"""

import hashlib
from collections import Counter
from collections.abc import Mapping

from automedsam.cases.case import SPLITS, Split
from automedsam.runtime.errors import ErrorCollector, InputError, count_phrase


def assign_splits(
    groups: Mapping[str, str], fixed: Mapping[str, Split], val_fraction: float, test_fraction: float
) -> dict[str, Split]:
    """Assign every scan to a split; groups are never divided.

    The assignment does not depend on the seed. Groups are ranked by the hash of their names. The
    first ones become the test split until it has its share of the scans, the next ones the
    validation split, and the rest the training split. Each split has at least one group, unless
    its share is 0. A test or validation split that contains a fixed scan gets no other groups.

    Args:
      groups: scan name to group name.
      fixed: scan name to split, for scans whose split is given; it holds for the whole group.
      val_fraction: share of the scans that are not fixed, for validation.
      test_fraction: share of the scans that are not fixed, for testing.

    Returns:
      Scan name to split.

    Raises:
      InputError: fewer groups than splits to fill, or a group with two fixed splits.
    """
    split_of_group = _fixed_splits_of_groups(groups, fixed)
    fractions = {"test": test_fraction, "val": val_fraction}
    to_fill = [
        split for split in fractions if fractions[split] and split not in split_of_group.values()
    ]
    sizes = Counter(group for group in groups.values() if group not in split_of_group)
    min_groups = len(to_fill) + ("train" not in split_of_group.values())
    if len(sizes) < min_groups:
        raise InputError(
            f"expected at least {count_phrase(min_groups, 'group')} (patients, volumes) to split, "
            f"found {len(sizes)}: see group_by; all slices of a volume stay in one split, and "
            "val_fraction: 0 and test_fraction: 0 leave out a split"
        )
    ranked = sorted(sizes, key=name_hash)
    total = sum(sizes.values())
    # The number of groups to keep for the splits that come after this one.
    for reserved, split in zip(range(min_groups - 1, -1, -1), to_fill, strict=False):
        count = 0
        while count == 0 or (count < round(fractions[split] * total) and len(ranked) > reserved):
            group = ranked.pop(0)
            split_of_group[group] = split  # type: ignore[assignment]
            count += sizes[group]
    return {scan: split_of_group.get(group, "train") for scan, group in groups.items()}


def _fixed_splits_of_groups(
    groups: Mapping[str, str], fixed: Mapping[str, Split]
) -> dict[str, Split]:
    """Map the groups of fixed scans to their split."""
    by_group: dict[str, set[Split]] = {}
    for scan, split in fixed.items():
        by_group.setdefault(groups[scan], set()).add(split)
    errors = ErrorCollector()
    for group, splits in sorted(by_group.items()):
        if len(splits) > 1:
            names = ", ".join(split for split in SPLITS if split in splits)
            errors.add(f"{group}: expected one split for the whole group, found {names}")
    errors.raise_if_any()
    return {group: split for group, (split,) in by_group.items()}


def name_hash(name: str, seed: int = 0) -> bytes:
    """Return a sort key for shuffling that depends only on the name and the seed."""
    return hashlib.sha256(f"{seed}/{name}".encode()).digest()
