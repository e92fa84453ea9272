"""Padding outside of the field of view, which must not decide the grey scale."""

from pathlib import Path

import numpy as np

from automedsam.scans.intensity import PERCENTILES
from automedsam.scans.notices import warn_once

# Values that CT scanners and conversion tools store where nothing was measured.
PADDING_VALUES = (-2000, -2048, -3000, -3024, -3072, -9999, -10000, -32767, -32768)
NO_DATA = float(np.finfo(np.float32).min)
AIR = -1024  # Hounsfield units; measured values are hardly ever below
# Fewer values do not change the lower percentile.
MIN_SHARE = PERCENTILES[0] / 100
# Values between padding and air are interpolated edges of the field of view, unless they are many.
MAX_EDGE_SHARE = 0.25


def measured_values(path: Path, values: np.ndarray) -> np.ndarray:
    """Leave out padding, with a warning, before the grey scale is chosen.

    Args:
      path: The file, for messages.
      values: The values of a scan, any shape and real type, finite, not empty.

    Returns:
      The values of at least -1024, (n,), if the smallest value is a usual padding value, frequent,
      and far below nearly all others; `values` otherwise.
    """
    low = float(values.min())
    if low not in (*PADDING_VALUES, NO_DATA):
        return values
    inside = values[values >= AIR]
    padding = int((values == low).sum())
    edge = values.size - inside.size - padding
    if not inside.size or padding < MIN_SHARE * values.size or edge > MAX_EDGE_SHARE * padding:
        return values
    warn_once(
        path,
        f"{padding / values.size:.1%} of the values are {low:g}, which is usual outside of "
        "the field of view; the grey scale ignores them, unless window_low and window_high are set",
    )
    return inside
