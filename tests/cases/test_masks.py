"""Tests of masks from logits, and of pixels that several classes claim."""

import numpy as np
import torch

from automedsam.cases.boxes import Box, fill_boxes
from automedsam.cases.classes import Classes, ObjectClass
from automedsam.cases.masks import (
    resolve_mask_overlaps,
    resolve_overlaps,
    to_labels,
    to_mask,
    to_soft_mask,
)


def filled(*boxes: Box) -> np.ndarray:
    return fill_boxes(boxes, (4, 6)).astype(np.float32)


def test_to_mask_selects_probabilities_above_a_half() -> None:
    logits = torch.tensor([[[[-3.0, 0.0], [0.01, 30.0]]]])
    assert to_mask(logits).tolist() == [[False, False], [True, True]]


def test_to_soft_mask_is_the_probability_in_255_steps() -> None:
    logits = torch.tensor([[[[-100.0, -1.0, 0.0], [1.0, 2.0, 100.0]]]])
    soft = to_soft_mask(logits)
    assert soft.dtype == np.uint8
    assert soft.tolist() == [[0, 69, 127], [186, 225, 255]]


def test_to_soft_mask_is_the_largest_probability_of_any_class() -> None:
    logits = torch.tensor([[[[-1.0, 2.0, 1.0]], [[-2.0, 1.0, 3.0]]]])
    largest = torch.tensor([[[[-1.0, 2.0, 3.0]]]])
    assert to_soft_mask(logits).tolist() == to_soft_mask(largest).tolist()


def test_to_labels_gives_a_pixel_to_the_smallest_mask() -> None:
    """A structure inside a ring remains, although the ring's mask is filled and more certain."""
    ring, inside = [-1.0, 2.0, 9.0, 9.0, 0.1, 0.0], [-2.0, -1.0, 1.0, 0.1, -3.0, -5.0]
    myocardium, ventricle = ObjectClass("myocardium", 2), ObjectClass("ventricle", 200)
    labels = to_labels(torch.tensor([[[ring], [inside]]]), Classes([myocardium, ventricle]))
    assert labels.dtype == np.uint8
    assert labels.tolist() == [[0, 2, 200, 200, 2, 0]]
    reversed_classes = Classes([ventricle, myocardium])
    assert np.array_equal(to_labels(torch.tensor([[[inside], [ring]]]), reversed_classes), labels)


def test_resolve_overlaps_leaves_a_pixel_to_the_smaller_object_by_its_certainty() -> None:
    """The backbone fills a ring around a disc; the ring's label loses the pixels of the disc."""
    ring = 0.8 * filled((0, 0, 6, 4))
    disc = 0.8 * filled((1, 1, 3, 3))
    corner = 0.8 * filled((2, 2, 4, 4))
    resolved = resolve_overlaps(np.stack([ring, corner, disc]), [24, 5, 4])
    np.testing.assert_array_equal(resolved[2], disc)
    np.testing.assert_allclose(resolved[1], corner - 0.8 * corner * (disc > 0), rtol=1e-5)
    np.testing.assert_allclose(
        resolved[0], np.where(np.maximum(disc, corner) > 0, 0.8 * 0.2, 0.8), rtol=1e-5
    )


def test_resolve_overlaps_prefers_the_first_of_equal_objects() -> None:
    resolved = resolve_overlaps(np.stack([filled((0, 0, 3, 3)), filled((1, 0, 4, 3))]), [9, 9])
    np.testing.assert_array_equal(resolved[0], filled((0, 0, 3, 3)))
    np.testing.assert_array_equal(resolved[1], filled((3, 0, 4, 3)))


def test_resolve_overlaps_keeps_the_label_of_a_single_class() -> None:
    label = np.random.default_rng(0).random((1, 4, 6), np.float32)
    assert np.array_equal(resolve_overlaps(label, [7]), label)


def test_resolve_mask_overlaps_compares_areas() -> None:
    disc = filled((0, 0, 5, 4)) > 0
    inside = filled((1, 1, 3, 3), (5, 3, 6, 4)) > 0
    resolved = resolve_mask_overlaps(np.stack([disc, inside]))
    assert resolved.dtype == bool
    assert np.array_equal(resolved, [disc & ~inside, inside])
    assert not resolve_mask_overlaps(np.zeros((2, 4, 6), bool)).any()
