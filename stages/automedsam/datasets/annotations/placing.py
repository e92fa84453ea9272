"""Drawn boxes placed on the images: names matched, edges checked and rounded to whole pixels."""

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from operator import itemgetter
from pathlib import Path

from automedsam.cases.boxes import Box, BoxesByClass, Size
from automedsam.cases.classes import ObjectClass
from automedsam.datasets.annotations.drawn import Annotations, DrawnBox
from automedsam.datasets.annotations.matching import Matcher, Place
from automedsam.runtime.errors import ErrorCollector, InputError, count_phrase
from automedsam.scans.shapes import Shape

MAX_OVERHANG_PX = 2  # boxes that reach further past the edge of their image are rejected
ROUNDING_PX = 0.5  # boxes that reach this far past the edge are rounded


@dataclass(frozen=True)
class Placement:
    """Boxes on images and slices.

    Attributes:
      boxes: Image path to slice to boxes by class, for every listed slice: sorted, without
        duplicates, () for a class that is absent.
      marked_empty: Slices that are marked as not showing the object, without any box.
      unboxed: The other listed slices without a box.
      notes: Lines for the user about how names and boxes were read.
      doubts: Warnings about files that were not read, and names that may be those of other images.
    """

    boxes: dict[str, dict[int, BoxesByClass]]
    marked_empty: set[Place] = field(default_factory=set)
    unboxed: set[Place] = field(default_factory=set)
    notes: list[str] = field(default_factory=list)
    doubts: list[str] = field(default_factory=list)


def place_boxes(
    annotations: Annotations,
    sizes: Mapping[str, Shape],
    classes: Sequence[ObjectClass],
    images_folder: Path | None = None,
) -> Placement:
    """Place boxes on the images and round them to whole pixels.

    A box that reaches up to 2 px past the edge of its image is cut off there.

    Args:
      annotations: the boxes and the listed images.
      sizes: image path below the images folder to slices, height and width. An image has one
        slice, number 0. Raises InputError for an image that cannot be read, which is an error if
        the image is listed.
      classes: the classes to segment. Boxes of other classes are checked and left out.
      images_folder: absolute path of the folder of the images, to find doubtful names; None: they
        were checked.

    Raises:
      InputError: all names that match no image or several, missing slices, and boxes that are
        reversed, empty or not inside their image.
    """
    errors = ErrorCollector()
    matcher = Matcher(annotations, sizes, errors)
    listed = [place for place in matcher.places.values() if place]
    placed: dict[Place, dict[int, set[Box]]] = {
        place: {object_class.value: set() for object_class in classes} for place in listed
    }
    clipped: list[str] = []
    for drawn in annotations.boxes:
        place = matcher.places[drawn.image, drawn.slice]
        if place is not None:
            with errors.catch():
                box_xyxy, overhang_px = _to_pixels(drawn, sizes[place[0]][1:])
                if overhang_px > ROUNDING_PX:
                    clipped.append(f"{drawn.location} ({overhang_px:.2g} px)")
                for object_class in classes:
                    if object_class.takes(drawn.classes):
                        placed[place][object_class.value].add(box_xyxy)
    doubts = matcher.check_folders(images_folder, errors) if images_folder else []
    errors.raise_if_any()
    boxed = {matcher.places[key] for key in annotations.boxed}
    marked_empty = {place for key in annotations.marked_empty if (place := matcher.places[key])}
    return Placement(
        boxes=_by_image(placed),
        marked_empty=marked_empty - boxed,
        unboxed=set(listed) - boxed - marked_empty,
        notes=[
            *annotations.notes,
            *matcher.describe_changes(),
            *_describe_sources(annotations.boxes),
            *_describe_clipped(clipped),
        ],
        doubts=[*annotations.doubts, *doubts],
    )


def _by_image(placed: Mapping[Place, dict[int, set[Box]]]) -> dict[str, dict[int, BoxesByClass]]:
    by_image: dict[str, dict[int, BoxesByClass]] = {}
    for (image, index), boxes_by_class in sorted(placed.items(), key=itemgetter(0)):
        by_image.setdefault(image, {})[index] = {
            value: tuple(sorted(boxes)) for value, boxes in boxes_by_class.items()
        }
    return by_image


def _describe_sources(boxes: Sequence[DrawnBox]) -> list[str]:
    counts = Counter(box.source for box in boxes if box.source)
    return [
        f"{count_phrase(count, 'box', 'boxes')} placed around a {source}"
        for source, count in sorted(counts.items())
    ]


def _describe_clipped(clipped: Sequence[str]) -> list[str]:
    if not clipped:
        return []
    count = count_phrase(len(clipped), "box", "boxes")
    return [f"{count} cut off at the edge of the image, for example {clipped[0]}"]


def _to_pixels(drawn: DrawnBox, image_size: Size) -> tuple[Box, float]:
    """Return the box in whole pixels, and how far it reaches past the edge of the image, in px."""
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
    overhang_px = max(-x0, -y0, x1 - width, y1 - height)
    if overhang_px > MAX_OVERHANG_PX:
        raise InputError(
            f"{drawn.location}: expected a box inside the image of {width} x {height} px, {found}"
        )
    # Not round(): it rounds half to even, which would make a box from 1.5 to 2.5 empty.
    x0, y0, x1, y1 = (math.floor(edge + 0.5) for edge in edges)
    box_xyxy = max(x0, 0), max(y0, 0), min(x1, width), min(y1, height)
    if box_xyxy[0] >= box_xyxy[2] or box_xyxy[1] >= box_xyxy[3]:
        raise InputError(f"{drawn.location}: expected a box of at least one pixel, {found}")
    return box_xyxy, overhang_px
