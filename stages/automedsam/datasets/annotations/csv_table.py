"""Box annotations in a CSV table, one row per box.

Columns:
  image: the image name.
  slice: slice of a volume, from 0. Optional for images.
  class: class id or name. Optional; the default is 1.
  x_min, y_min, x_max, y_max: edges in pixels, from 0.
  ends: `exclusive` if x_max and y_max are the first pixels past the object, `inclusive` if they
    are the last pixels inside it. Optional; the default is `exclusive`.

A row without any of the four edges is a negative example: an image or slice without an object. So
is the empty box 0, 0, 0, 0 in the table of predictions, whose other columns are ignored.
"""

from pathlib import Path

from automedsam.cases.boxes import EDGES
from automedsam.datasets.annotations.csv_file import CsvFile
from automedsam.datasets.annotations.drawn import Annotations, DrawnBox, SliceKey
from automedsam.datasets.annotations.text import number, whole_number
from automedsam.runtime.errors import ErrorCollector, InputError, name_some

REQUIRED = ("image", *EDGES)
OPTIONAL = ("slice", "class", "ends")
OF_PREDICTIONS = {"mask", "area_px"}  # a table with these columns was written by `predict`
EXTRA_PX = {"": 0, "exclusive": 0, "inclusive": 1}  # px to add to x_max and y_max, by `ends`


def read_csv(path: Path) -> Annotations:
    """Read a table with a header, separated by commas, semicolons or tabs.

    Raises:
      InputError: missing or unknown columns, edges that are fractions, or all malformed rows.
    """
    table = CsvFile(path)
    _check_columns(path, table.columns)
    locations: dict[SliceKey, str] = {}
    boxes, errors = [], ErrorCollector()
    for line, cells in table.rows:
        location = f"{path.name}, line {line}"
        with errors.catch():
            row = dict.fromkeys(OPTIONAL, "") | table.cells_by_column(line, cells)
            for column in ("slice", *EDGES):
                row[column] = table.plain_number(row[column])
            key = _image(location, row), _slice(location, row)
            edges = _edges(location, row)
            if edges is not None:
                boxes.append(DrawnBox(location, *key, (_class(row),), edges))
            locations.setdefault(key, location)
    errors.raise_if_any()
    all_edges = [edge for box in boxes for edge in box.box_xyxy]
    if all_edges and max(all_edges) <= 1 and any(edge % 1 for edge in all_edges):
        raise InputError(f"{path}: all edges are 1 or less; boxes must be in pixels, not fractions")
    boxed = {(box.image, box.slice) for box in boxes}
    return Annotations(boxes, locations, marked_empty=frozenset(locations.keys() - boxed))


def _check_columns(path: Path, columns: list[str]) -> None:
    has_duplicates = len(set(columns)) < len(columns)
    unknown = set(columns) - {*REQUIRED, *OPTIONAL}
    is_unknown = unknown and not set(columns) >= OF_PREDICTIONS
    if has_duplicates or is_unknown or not set(columns) >= set(REQUIRED):
        found = name_some([repr(column) for column in columns], 10) or "none"
        raise InputError(
            f"{path}: expected the columns {', '.join(REQUIRED)} and optionally "
            f"{', '.join(OPTIONAL)}, each once, found {found}"
        )


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


def _edges(location: str, row: dict[str, str]) -> tuple[float, float, float, float] | None:
    """Return the box, half open; None if the row has none."""
    extra_px = EXTRA_PX.get(row["ends"])
    if extra_px is None:
        raise InputError(
            f"{location}: expected exclusive or inclusive in ends, found {row['ends']!r}"
        )
    if not any(row[edge] for edge in EDGES):
        return None
    x0, y0, x1, y1 = (_edge(location, row, edge) for edge in EDGES)
    is_empty_box = extra_px == 0 and not any((x0, y0, x1, y1))
    return None if is_empty_box else (x0, y0, x1 + extra_px, y1 + extra_px)


def _edge(location: str, row: dict[str, str], edge: str) -> float:
    value = number(row[edge])
    if value is None:
        raise InputError(f"{location}: expected a number in {edge}, found {row[edge]!r}")
    return value
