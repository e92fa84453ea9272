"""Tight boxes: from masks, as masks, and how much two of them overlap.

A box is `x0, y0, x1, y1` in pixels, the first pixel inside and the first one past the object: half open, so that
its width is x1 - x0 and scaling needs no correction. No object is the empty box 0, 0, 0, 0.
"""

import numpy as np

Box = tuple[int, int, int, int]
EMPTY: Box = (0, 0, 0, 0)


def tight_box(mask: np.ndarray) -> Box:
    """Smallest box_xyxy round a bool mask (H, W); an empty mask gives the empty box."""
    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    if rows.size == 0:
        return EMPTY
    return int(columns[0]), int(rows[0]), int(columns[-1]) + 1, int(rows[-1]) + 1


def fill_box(box_xyxy: Box, image_size: tuple[int, int]) -> np.ndarray:
    """The box as a bool mask of (height, width); the empty box gives an empty mask."""
    mask = np.zeros(image_size, bool)
    x0, y0, x1, y1 = box_xyxy
    mask[y0:y1, x0:x1] = True
    return mask


def box_iou(one_xyxy: Box, other_xyxy: Box) -> float:
    """Intersection over union, 0 to 1; of two empty boxes 1, of an empty and another 0."""
    x0, y0 = max(one_xyxy[0], other_xyxy[0]), max(one_xyxy[1], other_xyxy[1])
    x1, y1 = min(one_xyxy[2], other_xyxy[2]), min(one_xyxy[3], other_xyxy[3])
    overlap = max(x1 - x0, 0) * max(y1 - y0, 0)
    union = box_area(one_xyxy) + box_area(other_xyxy) - overlap
    return overlap / union if union else 1.0


def box_area(box_xyxy: Box) -> int:
    """Area in px; 0 for the empty box."""
    return (box_xyxy[2] - box_xyxy[0]) * (box_xyxy[3] - box_xyxy[1])
