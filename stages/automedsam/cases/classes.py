"""The classes to segment: their names, their values in label masks, and their labels."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from automedsam.cases.colours import CLASS_COLOURS
from automedsam.runtime.errors import InputError
from automedsam.runtime.files import write_table
from automedsam.runtime.options import ClassId

SINGLE_CLASS_VALUE = 255  # white in any viewer
COLUMNS = ["class", "value"]


@dataclass(frozen=True)
class ObjectClass:
    """One class; its ids and mask values in raw data are known to the prepare stage only."""

    name: str
    value: int  # in label masks, 1 to 255
    ids: tuple[ClassId, ...] | None = ()  # of its drawn boxes; None: any
    # In raw masks; None: every value over `threshold`; (): unknown.
    mask_values: tuple[int, ...] | None = ()
    threshold: int = 0

    def takes(self, ids: Sequence[ClassId]) -> bool:
        """Whether a drawn box with these ids and names belongs to this class."""
        return self.ids is None or not set(self.ids).isdisjoint(ids)

    def mask_of(self, raw_mask: np.ndarray) -> np.ndarray:
        """The pixels of this class in a raw mask of any shape, bool."""
        if self.mask_values is None:
            return raw_mask > self.threshold
        return np.isin(raw_mask, self.mask_values)


class Classes(tuple[ObjectClass, ...]):
    """All classes of a data set, in order.

    A single class is not marked in the names of files and scores, in titles and in colours, because
    there is no other. The methods that end with `_of` hide this from all callers.
    """

    __slots__ = ()

    @property
    def values(self) -> list[int]:
        """The value of each class in label masks."""
        return [cls.value for cls in self]

    @property
    def names(self) -> list[str]:
        """The name of each class."""
        return [cls.name for cls in self]

    @property
    def is_single(self) -> bool:
        """Whether there is one class only."""
        return len(self) == 1

    def folder_of(self, root: Path, cls: ObjectClass) -> Path:
        """The folder of files of one class: `root`, or a subfolder named by the class's value."""
        return root if self.is_single else root / str(cls.value)

    def key_of(self, name: str, cls: ObjectClass) -> str:
        """A unique key of one class in one image, for random numbers: `name`, or `name/value`."""
        return name if self.is_single else f"{name}/{cls.value}"

    def label_of(self, name: str, cls: ObjectClass, separator: str = ", ") -> str:
        """The name of one class in one image: `name`, followed by the class's name."""
        return name if self.is_single else f"{name}{separator}{cls.name}"

    def suffix_of(self, cls: ObjectClass) -> str:
        """The end of the names of one class's scores: none, or `_of_NAME`."""
        return "" if self.is_single else f"_of_{cls.name}"

    def colour_of(self, cls: ObjectClass, single: str) -> str:
        """The class's own colour, or `single` for a single class; colours repeat after seven."""
        return single if self.is_single else CLASS_COLOURS[self.index(cls) % len(CLASS_COLOURS)]


def label_mask(raw_mask: np.ndarray, classes: Classes) -> np.ndarray:
    """Label mask of the same shape as a raw mask, uint8: the value of each class, elsewhere 0."""
    labels = np.zeros(raw_mask.shape, np.uint8)
    for cls in classes:
        labels[cls.mask_of(raw_mask)] = cls.value
    return labels


def write_classes(path: Path, classes: Classes) -> None:
    """Write a table with the name and the value of each class."""
    write_table(path, [{"class": cls.name, "value": cls.value} for cls in classes], COLUMNS)


def read_classes(path: Path) -> Classes:
    """Read the table that `write_classes` wrote.

    Raises:
      InputError: the file is missing or has other columns.
    """
    try:
        table = pd.read_csv(path, dtype={"class": str, "value": int}, keep_default_na=False)
    except FileNotFoundError:
        raise InputError(
            f"{path}: no such file; run `dvc repro`, whose prepare stage writes it"
        ) from None
    except ValueError as error:  # pandas' ParserError and EmptyDataError among them
        raise InputError(f"{path}: not a table of classes: {error}") from None
    if list(table.columns) != COLUMNS:
        found = ", ".join(table.columns)
        raise InputError(f"{path}: expected the columns {', '.join(COLUMNS)}, found {found}")
    return Classes(ObjectClass(name, int(value)) for name, value in table.itertuples(index=False))


def to_json(classes: Classes) -> str:
    """Names and values, for file headers and messages."""
    return json.dumps({cls.name: cls.value for cls in classes})
