"""The index of cases, `data/prepared/index.csv`: what each image is called, where it belongs and where its box lies."""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import pandas as pd

from automedsam.boxes import EMPTY, Box
from automedsam.errors import InputError

Split = Literal["train", "val", "test"]
SPLITS: tuple[Split, ...] = ("train", "val", "test")


@dataclass(frozen=True)
class Case:
    """One image of the data set, and its box: tight, or empty where the image has no object."""

    name: str
    group: str  # the patient or exam; never in two splits
    split: Split
    height: int  # px
    width: int  # px
    box_xyxy: Box  # px of the image, half open

    @property
    def image_size(self) -> tuple[int, int]:
        return self.height, self.width

    @property
    def has_object(self) -> bool:
        return self.box_xyxy != EMPTY


COLUMNS = ["case", "group", "split", "height", "width", "x_min", "y_min", "x_max", "y_max"]


def write_index(path: Path, cases: list[Case]) -> None:
    """Write the cases, sorted by name; x_max and y_max are the first pixels past the box."""
    rows = [(c.name, c.group, c.split, c.height, c.width, *c.box_xyxy) for c in sorted(cases, key=lambda c: c.name)]
    pd.DataFrame(rows, columns=COLUMNS).to_csv(path, index=False, lineterminator="\n")


def read_index(path: Path, split: Split | None = None) -> list[Case]:
    """The cases of one split, or all, sorted by name.

    Raises:
      InputError: no such file, or another one's columns.
    """
    if not path.is_file():
        raise InputError(f"{path}: expected the index that `prepare` writes, found no such file; run `dvc repro`")
    table = pd.read_csv(path, dtype={"case": str, "group": str, "split": str}, keep_default_na=False)
    if list(table.columns) != COLUMNS:
        raise InputError(f"{path}: expected the columns {', '.join(COLUMNS)}, found {', '.join(table.columns)}")
    cases = [
        Case(r.case, r.group, r.split, r.height, r.width, (r.x_min, r.y_min, r.x_max, r.y_max))
        for r in table.itertuples(index=False)
    ]
    return [case for case in cases if split in (None, case.split)]
