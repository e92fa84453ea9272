"""Which structures are looked for: what each is called, where raw data have it, and its value in label masks."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from automedsam.runtime.errors import InputError
from automedsam.runtime.files import write_table
from automedsam.runtime.options import (
    ClassId,
    ClassIds,
    MaskIds,
    are_mask_values,
    class_name,
    flatten_ids,
    group_ids,
)

SINGLE_CLASS_VALUE = 255  # the value of a class that is alone: white in any viewer
COLUMNS = ["class", "value"]


@dataclass(frozen=True)
class ObjectClass:
    """One structure; where raw data have it is known to `prepare` alone."""

    name: str
    value: int  # in label masks, 1 to 255
    ids: tuple[ClassId, ...] | None = ()  # of its drawn boxes; None: of any
    mask_values: tuple[int, ...] | None = ()  # in raw masks; None: every one over 0; (): not told

    def takes(self, names: Sequence[ClassId]) -> bool:
        """Whether a drawn box that goes by these ids and names is of this class."""
        return self.ids is None or not set(self.ids).isdisjoint(names)


def parse_classes(class_ids: ClassIds, mask_ids: MaskIds, is_annotated: bool) -> list[ObjectClass]:
    """The classes that the parameters of these names ask for, in their order.

    Args:
      is_annotated: boxes were drawn, of `class_ids`, and `mask_ids` are the values of masks to test on; else masks have
        the values of `class_ids`.
    """
    if class_ids is None:
        return [ObjectClass("object", SINGLE_CLASS_VALUE, None, flatten_ids(mask_ids))]
    groups = group_ids(class_ids)
    in_masks = _told_mask_values(groups, mask_ids) if is_annotated else _own_mask_values(groups)
    values = _values(groups, mask_ids)
    return [
        ObjectClass(class_name(ids), value, ids, of_masks)
        for ids, value, of_masks in zip(groups, values, in_masks, strict=True)
    ]


def label_mask(values: np.ndarray, classes: Sequence[ObjectClass]) -> np.ndarray:
    """A raw mask of any shape, uint8: each class's pixels have its value, the others 0."""
    labels = np.zeros(values.shape, np.uint8)
    for of in classes:
        labels[object_mask(values, of.mask_values)] = of.value
    return labels


def write_classes(path: Path, classes: Sequence[ObjectClass]) -> None:
    """A table of names and values, in the order of the classes."""
    write_table(path, [{"class": of.name, "value": of.value} for of in classes], COLUMNS)


def read_classes(path: Path) -> list[ObjectClass]:
    """What `write_classes` wrote.

    Raises:
      InputError: no such file, or another one.
    """
    try:
        table = pd.read_csv(path, dtype={"class": str, "value": int}, keep_default_na=False)
    except FileNotFoundError:
        raise InputError(
            f"{path}: expected the classes that `prepare` writes, found no such file; run `dvc repro`"
        ) from None
    except ValueError as error:  # pandas' ParserError and EmptyDataError among them
        raise InputError(
            f"{path}: expected the classes that `prepare` writes, found {error}"
        ) from None
    if list(table.columns) != COLUMNS:
        raise InputError(
            f"{path}: expected the columns {', '.join(COLUMNS)}, found {', '.join(table.columns)}"
        )
    return [ObjectClass(name, int(value)) for name, value in table.itertuples(index=False)]


def to_json(classes: Sequence[ObjectClass]) -> str:
    """Names and values, for file headers."""
    return json.dumps({of.name: of.value for of in classes})


def from_json(text: str) -> list[ObjectClass]:
    """What `to_json` wrote."""
    return [ObjectClass(name, value) for name, value in json.loads(text).items()]


def _values(groups: Sequence[tuple[ClassId, ...]], mask_ids: MaskIds) -> list[int]:
    """In label masks: each class's first in `mask_ids`, or else its first id; 1, 2, 3 and so on if one cannot be."""
    if len(groups) == 1:
        return [SINGLE_CLASS_VALUE]
    firsts = (
        [ids[0] for ids in groups] if mask_ids is None else [ids[0] for ids in group_ids(mask_ids)]
    )
    values = [one for one in firsts if isinstance(one, int) and 1 <= one <= 255]
    return values if len(values) == len(firsts) else list(range(1, len(groups) + 1))


def _own_mask_values(groups: Sequence[tuple[ClassId, ...]]) -> list[tuple[int, ...]]:
    """The ids themselves, of classes whose ids are all mask values; else nothing is told of any."""
    if not all(are_mask_values(ids) for ids in groups):
        return [()] * len(groups)
    return [tuple(one for one in ids if isinstance(one, int)) for ids in groups]


def _told_mask_values(
    groups: Sequence[tuple[ClassId, ...]], mask_ids: MaskIds
) -> Sequence[tuple[int, ...] | None]:
    if len(groups) == 1:
        return [flatten_ids(mask_ids)]
    return _own_mask_values(groups) if mask_ids is None else group_ids(mask_ids)


"""TODO"""


def object_mask(labels: np.ndarray, class_ids: Sequence[int] | None) -> np.ndarray:
    """Mask values of any shape to bool: those of `class_ids`, or all over 0 if it is None."""
    return labels > 0 if class_ids is None else np.isin(labels, class_ids)
