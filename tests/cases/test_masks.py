"""Pixels that several classes claim are left to the smallest of them."""

import numpy as np

from automedsam.cases.boxes import Box, fill_boxes
from automedsam.cases.masks import resolve_mask_overlaps, resolve_overlaps


def filled(*boxes: Box) -> np.ndarray:
    return fill_boxes(boxes, (4, 6)).astype(np.float32)


def test_a_pixel_is_left_to_the_smaller_object_as_far_as_that_is_sure() -> None:
    """A ring round a disc is filled by the backbone: of its label, what is the disc's is taken away."""
    ring, disc, corner = (
        0.8 * filled((0, 0, 6, 4)),
        0.8 * filled((1, 1, 3, 3)),
        0.8 * filled((2, 2, 4, 4)),
    )
    apart = resolve_overlaps(np.stack([ring, corner, disc]), [24, 5, 4])
    np.testing.assert_array_equal(apart[2], disc)
    np.testing.assert_allclose(apart[1], corner - 0.8 * corner * (disc > 0), rtol=1e-5)
    np.testing.assert_allclose(
        apart[0], np.where(np.maximum(disc, corner) > 0, 0.8 * 0.2, 0.8), rtol=1e-5
    )


def test_of_equal_objects_the_first_has_the_pixel() -> None:
    apart = resolve_overlaps(np.stack([filled((0, 0, 3, 3)), filled((1, 0, 4, 3))]), [9, 9])
    np.testing.assert_array_equal(apart[0], filled((0, 0, 3, 3)))
    np.testing.assert_array_equal(apart[1], filled((3, 0, 4, 3)))


def test_the_label_of_a_class_that_is_alone_stays_as_it_is() -> None:
    label = np.random.default_rng(0).random((1, 4, 6), np.float32)
    assert np.array_equal(resolve_overlaps(label, [7]), label)


def test_masks_go_by_their_areas() -> None:
    disc, within = filled((0, 0, 5, 4)) > 0, filled((1, 1, 3, 3), (5, 3, 6, 4)) > 0
    apart = resolve_mask_overlaps(np.stack([disc, within]))
    assert apart.dtype == bool
    assert np.array_equal(apart, [disc & ~within, within])
    assert not resolve_mask_overlaps(np.zeros((2, 4, 6), bool)).any()
