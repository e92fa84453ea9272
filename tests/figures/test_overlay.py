"""Contours and boxes of masks, drawn on images."""

import numpy as np
import pytest

from automedsam.cases.classes import SINGLE_CLASS_VALUE, Classes, ObjectClass
from automedsam.cases.colours import CLASS_COLOURS, RED, SKY, as_rgb
from automedsam.figures.overlay import draw_classes, draw_overlay


@pytest.mark.parametrize("shape", [(20, 30), (20, 30, 3)])
def test_overlay_draws_contour_and_box_and_keeps_the_rest(shape):
    mask = np.zeros((20, 30), bool)
    mask[5:12, 8:20] = True
    mask[5, 8] = False
    overlay = draw_overlay(np.full(shape, 7, np.uint8), mask)
    assert overlay.shape == (20, 30, 3)
    assert tuple(overlay[5, 8]) == tuple(overlay[11, 19]) == as_rgb(SKY)
    assert tuple(overlay[4, 12]) == tuple(overlay[12, 12]) == as_rgb(RED)
    assert tuple(overlay[8, 14]) == tuple(overlay[0, 0]) == (7, 7, 7)


def test_overlay_keeps_the_input_and_an_empty_mask_adds_nothing():
    image = np.full((6, 7, 3), 9, np.uint8)
    assert (draw_overlay(image, np.zeros((6, 7), bool)) == 9).all()
    draw_overlay(image, np.ones((6, 7), bool))
    assert (image == 9).all()


def test_draw_classes_draws_a_single_class_like_draw_overlay():
    image = np.full((20, 30), 7, np.uint8)
    labels = np.zeros((20, 30), np.uint8)
    labels[5:12, 8:20] = SINGLE_CLASS_VALUE
    classes = Classes([ObjectClass("object", SINGLE_CLASS_VALUE)])
    assert np.array_equal(draw_classes(image, labels, classes), draw_overlay(image, labels > 0))


def test_draw_classes_draws_several_classes_in_their_colours():
    labels = np.zeros((20, 30), np.uint8)
    labels[2:8, 2:8], labels[12:18, 20:28] = 1, 3
    classes = Classes([ObjectClass("liver", 1), ObjectClass("spleen", 3), ObjectClass("none", 4)])
    overlay = draw_classes(np.full((20, 30, 3), 7, np.uint8), labels, classes)
    colours = {tuple(colour) for colour in overlay.reshape(-1, 3).tolist()}
    first, second = (as_rgb(colour) for colour in CLASS_COLOURS[:2])
    assert tuple(overlay[2, 2]) == tuple(overlay[1, 4]) == first
    assert tuple(overlay[12, 20]) == tuple(overlay[11, 24]) == second
    assert colours == {(7, 7, 7), first, second}
