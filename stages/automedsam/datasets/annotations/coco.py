"""Box annotations in COCO's JSON, as exported by CVAT, Label Studio and many other tools.

Tools export every image of a task, so an image without annotations may be one that nobody has
looked at. An annotation of the category `empty` marks an image without the object: a box anywhere
in the image, or, where a tool exports tags, a category without a box.
"""

import json
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from reprlib import repr as shorten
from typing import Any

from automedsam.cases.boxes import Size
from automedsam.datasets.annotations.bounds import Edges
from automedsam.datasets.annotations.coco_shapes import has_shape, read_edges
from automedsam.datasets.annotations.drawn import (
    EMPTY_LABEL,
    Annotations,
    DrawnBox,
    SliceKey,
    is_empty_label,
)
from automedsam.datasets.annotations.text import read_text, whole_number
from automedsam.runtime.errors import ErrorCollector, InputError

Id = int | str


def read_coco(path: Path) -> Annotations:
    """Read images, annotations and, if the file has any, categories.

    Raises:
      InputError: a file that is not JSON or not COCO, or all malformed entries.
    """
    content = _read_json(path)
    errors = ErrorCollector()
    images: dict[Id, str] = {}  # id to file name
    locations: dict[SliceKey, str] = {}
    sizes: dict[SliceKey, Size] = {}
    for location, entry in _entries(path, content, "images"):
        with errors.catch():
            name = _string(location, entry, "file_name")
            _add(location, images, _id(location, entry, "id"), name)
            locations.setdefault((name, None), location)
            if (size := _size(entry)) is not None:
                sizes[name, None] = size
    categories = _read_categories(path, content, errors)

    boxes: dict[Id, list[DrawnBox]] = defaultdict(list)  # by image id
    marked_empty: set[SliceKey] = set()
    for location, entry in _entries(path, content, "annotations"):
        with errors.catch():
            image, classes = _image_and_classes(location, entry, images, categories)
            if has_shape(entry):
                edges, source = read_edges(location, entry)
                box = DrawnBox(location, images[image], None, classes, edges, source=source)
                boxes[image].append(box)
            elif is_empty_label(classes):
                marked_empty.add((images[image], None))
            else:
                raise _shape_error(location, entry)
    _check_records(path, images, boxes, errors)
    errors.raise_if_any()
    all_boxes = [box for image_boxes in boxes.values() for box in image_boxes]
    return Annotations(all_boxes, locations, sizes, frozenset(marked_empty), has_records=True)


def _read_categories(path: Path, content: dict[str, Any], errors: ErrorCollector) -> dict[Id, str]:
    """Map the ids of categories to their names."""
    categories: dict[Id, str] = {}
    for location, entry in _entries(path, {"categories": []} | content, "categories"):
        with errors.catch():
            category = _id(location, entry, "id")
            _add(location, categories, category, _string(location, entry, "name"))
    return categories


def _image_and_classes(
    location: str, entry: dict[str, Any], images: dict[Id, str], categories: dict[Id, str]
) -> tuple[Id, tuple[Id, ...]]:
    """Return the image id of an annotation, and the id and, if known, the name of its class."""
    image = _id(location, entry, "image_id")
    category = _id(location, entry, "category_id")
    if image not in images:
        raise InputError(f"{location}: no image has the image_id {shorten(image)}")
    return image, (category, categories[category]) if category in categories else (category,)


def _shape_error(location: str, entry: dict[str, Any]) -> InputError:
    return InputError(
        f"{location}: expected four numbers x, y, width, height as bbox, or a segmentation, found "
        f"{shorten(entry.get('bbox'))}; a category without a box must be {EMPTY_LABEL}, which "
        "marks an image without the object"
    )


def _check_records(
    path: Path, images: dict[Id, str], boxes: dict[Id, list[DrawnBox]], errors: ErrorCollector
) -> None:
    """Add an error for each file name of two records with different boxes.

    Such records may be two images, for example of two patients, from merged exports.
    """
    first_boxes: dict[str, list[tuple[Edges, str]]] = {}
    for image, name in images.items():
        content = sorted((box.box_xyxy, repr(box.classes)) for box in boxes.get(image, []))
        if content and first_boxes.setdefault(name, content) != content:
            errors.add(
                f"{path.name}: two images with different boxes have the file_name {name!r}; "
                "give them different names or remove one"
            )


def _size(entry: dict[str, Any]) -> Size | None:
    """Return height and width; None if they are missing or 0, which some tools write."""
    height, width = (whole_number(str(entry.get(side))) for side in ("height", "width"))
    return (height, width) if height and width else None


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


def _id(location: str, entry: dict[str, Any], key: str) -> Id:
    value = entry.get(key)
    if isinstance(value, float) and value.is_integer():  # some tools write 1 as 1.0
        return int(value)
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


def _add(location: str, names: dict[Id, str], entry_id: Id, name: str) -> None:
    """Add a name, and raise InputError if the id already has a different one."""
    if names.setdefault(entry_id, name) != name:
        raise InputError(
            f"{location}: id {entry_id!r} has two names, {names[entry_id]!r} and {name!r}"
        )
