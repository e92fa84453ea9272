"""A table of boxes, CSV: for those who keep their boxes in a spreadsheet.

A row is a box: `image`, `slice` (of a volume, from 0), `class` (1 if left out), `x_min, y_min, x_max, y_max` in pixels
from 0, and `ends`: x_max and y_max are the first pixels past the object (`exclusive`, also if left out) or the last
ones inside (`inclusive`). A row with none of the four coordinates says: looked at, no object.
"""

import csv
import io
from pathlib import Path

from automedsam.cases.boxes import EDGES
from automedsam.datasets.annotations.drawn import Annotations, DrawnBox, Listed
from automedsam.datasets.annotations.text import number, read_text, whole_number
from automedsam.runtime.errors import ErrorCollector, InputError

REQUIRED = ("image", *EDGES)
OPTIONAL = ("slice", "class", "ends")
ENDS = {"": 0, "exclusive": 0, "inclusive": 1}  # px to add to x_max and y_max


def read_csv(path: Path) -> Annotations:
    """Read a table with a header, separated by commas or semicolons.

    Raises:
      InputError: missing or unknown columns, or all malformed rows at once.
    """
    columns, rows = _read_table(path)
    listed: Listed = {}
    boxes, errors = [], ErrorCollector()
    for line, cells in rows:
        where = f"{path.name}, line {line}"
        with errors.catch():
            if len(cells) != len(columns):
                raise InputError(f"{where}: expected {len(columns)} cells, found {len(cells)}")
            row = dict.fromkeys(OPTIONAL, "") | dict(zip(columns, cells, strict=True))
            key = _name(where, row), _slice(where, row)
            extent = ENDS.get(row["ends"])
            if extent is None:
                raise InputError(
                    f"{where}: expected exclusive or inclusive in ends, found {row['ends']!r}"
                )
            if any(row[edge] for edge in EDGES):
                x0, y0, x1, y1 = (_edge(where, row, edge) for edge in EDGES)
                boxes.append(
                    DrawnBox(where, *key, (_class(row),), (x0, y0, x1 + extent, y1 + extent))
                )
            listed.setdefault(key, where)
    errors.raise_if_any()
    edges = [edge for box in boxes for edge in box.box_xyxy]
    if edges and max(edges) <= 1 and any(edge % 1 for edge in edges):
        raise InputError(
            f"{path}: expected boxes in pixels, found none beyond 1: are they fractions?"
        )
    return Annotations(boxes, listed)


def _read_table(path: Path) -> tuple[list[str], list[tuple[int, list[str]]]]:
    """The columns, and the rows that hold anything, each with its line."""
    text = read_text(path)
    header = text.lstrip().partition("\n")[0]
    separator = max(",;", key=header.count)
    # Strict: a quote that never ends would else swallow the rows after it.
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=separator, strict=True)
    try:
        rows = [(reader.line_num, [cell.strip() for cell in row]) for row in reader]
    except csv.Error as error:
        raise InputError(
            f"{path.name}, line {reader.line_num}: expected CSV, found {error}"
        ) from error
    rows = [(line, row) for line, row in rows if any(row)]
    columns = rows[0][1] if rows else []
    if not set(REQUIRED) <= set(columns) <= {*REQUIRED, *OPTIONAL} or len(set(columns)) < len(
        columns
    ):
        raise InputError(
            f"{path}: expected the columns {', '.join(REQUIRED)} and, if need be, {', '.join(OPTIONAL)}, each once, "
            f"found {', '.join(map(repr, columns)) or 'none'}"
        )
    return columns, rows[1:]


def _name(where: str, row: dict[str, str]) -> str:
    if not row["image"]:
        raise InputError(f"{where}: expected the name of an image, found none")
    return row["image"]


def _slice(where: str, row: dict[str, str]) -> int | None:
    index = whole_number(row["slice"])
    if row["slice"] and (index is None or index < 0):
        raise InputError(
            f"{where}: expected a whole number from 0 in slice, or nothing, found {row['slice']!r}"
        )
    return index


def _class(row: dict[str, str]) -> int | str:
    index = whole_number(row["class"] or "1")
    return row["class"] if index is None else index


def _edge(where: str, row: dict[str, str], edge: str) -> float:
    value = number(row[edge])
    if value is None:
        raise InputError(f"{where}: expected a number in {edge}, found {row[edge]!r}")
    return value
