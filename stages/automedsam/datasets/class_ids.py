"""The classes that the parameters `class_ids` and `mask_ids` define."""

from collections.abc import Sequence

from automedsam.cases.classes import SINGLE_CLASS_VALUE, Classes, ObjectClass
from automedsam.runtime.options import (
    ClassId,
    ClassIds,
    MaskIds,
    are_mask_values,
    class_name,
    flatten_ids,
    group_ids,
)


def parse_classes(class_ids: ClassIds, mask_ids: MaskIds, is_annotated: bool) -> Classes:
    """The classes in the order of `class_ids`.

    Args:
      class_ids: the parameter of this name.
      mask_ids: the parameter of this name.
      is_annotated: whether boxes were drawn. `class_ids` are then ids of drawn boxes and `mask_ids`
        are values of test masks; otherwise masks have the values of `class_ids`.
    """
    if class_ids is None:
        return Classes([ObjectClass("object", SINGLE_CLASS_VALUE, None, flatten_ids(mask_ids))])
    groups = group_ids(class_ids)
    mask_values = _test_mask_values(groups, mask_ids) if is_annotated else _own_values(groups, 0)
    return Classes(
        ObjectClass(class_name(ids), value, ids, values)
        for ids, value, values in zip(groups, _labels(groups, mask_ids), mask_values, strict=True)
    )


def _labels(groups: Sequence[tuple[ClassId, ...]], mask_ids: MaskIds) -> list[int]:
    """The value of each class in label masks.

    It is the first item of the class in `mask_ids`, or its first id. If any of these is not a whole
    number from 1 to 255, the classes are numbered 1, 2, 3 and so on.
    """
    if len(groups) == 1:
        return [SINGLE_CLASS_VALUE]
    if mask_ids is None:
        candidates: list[ClassId] = [ids[0] for ids in groups]
    else:
        candidates = [values[0] for values in group_ids(mask_ids)]
    values = [value for value in candidates if isinstance(value, int) and 1 <= value <= 255]
    return values if len(values) == len(groups) else list(range(1, len(groups) + 1))


def _own_values(groups: Sequence[tuple[ClassId, ...]], lowest: int) -> list[tuple[int, ...]]:
    """The ids as mask values; no values for any class if some id cannot be one.

    The lowest value of an object is 0 for ids that are mask values, and 1 for ids of drawn boxes,
    whose id 0 is no background.
    """
    if not all(are_mask_values(ids, lowest) for ids in groups):
        return [()] * len(groups)
    return [tuple(value for value in ids if isinstance(value, int)) for ids in groups]


def _test_mask_values(
    groups: Sequence[tuple[ClassId, ...]], mask_ids: MaskIds
) -> Sequence[tuple[int, ...] | None]:
    if len(groups) == 1:
        return [flatten_ids(mask_ids)]
    return _own_values(groups, 1) if mask_ids is None else group_ids(mask_ids)
