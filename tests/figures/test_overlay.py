"""Masks drawn on their images."""

import numpy as np
import pytest

from automedsam.cases.colours import RED, SKY, as_rgb
from automedsam.figures.overlay import draw_overlay


@pytest.mark.parametrize("shape", [(20, 30), (20, 30, 3)])
def test_contour_and_box_are_drawn_and_the_rest_is_the_image(shape):
    mask = np.zeros((20, 30), bool)
    mask[5:12, 8:20] = True
    mask[5, 8] = False
    overlay = draw_overlay(np.full(shape, 7, np.uint8), mask)
    assert overlay.shape == (20, 30, 3)
    assert tuple(overlay[5, 8]) == tuple(overlay[11, 19]) == as_rgb(SKY)
    assert tuple(overlay[4, 12]) == tuple(overlay[12, 12]) == as_rgb(RED)
    assert tuple(overlay[8, 14]) == tuple(overlay[0, 0]) == (7, 7, 7)


def test_an_empty_mask_changes_nothing_and_the_image_is_left_alone():
    image = np.full((6, 7, 3), 9, np.uint8)
    assert (draw_overlay(image, np.zeros((6, 7), bool)) == 9).all()
    draw_overlay(image, np.ones((6, 7), bool))
    assert (image == 9).all()
