"""A predicted mask drawn on its image, for any viewer."""

import numpy as np
from scipy.ndimage import binary_dilation, binary_erosion

from automedsam.cases.boxes import tight_box
from automedsam.cases.classes import Classes
from automedsam.cases.colours import RED, SKY, as_rgb


def draw_classes(image: np.ndarray, labels: np.ndarray, classes: Classes) -> np.ndarray:
    """Draw the contour and the box of each class; of several classes, both in the class's colour.

    Args:
      image: (H, W) or (H, W, 3), uint8.
      labels: label mask (H, W), uint8.
      classes: the classes.

    Returns:
      (H, W, 3), uint8.
    """
    for cls in classes:
        contour, box = classes.colour_of(cls, single=RED), classes.colour_of(cls, single=SKY)
        image = draw_overlay(image, labels == cls.value, contour, box)
    return image


def draw_overlay(
    image: np.ndarray, mask: np.ndarray, contour: str = RED, box: str = SKY
) -> np.ndarray:
    """Draw the contour and the box of a mask (H, W), bool; an empty mask adds nothing.

    Args:
      image: (H, W) or (H, W, 3), uint8.
      mask: (H, W), bool.
      contour: colour, "#RRGGBB".
      box: colour, "#RRGGBB".

    Returns:
      (H, W, 3), uint8.
    """
    overlay = np.repeat(image[..., None], 3, axis=2) if image.ndim == 2 else image.copy()
    overlay[binary_dilation(mask) & ~binary_erosion(mask)] = as_rgb(contour)
    x0, y0, x1, y1 = tight_box(mask)
    if x1 > x0:
        overlay[y0:y1, [x0, x1 - 1]] = as_rgb(box)
        overlay[[y0, y1 - 1], x0:x1] = as_rgb(box)
    return overlay
