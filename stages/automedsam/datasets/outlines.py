"""Annotations that are drawn as the outline of an ellipse, converted to filled masks."""

import numpy as np

ROUNDING = 1e-9  # px; a pixel this close to the hull is inside


def fill_outline(outline: np.ndarray) -> np.ndarray:
    """Return the convex hull of an outline (H, W), bool, the line included.

    The image border may cut the ellipse. Straight lines close the gaps, so a corner of the image
    that lies inside the ellipse is not filled. An empty outline gives an empty mask.
    """
    filled = np.zeros_like(outline)
    rows = np.flatnonzero(outline.any(axis=1))
    if rows.size:
        all_rows = np.arange(rows[0], rows[-1] + 1)
        columns = np.arange(outline.shape[1])
        first = outline[rows].argmax(axis=1)
        last = columns[-1] - outline[rows, ::-1].argmax(axis=1)
        left = _lower_hull(rows, first, all_rows)
        right = -_lower_hull(rows, -last, all_rows)
        is_right_of_left = columns >= left[:, None] - ROUNDING
        is_left_of_right = columns <= right[:, None] + ROUNDING
        filled[all_rows] = is_right_of_left & is_left_of_right
    return filled


def _lower_hull(x: np.ndarray, y: np.ndarray, x_query: np.ndarray) -> np.ndarray:
    """Lower convex hull of points with rising x, evaluated at `x_query`.

    Andrew's monotone chain: A. M. Andrew, Another efficient algorithm for convex hulls in two
    dimensions, Information Processing Letters 9(5), 1979.
    """
    hull: list[tuple[int, int]] = []
    for x2, y2 in zip(x.tolist(), y.tolist(), strict=True):
        while len(hull) > 1:
            (x0, y0), (x1, y1) = hull[-2:]
            if (y1 - y0) * (x2 - x0) < (y2 - y0) * (x1 - x0):
                break
            hull.pop()
        hull.append((x2, y2))
    corners_x, corners_y = zip(*hull, strict=True)
    return np.interp(x_query, corners_x, corners_y)
