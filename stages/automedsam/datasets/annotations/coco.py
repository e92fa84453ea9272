"""Boxes in COCO's JSON, as CVAT, Label Studio and many others export it; an image without annotations has no object."""

import json
import math
from collections.abc import Iterator
from pathlib import Path
from reprlib import repr as shortened
from typing import Any

from automedsam.cases.boxes import Size
from automedsam.datasets.annotations.drawn import Annotations, DrawnBox, Listed
from automedsam.datasets.annotations.text import read_text
from automedsam.runtime.errors import ErrorCollector, InputError


def read_coco(path: Path) -> Annotations:
    """Read images, annotations and, if there are any, categories.

    Raises:
      InputError: no JSON, no COCO, or all malformed entries at once.
    """
    content = _read_json(path)
    images: dict[int | str, str] = {}
    names: dict[int | str, str] = {}
    listed: Listed = {}
    sizes: dict[tuple[str, int | None], Size] = {}
    boxes, errors = [], ErrorCollector()
    for where, entry in _entries(path, content, "images"):
        with errors.catch():
            name = _text(where, entry, "file_name")
            _add(where, images, _identity(where, entry, "id"), name)
            listed.setdefault((name, None), where)
            if (size := _size(entry)) is not None:
                sizes[name, None] = size
    for where, entry in _entries(path, {"categories": []} | content, "categories"):
        with errors.catch():
            _add(where, names, _identity(where, entry, "id"), _text(where, entry, "name"))
    for where, entry in _entries(path, content, "annotations"):
        with errors.catch():
            image, category = (
                _identity(where, entry, "image_id"),
                _identity(where, entry, "category_id"),
            )
            if image not in images:
                raise InputError(
                    f"{where}: expected the id of an image in image_id, found {shortened(image)}"
                )
            classes = (category, names[category]) if category in names else (category,)
            boxes.append(DrawnBox(where, images[image], None, classes, _box(where, entry)))
    errors.raise_if_any()
    return Annotations(boxes, listed, sizes)


def _size(entry: dict[str, Any]) -> Size | None:
    """Height and width, where a tool knew them: some write 0."""
    height, width = entry.get("height"), entry.get("width")
    return (
        (height, width)
        if isinstance(height, int) and isinstance(width, int) and height * width > 0
        else None
    )


def _read_json(path: Path) -> dict[str, Any]:
    try:
        content = json.loads(read_text(path))
    except InputError:
        raise
    except (ValueError, RecursionError) as error:
        raise InputError(
            f"{path}: expected JSON, found a file that cannot be read ({error})"
        ) from error
    if not isinstance(content, dict):
        raise InputError(
            f"{path}: expected COCO's images and annotations, found {shortened(content)}"
        )
    return content


def _entries(path: Path, content: dict[str, Any], key: str) -> Iterator[tuple[str, dict[str, Any]]]:
    """Every entry of a list, and where it stands; one that is no entry counts as an empty one."""
    entries = content.get(key)
    if not isinstance(entries, list):
        raise InputError(f"{path}: expected COCO with a list of {key}, found {shortened(entries)}")
    for index, entry in enumerate(entries):
        yield f"{path.name}, {key}[{index}]", entry if isinstance(entry, dict) else {}


def _identity(where: str, entry: dict[str, Any], key: str) -> int | str:
    value = entry.get(key)
    if isinstance(value, bool) or not isinstance(value, int | str):
        raise InputError(
            f"{where}: expected a whole number or a text as {key}, found {shortened(value)}"
        )
    return value


def _text(where: str, entry: dict[str, Any], key: str) -> str:
    value = entry.get(key)
    if not isinstance(value, str):
        raise InputError(f"{where}: expected a text as {key}, found {shortened(value)}")
    return value


def _add(where: str, known: dict[int | str, str], identity: int | str, name: str) -> None:
    if known.setdefault(identity, name) != name:
        raise InputError(
            f"{where}: expected one name an id, found {name!r} and {known[identity]!r} for {identity!r}"
        )


def _box(where: str, entry: dict[str, Any]) -> tuple[float, float, float, float]:
    """The edges; what they amount to is for `place_boxes` to judge."""
    bbox = entry.get("bbox")
    if not isinstance(bbox, list) or len(bbox) != 4 or not all(map(_is_finite, bbox)):
        raise InputError(
            f"{where}: expected four numbers x, y, width, height as bbox, found {shortened(bbox)}"
        )
    x, y, width, height = map(float, bbox)
    return x, y, x + width, y + height


def _is_finite(value: object) -> bool:
    try:
        return (
            isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
        )
    except OverflowError:  # a whole number that no float can hold
        return False
