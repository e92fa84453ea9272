"""Tight boxes: conversion from and to masks, and their overlap.

A box is `x0, y0, x1, y1` in pixels. It is half open: x0, y0 is the first pixel inside, and x1, y1
the first one past the object. Its width is therefore x1 - x0, and scaling needs no correction. The
box of an absent object is the empty box 0, 0, 0, 0.
"""

from collections.abc import Mapping, Sequence

import numpy as np
from scipy.ndimage import find_objects, label

Box = tuple[int, int, int, int]
BoxesByClass = Mapping[int, tuple[Box, ...]]  # class value in label masks -> boxes
Size = tuple[int, int]  # height, width in px
Spacing = tuple[float, float, float]  # mm from slice to slice, row to row, column to column
EMPTY: Box = (0, 0, 0, 0)
EDGES = ("x_min", "y_min", "x_max", "y_max")  # column names of the four numbers in tables


def tight_box(mask: np.ndarray) -> Box:
    """Smallest box around a bool mask (H, W); the empty box if the mask is empty."""
    rows = np.flatnonzero(mask.any(axis=1))
    columns = np.flatnonzero(mask.any(axis=0))
    if rows.size == 0:
        return EMPTY
    return int(columns[0]), int(rows[0]), int(columns[-1]) + 1, int(rows[-1]) + 1


def largest_parts(mask: np.ndarray, count: int) -> list[np.ndarray]:
    """Masks of the `count` largest connected parts (4 neighbours) of a bool mask (H, W).

    The largest part is first. A mask with fewer parts gives all of them.
    """
    parts, _ = label(mask)
    areas = np.bincount(parts.ravel())[1:]
    return [parts == 1 + part for part in np.argsort(-areas, kind="stable")[:count]]


def largest_box(mask: np.ndarray) -> Box:
    """Tight box around the largest part of a bool mask (H, W); the empty box if it is empty."""
    return tight_box(largest_parts(mask, 1)[0]) if mask.any() else EMPTY


def component_boxes(mask: np.ndarray, min_px: int = 1) -> list[Box]:
    """Tight box around each connected part (8 neighbours) of a bool mask (H, W), from the top.

    Args:
      mask: bool mask (H, W).
      min_px: minimum area of a part; smaller parts are ignored.
    """
    parts, _ = label(mask, structure=np.ones((3, 3)))
    areas = np.bincount(parts.ravel())[1:]
    return [
        (columns.start, rows.start, columns.stop, rows.stop)
        for (rows, columns), area in zip(find_objects(parts), areas, strict=True)
        if area >= min_px
    ]


def boxes_of_all_classes(boxes: BoxesByClass) -> tuple[Box, ...]:
    """Return the boxes of all classes, class by class."""
    return tuple(box for boxes_xyxy in boxes.values() for box in boxes_xyxy)


def enclosing_box(boxes_xyxy: Sequence[Box]) -> Box:
    """Smallest box around all boxes; the empty box if there are none."""
    if not boxes_xyxy:
        return EMPTY
    x0, y0, x1, y1 = zip(*boxes_xyxy, strict=True)
    return min(x0), min(y0), max(x1), max(y1)


def fill_boxes(boxes_xyxy: Sequence[Box], image_size: Size) -> np.ndarray:
    """Bool mask (H, W) of the pixels in any of the boxes; an empty mask if there are none."""
    mask = np.zeros(image_size, bool)
    for x0, y0, x1, y1 in boxes_xyxy:
        mask[y0:y1, x0:x1] = True
    return mask


def box_iou(one_xyxy: Box, other_xyxy: Box) -> float:
    """Intersection over union, 0 to 1; 1 for two empty boxes, 0 if only one is empty."""
    x0, y0 = max(one_xyxy[0], other_xyxy[0]), max(one_xyxy[1], other_xyxy[1])
    x1, y1 = min(one_xyxy[2], other_xyxy[2]), min(one_xyxy[3], other_xyxy[3])
    overlap = max(x1 - x0, 0) * max(y1 - y0, 0)
    union = box_area(one_xyxy) + box_area(other_xyxy) - overlap
    return overlap / union if union else 1.0


def mask_box_iou(mask: np.ndarray, boxes_xyxy: Sequence[Box]) -> float:
    """Overlap (IoU), 0 to 1, of a mask's own box with the boxes of an object.

    With one box, this is the IoU of the mask's tight box with it. With several, it is the IoU of
    the area that the boxes of the mask's parts cover with the area that the given boxes cover.

    Args:
      mask: bool mask (H, W).
      boxes_xyxy: the boxes of the object; empty if it is absent.

    Returns:
      The overlap; 1 if the mask is empty and the object absent.
    """
    if len(boxes_xyxy) < 2:
        return box_iou(tight_box(mask), enclosing_box(boxes_xyxy))
    image_size = mask.shape[0], mask.shape[1]
    of_mask = fill_boxes(component_boxes(mask), image_size)
    of_object = fill_boxes(boxes_xyxy, image_size)
    return float((of_mask & of_object).sum() / (of_mask | of_object).sum())


def box_area(box_xyxy: Box) -> int:
    """Area of a box in px; 0 for the empty box."""
    return (box_xyxy[2] - box_xyxy[0]) * (box_xyxy[3] - box_xyxy[1])
