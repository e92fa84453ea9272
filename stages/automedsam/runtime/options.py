"""Types of parameters with a fixed set of values, and helpers for `class_ids` and `mask_ids`.

`class_ids` and `mask_ids` list one item per class. An item is an id, or a list of ids that are
merged into one class: `[[1, 2], 3]` means two classes.
"""

from collections.abc import Iterable, Sequence
from typing import Literal, TypeVar

BackboneName = Literal[
    "sam_tiny", "lite_medsam", "medsam_vit_b", "sam_vit_b", "sam_vit_l", "sam_vit_h"
]
BoxesPerObject = Literal["union", "component"]
Unboxed = Literal["unknown", "empty"]
Unlabelled = Literal["use", "ignore"]
SliceAxis = Literal["auto", "axial", "coronal", "sagittal"]
Augmentation = Literal["flip", "turn", "rotate", "scale", "shift", "intensity"]
Prompting = Literal["locate", "direct"]
PromptSource = Literal["embedding", "image", "both"]
SparsePrompt = Literal["box", "point", "tokens"]

ClassId = int | str
ClassIds = list[ClassId | list[ClassId]] | None
MaskIds = list[int | list[int]] | None
Id = TypeVar("Id", int, ClassId)
VAL_FRACTION, TEST_FRACTION = 0.2, 0.3  # the largest values of `auto`
MAX_CLASSES = 255  # label masks are 8-bit images, in which 0 is the background


def group_ids(items: Sequence[Id | list[Id]]) -> list[tuple[Id, ...]]:
    """Return the ids of each class: `[[1, 2], 3]` becomes `[(1, 2), (3,)]`."""
    return [tuple(item) if isinstance(item, list) else (item,) for item in items]


def flatten_ids(items: Sequence[Id | list[Id]] | None) -> tuple[Id, ...] | None:
    """Return the ids of all classes: `[[1, 2], 3]` becomes `(1, 2, 3)`; None stays None."""
    if items is None:
        return None
    return tuple(one for group in group_ids(items) for one in group)


def class_name(ids: Iterable[ClassId]) -> str:
    """Return the name of the class with these ids: `(1, 2)` becomes "1+2"."""
    return "+".join(map(str, ids))


def repeated_ids(ids: Iterable[ClassId]) -> list[str]:
    """Return the ids that occur more than once, sorted; 1 and "1" count as the same id."""
    texts = [str(one) for one in ids]
    return sorted({text for text in texts if texts.count(text) > 1})


def are_mask_values(ids: Iterable[ClassId], lowest: int = 1) -> bool:
    """Return whether all ids can be mask values of an object: integers from `lowest` on."""
    return all(isinstance(one, int) and one >= lowest for one in ids)
