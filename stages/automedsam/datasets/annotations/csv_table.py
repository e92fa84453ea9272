"""Box annotations in a CSV table, one row per box.

Columns:
  image: the image name.
  slice: slice of a volume, from 0. Optional for images.
  class: class id or name. Optional; the default is 1.
  x_min, y_min, x_max, y_max: edges in pixels, from 0.
  ends: `exclusive` if x_max and y_max are the first pixels past the object, `inclusive` if they
    are the last pixels inside it. Optional; the default is `exclusive`.

A row without any of the four edges is a negative example: an image or slice without an object.
"""

import csv
import io
from pathlib import Path

from automedsam.cases.boxes import EDGES
from automedsam.datasets.annotations.drawn import Annotations, DrawnBox, SliceKey
from automedsam.datasets.annotations.text import number, read_text, whole_number
from automedsam.runtime.errors import ErrorCollector, InputError

REQUIRED = ("image", *EDGES)
OPTIONAL = ("slice", "class", "ends")
EXTRA_PX = {"": 0, "exclusive": 0, "inclusive": 1}  # px to add to x_max and y_max, by `ends`


def read_csv(path: Path) -> Annotations:
    """Read a table with a header, separated by commas or semicolons.

    Raises:
      InputError: missing or unknown columns, edges that are fractions, or all malformed rows.
    """
    columns, rows = _read_table(path)
    locations: dict[SliceKey, str] = {}
    boxes, errors = [], ErrorCollector()
    for line, cells in rows:
        location = f"{path.name}, line {line}"
        with errors.catch():
            if len(cells) != len(columns):
                raise InputError(f"{location}: expected {len(columns)} cells, found {len(cells)}")
            row = dict.fromkeys(OPTIONAL, "") | dict(zip(columns, cells, strict=True))
            key = _image(location, row), _slice(location, row)
            extra_px = EXTRA_PX.get(row["ends"])
            if extra_px is None:
                raise InputError(
                    f"{location}: expected exclusive or inclusive in ends, found {row['ends']!r}"
                )
            if any(row[edge] for edge in EDGES):
                x0, y0, x1, y1 = (_edge(location, row, edge) for edge in EDGES)
                box_xyxy = x0, y0, x1 + extra_px, y1 + extra_px
                boxes.append(DrawnBox(location, *key, (_class(row),), box_xyxy))
            locations.setdefault(key, location)
    errors.raise_if_any()
    edges = [edge for box in boxes for edge in box.box_xyxy]
    if edges and max(edges) <= 1 and any(edge % 1 for edge in edges):
        raise InputError(f"{path}: all edges are 1 or less; boxes must be in pixels, not fractions")
    return Annotations(boxes, locations)


def _read_table(path: Path) -> tuple[list[str], list[tuple[int, list[str]]]]:
    """Return the columns and the rows that are not empty, each with its line number."""
    text = read_text(path)
    header = text.lstrip().partition("\n")[0]
    separator = max(",;", key=header.count)
    # Strict mode: otherwise an unclosed quote would silently consume the rows after it.
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=separator, strict=True)
    try:
        rows = [(reader.line_num, [cell.strip() for cell in row]) for row in reader]
    except csv.Error as error:
        raise InputError(f"{path.name}, line {reader.line_num}: not valid CSV ({error})") from error
    rows = [(line, row) for line, row in rows if any(row)]
    columns = rows[0][1] if rows else []
    has_duplicates = len(set(columns)) < len(columns)
    if has_duplicates or not set(REQUIRED) <= set(columns) <= {*REQUIRED, *OPTIONAL}:
        raise InputError(
            f"{path}: expected the columns {', '.join(REQUIRED)} and optionally "
            f"{', '.join(OPTIONAL)}, each once, found {', '.join(map(repr, columns)) or 'none'}"
        )
    return columns, rows[1:]


def _image(location: str, row: dict[str, str]) -> str:
    if not row["image"]:
        raise InputError(f"{location}: expected an image name, found none")
    return row["image"]


def _slice(location: str, row: dict[str, str]) -> int | None:
    index = whole_number(row["slice"])
    if row["slice"] and (index is None or index < 0):
        raise InputError(
            f"{location}: slice must be empty or a whole number from 0, found {row['slice']!r}"
        )
    return index


def _class(row: dict[str, str]) -> int | str:
    index = whole_number(row["class"] or "1")
    return row["class"] if index is None else index


def _edge(location: str, row: dict[str, str], edge: str) -> float:
    value = number(row[edge])
    if value is None:
        raise InputError(f"{location}: expected a number in {edge}, found {row[edge]!r}")
    return value
