"""8-bit slices of a scan, prepared in the same way for `prepare` and `predict`."""

import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from automedsam.cases.boxes import Box, Size, Spacing
from automedsam.runtime.errors import InputError
from automedsam.runtime.options import SliceAxis
from automedsam.scans.framing import Framing
from automedsam.scans.intensity import Intensity, to_8_bits
from automedsam.scans.padding import measured_values
from automedsam.scans.scan import Scan

if TYPE_CHECKING:  # see `framing`
    from torch import Tensor


@dataclass(frozen=True)
class Preparation:
    """Settings of the preparation of scans; they are stored with the trained model.

    Attributes:
      slice_axis: The axis along which volumes are cut into slices.
      intensity: How raw values become 8 bits.
      framing: How slices are resampled, cropped and padded.
    """

    slice_axis: SliceAxis = "auto"
    intensity: Intensity = field(default_factory=Intensity)
    framing: Framing = field(default_factory=Framing)

    def to_json(self) -> str:
        """Serialize for the header of a model file."""
        return json.dumps(asdict(self), sort_keys=True)

    @classmethod
    def from_dict(cls, parts: dict[str, Any]) -> "Preparation":
        """Restore from the content of the JSON that `to_json` returned."""
        window = parts["intensity"]["window"]
        intensity = Intensity(None if window is None else tuple(window))
        return cls(parts["slice_axis"], intensity, Framing(**parts["framing"]))


class PreparedScan:
    """The prepared slices of one scan, created on demand, and the mapping back to its own pixels.

    Args:
      scan: The scan; its values are read at once.
      preparation: How to prepare it.
      spacing_mm: Spacing from another source, for files that do not store it; None: that of the
        scan.

    Raises:
      InputError: If the values cannot be read, or if resampling needs a spacing that is unknown.
    """

    def __init__(
        self, scan: Scan, preparation: Preparation, spacing_mm: Spacing | None = None
    ) -> None:
        self._framing = preparation.framing
        self._size: Size = scan.shape[1:]
        self._spacing_mm = spacing_mm or scan.spacing_mm
        self._pixel_mm = pixel_spacing_mm(self._spacing_mm)
        try:
            self._resampled = self._framing.resampled_size(self._size, self._pixel_mm)
        except InputError as error:
            raise InputError(f"{scan.path}: {error}") from None
        self._values = scan.read_values()
        intensity = preparation.intensity
        has_window = intensity.window is not None
        measured = self._values if has_window else measured_values(scan.path, self._values)
        self.value_range = intensity.value_range(measured)

    @property
    def spacing_mm(self) -> Spacing | None:
        """Distance between slices, rows and columns after resampling, in mm; None if unknown."""
        if self._spacing_mm is None:
            return None
        slice_mm, row_mm, column_mm = self._spacing_mm
        (height, width), (new_height, new_width) = self._size, self._resampled
        return slice_mm, row_mm * height / new_height, column_mm * width / new_width

    def picture(self, number: int) -> np.ndarray:
        """One slice in the scan's own pixels, (H, W) or (H, W, 3), uint8."""
        return to_8_bits(self._values[number], self.value_range)

    def slice(self, number: int) -> np.ndarray:
        """One slice in its frame, (h, w) or (h, w, 3), uint8: the input of the encoder."""
        return self._framing.frame_image(self.picture(number), self._pixel_mm)

    def frame_boxes(self, boxes_xyxy: Iterable[Box]) -> list[Box]:
        """Map boxes (px, half open) of a slice to its frame; boxes outside of it are left out."""
        framed = [self._framing.frame_box(box, self._size, self._pixel_mm) for box in boxes_xyxy]
        return [box for box in framed if box is not None]

    def unframe(self, logits: "Tensor") -> "Tensor":
        """Map mask logits (1, K, h, w) from the frame of a slice to (1, K, H, W) of the scan."""
        return self._framing.unframe(logits, self._size, self._pixel_mm)


def pixel_spacing_mm(spacing_mm: Spacing | None) -> tuple[float, float] | None:
    """Distance between rows and between columns, from the spacing of a scan; None if unknown."""
    return None if spacing_mm is None else spacing_mm[1:]
