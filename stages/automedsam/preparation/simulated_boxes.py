"""How boxes are simulated from masks; boxes that somebody drew are taken as they are."""

from dataclasses import dataclass

import numpy as np

from automedsam.cases.boxes import Box, component_boxes, tight_box
from automedsam.preparation.splits import name_hash
from automedsam.runtime.options import BoxesPerObject


@dataclass(frozen=True)
class BoxSimulation:
    """What somebody would draw, and how carefully."""

    boxes_per_object: BoxesPerObject = "union"  # one round all of it, or one round each part
    min_object_px: int = 1  # an object or part of fewer pixels gets no box
    box_jitter: int = 0  # px by which each side is moved out, at most
    seed: int = 0  # of the jitter

    def simulate(self, mask: np.ndarray) -> tuple[Box, ...]:
        """The boxes that a careful person would draw round the object of a mask (H, W); none if it is too small."""
        if self.boxes_per_object == "component":
            return tuple(component_boxes(mask, self.min_object_px))
        return (tight_box(mask),) if mask.sum() >= self.min_object_px else ()

    def jitter(
        self, boxes_xyxy: tuple[Box, ...], image_size: tuple[int, ...], name: str
    ) -> tuple[Box, ...]:
        """Those of a less careful one: each side out by 0 to `box_jitter` px, the same for a name each time."""
        rng = np.random.default_rng(list(name_hash(name, self.seed)))
        height, width = image_size
        moved = []
        for x0, y0, x1, y1 in boxes_xyxy:
            left, above, right, below = rng.integers(0, self.box_jitter, 4, endpoint=True).tolist()
            moved.append(
                (
                    max(x0 - left, 0),
                    max(y0 - above, 0),
                    min(x1 + right, width),
                    min(y1 + below, height),
                )
            )
        return tuple(moved)
