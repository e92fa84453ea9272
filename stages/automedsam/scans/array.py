"""Arrays in memory as scans, for prediction from Python."""

from pathlib import Path

import numpy as np

from automedsam.cases.boxes import Spacing
from automedsam.runtime.errors import InputError
from automedsam.scans.pixels import fill_invalid

COLOURS = 3  # channels


class ArrayScan:
    """An image or a volume that is already in memory.

    Args:
      values: (H, W) or (H, W, 3) is an image, (slices, H, W) or (slices, H, W, 3) is a volume; any
        real type. A last axis of length 3 is always read as colour.
      spacing_mm: distance between slices, rows and columns in mm; `None`: unknown.

    Raises:
      InputError: If the shape is none of these, or if values are not finite.
    """

    slicing = None

    def __init__(self, values: np.ndarray, spacing_mm: Spacing | None = None) -> None:
        self.path = Path("array")  # for messages
        self.spacing_mm = spacing_mm
        is_colour = values.ndim > 2 and values.shape[-1] == COLOURS
        dimensions = values.ndim - is_colour
        if dimensions not in (2, 3) or values.size == 0:
            raise InputError(
                "array: expected an image (H, W) or (H, W, 3), or a volume (slices, H, W) or "
                f"(slices, H, W, 3), found the shape {values.shape}"
            )
        stack = values if dimensions == 3 else values[None]
        self._values = fill_invalid(self.path, stack)
        self.shape = (stack.shape[0], stack.shape[1], stack.shape[2])
        self.is_volume = self.shape[0] > 1

    def read_values(self) -> np.ndarray:
        """The values, (slices, H, W) or (slices, H, W, 3)."""
        return self._values
