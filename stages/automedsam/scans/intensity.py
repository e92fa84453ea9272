"""From raw values of any type to 8 bits: by percentiles, or through a window."""

from dataclasses import dataclass

import numpy as np

PERCENTILES = (
    0.5,
    99.5,
)  # of a scan's values, mapped to 0 and 255: the preparation of MedSAM's training data


@dataclass(frozen=True)
class Intensity:
    """Which raw values become 0 and 255.

    window: these two (for CT, in Hounsfield units); None: percentiles 0.5 and 99.5 of the scan, of a volume as a whole.
    """

    window: tuple[float, float] | None = None

    @classmethod
    def between(cls, low: float | None, high: float | None) -> "Intensity":
        """Of a window's two ends, or of None and None."""
        return cls(None if low is None or high is None else (low, high))

    def value_range(self, values: np.ndarray) -> tuple[float, float]:
        """The raw values that become 0 and 255.

        Where more than 99 % of the values are one, the full range tells more than nothing.
        """
        if self.window is not None:
            return self.window
        # In between two values of int16, say, numpy interpolates in int16: their difference overflows.
        wide = values.astype(np.float64) if values.dtype.kind == "i" else values
        low, high = np.percentile(wide, PERCENTILES).tolist()
        return (low, high) if high > low else (float(values.min()), float(values.max()))


def to_8_bits(values: np.ndarray, value_range: tuple[float, float]) -> np.ndarray:
    """Values of any type and shape to uint8, those beyond the range clipped; a range of no extent gives zeros."""
    low, high = value_range
    scaled = (values.astype(np.float64) - low) / max(high - low, np.finfo(np.float64).tiny)
    return np.asarray((255 * scaled.clip(0, 1)).round(), np.uint8)
