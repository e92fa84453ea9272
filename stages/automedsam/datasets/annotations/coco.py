"""Box annotations in COCO's JSON, as exported by CVAT, Label Studio and many other tools.

An image without annotations is a negative example.
"""

import json
import math
from collections.abc import Iterator
from pathlib import Path
from reprlib import repr as shorten
from typing import Any

from automedsam.cases.boxes import Size
from automedsam.datasets.annotations.drawn import Annotations, DrawnBox, SliceKey
from automedsam.datasets.annotations.text import read_text
from automedsam.runtime.errors import ErrorCollector, InputError


def read_coco(path: Path) -> Annotations:
    """Read images, annotations and, if the file has any, categories.

    Raises:
      InputError: a file that is not JSON or not COCO, or all malformed entries.
    """
    content = _read_json(path)
    images: dict[int | str, str] = {}  # id to file name
    categories: dict[int | str, str] = {}  # id to name
    locations: dict[SliceKey, str] = {}
    sizes: dict[SliceKey, Size] = {}
    boxes, errors = [], ErrorCollector()
    for location, entry in _entries(path, content, "images"):
        with errors.catch():
            name = _string(location, entry, "file_name")
            _add(location, images, _id(location, entry, "id"), name)
            locations.setdefault((name, None), location)
            if (size := _size(entry)) is not None:
                sizes[name, None] = size
    for location, entry in _entries(path, {"categories": []} | content, "categories"):
        with errors.catch():
            category = _id(location, entry, "id")
            _add(location, categories, category, _string(location, entry, "name"))
    for location, entry in _entries(path, content, "annotations"):
        with errors.catch():
            image = _id(location, entry, "image_id")
            category = _id(location, entry, "category_id")
            if image not in images:
                raise InputError(f"{location}: no image has the image_id {shorten(image)}")
            classes = (category, categories[category]) if category in categories else (category,)
            boxes.append(DrawnBox(location, images[image], None, classes, _box(location, entry)))
    errors.raise_if_any()
    return Annotations(boxes, locations, sizes)


def _size(entry: dict[str, Any]) -> Size | None:
    """Return height and width; None if they are missing or 0, which some tools write."""
    height, width = entry.get("height"), entry.get("width")
    if isinstance(height, int) and isinstance(width, int) and height * width > 0:
        return height, width
    return None


def _read_json(path: Path) -> dict[str, Any]:
    try:
        content = json.loads(read_text(path))
    except InputError:
        raise
    except (ValueError, RecursionError) as error:
        raise InputError(f"{path}: not valid JSON ({error})") from error
    if not isinstance(content, dict):
        raise InputError(
            f"{path}: expected COCO with images and annotations, found {shorten(content)}"
        )
    return content


def _entries(path: Path, content: dict[str, Any], key: str) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield the location and content of every entry of a list; invalid entries as empty ones."""
    entries = content.get(key)
    if not isinstance(entries, list):
        raise InputError(f"{path}: expected COCO with a list of {key}, found {shorten(entries)}")
    for index, entry in enumerate(entries):
        yield f"{path.name}, {key}[{index}]", entry if isinstance(entry, dict) else {}


def _id(location: str, entry: dict[str, Any], key: str) -> int | str:
    value = entry.get(key)
    if isinstance(value, bool) or not isinstance(value, int | str):
        raise InputError(
            f"{location}: expected a whole number or a string as {key}, found {shorten(value)}"
        )
    return value


def _string(location: str, entry: dict[str, Any], key: str) -> str:
    value = entry.get(key)
    if not isinstance(value, str):
        raise InputError(f"{location}: expected a string as {key}, found {shorten(value)}")
    return value


def _add(location: str, names: dict[int | str, str], entry_id: int | str, name: str) -> None:
    """Add a name, and raise InputError if the id already has a different one."""
    if names.setdefault(entry_id, name) != name:
        raise InputError(
            f"{location}: id {entry_id!r} has two names, {names[entry_id]!r} and {name!r}"
        )


def _box(location: str, entry: dict[str, Any]) -> tuple[float, float, float, float]:
    """Return x_min, y_min, x_max, y_max in px; `place_boxes` checks that they form a box."""
    bbox = entry.get("bbox")
    if not isinstance(bbox, list) or len(bbox) != 4 or not all(map(_is_finite, bbox)):
        raise InputError(
            f"{location}: expected four numbers x, y, width, height as bbox, found {shorten(bbox)}"
        )
    x, y, width, height = map(float, bbox)
    return x, y, x + width, y + height


def _is_finite(value: object) -> bool:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return False
    try:
        return math.isfinite(value)
    except OverflowError:  # a whole number that exceeds the range of floats
        return False
