"""A mask drawn on its image, to look at in any viewer."""

import numpy as np
from scipy.ndimage import binary_dilation, binary_erosion

from automedsam.cases.boxes import tight_box
from automedsam.cases.colours import RED, SKY, as_rgb


def draw_overlay(
    image: np.ndarray, mask: np.ndarray, contour: str = RED, box: str = SKY
) -> np.ndarray:
    """The image (H, W[, 3]) as (H, W, 3) uint8, with the mask's contour and its box; an empty mask adds none."""
    overlay = np.repeat(image[..., None], 3, axis=2) if image.ndim == 2 else image.copy()
    overlay[binary_dilation(mask) & ~binary_erosion(mask)] = as_rgb(contour)
    x0, y0, x1, y1 = tight_box(mask)
    if x1 > x0:
        for edge in (
            np.s_[y0:y1, x0],
            np.s_[y0:y1, x1 - 1],
            np.s_[y0, x0:x1],
            np.s_[y1 - 1, x0:x1],
        ):
            overlay[edge] = as_rgb(box)
    return overlay
