"""What some parameters may be, as params.yaml is checked and as the code that acts on them is typed."""

from collections.abc import Iterable, Sequence
from typing import Literal, TypeVar

BoxesPerObject = Literal["union", "component"]
SliceAxis = Literal["auto", "axial", "coronal", "sagittal"]
Augmentation = Literal["flip", "turn", "rotate", "scale", "shift", "intensity"]
Prompting = Literal["locate", "direct"]
PromptSource = Literal["embedding", "image", "both"]
SparsePrompt = Literal["box", "point", "tokens"]


"""How `class_ids` and `mask_ids` are written: an item a class, and a list as an item merges several into one."""

ClassId = int | str
ClassIds = list[ClassId | list[ClassId]] | None
MaskIds = list[int | list[int]] | None
Id = TypeVar("Id", int, ClassId)
MAX_CLASSES = 255  # masks that are written hold 8 bits


def group_ids(items: Sequence[Id | list[Id]]) -> list[tuple[Id, ...]]:
    """The ids of each class."""
    return [tuple(item) if isinstance(item, list) else (item,) for item in items]


def flatten_ids(items: Sequence[Id | list[Id]] | None) -> tuple[Id, ...] | None:
    """All ids, as if they were one class; None stays."""
    return None if items is None else tuple(one for group in group_ids(items) for one in group)


def class_name(ids: Iterable[ClassId]) -> str:
    """What a class is called."""
    return "+".join(map(str, ids))


def are_mask_values(ids: Iterable[ClassId]) -> bool:
    """Whether these may be the values of an object in a mask: whole numbers over 0."""
    return all(isinstance(one, int) and one > 0 for one in ids)


def repeated_ids(ids: Iterable[ClassId]) -> list[str]:
    """What is there more than once; 1 and "1" are the same to a reader."""
    written = [str(one) for one in ids]
    return sorted({one for one in written if written.count(one) > 1})
