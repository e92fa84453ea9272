"""Where the object may be: boxes round the parts of a map, from its surest parts to its faint ones."""

from dataclasses import dataclass

import numpy as np
from scipy.ndimage import label

from automedsam.boxes import Box, tight_box

LEVELS = (0.5, 0.3, 0.15, 0.05)  # of probability, at which the map is cut into parts
LARGEST = 3  # parts that are proposed at each level
LEAST_CELLS = 4  # a smaller part is noise


@dataclass(frozen=True)
class Proposal:
    box_xyxy: Box  # in cells of the map
    level: float  # the probability that every cell of its part reaches


def propose_boxes(probability: np.ndarray) -> list[Proposal]:
    """Proposals from a map (h, w), 0 to 1: the largest parts of each level, no box twice; perhaps none."""
    found: dict[Box, Proposal] = {}
    for level in LEVELS:
        parts, _ = label(probability >= level)
        areas = np.bincount(parts.ravel())
        areas[0] = 0
        for part in np.argsort(-areas, kind="stable")[:LARGEST]:
            if areas[part] >= LEAST_CELLS:
                box = tight_box(parts == part)
                found.setdefault(box, Proposal(box, level))
    return list(found.values())
