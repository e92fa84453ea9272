"""The index of cases on disk, `data/prepared/index.csv`, and the tables of boxes beside it.

Boxes of training and validation cases are stored in `boxes.csv`. Boxes of test cases, which may be
derived from masks, are stored in `test_boxes.csv`, so that training depends on no test mask.
"""

from pathlib import Path
from typing import Any

import pandas as pd

from automedsam.cases.boxes import EDGES, Box
from automedsam.cases.case import Case, Split
from automedsam.cases.classes import Classes
from automedsam.runtime.errors import InputError

TRAINING_BOXES, TEST_BOXES = "boxes.csv", "test_boxes.csv"
BOX_COLUMNS = ["case", "class", *EDGES]
COLUMNS = [
    "case",
    "group",
    "split",
    "volume",
    "slice",
    "of_slices",
    "height",
    "width",
    "mask",
    "slice_mm",
    "row_mm",
    "column_mm",
    "value_low",
    "value_high",
]
TEXT_COLUMNS = dict.fromkeys(["case", "group", "split", "volume"], str)


def write_index(path: Path, cases: list[Case]) -> None:
    """Write the cases, sorted by name, and their boxes.

    A box is stored with the value of its class; x_max and y_max are the first pixels outside of it.
    """
    cases = sorted(cases, key=lambda case: case.name)
    table = pd.DataFrame(map(_index_row, cases), columns=COLUMNS)
    table = table.astype({"slice": "Int64", "of_slices": "Int64"})
    table.to_csv(path, index=False, lineterminator="\n", float_format="%.6g")
    for name in (TRAINING_BOXES, TEST_BOXES):
        rows = [row for case in cases if _box_file(case.split) == name for row in _box_rows(case)]
        boxes = pd.DataFrame(rows, columns=BOX_COLUMNS)
        boxes.to_csv(path.with_name(name), index=False, lineterminator="\n")


def read_splits(path: Path) -> dict[str, Split]:
    """The split of every case, by name, in sorted order.

    Raises:
      InputError: the file is missing or has other columns.
    """
    table = _read_table(path, COLUMNS)
    return dict(zip(table["case"], table["split"], strict=True))


def read_index(path: Path, classes: Classes, split: Split | None = None) -> list[Case]:
    """The cases of one split, sorted by name.

    Args:
      path: the file that `write_index` wrote.
      classes: the classes; each case gets an entry for each of them.
      split: `None` reads the cases of all splits.

    Raises:
      InputError: a file is missing or has other columns.
    """
    boxes: dict[tuple[str, int], list[Box]] = {}
    for name in (TRAINING_BOXES, TEST_BOXES) if split is None else [_box_file(split)]:
        table = _read_table(path.with_name(name), BOX_COLUMNS)
        for case, value, x0, y0, x1, y1 in table.itertuples(index=False):
            boxes.setdefault((case, value), []).append((x0, y0, x1, y1))
    return [
        Case(
            name=row.case,
            group=row.group,
            split=row.split,
            height=row.height,
            width=row.width,
            boxes={cls.value: tuple(boxes.get((row.case, cls.value), ())) for cls in classes},
            volume=row.volume or None,
            slice=None if pd.isna(row.slice) else int(row.slice),
            volume_slices=None if pd.isna(row.of_slices) else int(row.of_slices),
            has_mask=bool(row.mask),
            spacing_mm=_numbers(row.slice_mm, row.row_mm, row.column_mm),
            value_range=_numbers(row.value_low, row.value_high),
        )
        for row in _read_table(path, COLUMNS).itertuples(index=False)
        if split in (None, row.split)
    ]


def _index_row(case: Case) -> tuple[Any, ...]:
    spacing_mm = case.spacing_mm or (None, None, None)
    value_range = case.value_range or (None, None)
    return (
        case.name,
        case.group,
        case.split,
        case.volume,
        case.slice,
        case.volume_slices,
        case.height,
        case.width,
        int(case.has_mask),
        *spacing_mm,
        *value_range,
    )


def _box_rows(case: Case) -> list[tuple[Any, ...]]:
    return [
        (case.name, value, *box_xyxy)
        for value, boxes_xyxy in case.boxes.items()
        for box_xyxy in boxes_xyxy
    ]


def _box_file(split: Split) -> str:
    return TEST_BOXES if split == "test" else TRAINING_BOXES


def _read_table(path: Path, columns: list[str]) -> pd.DataFrame:
    if not path.is_file():
        raise InputError(f"{path}: no such file; run `dvc repro`, whose prepare stage writes it")
    numbers = [column for column in columns if column not in TEXT_COLUMNS]
    try:
        table = pd.read_csv(
            path,
            dtype=TEXT_COLUMNS,
            keep_default_na=False,
            na_values={column: [""] for column in numbers},
        )
    except ValueError as error:  # pandas' ParserError and EmptyDataError among them
        raise InputError(f"{path}: not a table of the prepare stage: {error}") from None
    if list(table.columns) != columns:
        found = ", ".join(table.columns)
        raise InputError(f"{path}: expected the columns {', '.join(columns)}, found {found}")
    return table


def _numbers(*numbers: float) -> Any:
    """The numbers as a tuple, or `None` if their fields are empty."""
    return None if pd.isna(numbers[0]) else tuple(float(number) for number in numbers)
