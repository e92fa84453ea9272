"""Boxes that people drew in annotation tools: read from any of four formats, checked, and placed on the images."""

import math
from collections.abc import Sequence
from operator import itemgetter
from pathlib import Path

from automedsam.cases.boxes import Box, BoxesByClass
from automedsam.cases.classes import ObjectClass
from automedsam.datasets.annotations.coco import read_coco
from automedsam.datasets.annotations.csv_table import read_csv
from automedsam.datasets.annotations.drawn import Annotations, DrawnBox
from automedsam.datasets.annotations.image_names import ImageNames, normal, without_suffix
from automedsam.datasets.annotations.text import files_below
from automedsam.datasets.annotations.voc import read_voc
from automedsam.datasets.annotations.yolo import label_files, read_yolo
from automedsam.runtime.errors import ErrorCollector, InputError

__all__ = ["Annotations", "DrawnBox", "find_annotations", "place_boxes", "read_annotations"]
KINDS = "a .csv table, COCO's .json, or a folder of Pascal VOC's .xml or YOLO's .txt files"
READERS = {".csv": read_csv, ".json": read_coco}

Place = tuple[str, int]  # an image's path below the images folder, and the slice


def find_annotations(data_dir: Path, path: Path) -> Annotations:
    """Read annotations of a path below `data_dir`, or that names it in full.

    Raises:
      InputError: a path elsewhere, as DVC watches `data_dir` alone; or as `read_annotations`.
    """
    for place in (data_dir / path, path):
        if place.exists() and place.resolve().is_relative_to(data_dir.resolve()):
            return read_annotations(place, data_dir)
    raise InputError(
        f"annotations: expected a file or folder in data_dir, {data_dir}, as DVC watches no other, found {path}"
    )


def read_annotations(path: Path, data_dir: Path | None = None) -> Annotations:
    """Read a .csv table, a .json of COCO, or a folder of Pascal VOC's .xml or YOLO's .txt files.

    Args:
      data_dir: where class names may be looked for beside the annotations; None: anywhere.

    Raises:
      InputError: nothing of the kind, or one that is malformed.
    """
    if path.is_dir():
        xml, txt = files_below(path, ".xml"), label_files(path)
        if bool(xml) == bool(txt):
            found = f"both, {xml[0].name} and {txt[0].name}" if xml else "neither"
            raise InputError(f"{path}: expected {KINDS}, found a folder of {found}")
        return read_voc(path) if xml else read_yolo(path, data_dir)
    if not path.is_file():
        raise InputError(f"{path}: expected {KINDS}, found nothing there")
    if path.suffix.lower() not in READERS:
        raise InputError(f"{path}: expected {KINDS}, found another file")
    return READERS[path.suffix.lower()](path)


def place_boxes(
    annotations: Annotations, sizes: dict[str, tuple[int, int, int]], classes: Sequence[ObjectClass]
) -> dict[str, dict[int, BoxesByClass]]:
    """Every listed image's boxes, in whole pixels, by slice: sorted, none twice, () where a class is absent.

    Args:
      sizes: an image's path below the images folder to its slices, height and width. One slice is an image, number 0;
        no slices, one that cannot be read.
      classes: those that are looked for. Boxes of others are checked and left out.

    Raises:
      InputError: all names that fit no image or several, slices that are missing, and boxes that are reversed, empty
        or not inside their image.
    """
    errors = ErrorCollector()
    places = _find_places(annotations, sizes, errors)
    placed: dict[Place, dict[int, set[Box]]] = {
        place: {of.value: set() for of in classes} for place in places.values() if place
    }
    for drawn in annotations.boxes:
        place = places[drawn.image, drawn.slice]
        if place is not None:
            with errors.catch():
                box_xyxy = _to_pixels(drawn, sizes[place[0]][1:])
                for of in classes:
                    if of.takes(drawn.classes):
                        placed[place][of.value].add(box_xyxy)
    errors.raise_if_any()
    boxes_of: dict[str, dict[int, BoxesByClass]] = {}
    for (image, index), found in sorted(placed.items(), key=itemgetter(0)):
        boxes_of.setdefault(image, {})[index] = {
            value: tuple(sorted(boxes)) for value, boxes in found.items()
        }
    return boxes_of


def _find_places(
    annotations: Annotations, sizes: dict[str, tuple[int, int, int]], errors: ErrorCollector
) -> dict[tuple[str, int | None], Place | None]:
    """Where each listed image and slice belongs; None: nowhere, and the fault is told."""
    names = ImageNames({image: size[0] for image, size in sizes.items()})
    places: dict[tuple[str, int | None], Place | None] = {}
    takers: dict[Place, tuple[str, str]] = {}
    for (name, index), where in annotations.listed.items():
        places[name, index] = None
        with errors.catch():
            place = _find_place(where, name, index, names, sizes)
            size, told = sizes[place[0]][1:], annotations.sizes.get((name, index))
            if (
                told is not None and told != size
            ):  # boxes that were drawn on a resized copy would fit nothing
                expected = (
                    f"expected {place[0]} of {told[1]} x {told[0]} px, as the annotations have it"
                )
                raise InputError(f"{where}: {expected}, found {size[1]} x {size[0]}")
            taker, taken_at = takers.setdefault(place, (name, where))
            if not _may_be_one(
                name, taker
            ):  # p2/a.png, which is not there, else passes for the only a.png, p1/a.png
                found = f"found {name!r} and {taker!r} ({taken_at})"
                raise InputError(
                    f"{where}: expected one name for slice {place[1]} of {place[0]}, {found}"
                )
            places[name, index] = place
    return places


def _find_place(
    where: str,
    name: str,
    index: int | None,
    names: ImageNames,
    sizes: dict[str, tuple[int, int, int]],
) -> Place:
    images, named_index = names.find(name)
    if len(images) != 1:
        meaning = f"which may be {' or '.join(images)}" if images else "which is the name of none"
        raise InputError(f"{where}: expected the name of one image, found {name!r}, {meaning}")
    slices = sizes[images[0]][0]
    if slices == 0:
        raise InputError(f"{where}: expected an image that can be read, found {images[0]}")
    if named_index is not None and index not in (
        None,
        0,
        named_index,
    ):  # 0: the file of one slice has no other
        raise InputError(
            f"{where}: expected slice {named_index}, as {name!r} says, found slice {index}"
        )
    if named_index is not None:
        index = named_index
    elif slices == 1 and index is None:
        index = 0
    if index is None or not 0 <= index < slices:
        found = "none" if index is None else index
        raise InputError(
            f"{where}: expected a slice from 0 to {slices - 1} of {images[0]}, found {found}"
        )
    return images[0], index


def _may_be_one(name: str, other: str) -> bool:
    """Whether two names differ in leading folders and suffix alone."""
    shorter, longer = sorted((without_suffix(normal(name)), without_suffix(normal(other))), key=len)
    return f"/{longer}".endswith(f"/{shorter}")


def _to_pixels(drawn: DrawnBox, image_size: tuple[int, int]) -> Box:
    """The box with its edges at the nearest whole ones, checked."""
    height, width = image_size
    scales = (width, height, width, height) if drawn.relative else (1, 1, 1, 1)
    x0, y0, x1, y1 = edges = [
        edge * scale for edge, scale in zip(drawn.box_xyxy, scales, strict=True)
    ]
    found = f"found {', '.join(f'{edge:g}' for edge in edges)} (x_min, y_min, x_max, y_max in px, half open)"
    if x1 < x0 or y1 < y0:
        raise InputError(
            f"{drawn.where}: expected x_min below x_max and y_min below y_max, {found}"
        )
    if min(x0, y0) < -0.5 or x1 >= width + 0.5 or y1 >= height + 0.5:
        raise InputError(
            f"{drawn.where}: expected a box inside the image of {width} x {height} px, {found}"
        )
    x0, y0, x1, y1 = (
        math.floor(edge + 0.5) for edge in edges
    )  # not round: it would empty a box from 1.5 to 2.5
    if x0 == x1 or y0 == y1:
        raise InputError(f"{drawn.where}: expected a box of a pixel at least, {found}")
    return x0, y0, x1, y1
