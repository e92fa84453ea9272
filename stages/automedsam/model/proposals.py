"""Where the object may be: boxes round the parts of a map, from its surest parts to its faint ones."""

import numpy as np

from automedsam.cases.boxes import Box, largest_parts, tight_box

LEVELS = (0.5, 0.3, 0.15, 0.05)  # of probability, at which the map is cut into parts
LARGEST = 3  # parts that are proposed at each level, or more if objects have more
MIN_CELLS = 4  # a smaller part is noise


def propose_boxes(probability: np.ndarray, max_parts: int = 1) -> list[Box]:
    """Boxes, in cells, in a map (h, w), 0 to 1: of the largest parts of each level, no box twice; perhaps none."""
    found: dict[Box, None] = {}  # in the order in which they are found
    for level in LEVELS:
        for part in largest_parts(probability >= level, max(LARGEST, max_parts)):
            if part.sum() >= MIN_CELLS:
                found[tight_box(part)] = None
    return list(found)
