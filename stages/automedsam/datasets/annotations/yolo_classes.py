"""Class names beside or above YOLO's label files, from a list or from the YAML of the data set."""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from reprlib import repr as shorten
from typing import Any

import yaml

from automedsam.datasets.annotations.folder_names import are_of_tools
from automedsam.datasets.annotations.name_forms import SUFFIX
from automedsam.datasets.annotations.text import number, read_text, whole_number
from automedsam.runtime.errors import InputError

CLASS_LISTS = ("classes.txt", "obj.names", "data.yaml", "dataset.yaml")  # the usual names first
YAML_SUFFIXES = (".yaml", ".yml")
LIST_SUFFIXES = (".names", ".labels", *YAML_SUFFIXES)
MIN_NUMBERS = 4  # of a box
# Part of the name of a .txt file.
LIST_NAME = re.compile(r"class|category|categories|names|labels", re.IGNORECASE)


@dataclass(frozen=True)
class ClassList:
    """The names of classes by number."""

    names: dict[int, str] = field(default_factory=dict)
    file: Path | None = None  # where they were read from
    has_key_points: bool = False  # the numbers after the box are key points


def read_class_list(folder: Path, data_dir: Path | None, words: list[Path]) -> ClassList:
    """Read the nearest list of class names in a folder or above it; empty if there is none.

    Whether there are key points is read from the nearest YAML of a data set, although a nearer file
    may list the names.

    Args:
      folder: the folder of the label files.
      data_dir: the highest folder that is searched. None: the search ends at the first folder
        above that is not one of tools, such as `train` or `labels`.
      words: text files of the folder that contain words only.

    Raises:
      InputError: a YAML file of a usual name that is malformed, if no nearer file lists the names.
    """
    nearest = ClassList()
    for place in _places(folder, data_dir):
        for path in _candidates(place, words if place == folder else []):
            is_yaml = path.suffix in YAML_SUFFIXES
            try:
                found = _read_yaml(path) if is_yaml else _read_lines(path)
            except InputError:
                if nearest.names:
                    continue
                raise
            if is_yaml and (found.names or found.has_key_points):
                nearest = nearest if nearest.names else found
                return replace(nearest, has_key_points=found.has_key_points)
            nearest = nearest if nearest.names else found
    return nearest


def _places(folder: Path, data_dir: Path | None) -> Iterator[Path]:
    """Yield the folder of the label files, and those above it that may belong to the data set."""
    yield folder
    parents = folder.resolve().parents
    if data_dir is not None:
        top = data_dir.resolve()
        yield from (parent for parent in parents if parent.is_relative_to(top))
        return
    for parent in parents:
        yield parent
        if not are_of_tools(parent.name):
            return


def has_words_only(text: str) -> bool:
    """Return whether a text has lines, and all of them are words rather than labels."""
    lines = [line.split() for line in text.splitlines() if line.strip()]
    return bool(lines) and not any(map(_is_label, lines))


def _is_label(values: list[str]) -> bool:
    is_number = [number(value) is not None for value in values]
    return is_number[0] or sum(is_number) >= MIN_NUMBERS


def _candidates(place: Path, words: list[Path]) -> Iterator[Path]:
    yield from (place / name for name in CLASS_LISTS if (place / name).is_file())
    others = [path for path in sorted(place.iterdir()) if path.is_file()]
    yield from (path for path in others if path.suffix in LIST_SUFFIXES)
    yield from words
    yield from (path for path in others if path.suffix == ".txt" and _is_list(path))


def _is_list(path: Path) -> bool:
    if not LIST_NAME.search(path.stem):
        return False
    try:
        return has_words_only(read_text(path))
    except InputError:  # a text of another kind
        return False


def _read_lines(path: Path) -> ClassList:
    lines = [line.strip() for line in read_text(path).splitlines()]
    if all(SUFFIX.search(line) for line in lines if line):  # a list of images
        return ClassList()
    return ClassList({index: name for index, name in enumerate(lines) if name}, path)


def _read_yaml(path: Path) -> ClassList:
    """Read a YAML file; one with an unusual name may have any content."""
    is_usual = path.name in CLASS_LISTS
    try:
        # The base loader keeps everything as text: a class may be named `no` or `2024-01-01`.
        content = yaml.load(read_text(path), Loader=yaml.BaseLoader)
    except (yaml.YAMLError, RecursionError, InputError) as error:
        if not is_usual:
            return ClassList()
        if isinstance(error, InputError):
            raise
        raise InputError(f"{path}: not valid YAML ({error})") from error
    content = content if isinstance(content, dict) else {}
    names = _parse_names(content.get("names", []))
    if names is None:
        if not is_usual:
            return ClassList()
        raise InputError(
            f"{path}: expected names as a list or as a map from number to name, found "
            f"{shorten(content['names'])}"
        )
    return ClassList(names, path, has_key_points="kpt_shape" in content)


def _parse_names(names: Any) -> dict[int, str] | None:
    """Return the names by number; None if they are malformed."""
    if isinstance(names, list):
        names = {str(index): name for index, name in enumerate(names)}
    if not isinstance(names, dict):
        return None
    by_index = {whole_number(index): name for index, name in names.items()}
    if None in by_index or not all(isinstance(name, str) for name in by_index.values()):
        return None
    return {index: name.strip() for index, name in by_index.items() if index is not None and name}
