"""Colours of Okabe and Ito, told apart by colour-blind eyes."""

import numpy as np

GREEN, RED, SKY, BLUE, ORANGE, BLACK = (
    "#009E73",
    "#D55E00",
    "#56B4E9",
    "#0072B2",
    "#E69F00",
    "#000000",
)
YELLOW, PURPLE = "#F0E442", "#CC79A7"
OF_CLASSES = (ORANGE, SKY, GREEN, YELLOW, RED, PURPLE, BLUE)  # neighbours differ in brightness, too


def class_colours(count: int) -> list[str]:
    """One for each of several classes; after seven they come again."""
    return [OF_CLASSES[number % len(OF_CLASSES)] for number in range(count)]


def as_rgb(colour: str) -> tuple[int, int, int]:
    """0 to 255 each, of "#RRGGBB"."""
    red, green, blue = bytes.fromhex(colour[1:])
    return red, green, blue


def colour_labels(labels: np.ndarray, values: list[int]) -> np.ndarray:
    """Labels (H, W) of several classes as (H, W, 3) uint8, each in its class's colour; what is of none is black."""
    picture = np.zeros((*labels.shape, 3), np.uint8)
    for value, colour in zip(values, class_colours(len(values)), strict=True):
        picture[labels == value] = as_rgb(colour)
    return picture
