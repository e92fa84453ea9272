"""The colours of Okabe and Ito, which colour-blind readers can distinguish."""

import numpy as np

GREEN = "#009E73"
RED = "#D55E00"
SKY = "#56B4E9"
BLUE = "#0072B2"
ORANGE = "#E69F00"
BLACK = "#000000"
YELLOW = "#F0E442"
PURPLE = "#CC79A7"
CLASS_COLOURS = (ORANGE, SKY, GREEN, YELLOW, RED, PURPLE, BLUE)  # neighbours differ in brightness


def as_rgb(colour: str) -> tuple[int, int, int]:
    """Red, green and blue, 0 to 255 each, of "#RRGGBB"."""
    red, green, blue = bytes.fromhex(colour[1:])
    return red, green, blue


def colour_labels(labels: np.ndarray, colours: dict[int, str]) -> np.ndarray:
    """Label mask (H, W) as an image (H, W, 3), uint8; pixels of no class are black.

    Args:
      labels: values of classes.
      colours: the colour of each value.
    """
    image = np.zeros((*labels.shape, 3), np.uint8)
    for value, colour in colours.items():
        image[labels == value] = as_rgb(colour)
    return image
