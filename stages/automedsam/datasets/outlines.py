"""An annotation that is but a line round the object, filled."""

import numpy as np


def fill_outline(outline: np.ndarray) -> np.ndarray:
    """The convex hull of an outline (H, W), bool: an ellipse that the image's border may cut, line included.

    Straight lines close the gaps, so that a corner of the image that lies inside the ellipse is lost.
    """
    filled = np.zeros_like(outline)
    rows = np.flatnonzero(outline.any(axis=1))
    if rows.size:
        every = np.arange(rows[0], rows[-1] + 1)
        columns = np.arange(outline.shape[1])
        first = outline[rows].argmax(axis=1)
        last = columns[-1] - outline[rows, ::-1].argmax(axis=1)
        left, right = _hull_from_below(rows, first, every), -_hull_from_below(rows, -last, every)
        filled[every] = (columns >= left[:, None] - 1e-9) & (columns <= right[:, None] + 1e-9)
    return filled


def _hull_from_below(x: np.ndarray, y: np.ndarray, every: np.ndarray) -> np.ndarray:
    """The lower convex hull of points with rising x, at `every` x (Andrew's monotone chain)."""
    hull: list[tuple[int, int]] = []
    for x2, y2 in zip(x.tolist(), y.tolist(), strict=True):
        while len(hull) > 1:
            (x0, y0), (x1, y1) = hull[-2:]
            if (y1 - y0) * (x2 - x0) < (y2 - y0) * (x1 - x0):
                break
            hull.pop()
        hull.append((x2, y2))
    corners_x, corners_y = zip(*hull, strict=True)
    return np.interp(every, corners_x, corners_y)
