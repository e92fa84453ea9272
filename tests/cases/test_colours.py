"""A colour for each class."""

import numpy as np

from automedsam.cases.colours import OF_CLASSES, ORANGE, SKY, as_rgb, class_colours, colour_labels


def test_classes_differ_until_there_are_too_many():
    assert len(set(class_colours(7))) == 7
    assert class_colours(9) == [*OF_CLASSES, ORANGE, SKY]


def test_a_colour_is_three_numbers():
    assert as_rgb("#D55E00") == (213, 94, 0)


def test_labels_have_the_colours_of_their_classes_and_the_rest_is_black():
    picture = colour_labels(np.array([[0, 5], [2, 9]], np.uint8), [5, 2])
    assert picture.dtype == np.uint8
    assert picture.tolist() == [[[0, 0, 0], list(as_rgb(ORANGE))], [list(as_rgb(SKY)), [0, 0, 0]]]
