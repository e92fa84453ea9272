"""Conversion of raw values to 8 bits, by percentiles or by a window."""

from dataclasses import dataclass

import numpy as np

# The preparation of MedSAM's training data.
PERCENTILES = (0.5, 99.5)


@dataclass(frozen=True)
class Intensity:
    """The raw values that become 0 and 255.

    Attributes:
      window: These two values, for CT in Hounsfield units; None: percentiles 0.5 and 99.5 of the
        scan, of a volume as a whole.
    """

    window: tuple[float, float] | None = None

    @classmethod
    def between(cls, low: float | None, high: float | None) -> "Intensity":
        """Create from the two ends of a window; if either is None, percentiles are used."""
        return cls(None if low is None or high is None else (low, high))

    def value_range(self, values: np.ndarray) -> tuple[float, float]:
        """The raw values (low, high) that become 0 and 255.

        If the two percentiles are equal, the range is the minimum and maximum of the values.
        """
        if self.window is not None:
            return self.window
        # numpy interpolates in the type of the values, where the difference of two int16 overflows.
        wide = values.astype(np.float64) if values.dtype.kind == "i" else values
        low, high = np.percentile(wide, PERCENTILES).tolist()
        return (low, high) if high > low else (float(values.min()), float(values.max()))


def to_8_bits(values: np.ndarray, value_range: tuple[float, float]) -> np.ndarray:
    """Scale values to uint8.

    Args:
      values: Any shape and numeric type.
      value_range: Raw values that become 0 and 255. Values outside are clipped. An empty
        range, of a constant image, gives 0.

    Returns:
      uint8, the shape of `values`.
    """
    low, high = value_range
    scaled = (values.astype(np.float64) - low) / max(high - low, np.finfo(np.float64).tiny)
    return np.asarray((255 * scaled.clip(0, 1)).round(), np.uint8)
