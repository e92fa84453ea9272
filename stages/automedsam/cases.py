"""The index of cases, `data/prepared/index.csv` and `boxes.csv`: each image's place in the data set, and its boxes."""

from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import pandas as pd

from automedsam.boxes import Box
from automedsam.errors import InputError

Split = Literal["train", "val", "test"]
SPLITS: tuple[Split, ...] = ("train", "val", "test")
Spacing = tuple[float, float, float]  # mm from slice to slice, row to row, column to column


@dataclass(frozen=True)
class Case:
    """One image of the data set, or one slice of a volume, as it was prepared."""

    name: str
    group: str  # the patient or exam; never in two splits
    split: Split
    height: int  # px
    width: int  # px
    boxes_xyxy: tuple[Box, ...] = ()  # px, half open; none where the object is absent
    volume: str | None = None  # the volume that it is a slice of
    slice: int | None = None
    volume_slices: int | None = None  # how many slices that volume has, used or not
    has_mask: bool = False  # true of test cases alone, if at all
    spacing_mm: Spacing | None = None
    value_range: tuple[float, float] | None = None  # the raw values that became 0 and 255

    @property
    def image_size(self) -> tuple[int, int]:
        return self.height, self.width

    @property
    def has_object(self) -> bool:
        return bool(self.boxes_xyxy)


BOX_COLUMNS = ["case", "x_min", "y_min", "x_max", "y_max"]
COLUMNS = ["case", "group", "split", "volume", "slice", "of_slices", "height", "width", "boxes", "mask",
           "slice_mm", "row_mm", "column_mm", "value_low", "value_high"]  # fmt: skip
TEXT = dict.fromkeys(["case", "group", "split", "volume"], str)


def write_index(path: Path, cases: list[Case]) -> None:
    """Write the cases, sorted by name, and beside them `boxes.csv`; x_max and y_max are the first pixels past a box."""
    cases = sorted(cases, key=lambda case: case.name)
    rows = [
        (
            c.name,
            c.group,
            c.split,
            c.volume,
            c.slice,
            c.volume_slices,
            c.height,
            c.width,
            len(c.boxes_xyxy),
            int(c.has_mask),
        )
        + (c.spacing_mm or (None,) * 3)
        + (c.value_range or (None,) * 2)
        for c in cases
    ]
    table = pd.DataFrame(rows, columns=COLUMNS).astype({"slice": "Int64", "of_slices": "Int64"})
    boxes = pd.DataFrame([(c.name, *box) for c in cases for box in c.boxes_xyxy], columns=BOX_COLUMNS)
    table.to_csv(path, index=False, lineterminator="\n", float_format="%.6g")
    boxes.to_csv(_boxes_path(path), index=False, lineterminator="\n")


def read_index(path: Path, split: Split | None = None) -> list[Case]:
    """The cases of one split, or all, sorted by name.

    Raises:
      InputError: no such file, another one's columns, or boxes that are not those of the index.
    """
    table, boxes = _read(path, COLUMNS), _read(_boxes_path(path), BOX_COLUMNS)
    boxes_of: dict[str, list[Box]] = defaultdict(list)
    for name, *box in boxes.itertuples(index=False):
        boxes_of[name].append((box[0], box[1], box[2], box[3]))
    if {name: len(found) for name, found in boxes_of.items()} != {
        r.case: r.boxes for r in table.itertuples() if r.boxes
    }:
        raise InputError(f"{_boxes_path(path)}: expected as many boxes a case as {path} tells, found others")
    cases = [
        Case(
            name=r.case,
            group=r.group,
            split=r.split,
            height=r.height,
            width=r.width,
            boxes_xyxy=tuple(boxes_of[r.case]),
            volume=r.volume or None,
            slice=None if pd.isna(r.slice) else int(r.slice),
            volume_slices=None if pd.isna(r.of_slices) else int(r.of_slices),
            has_mask=bool(r.mask),
            spacing_mm=_known(r.slice_mm, r.row_mm, r.column_mm),
            value_range=_known(r.value_low, r.value_high),
        )
        for r in table.itertuples(index=False)
    ]
    return [case for case in cases if split in (None, case.split)]


def _boxes_path(index: Path) -> Path:
    return index.with_name("boxes.csv")


def _read(path: Path, columns: list[str]) -> pd.DataFrame:
    if not path.is_file():
        raise InputError(f"{path}: expected the index that `prepare` writes, found no such file; run `dvc repro`")
    numbers = [column for column in columns if column not in TEXT]
    try:
        table = pd.read_csv(path, dtype=TEXT, keep_default_na=False, na_values={column: [""] for column in numbers})
    except ValueError as error:  # pandas' ParserError and EmptyDataError among them
        raise InputError(f"{path}: expected the index that `prepare` writes, found {error}") from None
    if list(table.columns) != columns:
        raise InputError(f"{path}: expected the columns {', '.join(columns)}, found {', '.join(table.columns)}")
    return table


def _known(*numbers: float) -> Any:
    return None if pd.isna(numbers[0]) else tuple(float(number) for number in numbers)
