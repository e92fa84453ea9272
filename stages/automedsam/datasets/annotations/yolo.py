"""Box annotations in YOLO's text files, as written by CVAT, Label Studio, LabelImg and Ultralytics.

Each image has one file with one line per box, `class cx cy width height`. The last four values
are fractions of the image's width and height. An empty file is a negative example. The name of
the image is the path of the file below the folder, without suffix.
"""

from pathlib import Path
from reprlib import repr as shorten

import yaml

from automedsam.datasets.annotations.drawn import Annotations, DrawnBox, SliceKey
from automedsam.datasets.annotations.text import files_below, number, read_text, whole_number
from automedsam.runtime.errors import ErrorCollector, InputError

CLASS_LISTS = ("classes.txt", "obj.names", "data.yaml", "dataset.yaml")
# Text files at the top of an export that list images or classes, or contain notes.
MANIFESTS = ("train.txt", "val.txt", "valid.txt", "test.txt", "labelmap.txt", "notes.txt")


def read_yolo(folder: Path, data_dir: Path | None = None) -> Annotations:
    """Read a folder of label files, including its subfolders.

    Args:
      folder: its class names are read from a class list in the folder or in its parent.
      data_dir: a class list outside of this folder is ignored; None: no limit.

    Raises:
      InputError: all malformed lines and files.
    """
    class_names = _read_class_names(folder, data_dir)
    locations: dict[SliceKey, str] = {}
    boxes, errors = [], ErrorCollector()
    for path in label_files(folder):
        file = path.relative_to(folder).as_posix()
        image = file[: -len(".txt")]
        locations[image, None] = file
        with errors.catch():
            for line_number, line in enumerate(read_text(path).splitlines(), start=1):
                with errors.catch():
                    if line.strip():
                        location = f"{file}, line {line_number}"
                        boxes.append(_read_line(location, image, line, class_names))
    errors.raise_if_any()
    return Annotations(boxes, locations)


def label_files(folder: Path) -> list[Path]:
    """Return the text files below a folder that may contain boxes, sorted.

    Manifests and class lists are skipped, and so are the image sets of a VOC export.
    """
    return [path for path in files_below(folder, ".txt") if _may_contain_boxes(path, folder)]


def _may_contain_boxes(path: Path, folder: Path) -> bool:
    if path.name == "classes.txt" or "ImageSets" in path.relative_to(folder).parts:
        return False
    is_manifest = path.name in MANIFESTS or path.name.lower().startswith("readme")
    return not (is_manifest and path.parent == folder)


def _read_line(location: str, image: str, line: str, class_names: dict[int, str]) -> DrawnBox:
    values = line.split()
    if len(values) != 5:
        raise InputError(
            f"{location}: expected 5 values, class cx cy width height, found {len(values)}: "
            f"{line[:80]!r}"
        )
    index = whole_number(values[0])
    if index is None or index < 0:
        raise InputError(
            f"{location}: expected a whole number from 0 as class, found {values[0]!r}"
        )
    numbers = [value for value in map(number, values[1:]) if value is not None]
    if len(numbers) != 4:
        raise InputError(f"{location}: expected four numbers after the class, found {line[:80]!r}")
    cx, cy, width, height = numbers
    edges = cx - width / 2, cy - height / 2, cx + width / 2, cy + height / 2
    classes = (index, class_names[index]) if index in class_names else (index,)
    return DrawnBox(location, image, None, classes, edges, relative=True)


def _read_class_names(folder: Path, data_dir: Path | None) -> dict[int, str]:
    """Map class numbers to names, from the first list found; empty if there is none."""
    parent = folder.resolve().parent
    may_read_parent = data_dir is None or parent.is_relative_to(data_dir.resolve())
    for place in (folder, parent) if may_read_parent else (folder,):
        for path in (place / name for name in CLASS_LISTS):
            if path.is_file():
                text = read_text(path)
                if path.suffix == ".yaml":
                    names = _parse_yaml_names(path, text)
                else:
                    names = dict(enumerate(text.splitlines()))
                return {index: name.strip() for index, name in names.items() if name.strip()}
    return {}


def _parse_yaml_names(path: Path, text: str) -> dict[int, str]:
    try:
        # The base loader keeps everything as text: a class may be named `no` or `2024-01-01`.
        content = yaml.load(text, Loader=yaml.BaseLoader)
    except (yaml.YAMLError, RecursionError) as error:
        raise InputError(f"{path}: not valid YAML ({error})") from error
    names = content.get("names", []) if isinstance(content, dict) else []
    if isinstance(names, list):
        names = {str(index): name for index, name in enumerate(names)}
    if not isinstance(names, dict):
        raise _names_error(path, names)
    by_index = {whole_number(index): name for index, name in names.items()}
    if None in by_index or not all(isinstance(name, str) for name in by_index.values()):
        raise _names_error(path, names)
    return {index: name for index, name in by_index.items() if index is not None}


def _names_error(path: Path, names: object) -> InputError:
    return InputError(
        f"{path}: expected names as a list or as a map from number to name, found {shorten(names)}"
    )
