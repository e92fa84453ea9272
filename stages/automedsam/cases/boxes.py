"""Tight boxes: from masks, as masks, and how much they overlap.

A box is `x0, y0, x1, y1` in pixels, the first pixel inside and the first one past the object: half open, so that
its width is x1 - x0 and scaling needs no correction. No object is the empty box 0, 0, 0, 0.
"""

from collections.abc import Mapping, Sequence

import numpy as np
from scipy.ndimage import find_objects, label

Box = tuple[int, int, int, int]
BoxesByClass = Mapping[int, tuple[Box, ...]]  # class value in label masks -> boxes
Size = tuple[int, int]  # height, width in px
Spacing = tuple[float, float, float]  # mm from slice to slice, row to row, column to column
EMPTY: Box = (0, 0, 0, 0)
EDGES = ("x_min", "y_min", "x_max", "y_max")  # what its numbers are called in tables


def tight_box(mask: np.ndarray) -> Box:
    """Smallest box_xyxy round a bool mask (H, W); an empty mask gives the empty box."""
    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    if rows.size == 0:
        return EMPTY
    return int(columns[0]), int(rows[0]), int(columns[-1]) + 1, int(rows[-1]) + 1


def largest_parts(mask: np.ndarray, count: int) -> list[np.ndarray]:
    """The `count` largest connected parts (4 neighbours) of a bool mask (H, W), as masks, or as many as there are."""
    parts, _ = label(mask)
    areas = np.bincount(parts.ravel())[1:]
    return [parts == 1 + part for part in np.argsort(-areas, kind="stable")[:count]]


def largest_box(mask: np.ndarray) -> Box:
    """Tight box round the largest part of a bool mask (H, W); an empty one gives the empty box."""
    return tight_box(largest_parts(mask, 1)[0]) if mask.any() else EMPTY


def component_boxes(mask: np.ndarray, min_px: int = 1) -> list[Box]:
    """A tight box round each connected part (8 neighbours) of at least `min_px` of a bool mask (H, W), from the top."""
    parts, _ = label(mask, structure=np.ones((3, 3)))
    areas = np.bincount(parts.ravel())[1:]
    return [
        (columns.start, rows.start, columns.stop, rows.stop)
        for (rows, columns), area in zip(find_objects(parts), areas, strict=True)
        if area >= min_px
    ]


def enclosing_box(boxes_xyxy: Sequence[Box]) -> Box:
    """Smallest box round all of them; of none, the empty box."""
    if not boxes_xyxy:
        return EMPTY
    x0, y0, x1, y1 = zip(*boxes_xyxy, strict=True)
    return min(x0), min(y0), max(x1), max(y1)


def fill_boxes(boxes_xyxy: Sequence[Box], image_size: tuple[int, int]) -> np.ndarray:
    """The boxes as one bool mask of (height, width); none gives an empty mask."""
    mask = np.zeros(image_size, bool)
    for x0, y0, x1, y1 in boxes_xyxy:
        mask[y0:y1, x0:x1] = True
    return mask


def box_iou(one_xyxy: Box, other_xyxy: Box) -> float:
    """Intersection over union, 0 to 1; of two empty boxes 1, of an empty and another 0."""
    x0, y0 = max(one_xyxy[0], other_xyxy[0]), max(one_xyxy[1], other_xyxy[1])
    x1, y1 = min(one_xyxy[2], other_xyxy[2]), min(one_xyxy[3], other_xyxy[3])
    overlap = max(x1 - x0, 0) * max(y1 - y0, 0)
    union = box_area(one_xyxy) + box_area(other_xyxy) - overlap
    return overlap / union if union else 1.0


def mask_box_iou(mask: np.ndarray, boxes_xyxy: Sequence[Box]) -> float:
    """How well a bool mask (H, W) fits the boxes of an object, 0 to 1: overlap of its own box with the given one.

    Where the object has several boxes, of all that the boxes round the mask's parts cover with all that those cover. An
    empty mask fits an absent object: 1.
    """
    if len(boxes_xyxy) < 2:
        return box_iou(tight_box(mask), enclosing_box(boxes_xyxy))
    found, given = (
        fill_boxes(boxes, mask.shape[:2]) for boxes in (component_boxes(mask), boxes_xyxy)
    )
    return float((found & given).sum() / (found | given).sum())


def box_area(box_xyxy: Box) -> int:
    """Area in px; 0 for the empty box."""
    return (box_xyxy[2] - box_xyxy[0]) * (box_xyxy[3] - box_xyxy[1])
