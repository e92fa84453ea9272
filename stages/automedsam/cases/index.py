"""TODO"""

from collections import defaultdict
from pathlib import Path
from typing import Any

import pandas as pd

from automedsam.cases.boxes import EDGES, Box
from automedsam.cases.case import Case, Split
from automedsam.runtime.errors import InputError

BOX_FILES = ("boxes.csv", "test_boxes.csv")

BOX_COLUMNS = ["case", "class", *EDGES]

COLUMNS = ["case", "group", "split", "volume", "slice", "of_slices", "height", "width", "mask",
           "slice_mm", "row_mm", "column_mm", "value_low", "value_high"]  # fmt: skip

TEXT = dict.fromkeys(["case", "group", "split", "volume"], str)


def write_index(path: Path, cases: list[Case]) -> None:
    """Write the cases, sorted by name, and their boxes; x_max and y_max are the first pixels past a box.

    A box's class is a value, or nothing where there is one class alone.
    """
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
            int(c.has_mask),
        )
        + (c.spacing_mm or (None,) * 3)
        + (c.value_range or (None,) * 2)
        for c in cases
    ]
    table = pd.DataFrame(rows, columns=COLUMNS).astype({"slice": "Int64", "of_slices": "Int64"})
    table.to_csv(path, index=False, lineterminator="\n", float_format="%.6g")
    for name in BOX_FILES:
        boxes = [row for c in cases if _box_file(c.split) == name for row in _box_rows(c)]
        of_file = pd.DataFrame(boxes, columns=BOX_COLUMNS).astype({"class": "Int64"})
        of_file.to_csv(path.with_name(name), index=False, lineterminator="\n")


def read_splits(path: Path) -> dict[str, Split]:
    """The names of all cases, sorted, and their splits: all that is to be known to embed their images.

    Raises:
      InputError: as `read_index`.
    """
    table = _read(path, COLUMNS)
    return dict(zip(table["case"], table["split"], strict=True))


def read_index(path: Path, split: Split | None = None) -> list[Case]:
    """The cases of one split, or all, sorted by name.

    Raises:
      InputError: no such file, or another one's columns.
    """
    table = _read(path, COLUMNS)
    boxes_of: dict[str, list[Box]] = defaultdict(list)
    classes_of: dict[str, list[int]] = defaultdict(list)
    for name in BOX_FILES if split is None else [_box_file(split)]:
        for case, of_class, *box in _read(path.with_name(name), BOX_COLUMNS).itertuples(
            index=False
        ):
            boxes_of[case].append((box[0], box[1], box[2], box[3]))
            if not pd.isna(of_class):
                classes_of[case].append(int(of_class))
    return [
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
            box_classes=tuple(classes_of[r.case]),
        )
        for r in table.itertuples(index=False)
        if split in (None, r.split)
    ]


def _box_rows(case: Case) -> list[tuple[Any, ...]]:
    classes = case.box_classes or (None,) * len(case.boxes_xyxy)
    return [
        (case.name, of_class, *box) for box, of_class in zip(case.boxes_xyxy, classes, strict=True)
    ]


def _box_file(split: Split) -> str:
    return BOX_FILES[split == "test"]


def _read(path: Path, columns: list[str]) -> pd.DataFrame:
    if not path.is_file():
        raise InputError(
            f"{path}: expected the index that `prepare` writes, found no such file; run `dvc repro`"
        )
    numbers = [column for column in columns if column not in TEXT]
    try:
        table = pd.read_csv(
            path, dtype=TEXT, keep_default_na=False, na_values={column: [""] for column in numbers}
        )
    except ValueError as error:  # pandas' ParserError and EmptyDataError among them
        raise InputError(
            f"{path}: expected the index that `prepare` writes, found {error}"
        ) from None
    if list(table.columns) != columns:
        raise InputError(
            f"{path}: expected the columns {', '.join(columns)}, found {', '.join(table.columns)}"
        )
    return table


def _known(*numbers: float) -> Any:
    return None if pd.isna(numbers[0]) else tuple(float(number) for number in numbers)
