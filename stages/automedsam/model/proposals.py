"""Proposals of boxes: the parts of a probability map at several levels."""

import numpy as np

from automedsam.cases.boxes import Box, largest_parts, tight_box

LEVELS = (0.5, 0.3, 0.15, 0.05)  # thresholds of probability, the most certain first
MAX_PARTS_PER_LEVEL = 3  # a larger `max_parts` raises it
MIN_CELLS = 4  # smaller parts are noise


def propose_boxes(probability: np.ndarray, max_parts: int = 1) -> list[Box]:
    """Propose boxes around the largest parts of a map at each level.

    Args:
      probability: (h, w), 0 to 1.
      max_parts: maximum number of parts of the object.

    Returns:
      Distinct boxes in cells of the map, from the highest level to the lowest and the largest part
      of each level first; none if all parts are smaller than `MIN_CELLS`.
    """
    part_count = max(MAX_PARTS_PER_LEVEL, max_parts)
    boxes = [
        tight_box(part)
        for level in LEVELS
        for part in largest_parts(probability >= level, part_count)
        if part.sum() >= MIN_CELLS
    ]
    return list(dict.fromkeys(boxes))  # without repetitions, in the same order
