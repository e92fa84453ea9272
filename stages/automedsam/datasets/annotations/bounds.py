"""Upright boxes around points and around rotated rectangles."""

import math
from collections.abc import Sequence

Edges = tuple[float, float, float, float]  # x_min, y_min, x_max, y_max
UPRIGHT_DEGREES = 1e-6  # a smaller rotation is none


def bounds_of_points(coordinates: Sequence[float]) -> Edges:
    """Return the box around at least one point, given as x, y, x, y and so on."""
    xs, ys = coordinates[0::2], coordinates[1::2]
    return min(xs), min(ys), max(xs), max(ys)


def is_rotated(degrees: float) -> bool:
    """Return whether a rotation is more than none or a full turn."""
    return abs(math.remainder(degrees, 360)) >= UPRIGHT_DEGREES


def bounds_of_rotated(edges: Edges, degrees: float) -> Edges:
    """Return the box around a rectangle that is rotated about its centre.

    The direction of the rotation has no influence on the result.
    """
    if not is_rotated(degrees):
        return edges
    x0, y0, x1, y1 = edges
    cosine = abs(math.cos(math.radians(degrees)))
    sine = abs(math.sin(math.radians(degrees)))
    half_width = ((x1 - x0) * cosine + (y1 - y0) * sine) / 2
    half_height = ((x1 - x0) * sine + (y1 - y0) * cosine) / 2
    cx, cy = (x0 + x1) / 2, (y0 + y1) / 2
    return cx - half_width, cy - half_height, cx + half_width, cy + half_height
