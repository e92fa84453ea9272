"""Boxes in YOLO's text files, as CVAT, Label Studio, LabelImg and Ultralytics write them.

A file an image, `class cx cy width height` a line, the last four as fractions of the image's size; an empty file says:
no object. The image's name is the file's path below the folder without suffix.
"""

from pathlib import Path
from reprlib import repr as shortened

import yaml

from automedsam.datasets.annotations.drawn import Annotations, DrawnBox, Listed
from automedsam.datasets.annotations.text import files_below, number, read_text, whole_number
from automedsam.runtime.errors import ErrorCollector, InputError

LISTS_OF_CLASSES = ("classes.txt", "obj.names", "data.yaml", "dataset.yaml")
# What lies at an export's top and lists files, classes or terms.
MANIFESTS = ("train.txt", "val.txt", "valid.txt", "test.txt", "labelmap.txt", "notes.txt")


def read_yolo(folder: Path, data_dir: Path | None = None) -> Annotations:
    """Read a folder of label files.

    Args:
      data_dir: a list of classes outside of it is left alone; None: none is.

    Raises:
      InputError: all malformed lines and files at once.
    """
    names = _read_class_names(folder, data_dir)
    listed: Listed = {}
    boxes, errors = [], ErrorCollector()
    for path in label_files(folder):
        label = path.relative_to(folder).as_posix()
        image = label[: -len(".txt")]
        listed[image, None] = label
        with errors.catch():
            for number_of_line, line in enumerate(read_text(path).splitlines(), start=1):
                with errors.catch():
                    if line.strip():
                        boxes.append(
                            _read_line(f"{label}, line {number_of_line}", image, line, names)
                        )
    errors.raise_if_any()
    return Annotations(boxes, listed)


def label_files(folder: Path) -> list[Path]:
    """The text files below a folder that hold boxes, or could: no manifests, no lists of classes or of VOC's sets."""
    return [
        path
        for path in files_below(folder, ".txt")
        if path.name != "classes.txt"
        and "ImageSets" not in path.relative_to(folder).parts
        and not (
            path.parent == folder
            and (path.name in MANIFESTS or path.name.lower().startswith("readme"))
        )
    ]


def _read_line(where: str, image: str, line: str, names: dict[int, str]) -> DrawnBox:
    values = line.split()
    if len(values) != 5:
        raise InputError(
            f"{where}: expected 5 values, class cx cy width height, found {len(values)}: {line[:80]!r}"
        )
    index = whole_number(values[0])
    if index is None or index < 0:
        raise InputError(f"{where}: expected a whole number from 0 as class, found {values[0]!r}")
    numbers = [value for value in map(number, values[1:]) if value is not None]
    if len(numbers) != 4:
        raise InputError(f"{where}: expected four numbers after the class, found {line[:80]!r}")
    cx, cy, width, height = numbers
    edges = cx - width / 2, cy - height / 2, cx + width / 2, cy + height / 2
    return DrawnBox(
        where,
        image,
        None,
        (index, names[index]) if index in names else (index,),
        edges,
        relative=True,
    )


def _read_class_names(folder: Path, data_dir: Path | None) -> dict[int, str]:
    """Class number to name, from the first list at the folder's top or beside it; none is no fault."""
    beside = folder.resolve().parent
    is_watched = data_dir is None or beside.is_relative_to(data_dir.resolve())
    for place in (folder, beside) if is_watched else (folder,):
        for path in (place / name for name in LISTS_OF_CLASSES):
            if path.is_file():
                text = read_text(path)
                names = (
                    _names_in_yaml(path, text)
                    if path.suffix == ".yaml"
                    else dict(enumerate(text.splitlines()))
                )
                return {index: name.strip() for index, name in names.items() if name.strip()}
    return {}


def _names_in_yaml(path: Path, text: str) -> dict[int, str]:
    try:
        # The base loader leaves all as text: a class may be called `no` or `2024-01-01`.
        content = yaml.load(text, Loader=yaml.BaseLoader)
    except (yaml.YAMLError, RecursionError) as error:
        raise InputError(
            f"{path}: expected YAML, found a file that cannot be read ({error})"
        ) from error
    names = content.get("names", []) if isinstance(content, dict) else []
    if isinstance(names, list):
        names = {str(index): name for index, name in enumerate(names)}
    known = (
        {whole_number(index): name for index, name in names.items()}
        if isinstance(names, dict)
        else {None: names}
    )
    if None in known or not all(isinstance(name, str) for name in known.values()):
        raise InputError(
            f"{path}: expected names as a list or as a map from number to name, found {shortened(names)}"
        )
    return {index: name for index, name in known.items() if index is not None}
