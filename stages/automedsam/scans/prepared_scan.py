"""From a scan's raw values to the 8-bit slices that the encoder sees: one way, for `prepare` and `predict` alike."""

import json
from dataclasses import asdict, dataclass, field

import numpy as np
from torch import Tensor

from automedsam.cases.boxes import Size
from automedsam.runtime.errors import InputError
from automedsam.runtime.options import SliceAxis
from automedsam.scans.framing import Framing
from automedsam.scans.intensity import Intensity, to_8_bits
from automedsam.scans.scan import Scan


@dataclass(frozen=True)
class Preparation:
    """How volumes are cut, values scaled and slices framed; a trained model carries it along."""

    slice_axis: SliceAxis = "auto"
    intensity: Intensity = field(default_factory=Intensity)
    framing: Framing = field(default_factory=Framing)

    def to_json(self) -> str:
        """For file headers."""
        return json.dumps(asdict(self), sort_keys=True)

    @classmethod
    def from_json(cls, text: str) -> "Preparation":
        """What `to_json` wrote."""
        parts = json.loads(text)
        window = parts["intensity"]["window"]
        return cls(
            parts["slice_axis"], Intensity(window and tuple(window)), Framing(**parts["framing"])
        )


class PreparedScan:
    """The 8-bit slices of one scan, made one by one, and the way back to its own pixels."""

    def __init__(
        self,
        scan: Scan,
        preparation: Preparation,
        spacing_mm: tuple[float, float, float] | None = None,
    ) -> None:
        """Read the scan's values; `spacing_mm` is that of a data set whose files do not hold it.

        Raises:
          InputError: values that cannot be read, or an unknown spacing that is needed.
        """
        self._framing = preparation.framing
        self._size: Size = scan.shape[1:]
        self._spacing_mm = spacing_mm or scan.spacing_mm
        self._pixel_mm = pixel_spacing_mm(self._spacing_mm)
        try:
            self._resampled = self._framing.resampled_size(self._size, self._pixel_mm)
        except InputError as fault:
            raise InputError(f"{scan.path}: {fault}") from None
        self._values = scan.read_values()
        self.value_range = preparation.intensity.value_range(self._values)

    @property
    def spacing_mm(self) -> tuple[float, float, float] | None:
        """Of the prepared slices."""
        if self._spacing_mm is None:
            return None
        apart_mm, row_mm, column_mm = self._spacing_mm
        (height, width), (new_height, new_width) = self._size, self._resampled
        return apart_mm, row_mm * height / new_height, column_mm * width / new_width

    def picture(self, number: int) -> np.ndarray:
        """One slice in the scan's own pixels, (H, W) or (H, W, 3), uint8."""
        return to_8_bits(self._values[number], self.value_range)

    def slice(self, number: int) -> np.ndarray:
        """One slice in its frame, (h, w) or (h, w, 3), uint8: what the encoder is to see."""
        return self._framing.frame_image(self.picture(number), self._pixel_mm)

    def unframe(self, logits: Tensor) -> Tensor:
        """Mask logits (1, 1, h, w) of a slice's frame to (1, 1, H, W) of the scan's own pixels."""
        return self._framing.unframe(logits, self._size, self._pixel_mm)


def pixel_spacing_mm(spacing_mm: tuple[float, float, float] | None) -> tuple[float, float] | None:
    """From row to row and column to column, of a scan's spacing."""
    return None if spacing_mm is None else spacing_mm[1:]
