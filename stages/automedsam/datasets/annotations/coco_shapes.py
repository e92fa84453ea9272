"""The box of an annotation in COCO's JSON: from its bbox, its rotation or its outline."""

import math
from collections.abc import Iterator
from itertools import accumulate
from reprlib import repr as shorten
from typing import Any, TypeGuard

from automedsam.datasets.annotations.bounds import (
    Edges,
    bounds_of_points,
    bounds_of_rotated,
    is_rotated,
)
from automedsam.datasets.annotations.drawn import OUTLINE, ROTATED
from automedsam.datasets.annotations.text import number
from automedsam.runtime.errors import InputError

SAME_PX = 1  # a polygon whose bounds are this close to the bbox may be the unrotated rectangle
MIN_FILLED_SHARE = 0.95  # of its bounds, by the mask of an upright rectangle
NO_BBOX: tuple[object, ...] = (None, [], [0, 0, 0, 0])
# Compressed run lengths: six bits per character, the lowest five of which are data.
FIRST_CHARACTER, DATA_BITS, MORE, SIGN = 48, 5, 0x20, 0x10


def has_shape(entry: dict[str, Any]) -> bool:
    """Return whether an annotation has a bbox or an outline, not only a category."""
    return entry.get("bbox") not in NO_BBOX or bool(entry.get("segmentation"))


def read_edges(location: str, entry: dict[str, Any]) -> tuple[Edges, str]:
    """Return x_min, y_min, x_max, y_max in px, and what they were derived from, if from anything.

    `place_boxes` checks that they form a box.

    A missing, empty or zero bbox is replaced by the bounds of the segmentation. A rotated rectangle
    gives the upright box around it.

    Raises:
      InputError: neither four finite numbers nor an outline.
    """
    bbox, outline = entry.get("bbox"), entry.get("segmentation")
    if bbox in NO_BBOX and outline:
        return _bounds_of_outline(location, outline), OUTLINE
    if not isinstance(bbox, list) or len(bbox) != 4 or not all(map(_is_finite, bbox)):
        raise InputError(
            f"{location}: expected four numbers x, y, width, height as bbox, found {shorten(bbox)}"
        )
    x, y, width, height = map(float, bbox)
    edges = x, y, x + width, y + height
    degrees = _rotation(entry)
    if not is_rotated(degrees):
        return edges, ""
    if outline:
        bounds = _bounds_of_outline(location, outline)
        is_same = all(abs(a - b) <= SAME_PX for a, b in zip(bounds, edges, strict=True))
        if not is_same or not _fills(location, outline, bounds):
            return bounds, ROTATED  # the outline is that of the rotated object
    return bounds_of_rotated(edges, degrees), ROTATED


def _rotation(entry: dict[str, Any]) -> float:
    """Return the rotation in degrees, as CVAT writes it; 0 if there is none."""
    attributes = entry.get("attributes")
    value = attributes.get("rotation") if isinstance(attributes, dict) else None
    value = entry.get("rotation") if value is None else value
    return 0.0 if isinstance(value, bool) else number(str(value)) or 0.0


def _bounds_of_outline(location: str, outline: object) -> Edges:
    """Return the bounds of polygons, each x, y, x, y and so on, or of run lengths."""
    if isinstance(outline, dict):
        return _bounds_of_runs(location, outline)
    polygons: list[Any] = outline if isinstance(outline, list) else [None]
    for polygon in polygons:
        is_list = isinstance(polygon, list) and len(polygon) >= 6 and len(polygon) % 2 == 0
        if not is_list or not all(map(_is_finite, polygon)):
            raise InputError(
                f"{location}: expected polygons x, y, x, y, ... of at least three points as "
                f"segmentation, found {shorten(outline)}"
            )
    return bounds_of_points([float(value) for polygon in polygons for value in polygon])


def _fills(location: str, outline: object, bounds: Edges) -> bool:
    """Return whether an outline is the upright rectangle of its bounds."""
    x0, y0, x1, y1 = bounds
    if isinstance(outline, dict):
        lengths, _ = _read_runs(location, outline)
        return sum(lengths[1::2]) >= MIN_FILLED_SHARE * (x1 - x0) * (y1 - y0)
    coordinates = [value for polygon in outline for value in polygon]  # type: ignore[attr-defined]
    is_at_edges = (
        min(abs(value - low), abs(value - high)) <= SAME_PX
        for values, low, high in ((coordinates[0::2], x0, x1), (coordinates[1::2], y0, y1))
        for value in values
    )
    return all(is_at_edges)


def _bounds_of_runs(location: str, outline: dict[str, Any]) -> Edges:
    """Return the bounds of a mask whose columns are stored as alternating run lengths."""
    lengths, height = _read_runs(location, outline)
    ends = list(accumulate(lengths))
    # First and last pixel of each run of the object, counted down the columns.
    runs = [(ends[i - 1], ends[i] - 1) for i in range(1, len(ends), 2) if lengths[i]]
    if not runs:
        raise InputError(f"{location}: the mask of the segmentation is empty")
    columns = [pixel // height for run in runs for pixel in run]
    rows = [pixel % height for run in runs for pixel in run]
    if any(first // height != last // height for first, last in runs):
        rows = [0, height - 1]  # a run that continues in the next column touches both ends
    return min(columns), min(rows), max(columns) + 1, max(rows) + 1


def _read_runs(location: str, outline: dict[str, Any]) -> tuple[list[int], int]:
    """Return alternating run lengths, the first of background, and the height of the mask.

    The lengths are a list, or compressed to a string.
    """
    counts, size = outline.get("counts"), outline.get("size")
    lengths = list(_decompress(counts)) if isinstance(counts, str) else counts
    if not _are_counts(size) or not _are_counts(lengths) or len(size) != 2:
        raise InputError(f"{location}: expected counts and size of a mask as segmentation")
    height, width = size
    if sum(lengths) > height * width:
        raise InputError(f"{location}: the counts of the segmentation exceed its size")
    return lengths, height


def _decompress(text: str) -> Iterator[int]:
    """Yield the run lengths of a compressed string; from the fourth on, differences are stored."""
    lengths: list[int] = []
    value = bits = 0
    for character in text:
        code = ord(character) - FIRST_CHARACTER
        value |= (code & (MORE - 1)) << bits
        bits += DATA_BITS
        if not code & MORE:
            value -= (1 << bits) if code & SIGN else 0
            lengths.append(value + (lengths[-2] if len(lengths) > 2 else 0))
            yield lengths[-1]
            value = bits = 0


def _are_counts(values: object) -> TypeGuard[list[int]]:
    return isinstance(values, list) and all(type(value) is int and value >= 0 for value in values)


def _is_finite(value: object) -> bool:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return False
    try:
        return math.isfinite(value)
    except OverflowError:  # a whole number that exceeds the range of floats
        return False
