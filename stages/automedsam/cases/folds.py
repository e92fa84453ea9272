"""Folds of a cross-validation: each case is held out once, and groups are not divided."""

import hashlib
from collections import Counter
from collections.abc import Sequence
from typing import Protocol, TypeVar

from automedsam.cases.boxes import BoxesByClass
from automedsam.cases.classes import Classes
from automedsam.runtime.errors import ErrorCollector, count_phrase

ANY, NONE = -1, -2  # beside the values of classes
MAX_FOLDS = 3  # each fold costs one more training; with three, each learns from two thirds


class Boxed(Protocol):
    """A case, or a slice that may become one."""

    @property
    def name(self) -> str: ...
    @property
    def group(self) -> str: ...
    @property
    def boxes(self) -> BoxesByClass: ...


T = TypeVar("T", bound=Boxed)


def check_folds(cases: Sequence[Boxed], classes: Classes) -> None:
    """Raise InputError for each class that is boxed in fewer than two cases.

    A model could not learn from one box and be validated on another.
    """
    errors = ErrorCollector()
    for cls in classes:
        count = sum(bool(case.boxes[cls.value]) for case in cases)
        if count < 2:
            of_class = "" if classes.is_single else f" of class {cls.name}"
            errors.add(
                f"val_fraction: cross-validation requires at least 2 boxed training images"
                f"{of_class}, found {count}; draw more boxes, or raise train_cases"
            )
    errors.raise_if_any()


def outside_groups(fold: Sequence[Boxed], cases: Sequence[T]) -> list[T]:
    """The cases whose group has no case in the fold."""
    groups = {case.group for case in fold}
    return [case for case in cases if case.group not in groups]


def assign_folds(cases: Sequence[T]) -> list[list[T]]:
    """Divide cases into up to `MAX_FOLDS` folds, each with at least one boxed case.

    The groups of each class are spread over the folds, then the numbers of boxed cases and of
    cases without a box are balanced. If all boxes are in one group, it is divided by the order of
    names, so that neighbouring slices stay together. The folds depend neither on the seed nor on
    the order of the cases.

    Args:
      cases: at least two of them have a box.

    Returns:
      The folds, each sorted by name; 2 if there are only two groups (or boxed cases).
    """
    cases = sorted(cases, key=lambda case: case.name)
    boxed_groups = {case.group for case in cases if _classes_of(case)}
    blocks = _blocks_of_groups(cases)
    if len(boxed_groups) == 1:
        divided = _divide_by_name([case for case in cases if case.group in boxed_groups])
        blocks = divided + [block for block in blocks if block[0].group not in boxed_groups]
    return [sorted(fold, key=lambda case: case.name) for fold in _spread(blocks)]


def describe_folds(folds: Sequence[Sequence[Boxed]]) -> str:
    """The folds in words, such as "3 folds of 5, 5 and 4 boxed images from 14 groups"."""
    *others, last = [str(sum(bool(_classes_of(case)) for case in fold)) for fold in folds]
    boxed_groups = {case.group for fold in folds for case in fold if _classes_of(case)}
    return (
        f"{len(folds)} folds of {', '.join(others)} and {last} boxed images "
        f"from {count_phrase(len(boxed_groups), 'group')}"
    )


def divided_groups(folds: Sequence[Sequence[Boxed]]) -> list[str]:
    """The names of the groups that have cases in several folds, sorted."""
    counts = Counter(group for fold in folds for group in {case.group for case in fold})
    return sorted(group for group, count in counts.items() if count > 1)


def _classes_of(case: Boxed) -> list[int]:
    return [value for value, boxes_xyxy in case.boxes.items() if boxes_xyxy]


def _blocks_of_groups(cases: Sequence[T]) -> list[list[T]]:
    blocks: dict[str, list[T]] = {}
    for case in cases:
        blocks.setdefault(case.group, []).append(case)
    return list(blocks.values())


def _divide_by_name(cases: Sequence[T]) -> list[list[T]]:
    """Blocks of neighbours with equal numbers of boxed cases, to one case."""
    total = sum(bool(_classes_of(case)) for case in cases)
    count = min(total, MAX_FOLDS)
    blocks: list[list[T]] = [[] for _ in range(count)]
    boxed = 0
    for case in cases:
        boxed += bool(_classes_of(case))
        blocks[max(boxed - 1, 0) * count // total].append(case)
    return blocks


def _spread(blocks: Sequence[Sequence[T]]) -> list[list[T]]:
    """Join blocks to folds: each goes where the fewest cases show its rarest class."""
    frequency = Counter(value for block in blocks for value in _content(block))
    folds: list[list[T]] = [[] for _ in range(min(frequency[ANY], MAX_FOLDS))]
    contents: list[Counter[int]] = [Counter() for _ in folds]

    def balanced(block: Sequence[T]) -> list[int]:
        """What is to be balanced by this block, the most important first."""
        values = _content(block).keys() - {NONE} or {NONE}
        return sorted(values, key=lambda value: (frequency[value], value))

    def urgency(block: Sequence[T]) -> tuple[bool, int, int, bytes]:
        boxed, rarest = _content(block)[ANY], frequency[balanced(block)[0]]
        return boxed == 0, rarest, -boxed, hashlib.sha256(block[0].group.encode()).digest()

    for block in sorted(blocks, key=urgency):
        loads = [[content[value] for value in balanced(block)] for content in contents]
        chosen = loads.index(min(loads))
        folds[chosen] += block
        contents[chosen] += _content(block)
    return folds


def _content(block: Sequence[Boxed]) -> Counter[int]:
    """The number of cases that show each class, any class, or none."""
    content: Counter[int] = Counter()
    for case in block:
        values = _classes_of(case)
        content.update([*values, ANY] if values else [NONE])
    return content
