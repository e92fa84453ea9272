"""Tests of colours and of coloured label masks."""

import numpy as np

from automedsam.cases.colours import CLASS_COLOURS, ORANGE, SKY, as_rgb, colour_labels


def test_class_colours_differ():
    assert len(set(CLASS_COLOURS)) == len(CLASS_COLOURS) == 7


def test_as_rgb_returns_three_numbers():
    assert as_rgb("#D55E00") == (213, 94, 0)


def test_colour_labels_shows_each_class_and_leaves_the_rest_black():
    image = colour_labels(np.array([[0, 5], [2, 9]], np.uint8), {5: ORANGE, 2: SKY})
    assert image.dtype == np.uint8
    assert image.tolist() == [[[0, 0, 0], list(as_rgb(ORANGE))], [list(as_rgb(SKY)), [0, 0, 0]]]
