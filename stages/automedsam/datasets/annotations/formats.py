"""Annotation files of four formats, found in the data folder and read by suffix or content."""

from dataclasses import replace
from pathlib import Path

from automedsam.datasets.annotations.coco import read_coco
from automedsam.datasets.annotations.csv_table import read_csv
from automedsam.datasets.annotations.drawn import Annotations, apply_empty_labels
from automedsam.datasets.annotations.text import describe_links, files_below
from automedsam.datasets.annotations.voc import read_voc
from automedsam.datasets.annotations.yolo import label_files, read_yolo
from automedsam.runtime.errors import InputError

FORMATS = "a .csv table, COCO's .json, or a folder of Pascal VOC's .xml or YOLO's .txt files"
READERS = {".csv": read_csv, ".json": read_coco}


def find_annotations(data_dir: Path, path: Path) -> Annotations:
    """Read annotations from a path that is relative to `data_dir`, or inside of it.

    Raises:
      InputError: a path outside of `data_dir`, where DVC tracks no changes; or any error of
        `read_annotations`.
    """
    for candidate in (data_dir / path, path):
        if candidate.exists() and candidate.resolve().is_relative_to(data_dir.resolve()):
            return read_annotations(candidate, data_dir)
    raise InputError(
        f"annotations: no file or folder {path} in data_dir ({data_dir}), "
        "which is the only folder that DVC tracks"
    )


def read_annotations(path: Path, data_dir: Path | None = None) -> Annotations:
    """Read a CSV table, a COCO JSON file, or a folder of Pascal VOC XML or YOLO text files.

    Args:
      path: the file or folder; its suffix or content determines the format.
      data_dir: YOLO's class names are read inside of this folder only; None: beside the label files
        and above them.

    Raises:
      InputError: another kind of file or folder, or a malformed one.
    """
    if path.is_dir():
        return apply_empty_labels(_read_folder(path, data_dir))
    if not path.is_file():
        raise InputError(f"{path}: expected {FORMATS}, found no such file")
    if path.suffix.lower() not in READERS:
        raise InputError(f"{path}: expected {FORMATS}, found another type of file")
    return apply_empty_labels(READERS[path.suffix.lower()](path))


def _read_folder(folder: Path, data_dir: Path | None) -> Annotations:
    xml_files, txt_files = files_below(folder, ".xml"), label_files(folder)
    if xml_files and txt_files:
        found = f"both, {xml_files[0].name} and {txt_files[0].name}"
        raise InputError(f"{folder}: expected {FORMATS}, found a folder with {found}")
    if xml_files:
        return replace(read_voc(folder), doubts=tuple(describe_links(folder, ".xml")))
    if txt_files:
        return replace(read_yolo(folder, data_dir), doubts=tuple(describe_links(folder, ".txt")))
    raise InputError(f"{folder}: expected {FORMATS}, found a folder with neither")
