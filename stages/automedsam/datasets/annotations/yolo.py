"""Box annotations in YOLO's text files, as written by CVAT, Label Studio, LabelImg and Ultralytics.

Each image has one file with one line per object: `class cx cy width height`, or a class and the
points of a polygon or of a rotated rectangle, `class x y x y x y` and so on. All values are
fractions of the image's width and height. An empty file may be an image that nobody has looked at.
The name of the image is the path of the file below the folder, without suffix.
"""

from collections.abc import Iterator
from pathlib import Path

from automedsam.datasets.annotations.bounds import Edges, bounds_of_points
from automedsam.datasets.annotations.drawn import OUTLINE, Annotations, DrawnBox, SliceKey
from automedsam.datasets.annotations.text import files_below, number, read_text, whole_number
from automedsam.datasets.annotations.yolo_classes import ClassList, has_words_only, read_class_list
from automedsam.runtime.errors import (
    ErrorCollector,
    InputError,
    count_phrase,
    name_some,
    shorten,
)

# Text files at the top of an export that list images or classes, or contain notes.
MANIFESTS = ("train.txt", "val.txt", "valid.txt", "test.txt", "labelmap.txt", "notes.txt")
BOX_VALUES = 4  # after the class
MIN_POLYGON_VALUES = 6  # three points


def read_yolo(folder: Path, data_dir: Path | None = None) -> Annotations:
    """Read a folder of label files, including its subfolders.

    Args:
      folder: its class names are read from a class list in the folder or above it.
      data_dir: the highest folder with a class list; None: see `read_class_list`.

    Raises:
      InputError: all malformed lines and files.
    """
    texts, errors = {}, ErrorCollector()
    for path in label_files(folder):
        with errors.catch():
            texts[path] = read_text(path)
    words = [path for path in texts if path.parent == folder and has_words_only(texts[path])]
    class_list = read_class_list(folder, data_dir, words)
    locations: dict[SliceKey, str] = {}
    boxes = []
    for path, text in texts.items():
        if path in words:
            continue
        file = path.relative_to(folder).as_posix()
        image = file[: -len(".txt")]
        locations[image, None] = file
        for line_number, line in enumerate(text.splitlines(), start=1):
            with errors.catch():
                if line.strip():
                    location = f"{file}, line {line_number}"
                    boxes.append(_read_line(location, image, line, class_list))
    errors.raise_if_any()
    notes = tuple(_notes(class_list, words))
    return Annotations(boxes, locations, has_records=True, notes=notes)


def label_files(folder: Path) -> list[Path]:
    """Return the text files below a folder that may contain boxes, sorted.

    Manifests and class lists of usual names are skipped, and so are the image sets of a VOC export.
    """
    return [path for path in files_below(folder, ".txt") if _may_contain_boxes(path, folder)]


def _may_contain_boxes(path: Path, folder: Path) -> bool:
    if path.name == "classes.txt" or "ImageSets" in path.relative_to(folder).parts:
        return False
    is_manifest = path.name in MANIFESTS or path.name.lower().startswith("readme")
    return not (is_manifest and path.parent == folder)


def _notes(class_list: ClassList, words: list[Path]) -> Iterator[str]:
    if class_list.file is not None:
        yield f"class names: {class_list.file.name}"
    others = [path.name for path in words if path != class_list.file]
    if others:
        count = count_phrase(len(others), "text file")
        yield f"not used: {count} without numbers, {name_some(others)}"


def _read_line(location: str, image: str, line: str, class_list: ClassList) -> DrawnBox:
    values = line.split()
    index = whole_number(values[0])
    if index is None or index < 0:
        raise InputError(
            f"{location}: expected a whole number from 0 as class, found {shorten(values[0], 80)!r}"
        )
    if class_list.has_key_points:
        values = values[: 1 + BOX_VALUES]
    count = len(values) - 1
    is_polygon = count >= MIN_POLYGON_VALUES and count % 2 == 0
    if count != BOX_VALUES and not is_polygon:
        raise InputError(
            f"{location}: expected class cx cy width height, or a class and at least three points "
            f"x y, found {len(values)} values: {shorten(line, 80)!r}"
        )
    numbers = [value for value in map(number, values[1:]) if value is not None]
    if len(numbers) != count:
        raise InputError(
            f"{location}: expected numbers after the class, found {shorten(line, 80)!r}"
        )
    edges = bounds_of_points(numbers) if is_polygon else _edges(numbers)
    names = class_list.names
    classes = (index, names[index]) if index in names else (index,)
    source = OUTLINE if is_polygon else ""
    return DrawnBox(location, image, None, classes, edges, relative=True, source=source)


def _edges(numbers: list[float]) -> Edges:
    cx, cy, width, height = numbers
    return cx - width / 2, cy - height / 2, cx + width / 2, cy + height / 2
