"""Drawn boxes of any of four formats, read, checked and placed on the images."""

import math
from collections.abc import Sequence
from operator import itemgetter
from pathlib import Path

from automedsam.cases.boxes import Box, BoxesByClass, Size
from automedsam.cases.classes import ObjectClass
from automedsam.datasets.annotations.coco import read_coco
from automedsam.datasets.annotations.csv_table import read_csv
from automedsam.datasets.annotations.drawn import Annotations, DrawnBox, SliceKey
from automedsam.datasets.annotations.image_names import ImageNames, normal, without_suffix
from automedsam.datasets.annotations.text import files_below
from automedsam.datasets.annotations.voc import read_voc
from automedsam.datasets.annotations.yolo import label_files, read_yolo
from automedsam.runtime.errors import ErrorCollector, InputError

__all__ = ["Annotations", "DrawnBox", "find_annotations", "place_boxes", "read_annotations"]
FORMATS = "a .csv table, COCO's .json, or a folder of Pascal VOC's .xml or YOLO's .txt files"
READERS = {".csv": read_csv, ".json": read_coco}

Place = tuple[str, int]  # image path below the images folder, and slice
Shape = tuple[int, int, int]  # slices, height, width


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
      data_dir: YOLO's class names are read inside of this folder only; None: no limit.

    Raises:
      InputError: another kind of file or folder, or a malformed one.
    """
    if path.is_dir():
        xml_files, txt_files = files_below(path, ".xml"), label_files(path)
        if xml_files and txt_files:
            found = f"both, {xml_files[0].name} and {txt_files[0].name}"
            raise InputError(f"{path}: expected {FORMATS}, found a folder with {found}")
        if xml_files:
            return read_voc(path)
        if txt_files:
            return read_yolo(path, data_dir)
        raise InputError(f"{path}: expected {FORMATS}, found a folder with neither")
    if not path.is_file():
        raise InputError(f"{path}: expected {FORMATS}, found no such file")
    if path.suffix.lower() not in READERS:
        raise InputError(f"{path}: expected {FORMATS}, found another type of file")
    return READERS[path.suffix.lower()](path)


def place_boxes(
    annotations: Annotations, sizes: dict[str, Shape], classes: Sequence[ObjectClass]
) -> dict[str, dict[int, BoxesByClass]]:
    """Place boxes on the images and round them to whole pixels.

    Args:
      annotations: the boxes and the listed images.
      sizes: image path below the images folder to slices, height and width. An image has one
        slice, number 0; an image that cannot be read has 0 slices.
      classes: the classes to segment. Boxes of other classes are checked and left out.

    Returns:
      Image path to slice to boxes by class, for every listed slice: sorted, without duplicates,
      () for a class that is absent.

    Raises:
      InputError: all names that match no image or several, missing slices, and boxes that are
        reversed, empty or not inside their image.
    """
    errors = ErrorCollector()
    places = _find_places(annotations, sizes, errors)
    placed: dict[Place, dict[int, set[Box]]] = {
        place: {object_class.value: set() for object_class in classes}
        for place in places.values()
        if place
    }
    for drawn in annotations.boxes:
        place = places[drawn.image, drawn.slice]
        if place is not None:
            with errors.catch():
                box_xyxy = _to_pixels(drawn, sizes[place[0]][1:])
                for object_class in classes:
                    if object_class.takes(drawn.classes):
                        placed[place][object_class.value].add(box_xyxy)
    errors.raise_if_any()
    by_image: dict[str, dict[int, BoxesByClass]] = {}
    for (image, index), boxes_by_class in sorted(placed.items(), key=itemgetter(0)):
        by_image.setdefault(image, {})[index] = {
            value: tuple(sorted(boxes)) for value, boxes in boxes_by_class.items()
        }
    return by_image


def _find_places(
    annotations: Annotations, sizes: dict[str, Shape], errors: ErrorCollector
) -> dict[SliceKey, Place | None]:
    """Map every listed slice to its place; None: it has none, and the error is collected."""
    names = ImageNames({image: shape[0] for image, shape in sizes.items()})
    places: dict[SliceKey, Place | None] = {}
    first_listed: dict[Place, tuple[str, str]] = {}  # place to the first name for it, and location
    for (name, index), location in annotations.locations.items():
        places[name, index] = None
        with errors.catch():
            place = _find_place(location, name, index, names, sizes)
            size, annotated_size = sizes[place[0]][1:], annotations.sizes.get((name, index))
            _check_size(location, place[0], size, annotated_size)
            other_name, other_location = first_listed.setdefault(place, (name, location))
            # Without this check, p2/a.png, which does not exist, would be matched to p1/a.png if
            # that is the only a.png.
            if not _are_same_image(name, other_name):
                raise InputError(
                    f"{location}: {name!r} and {other_name!r} ({other_location}) both match slice "
                    f"{place[1]} of {place[0]}, but are different names"
                )
            places[name, index] = place
    return places


def _find_place(
    location: str, name: str, index: int | None, names: ImageNames, sizes: dict[str, Shape]
) -> Place:
    """Return the image and slice that a name, and a slice if the file has one, refer to."""
    images, named_index = names.find(name)
    if not images:
        raise InputError(f"{location}: no image matches the name {name!r}")
    if len(images) > 1:
        matches = ", ".join(images)
        raise InputError(f"{location}: the name {name!r} matches several images: {matches}")
    slices = sizes[images[0]][0]
    if slices == 0:
        raise InputError(f"{location}: the image {images[0]} cannot be read")
    # Slice 0 is accepted, because a file that holds one slice of a volume has no other.
    if named_index is not None and index not in (None, 0, named_index):
        raise InputError(
            f"{location}: expected slice {named_index} for the name {name!r}, found slice {index}"
        )
    if named_index is not None:
        index = named_index
    elif slices == 1 and index is None:
        index = 0
    if index is None or not 0 <= index < slices:
        found = "none" if index is None else index
        raise InputError(
            f"{location}: expected a slice from 0 to {slices - 1} of {images[0]}, found {found}"
        )
    return images[0], index


def _check_size(location: str, image: str, size: Size, annotated_size: Size | None) -> None:
    """Raise InputError for boxes drawn on a resized copy: they would be in the wrong place."""
    if annotated_size is not None and annotated_size != size:
        raise InputError(
            f"{location}: {image} has {size[1]} x {size[0]} px, but was annotated with "
            f"{annotated_size[1]} x {annotated_size[0]} px"
        )


def _are_same_image(name: str, other_name: str) -> bool:
    """Whether two names differ in leading folders and suffix only."""
    stems = without_suffix(normal(name)), without_suffix(normal(other_name))
    shorter, longer = sorted(stems, key=len)
    return f"/{longer}".endswith(f"/{shorter}")


def _to_pixels(drawn: DrawnBox, image_size: Size) -> Box:
    """Return the box with its edges rounded to whole pixels, checked against the image."""
    height, width = image_size
    scales = (width, height, width, height) if drawn.relative else (1, 1, 1, 1)
    edges = [edge * scale for edge, scale in zip(drawn.box_xyxy, scales, strict=True)]
    x0, y0, x1, y1 = edges
    coordinates = ", ".join(f"{edge:g}" for edge in edges)
    found = f"found {coordinates} (x_min, y_min, x_max, y_max in px, half open)"
    if x1 < x0 or y1 < y0:
        raise InputError(
            f"{drawn.location}: expected x_min below x_max and y_min below y_max, {found}"
        )
    if min(x0, y0) < -0.5 or x1 >= width + 0.5 or y1 >= height + 0.5:
        raise InputError(
            f"{drawn.location}: expected a box inside the image of {width} x {height} px, {found}"
        )
    # Not round(): it rounds half to even, which would make a box from 1.5 to 2.5 empty.
    x0, y0, x1, y1 = (math.floor(edge + 0.5) for edge in edges)
    if x0 == x1 or y0 == y1:
        raise InputError(f"{drawn.location}: expected a box of at least one pixel, {found}")
    return x0, y0, x1, y1
