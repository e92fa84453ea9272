"""Simulation of drawn boxes from masks, for data sets without drawn boxes."""

from dataclasses import dataclass

import numpy as np

from automedsam.cases.boxes import Box, component_boxes, tight_box
from automedsam.preparation.splits import name_hash
from automedsam.runtime.options import BoxesPerObject


@dataclass(frozen=True)
class BoxSimulation:
    """Rules by which boxes are derived from masks."""

    boxes_per_object: BoxesPerObject = "union"  # one box for the whole object, or one per part
    min_object_px: int = 1  # smaller objects or parts get no box
    box_jitter: int = 0  # px, maximum by which each side is moved outwards
    seed: int = 0  # of the jitter

    def simulate(self, mask: np.ndarray) -> tuple[Box, ...]:
        """Return the tight boxes of the object in a mask (H, W), bool.

        The result is empty if the object, or each of its parts, is smaller than `min_object_px`.
        """
        if self.boxes_per_object == "component":
            return tuple(component_boxes(mask, self.min_object_px))
        return (tight_box(mask),) if mask.sum() >= self.min_object_px else ()

    def jitter(
        self, boxes_xyxy: tuple[Box, ...], image_size: tuple[int, ...], name: str
    ) -> tuple[Box, ...]:
        """Move each side outwards by a random 0 to `box_jitter` px, within the image.

        Args:
          boxes_xyxy: px, half open.
          image_size: height and width in px.
          name: seeds the random numbers, together with `seed`.
        """
        rng = np.random.default_rng(list(name_hash(name, self.seed)))
        height, width = image_size
        jittered = []
        for x0, y0, x1, y1 in boxes_xyxy:
            left, above, right, below = rng.integers(0, self.box_jitter, 4, endpoint=True).tolist()
            x0, y0 = max(x0 - left, 0), max(y0 - above, 0)
            x1, y1 = min(x1 + right, width), min(y1 + below, height)
            jittered.append((x0, y0, x1, y1))
        return tuple(jittered)
